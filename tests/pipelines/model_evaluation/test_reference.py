"""Tests of what a release keeps of its test rows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.pipelines.model_evaluation.nodes import evaluate_model
from mlops_basics.pipelines.model_evaluation.reference import describe_reference, sample_reference
from mlops_basics.schemas import EvaluationParams, PreprocessingParams, SplitParams
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged

PARAMS = configured(EvaluationParams, resamples=200)
PREPROCESSING = configured(PreprocessingParams, target="kind", exclude=("day",))


def scores_of(parts, model):
    """The scores table of the test rows."""
    _, scores, _ = evaluate_model(
        model, parts.test, parts.test, parts.info, parts.preprocessing, PARAMS
    )
    return scores


def test_the_sample_holds_features_and_scores(binary, binary_model):
    """All test rows, if they are few."""
    scores = scores_of(binary, binary_model)
    found = assert_inputs_unchanged(
        sample_reference, binary.test, scores, binary.info, PREPROCESSING, PARAMS
    )
    assert_frame_equal(found[list(binary.info.features)], binary.test[list(binary.info.features)])
    assert len(found) == len(binary.test)
    assert (found["__target__"].astype(str) == scores["target"].astype(str)).all()
    assert (found["__prediction__"] == scores["prediction"]).all()
    assert all(name in found for name in ("__loss__", "__probability_tall__"))
    assert not any("row_hash" in str(name) for name in found)


def test_of_many_rows_a_sample_is_kept(binary, binary_model):
    """The same one each time; rows keep their scores and their order."""
    many = pd.concat([binary.test] * 4, ignore_index=True)
    many["count"] = np.arange(len(many)) * 1.0
    parts = SimpleNamespace(test=many, info=binary.info, preprocessing=binary.preprocessing)
    scores = scores_of(parts, binary_model)
    params = PARAMS.model_copy(update={"reference_rows": 100})
    found = sample_reference(many, scores, binary.info, PREPROCESSING, params)
    assert len(found) == 100
    assert found["count"].is_monotonic_increasing
    assert found["count"].is_unique
    rows = found["count"].astype(int)
    assert found["__loss__"].tolist() == scores["loss"].iloc[rows].tolist()
    assert_frame_equal(found, sample_reference(many, scores, binary.info, PREPROCESSING, params))
    other = params.model_copy(update={"seed": 1})
    assert (
        sample_reference(many, scores, binary.info, PREPROCESSING, other)["count"].tolist()
        != rows.tolist()
    )


def test_a_classifier_is_described_by_its_losses(binary, binary_model):
    """Wrong classes and halved Brier score of each row; every feature has a profile."""
    profile, losses, info = assert_inputs_unchanged(
        describe_reference, binary_model, binary.test, binary.info, binary.split, PREPROCESSING
    )
    features = binary.test[list(binary.info.features)]
    wrong = binary_model.predict(features) != binary.test["kind"]
    assert losses["error"].tolist() == wrong.astype(float).tolist()
    p = binary_model.predict_proba(features)[:, 1]
    expected = (p - (binary.test["kind"] == "tall")) ** 2
    assert losses["brier"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)
    assert info.rows == len(losses) == len(binary.test)
    assert (info.losses, info.clip, info.times) == (("error", "brier"), None, ())
    own = TableProfile.from_dict(profile)
    assert list(own.columns) == list(binary.info.features)
    assert not any(verdict.drifted for verdict in judge_table(own, own, 1))


def test_a_regression_is_described_by_clipped_errors(regression, regression_model):
    """The clip is the error that one row in a hundred exceeds."""
    params = configured(PreprocessingParams, target="size", exclude=("day", "kind"))
    _, losses, info = describe_reference(
        regression_model, regression.test, regression.info, regression.split, params
    )
    features = regression.test[list(regression.info.features)]
    errors = np.abs(regression_model.predict(features) - regression.test["size"])
    assert info.losses == ("absolute_error",)
    assert info.clip == pytest.approx(np.quantile(errors, 0.99))
    assert losses["absolute_error"].to_numpy() == pytest.approx(
        np.minimum(errors / info.clip, 1).to_numpy()
    )


def test_a_split_by_hash_is_thinned(binary, binary_model):
    """So many rows came in time for each test row; by time, every row is there."""
    for method, expected in (("hash", 5), ("time", 1)):
        split = binary.split.model_copy(
            update={"method": method, "rows": {"train": 4 * len(binary.test), "valid": 0,
                                               "test": len(binary.test)}}
        )  # fmt: skip
        *_, info = describe_reference(binary_model, binary.test, binary.info, split, PREPROCESSING)
        assert info.thinned == expected


def test_losses_are_in_the_order_of_time(binary, binary_model):
    """Losses are ordered by time for any order of the test rows, so that bursts are seen."""
    test = binary.test.assign(day=pd.date_range("2024-01-01", periods=len(binary.test))[::-1])
    params = PREPROCESSING.model_copy(update={"split": configured(SplitParams, time_column="day")})
    _, by_time, _ = describe_reference(binary_model, test, binary.info, binary.split, params)
    _, as_is, _ = describe_reference(
        binary_model, binary.test, binary.info, binary.split, PREPROCESSING
    )
    assert_frame_equal(by_time, as_is[::-1].reset_index(drop=True))
    shuffled = test.sample(frac=1, random_state=0)
    _, again, _ = describe_reference(binary_model, shuffled, binary.info, binary.split, params)
    assert_frame_equal(again, by_time)
