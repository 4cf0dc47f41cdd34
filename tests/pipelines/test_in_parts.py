"""However a table lies in parts, a run sees the same table: sides, types, copies, warnings."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.pipelines.data_collection.nodes import collect_batches
from mlops_basics.pipelines.data_preprocessing.nodes import label_rows, preprocess_data, split_data
from mlops_basics.pipelines.recipe_search.nodes import hold_out_newest
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    Batch,
    CollectionParams,
    Parts,
    PreprocessingParams,
    TrainingParams,
    parts,
)
from mlops_basics.table.checks import TableValidator
from mlops_basics.table.row_hash import smallest_hashes
from tests.support.parameters import configured

ROWS = 400
NUMBERS = [str(number) for number in range(99)]


def table(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """What tables hold: missing values, copies, whole numbers, times as text, ids, rare words."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows).round(3)
    found = pd.DataFrame(
        {
            "size": np.where(rng.random(rows) < 0.1, np.nan, size),
            "count": rng.integers(0, 50, rows),
            "id": rng.permutation(rows) + 10**16,
            "colour": rng.choice(["red", "green", None], rows),
            "day": pd.date_range("2026-01-01", periods=rows, freq="8h").strftime("%Y-%m-%d"),
            "code": np.where(
                rng.random(rows) < 0.02, "n.a.", rng.integers(0, 99, rows).astype(str)
            ),
            "same": 7,
            "kind": np.where(size + rng.normal(size=rows) > 0, "tall", "short"),
        }
    )
    found.loc[rng.random(rows) < 0.05, "kind"] = None
    copies = found.iloc[rng.integers(0, rows, rows // 5)]
    return pd.concat([found, copies], ignore_index=True)


def outcome(
    batches: list[Batch], preprocessing: PreprocessingParams, collection: CollectionParams
) -> list[Any]:
    """All that the nodes say of a source, tables whole."""
    raw, report = collect_batches(batches, [], collection)
    TableValidator(text_columns=["code"]).validate(raw)
    labelled, target_info = label_rows(raw, preprocessing)
    typed, info = preprocess_data(labelled, target_info, preprocessing)
    training = configured(TrainingParams, max_rows=1_000)
    sets = split_data(typed, info, preprocessing, training)
    newest = hold_out_newest(typed, info, preprocessing, training)
    tables = [raw.read(), labelled.read(), typed.read(), *sets[:3], *newest]
    return [*tables, report, target_info, info, sets[3]]


def assert_equal(found: list[Any], expected: list[Any]) -> None:
    """Tables in values and types, all else as it is."""
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, pd.DataFrame):
            assert_frame_equal(one, other)
        else:
            assert one == other


@pytest.mark.parametrize(("time_column", "group_by"), [(None, "auto"), ("day", "colour")])
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(1, ROWS), max_size=4, unique=True).map(sorted), seed=st.integers(0, 3)
)
def test_parts_say_what_the_whole_table_says(
    monkeypatch: pytest.MonkeyPatch,
    time_column: str | None,
    group_by: str,
    cuts: list[int],
    seed: int,
) -> None:
    """Files in one part each and held in memory, or cut anywhere and in none."""
    names = {"target": "kind", "group_by": group_by, "text_columns": ("code",)}
    split = configured(PreprocessingParams, target="kind").split.model_copy(
        update={"time_column": time_column, "period": "W", "min_rows": 1}
    )
    preprocessing = configured(PreprocessingParams, **names, split=split)
    collection = configured(CollectionParams, target="kind", num_instances=ROWS - 30)
    first, second = table(seed), table(seed + 9)[table().columns[::-1]]
    whole = [Batch.of("a.csv", "0", first), Batch.of("b.csv", "1", second)]
    monkeypatch.setattr(parts, "HELD_BYTES", 10**10)
    expected = outcome(whole, preprocessing, collection)
    cut = [
        Batch(
            "a.csv", "0", Parts.of(*(first.iloc[a:b] for a, b in pairwise([0, *cuts, len(first)])))
        ),
        whole[1],
    ]
    monkeypatch.setattr(parts, "HELD_BYTES", 9_000)
    assert_equal(outcome(cut, preprocessing, collection), expected)


@given(st.integers(0, 60), st.randoms(use_true_random=False))
def test_the_rows_of_the_smallest_hashes_depend_on_the_rows_alone(most: int, random: Any) -> None:
    """Not on their order; equal rows stay together, and the others keep the same share."""
    hashes = np.repeat(np.arange(50, dtype=np.uint64), 2)
    among = hashes % 5 != 0
    kept = smallest_hashes(hashes, among, "salt", most)
    order = np.array(random.sample(range(100), 100))
    assert (smallest_hashes(hashes[order], among[order], "salt", most) == kept[order]).all()
    assert (kept[::2] == kept[1::2]).all()
    assert int(kept[among].sum()) in (most, most - 1)
    fewer = smallest_hashes(hashes, among, "salt", max(most - 10, 0))
    assert not (fewer & ~kept).any()


def test_rows_of_one_hash_that_are_too_many_are_told() -> None:
    """All of them are left out; the remedy is the parameter, not other data."""
    raw = pd.DataFrame({"x": [0, 1] * 4_000, "y": [0, 1, 1, 0] * 2_000, BATCH_COLUMN: "a.csv"})
    params = configured(PreprocessingParams, target="y")
    typed, info = preprocess_data(*label_rows(Parts.of(raw), params), params)
    with pytest.raises(DataError, match=r"training\.max_rows is 1,000, and rows .* Set it h"):
        split_data(typed, info, params, configured(TrainingParams, max_rows=1_000))


def test_more_rows_than_may_be_learned_from_are_a_sample_that_says_so() -> None:
    """As large a share of each set, the same whatever the order of the rows; told in a warning."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=9_000), "y": rng.normal(size=9_000)})
    params = configured(PreprocessingParams, target="y")
    training = configured(TrainingParams, max_rows=2_000)

    def sets(source: pd.DataFrame) -> list[Any]:
        raw = Parts.of(source.assign(**{BATCH_COLUMN: "a.csv"}))
        typed, info = preprocess_data(*label_rows(raw, params), params)
        return list(split_data(typed, info, params, training))

    *found, report = sets(rows)
    assert report.rows["train"] == 2_000
    assert sum(report.of_rows.values()) == 9_000
    share = 2_000 / report.of_rows["train"]
    assert report.rows["test"] / report.of_rows["test"] == pytest.approx(share, abs=0.05)
    assert f"2,000 of {report.of_rows['train']:,} train rows are used" in report.warnings[-1]
    assert "training.max_rows is 2,000" in report.warnings[-1]
    for one, other in zip(found, sets(rows.iloc[::-1])[:3], strict=True):
        assert set(one[ROW_HASH_COLUMN]) == set(other[ROW_HASH_COLUMN])
