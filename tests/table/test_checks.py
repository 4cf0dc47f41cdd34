"""Tests of what a table, a batch or a time has to be."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import BATCH_COLUMN, GROUP_PREFIX, ROW_HASH_COLUMN, Batch, Parts
from mlops_basics.table.checks import (
    TableValidator,
    column_kind,
    require_batch_columns,
    require_columns,
    require_times,
)


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
    result = TableValidator().validate(Parts.of(table))
    assert_frame_equal(result.read(), before)
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
def test_the_first_problem_is_reported_with_its_place(table, message):
    """Column, value, row and file, and a remedy."""
    with pytest.raises(DataError, match=message):
        TableValidator().validate(Parts.of(table))


def test_excluded_columns_are_not_looked_at():
    """Excluded columns may hold any values."""
    table = make_table(x=np.inf)
    assert TableValidator(exclude=["x"]).validate(Parts.of(table)) is not None


def test_text_columns_may_look_like_numbers():
    """A code that is a number in nearly all rows."""
    table = make_table(x=with_value("2A", 3))
    assert TableValidator(text_columns=["x"]).validate(Parts.of(table)) is not None


def test_required_columns_are_named_with_their_parameter():
    """The error names the first missing column and how to correct it."""
    require_columns("exclude", ["x", "city"], make_table())
    with pytest.raises(
        ConfigurationError, match=r"`exclude` names the column 'sity'.*'city'.*Correct `exclude`"
    ):
        require_columns("exclude", ["x", "sity"], make_table())


def test_a_near_name_is_suggested():
    """A similar column name of the source is suggested, but no reserved one."""
    with pytest.raises(ConfigurationError, match=r"Did you mean 'city'\?.*: x, city, y\. Correct"):
        require_columns("target", ["cities"], make_table())


def test_an_infinite_value_is_reported_before_a_mixture():
    """Of several faults the same one is reported, for any order of the columns."""
    table = make_table(a=with_value("heavy", 3), z=np.inf)
    with pytest.raises(DataError, match="'z' is infinite"):
        TableValidator().validate(Parts.of(table))


def batch_of(*columns):
    """A batch of one row with these columns."""
    return Batch.of("new.csv", "ab", pd.DataFrame([range(len(columns))], columns=list(columns)))


def test_the_columns_of_a_batch_are_compared():
    """What may lack may be there; what lacks and what is added is named, up to five of each."""
    words = {"of": "of 'old.csv'", "remedy": "Mend it."}
    require_batch_columns(batch_of("b", "a"), ["a", "b"], [], **words)
    require_batch_columns(batch_of("a", "y"), ["a", "x"], ["x", "y"], **words)
    expected = "does not have the columns of 'old.csv': it lacks 'b' and adds 'c', 'd'. Mend it."
    with pytest.raises(DataError, match=re.escape(expected)):
        require_batch_columns(batch_of("c", "d", "a"), ["a", "b"], [], **words)


@pytest.mark.parametrize("name", [BATCH_COLUMN, ROW_HASH_COLUMN, f"{GROUP_PREFIX}day"])
def test_reserved_names_are_refused(name):
    """What the project adds to a table must not come with it."""
    with pytest.raises(
        DataError, match=f"'new.csv' has a column '{name}', a name that is reserved"
    ):
        require_batch_columns(batch_of("a", name), ["a", name], [], of="", remedy="")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None, None], ""),
        ([1, None], "numbers"),
        (["1", "x"], "text"),
        ([1, [2]], "other values"),
        (pd.to_datetime(["2024-01-01", None]), "times"),
        (["2024-01-01", None], "times"),
        (["01/02/2024"], "times"),
        (["2024-01-01", "soon"], "text"),
    ],
)
def test_the_kind_of_a_column(values, expected):
    """The kind follows from the values; a column without values has none."""
    assert column_kind(pd.Series(values, name="x")) == expected


def test_times_are_complete_and_named():
    """Times are converted to UTC; errors name the file if it is known."""
    times, order = require_times(pd.Series(["2024-01-01T01:00+01:00", "2024-01-02"], name="day"))
    assert times.tolist() == [pd.Timestamp(f"2024-01-0{n}") for n in (1, 2)]
    assert order == "year"
    for batch, words in (("", "The time column 'day' is"), ("a.csv", "'day' of the file 'a.csv'")):
        with pytest.raises(DataError, match=f"{words}.*missing in 1 of 2 rows"):
            require_times(pd.Series(["2024-01-01", None], name="day"), batch)
    with pytest.raises(
        DataError, match=r"^The file 'a\.csv' holds a value in its time column 'day'"
    ):
        require_times(pd.Series(["soon"], name="day"), "a.csv")
    with pytest.raises(DataError, match=r"^The time column 'day' holds a value.*time_column: null"):
        require_times(pd.Series(["soon"], name="day"))


def test_a_renamed_column_is_told():
    """The likely rename stands between the fault and the remedy."""
    with pytest.raises(DataError, match=r"lacks 'carat' and adds 'Carat'\. Was 'carat' renamed"):
        require_batch_columns(batch_of("Carat"), ["carat"], [], of="", remedy="Mend it.")
