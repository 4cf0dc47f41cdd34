"""Tests of the few types that models see, and of what a release predicts from."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, TableInfo
from mlops_basics.table.columns import batch_features, typed_column, typed_features


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([1, 2]), [1.0, 2.0]),
        (pd.Series([True, False]), [1.0, 0.0]),
        (pd.Series([1, None], dtype="Int64"), [1.0, np.nan]),
        (pd.Series([True, None], dtype="boolean"), [1.0, np.nan]),
        (pd.Series([1.5, np.inf], dtype="float32"), [1.5, np.inf]),
        (pd.Series([True, None], dtype=object), [1.0, np.nan]),
        (pd.Series([Decimal("1.5"), 2], dtype=object), [1.5, 2.0]),
        (pd.Series([None, None], dtype=object), [np.nan, np.nan]),
        (pd.Series(pd.to_timedelta(["1min", None])), [60.0, np.nan]),
        (pd.Series([2, 3], dtype="category"), [2.0, 3.0]),
    ],
)
def test_numbers_become_floats(values, expected):
    """Whole numbers, booleans, durations, decimals: one type, with or without missing values."""
    assert_series_equal(typed_column(values), pd.Series(expected, dtype="float64"))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype=object),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None], dtype="category"),
    ],
)
def test_text_becomes_text(values):
    """Objects, strings and categories of text are one type; missing stays missing."""
    assert_series_equal(typed_column(values), pd.Series(["a", None], dtype="str"))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(pd.to_datetime(["2024-01-02", None])),
        pd.Series(pd.to_datetime(["2024-01-02T01:00+01:00", None], utc=True)),
        pd.Series(pd.to_datetime(["2024-01-02T01:00+01:00", None])),
        pd.Series([datetime.date(2024, 1, 2), None], dtype=object),
        pd.Series([pd.Timestamp("2024-01-02"), None], dtype=object),
    ],
)
def test_times_become_utc(values):
    """Dates, times and zones are one type in one zone."""
    expected = pd.Series([pd.Timestamp("2024-01-02"), pd.NaT], dtype="datetime64[us]")
    assert_series_equal(typed_column(values), expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Series([[1], [2]], name="tags"), "'tags' holds values of the types list.*`exclude`"),
        (pd.Series([np.array([1]), None], name="v"), "'v' holds values of the types list"),
        (pd.Series([b"x", "y"], name="raw"), "'raw' holds values of the types bytes, str"),
        (pd.Series([{"a": 1}], name="doc"), "'doc' holds values of the types dict"),
        (pd.Series([1j], name="z"), "'z' holds complex numbers"),
    ],
)
def test_other_objects_are_refused(values, message):
    """What no model takes is named, with its column."""
    with pytest.raises(DataError, match=message):
        typed_column(values)


def test_a_table_is_typed_in_the_order_asked_for():
    """Other columns stay out, the index is fresh, the table itself is as it was."""
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0, 0]}, index=[7, 3])
    before = table.copy(deep=True)
    expected = pd.DataFrame({"b": pd.Series(["x", "y"], dtype="str"), "a": [1.0, 2.0]})
    assert_frame_equal(typed_features(table, ["b", "a"])[0], expected)
    assert_frame_equal(table, before)


def test_missing_columns_are_named():
    """The error names the missing columns and says that empty values are enough."""
    with pytest.raises(DataError, match=r"lacks 2 of the model's 3 columns: y, z\..*empty values"):
        typed_features(pd.DataFrame({"x": [1]}), ["x", "y", "z"])


def test_no_rows_keep_their_types():
    """An empty table is typed like a full one."""
    typed, _ = typed_features(pd.DataFrame({"x": pd.Series([], dtype="int64")}), ["x"])
    assert typed.dtypes.to_dict() == {"x": np.dtype("float64")}


INFO = TableInfo(
    task="binary", target="kind", classes=("a", "b"), features=("size", "colour"),
    numeric=("size",), key_columns=(), rows=0, duplicate_rows=0, missing_target_rows=0,
    dropped_columns={},
)  # fmt: skip


def features_of(**columns) -> pd.DataFrame:
    """The features of a batch of these columns."""
    return batch_features(Batch.of("new.csv", "ab", pd.DataFrame(columns)), INFO).read()


def test_the_features_in_the_order_of_the_model():
    """Typed, without what the model does not know, with a fresh index."""
    table = pd.DataFrame({"more": 1, "colour": ["x", None], "size": [1, 2]}, index=[7, 7])
    found = batch_features(Batch.of("new.csv", "ab", table), INFO).read()
    assert list(found.columns) == ["size", "colour"]
    assert [str(kind) for kind in found.dtypes] == ["float64", "str"]
    assert found.index.tolist() == [0, 1]


@pytest.mark.parametrize("size", [[1, 0], [True, False], pd.array([1, None], "Int64")])
def test_every_number_is_a_float(size):
    """Every number becomes a float, so that a first missing value changes no type."""
    assert features_of(size=size, colour="x")["size"].dtype == np.float64


def test_a_column_without_any_value_has_the_type_of_the_model():
    """A column without values takes the model's type."""
    found = features_of(size=[None, None], colour=[np.nan, np.nan])
    assert [str(kind) for kind in found.dtypes] == ["float64", "str"]
    assert found.isna().all(axis=None)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"size": [1]}, r"batch 'new\.csv' does not fit .* columns: colour"),
        ({"size": ["1", "many"], "colour": "x"}, r"'size' must hold numbers, but holds '1'"),
        ({"size": [None, "many"], "colour": "x"}, r"'size' must hold numbers, but holds 'many'"),
        ({"size": pd.to_datetime(["2024-01-01"]), "colour": "x"}, r"must hold numbers.*2024"),
        ({"size": [1], "colour": [[1]]}, r"'colour' holds values of the types list"),
    ],
)
def test_what_does_not_fit_is_named(columns, message):
    """The error names batch, column and value."""
    with pytest.raises(DataError, match=message):
        features_of(**columns)


def test_a_batch_that_could_not_be_read_says_why():
    """The error is the batch's own fault, not one about its columns."""
    batch = Batch.of("bad.csv", "ab", pd.DataFrame(), "The file 'bad.csv' is empty.")
    with pytest.raises(DataError, match=r"^The file 'bad\.csv' is empty\.$"):
        batch_features(batch, INFO)
