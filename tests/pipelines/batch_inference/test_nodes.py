"""Tests of scoring batches with a release."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.pipelines.batch_inference import create_pipeline
from mlops_basics.pipelines.batch_inference.nodes import prediction_ids, score_batches
from mlops_basics.schemas import BATCH_COLUMN, Batch, Release
from tests.pipelines.helpers import assert_inputs_unchanged, raw_table, run_slice
from tests.releases import make_manifest

FEATURES = ["size", "count", "colour"]


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
    return Batch(name, "ab" * 32, table)


def test_each_row_is_scored_with_everything_that_is_known(release):
    """Id, batch, position, class, probabilities and version; the model's own numbers."""
    batch = batch_of()
    scored = assert_inputs_unchanged(score_batches, [batch], release)
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
    """And no probabilities."""
    batch = batch_of()
    scored = assert_inputs_unchanged(score_batches, [batch], of_values)
    assert list(scored.columns) == [
        "prediction_id", BATCH_COLUMN, "row", "prediction", "model_version",
    ]  # fmt: skip
    assert scored["prediction"].dtype == np.float64
    assert scored["prediction"].notna().all()


def test_batches_follow_each_other(release):
    """Rows are counted within each."""
    scored = score_batches([batch_of(3, name="a"), batch_of(2, name="b")], release)
    assert scored[BATCH_COLUMN].tolist() == ["a", "a", "a", "b", "b"]
    assert scored["row"].tolist() == [1, 2, 3, 1, 2]
    assert scored.index.tolist() == [0, 1, 2, 3, 4]


def test_rows_with_missing_values_are_scored(release, of_values):
    """In each column, also in one of whole numbers, and in all at once; none is dropped."""
    table = raw_table(12, 5)[FEATURES]
    for row, column in enumerate(FEATURES):
        table[column] = table[column].astype(object).where(table.index != row, None)
    table["count"] = table["count"].astype("Int64")
    table["size"] = table["size"].astype("Float64")
    table.loc[4] = [pd.NA, pd.NA, None]
    for used in (release, of_values):
        scored = score_batches([Batch("holes.csv", "", table)], used)
        assert len(scored) == 12
        assert scored.notna().all(axis=None)


@pytest.mark.parametrize("column", FEATURES)
def test_a_column_without_any_value_is_scored(release, column):
    """As a file has it in which nobody filled it in."""
    scored = score_batches([batch_of(**{column: None})], release)
    assert len(scored) == 40
    assert scored.notna().all(axis=None)


def test_the_storage_of_a_number_does_not_matter(release):
    """Whole, floating, nullable or decimal text of the same value: the same scores and ids."""
    expected = score_batches([batch_of()], release)
    for kind in ("float64", "Int64", "int8"):
        batch = batch_of()
        table = batch.table.assign(count=batch.table["count"].astype(kind))
        assert_frame_equal(score_batches([Batch("new.csv", "", table)], release), expected)


def test_columns_may_come_in_any_order_and_with_others(release):
    """What the model does not know is not looked at."""
    expected = score_batches([batch_of()], release)
    batch = batch_of(comment="x")
    table = batch.table[["comment", "colour", "count", "size"]]
    assert_frame_equal(score_batches([Batch("new.csv", "", table)], release), expected)


def test_a_missing_column_is_named(release):
    """With the batch, and what to do."""
    batch = batch_of()
    table = batch.table.drop(columns="count")
    with pytest.raises(DataError, match=r"batch 'new\.csv' does not fit .*columns: count\. Add"):
        score_batches([Batch("new.csv", "", table)], release)


def test_text_among_numbers_is_named(release):
    """Column, batch and the value."""
    table = batch_of().table
    table["count"] = table["count"].astype(str).where(table.index != 3, "many")
    with pytest.raises(DataError, match=r"'new\.csv' .* column 'count' must hold numbers, but"):
        score_batches([Batch("new.csv", "", table)], release)


def test_objects_in_a_column_are_named(release):
    """Lists are no values."""
    batch = batch_of(5, size=pd.Series([[1], [2], [3], [4], [5]]))
    with pytest.raises(DataError, match=r"'new\.csv' does not fit .*'size' holds values .*list"):
        score_batches([batch], release)


def test_categories_that_the_model_never_saw_are_scored(release):
    """As an unknown one."""
    scored = score_batches([batch_of(colour="ultraviolet")], release)
    assert scored.notna().all(axis=None)


def ids_of(table, release, name="new.csv"):
    """Ids of a table's rows."""
    return prediction_ids(Batch(name, "", table), release.table)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.sampled_from([1.0, 2.0, None]), min_size=1, max_size=40))
def test_ids_are_unique_however_often_rows_repeat(release, rows):
    """Also in another batch of the same rows, and the same when scored again."""
    table = pd.DataFrame({"size": rows, "count": 1, "colour": "red"})
    ids = ids_of(table, release) + ids_of(table, release, "other.csv")
    assert len(set(ids)) == 2 * len(rows)
    assert ids_of(table.copy(), release) == ids[: len(rows)]
    assert all(len(each) == 20 for each in ids)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(20)))
def test_ids_follow_their_rows(release, order):
    """When the rows of a batch come in another order, each keeps its id."""
    table = batch_of(20).table
    ids = pd.Series(ids_of(table, release))
    assert ids_of(table.iloc[order], release) == ids.iloc[order].tolist()


def test_ids_do_not_depend_on_the_other_batches(release):
    """Reordered, or alone; nor on the version that scored them."""
    one, two = batch_of(10, 1, "a.csv"), batch_of(10, 2, "b.csv")
    forth, back = score_batches([one, two], release), score_batches([two, one], release)
    ids = [part.set_index([BATCH_COLUMN, "row"])["prediction_id"].sort_index() for part in
           (forth, back)]  # fmt: skip
    assert ids[0].tolist() == ids[1].tolist()
    alone = score_batches([two], release)
    assert alone["prediction_id"].tolist() == back["prediction_id"][:10].tolist()


def test_ids_do_not_depend_on_the_storage(release):
    """A row has the same id when another row turns its column into one of floats."""
    table = batch_of(10).table
    more = pd.concat([table, table[:1].assign(count=np.nan)], ignore_index=True)
    assert ids_of(more, release)[:10] == ids_of(table, release)


def test_named_keys_identify_rows(release):
    """Then other values of a row do not change its id; without the key it has one all the same."""
    named = Release(
        manifest=release.manifest,
        model=release.model,
        table=release.table.model_copy(update={"key_columns": ("order",)}),
    )
    table = batch_of(10).table.assign(order=range(10))
    corrected = table.assign(size=table["size"] + 1)
    assert ids_of(corrected, named) == ids_of(table, named)
    assert len(set(ids_of(table.drop(columns="order"), named))) == 10


def test_the_pipeline_scores_with_production_alone(release):
    """It reads nothing from the training folders."""
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"inference_source", "production"}
    batches = [batch_of(5)]
    found = run_slice(pipeline, {"inference_source": batches, "production": release})
    (predictions,) = found.values()
    assert_frame_equal(predictions, score_batches(batches, release))
