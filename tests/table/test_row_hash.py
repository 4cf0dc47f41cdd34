"""Tests of the row hash: a row's side must depend on its values alone."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.schemas import ROW_HASH_COLUMN
from mlops_basics.table.row_hash import (
    content_digest,
    joined_digest,
    row_hashes,
    rows_by_hash,
    salted_fractions,
)
from tests.support.strategies import tables
from tests.support.tables import assert_inputs_unchanged

FIXED = [9100838874046722857, 2048113548871511803]
COLUMNS = ["number", "real", "word", "time"]


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_does_not_matter(table, random):
    """A shuffled table has the shuffled hashes."""
    rows = list(range(len(table)))
    random.shuffle(rows)
    columns = random.sample(COLUMNS, len(COLUMNS))
    shuffled = table.iloc[rows][columns].reset_index(drop=True)
    assert (row_hashes(shuffled, columns) == row_hashes(table, COLUMNS)[rows]).all()


@given(tables(), tables())
def test_appended_rows_change_no_hash(table, more):
    """The rows that were there before keep their hashes."""
    both = pd.concat([table, more], ignore_index=True)
    assert (row_hashes(both, COLUMNS)[: len(table)] == row_hashes(table, COLUMNS)).all()


@given(tables())
def test_csv_and_parquet_give_the_same_hashes(table):
    """A round trip through either format changes no hash."""
    before = row_hashes(table, COLUMNS)
    csv = pd.read_csv(io.StringIO(table.to_csv(index=False)), float_precision="round_trip")
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    assert (row_hashes(csv, COLUMNS) == before).all()
    assert (row_hashes(pd.read_parquet(io.BytesIO(buffer.getvalue())), COLUMNS) == before).all()


@given(tables(min_rows=2), st.data())
def test_a_first_missing_value_changes_only_its_row(table, data):
    """An integer column that becomes one of floats keeps the other rows' hashes."""
    row = data.draw(st.integers(0, len(table) - 1))
    changed = table.astype({"number": "float64"})
    changed.loc[row, "number"] = np.nan
    same = row_hashes(changed, COLUMNS) == row_hashes(table, COLUMNS)
    assert same.sum() == len(table) - 1
    assert not same[row]


@given(tables(min_rows=2))
def test_a_first_text_in_a_number_column_changes_only_its_row(table):
    """A number column that CSV reads as text, since one entry is text, keeps the other hashes."""
    changed = table.assign(number=table["number"].map(str).astype(object))
    changed.loc[0, "number"] = "unknown"
    same = row_hashes(changed, COLUMNS) == row_hashes(table, COLUMNS)
    assert same[1:].all()
    assert not same[0]


def test_every_kind_of_missing_value_is_one_value():
    """None, NaN, NaT and pandas' NA hash alike."""
    hashes = {
        int(row_hashes(pd.DataFrame({"x": values}), ["x"])[0])
        for values in (
            pd.Series([None], dtype=object),
            pd.Series([np.nan]),
            pd.Series([pd.NaT]),
            pd.Series([pd.NA], dtype="Int64"),
            pd.Series([None], dtype="str"),
        )
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Series([0.1], dtype="float32"), pd.Series([0.1])),
        (pd.Series([True]), pd.Series([1])),
        (pd.Series([-0.0]), pd.Series([0.0])),
        (pd.Series(["2020-01-02T03:04:05Z"]), pd.Series(pd.to_datetime(["2020-01-02 03:04:05"]))),
        (
            pd.Series(pd.to_datetime(["2020-01-02 05:04:05+02:00"])),
            pd.Series(pd.to_datetime(["2020-01-02 03:04:05"])),
        ),
        (pd.Series(["a"], dtype="category"), pd.Series(["a"], dtype=object)),
    ],
)
def test_equal_values_of_other_types_are_equal(one, other):
    """Equal values have equal hashes with any storage type."""
    hashes = [row_hashes(pd.DataFrame({"x": values}), ["x"])[0] for values in (one, other)]
    assert hashes[0] == hashes[1]


def test_values_in_other_columns_are_other_rows():
    """(1, 2) and (2, 1) differ, and so does a value under another name."""
    table = pd.DataFrame({"a": [1, 2], "b": [2, 1]})
    hashes = row_hashes(table, ["a", "b"])
    assert hashes[0] != hashes[1]
    renamed = table.rename(columns={"a": "c"})
    assert (row_hashes(renamed, ["c", "b"]) != hashes).all()


def test_hashes_are_fixed_for_ever():
    """A new version of a library must not move rows to another side."""
    table = pd.DataFrame({"x": [1, 2], "y": ["a", None]})
    assert row_hashes(table, ["x", "y"]).tolist() == FIXED


def test_fractions_are_uniform_and_independent_of_another_salt():
    """Kolmogorov-Smirnov for one salt, correlation between two."""
    hashes = row_hashes(pd.DataFrame({"x": np.arange(20_000)}), ["x"])
    one, other = salted_fractions(hashes, "a"), salted_fractions(hashes, "b")
    assert stats.kstest(one, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))
    assert one.min() >= 0
    assert one.max() < 1


def test_rows_are_found_by_hash_and_occurrence():
    """The n-th row of a hash is matched with the n-th; other rows stay where they are."""
    table = pd.DataFrame(
        {
            ROW_HASH_COLUMN: np.array([7, 5, 2**64 - 1, 5, 9, 5], dtype=np.uint64),
            "y": [1, 2, 3, 4, 5, 6],
            "raw": list("abcdef"),
        },
        index=[3, 3, 1, 0, 8, 9],
    )
    wanted = table.iloc[[2, 1, 3, 0, 5]].reset_index(drop=True).drop(columns="raw")
    found = assert_inputs_unchanged(rows_by_hash, table, wanted, "y")
    assert found["raw"].tolist() == list("cbdaf")
    assert found.index.tolist() == list(range(5))
    assert rows_by_hash(table, wanted[:0], "y").empty


@given(tables(), st.integers(0, 30), st.randoms(use_true_random=False))
def test_the_digest_ignores_order_and_adds_up(table, cut, random):
    """A shuffled table has the same digest, and the digests of two parts make that of both."""
    hashes = row_hashes(table, COLUMNS)
    rows = list(range(len(table)))
    random.shuffle(rows)
    whole = content_digest(hashes)
    assert content_digest(hashes[rows]) == whole
    assert joined_digest([content_digest(hashes[:cut]), content_digest(hashes[cut:])]) == whole
    assert joined_digest([whole]) == whole


def test_the_digest_tells_rows_apart():
    """Every row counts, as often as it occurs; 4,000 tables that differ in a row all differ."""
    hashes = row_hashes(pd.DataFrame({"x": np.arange(2000.0)}), ["x"])
    parts = [hashes[:0], *(np.delete(hashes, at) for at in range(2000)), hashes]
    parts += [np.append(hashes, hashes[at]) for at in range(2000)]
    parts += [np.append(hashes, [hashes[0]] * 2)]  # a pair cancels nothing
    assert len({content_digest(part) for part in parts}) == len(parts)
