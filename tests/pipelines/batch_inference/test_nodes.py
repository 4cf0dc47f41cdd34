"""Tests of scoring batches with a release."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.pipelines.batch_inference import create_pipeline
from mlops_basics.schemas import BATCH_COLUMN, Batch, Guess, PreprocessingParams, Release
from mlops_basics.table.labels import PREDICTION_ID
from tests.support.parameters import configured
from tests.support.releases import make_manifest
from tests.support.tables import assert_inputs_unchanged, raw_table, run_slice
from tests.support.whole import score_batches

FEATURES = ["size", "count", "colour"]
PARAMS = configured(PreprocessingParams, target="kind")


@pytest.fixture(scope="module")
def release(binary, binary_model):
    """The classifier, as production has it."""
    return Release(manifest=make_manifest("7"), model=binary_model, table=binary.info)


@pytest.fixture(scope="module")
def of_values(regression, regression_model):
    """The regression, as production has it."""
    return Release(manifest=make_manifest("8"), model=regression_model, table=regression.info)


def batch_of(rows=40, seed=5, name="new.csv", **columns):
    """New rows without a target."""
    table = raw_table(rows, seed)[FEATURES].assign(**columns)
    return Batch.of(name, "ab" * 32, table)


def test_each_row_is_scored_with_everything_that_is_known(release):
    """Each row has id, batch, position, version, and the model's class and probabilities."""
    batch = batch_of()
    scored = assert_inputs_unchanged(score_batches, [batch], release, PARAMS)
    assert list(scored.columns) == [
        "prediction_id",
        BATCH_COLUMN,
        "row",
        "prediction",
        "probability_short",
        "probability_tall",
        "model_version",
    ]
    assert scored["row"].tolist() == list(range(1, 41))
    assert set(scored[BATCH_COLUMN]) == {"new.csv"}
    assert set(scored["model_version"]) == {"7"}
    features = batch.table.assign(count=batch.table["count"].astype(float))
    expected = release.model.predict_proba(features)
    found = scored[["probability_short", "probability_tall"]].to_numpy()
    assert found == pytest.approx(expected)
    assert scored["prediction"].tolist() == release.model.predict(features).tolist()


def test_a_regression_has_values(of_values):
    """A regression gives values and no probabilities."""
    batch = batch_of()
    scored = assert_inputs_unchanged(score_batches, [batch], of_values, PARAMS)
    assert list(scored.columns) == [
        "prediction_id", BATCH_COLUMN, "row", "prediction", "model_version",
    ]  # fmt: skip
    assert scored["prediction"].dtype == np.float64
    assert scored["prediction"].notna().all()


def test_batches_follow_each_other(release):
    """Batches follow each other, and rows are numbered within each."""
    scored = score_batches([batch_of(3, name="a"), batch_of(2, name="b")], release, PARAMS)
    assert scored[BATCH_COLUMN].tolist() == ["a", "a", "a", "b", "b"]
    assert scored["row"].tolist() == [1, 2, 3, 1, 2]
    assert scored.index.tolist() == [0, 1, 2, 3, 4]


def test_rows_with_missing_values_are_scored(release, of_values):
    """Rows with missing values in any column, or in all, are scored, and none is dropped."""
    table = raw_table(12, 5)[FEATURES]
    for row, column in enumerate(FEATURES):
        table[column] = table[column].astype(object).where(table.index != row, None)
    table["count"] = table["count"].astype("Int64")
    table["size"] = table["size"].astype("Float64")
    table.loc[4] = [pd.NA, pd.NA, None]
    for used in (release, of_values):
        scored = score_batches([Batch.of("holes.csv", "", table)], used, PARAMS)
        assert len(scored) == 12
        assert scored.notna().all(axis=None)


@pytest.mark.parametrize("column", FEATURES)
def test_a_column_without_any_value_is_scored(release, column):
    """A column without a value in the whole file is scored as missing."""
    scored = score_batches([batch_of(**{column: None})], release, PARAMS)
    assert len(scored) == 40
    assert scored.notna().all(axis=None)


def test_the_storage_of_a_number_does_not_matter(release):
    """Whole, floating, nullable or decimal text of the same value: the same scores and ids."""
    expected = score_batches([batch_of()], release, PARAMS)
    for kind in ("float64", "Int64", "int8"):
        batch = batch_of()
        table = batch.table.assign(count=batch.table["count"].astype(kind))
        assert_frame_equal(
            score_batches([Batch.of("new.csv", "", table)], release, PARAMS), expected
        )


def test_columns_may_come_in_any_order_and_with_others(release):
    """Columns may have any order, and columns that the model does not use are ignored."""
    expected = score_batches([batch_of()], release, PARAMS)
    batch = batch_of(comment="x")
    table = batch.table[["comment", "colour", "count", "size"]]
    found = score_batches([Batch.of("new.csv", "", table)], release, PARAMS)
    assert_frame_equal(found.drop(columns=PREDICTION_ID), expected.drop(columns=PREDICTION_ID))


def test_a_missing_column_is_named(release):
    """The error names the batch and the missing column, with a remedy."""
    batch = batch_of()
    table = batch.table.drop(columns="count")
    with pytest.raises(DataError, match=r"batch 'new\.csv' does not fit .*columns: count\. Add"):
        score_batches([Batch.of("new.csv", "", table)], release, PARAMS)


def test_text_among_numbers_is_named(release):
    """The error names column, batch and value."""
    table = batch_of().table
    table["count"] = table["count"].astype(str).where(table.index != 3, "many")
    with pytest.raises(DataError, match=r"'new\.csv' .* column 'count' must hold numbers, but"):
        score_batches([Batch.of("new.csv", "", table)], release, PARAMS)


def test_objects_in_a_column_are_named(release):
    """A column of lists is refused by name."""
    batch = batch_of(5, size=pd.Series([[1], [2], [3], [4], [5]]))
    with pytest.raises(DataError, match=r"'new\.csv' does not fit .*'size' holds values .*list"):
        score_batches([batch], release, PARAMS)


def test_categories_that_the_model_never_saw_are_scored(release):
    """Categories that the model never saw are scored like an unknown one."""
    scored = score_batches([batch_of(colour="ultraviolet")], release, PARAMS)
    assert scored.notna().all(axis=None)


def test_ids_do_not_depend_on_the_other_batches(release):
    """Ids are the same for reordered or single batches, and for each version."""
    one, two = batch_of(10, 1, "a.csv"), batch_of(10, 2, "b.csv")
    forth, back = (
        score_batches([one, two], release, PARAMS),
        score_batches([two, one], release, PARAMS),
    )
    ids = [part.set_index([BATCH_COLUMN, "row"])["prediction_id"].sort_index() for part in
           (forth, back)]  # fmt: skip
    assert ids[0].tolist() == ids[1].tolist()
    alone = score_batches([two], release, PARAMS)
    assert alone["prediction_id"].tolist() == back["prediction_id"][:10].tolist()


def test_keys_that_are_others_as_numbers_are_refused(release):
    """Rows of 0071 and 71 would share a prediction id, and each other's labels."""
    batch = batch_of()
    guess = Guess("digits", "count", "0071", 1)
    guessed = Batch.of(batch.name, batch.sha256, batch.table, guesses=(guess,))
    params = configured(PreprocessingParams, target="kind", key_columns=("count",))
    with pytest.raises(DataError, match=r"'new\.csv' has keys such as '0071'.*text_columns"):
        score_batches([guessed], release, params)
    assert len(score_batches([guessed], release, PARAMS)) == 40


def test_the_pipeline_scores_with_production_alone(release):
    """It reads nothing from the training folders."""
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"inference_source", "production", "params:preprocessing"}
    batches = [batch_of(5)]
    found = run_slice(
        pipeline,
        {"inference_source": batches, "production": release, "params:preprocessing": PARAMS},
    )
    (predictions,) = found.values()
    assert_frame_equal(predictions, score_batches(batches, release, PARAMS))
