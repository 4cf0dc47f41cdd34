"""Tests of the schema that every collected table must meet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import BATCH_COLUMN
from mlops_basics.table.checks import TableValidator, require_columns


def make_table(rows=40, **columns):
    """A table of two batches that is in order, with some columns replaced."""
    table = pd.DataFrame(
        {
            "x": np.arange(rows) / 2,
            "city": ["Rome", "Paris"] * (rows // 2),
            "y": ["a", "b"] * (rows // 2),
            BATCH_COLUMN: ["one.csv"] * (rows // 2) + ["two.csv"] * (rows // 2),
        }
    )
    return table.assign(**columns)


def with_value(value, row, rows=40):
    """A number column that holds something else in one row."""
    values = pd.Series(np.arange(rows), dtype=object).map(str)
    values[row] = value
    return values.astype("str")


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"x": np.nan},
        {"x": pd.Series([None] * 40, dtype=object)},
        {"x": pd.Series([1, None] * 20, dtype="Int64")},
        {"x": pd.Series([1.5, None] * 20, dtype="Float64")},
        {"x": pd.date_range("2024-01-01", periods=40)},
        {"x": pd.Series(["u", "v"] * 20, dtype="category")},
        {"x": ["1", "two"] * 20},
        {"x": with_value("7", 0)},
    ],
)
def test_a_table_in_order_passes_as_it_is(columns):
    """Missing values, all types, text with some numbers, numbers as text: no error, no change."""
    table = make_table(**columns)
    before = table.copy(deep=True)
    result = TableValidator().validate(table)
    assert_frame_equal(result, before)
    assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            make_table(x=np.where(np.arange(40) == 25, np.inf, 1.0)),
            "'x' is infinite in 1 of 40 rows, first in data row 6 of 'two.csv'",
        ),
        (
            make_table(x=np.where(np.arange(40) < 2, -np.inf, 1.0)),
            "'x' is infinite in 2 of 40 rows, first in data row 1 of 'one.csv'",
        ),
        (
            make_table(x=with_value("heavy", 25)),
            "'x' mixes numbers and text: 'heavy' stands in data row 6 of 'two.csv'.*`text_columns`",
        ),
        (
            make_table(x=pd.Series([1] * 39 + ["heavy"], dtype=object)),
            "'x' mixes numbers and text: 'heavy' stands in data row 20 of 'two.csv'",
        ),
        (
            make_table(x=with_value("heavy", 3)).drop(columns=BATCH_COLUMN),
            "'heavy' stands in row 4",
        ),
        (make_table(2), "The source has 2 rows, which is too few"),
    ],
)
def test_the_first_problem_is_told_with_its_place(table, message):
    """Column, value, row and file, and a remedy."""
    with pytest.raises(DataError, match=message):
        TableValidator().validate(table)


def test_excluded_columns_are_not_looked_at():
    """What no model sees may hold anything."""
    table = make_table(x=np.inf)
    assert TableValidator(exclude=["x"]).validate(table) is not None


def test_text_columns_may_look_like_numbers():
    """A code that is a number in nearly all rows."""
    table = make_table(x=with_value("2A", 3))
    assert TableValidator(text_columns=["x"]).validate(table) is not None


def test_required_columns_are_named_with_their_parameter():
    """The first that is missing, and how to correct it."""
    require_columns("exclude", ["x", "city"], make_table())
    with pytest.raises(
        ConfigurationError, match=r"`exclude` names the column 'sity'.*'city'.*Correct `exclude`"
    ):
        require_columns("exclude", ["x", "sity"], make_table())


def test_a_near_name_is_suggested():
    """Of the columns that the source has; our own is not listed."""
    with pytest.raises(ConfigurationError, match=r"Did you mean 'city'\?.*: x, city, y\. Correct"):
        require_columns("target", ["cities"], make_table())
