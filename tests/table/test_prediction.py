"""Tests of what a release predicts from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, TableInfo
from mlops_basics.table.columns import batch_features

INFO = TableInfo(
    task="binary", target="kind", classes=("a", "b"), features=("size", "colour"),
    numeric=("size",), key_columns=(), rows=0, duplicate_rows=0, missing_target_rows=0,
    dropped_columns={},
)  # fmt: skip


def features_of(**columns) -> pd.DataFrame:
    """The features of a batch of these columns."""
    return batch_features(Batch("new.csv", "ab", pd.DataFrame(columns)), INFO)


def test_the_features_in_the_order_of_the_model():
    """Typed, without what the model does not know, with a fresh index."""
    table = pd.DataFrame({"more": 1, "colour": ["x", None], "size": [1, 2]}, index=[7, 7])
    found = batch_features(Batch("new.csv", "ab", table), INFO)
    assert list(found.columns) == ["size", "colour"]
    assert [str(kind) for kind in found.dtypes] == ["float64", "str"]
    assert found.index.tolist() == [0, 1]


@pytest.mark.parametrize("size", [[1, 0], [True, False], pd.array([1, None], "Int64")])
def test_every_number_is_a_float(size):
    """So that a first gap changes no type."""
    assert features_of(size=size, colour="x")["size"].dtype == np.float64


def test_a_column_without_any_value_has_the_type_of_the_model():
    """Without a value there is no type to be seen."""
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
    """Batch, column, value."""
    with pytest.raises(DataError, match=message):
        features_of(**columns)


def test_a_batch_that_could_not_be_read_says_why():
    """Whatever its table holds."""
    batch = Batch("bad.csv", "ab", pd.DataFrame(), "The file 'bad.csv' is empty.")
    with pytest.raises(DataError, match=r"^The file 'bad\.csv' is empty\.$"):
        batch_features(batch, INFO)
