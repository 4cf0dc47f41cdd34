"""Which rows choose a recipe after an alarm, and which are left to test it at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.errors import DataError
from mlops_basics.schemas import BATCH_COLUMN, ROW_HASH_COLUMN, PreprocessingParams
from tests.support.artifacts import make_table_info
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged
from tests.support.whole import hold_out_newest

PARAMS = configured(PreprocessingParams, target="y", split={"valid_fraction": 0.2, "min_rows": 20})
INFO = make_table_info()


def table_of(*sizes: int) -> pd.DataFrame:
    """Batches b0, b1, ... of so many rows."""
    names = np.repeat([f"b{number}" for number in range(len(sizes))], sizes)
    x = np.arange(len(names), dtype=float)
    hashes = np.arange(len(names), dtype=np.uint64)
    return pd.DataFrame({ROW_HASH_COLUMN: hashes, BATCH_COLUMN: names, "x": x, "y": x})


def test_the_newest_batches_are_valid_until_they_hold_enough() -> None:
    """Whole batches, from the newest on: 300 rows, or the fraction of a small table."""
    table = table_of(1_000, 200, 200, 200)
    train, valid = assert_inputs_unchanged(hold_out_newest, table, INFO, PARAMS)
    assert set(valid[BATCH_COLUMN]) == {"b2", "b3"}
    assert set(train[BATCH_COLUMN]) == {"b0", "b1"}
    train, valid = hold_out_newest(table_of(60, 40, 30), INFO, PARAMS)
    assert (len(train), len(valid)) == (100, 30)


@pytest.mark.parametrize(("newest", "valid_rows"), [(1_299, 1_299), (1_300, 1_000), (9_000, 1_000)])
def test_of_large_batches_some_rows_choose_and_the_others_are_left(
    newest: int, valid_rows: int
) -> None:
    """What is left is in neither set, and comes after what has chosen."""
    train, valid = hold_out_newest(table_of(500, newest), INFO, PARAMS)
    assert (len(train), len(valid)) == (500, valid_rows)
    assert valid["x"].tolist() == list(range(500, 500 + valid_rows))


@pytest.mark.parametrize("sizes", [(100,), (10, 100), (100, 5)])
def test_too_few_rows_are_named(sizes: tuple[int, ...]) -> None:
    """The error counts both sides."""
    with pytest.raises(DataError, match="A search needs 20 rows before the newest"):
        hold_out_newest(table_of(*sizes), INFO, PARAMS)


def test_one_class_before_the_newest_batches_is_named() -> None:
    """No recipe can be chosen on it."""
    table = table_of(100, 400).assign(y=np.repeat(["a", "b"], [100, 400]))
    info = INFO.model_copy(update={"task": "binary", "classes": ("a", "b")})
    with pytest.raises(DataError, match=r"All 100 rows .* are of one class"):
        hold_out_newest(table, info, PARAMS)
