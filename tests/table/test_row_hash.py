"""Tests of the row hash: a row's side must depend on its values alone."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.schemas import ROW_HASH_COLUMN
from mlops_basics.table.row_hash import (
    content_digest,
    find_run,
    joined_digest,
    row_hashes,
    salted_fractions,
)
from tests.support.strategies import tables
from tests.support.tables import assert_inputs_unchanged
from tests.support.whole import rows_by_hash

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


#: Around 2**53, where floats begin to skip whole numbers, and beyond 64 bits.
whole_numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.builds(
        lambda power, more, sign: sign * (2**power + more),
        st.integers(50, 66),
        st.integers(-3, 3),
        st.sampled_from([1, -1]),
    ),
)
looks_like_a_number = st.one_of(
    st.text("0123456789.eE+-_ ", max_size=21),
    whole_numbers.map(str),
    st.floats(allow_nan=False).map(repr),
    st.integers(0, 10**20).map(lambda number: f"0{number}"),
)
values = st.one_of(
    whole_numbers,
    st.booleans(),
    st.floats(allow_nan=False),
    whole_numbers.map(float),
    looks_like_a_number.filter(lambda text: not re.match(r"\d{4}-\d\d-\d\d", text)),
)


def hash_of(value, dtype=object):
    """Of a row of one value."""
    return int(row_hashes(pd.DataFrame({"x": pd.Series([value], dtype=dtype)}), ["x"])[0])


def as_written(value):
    """A number as Python writes it, whole ones without a point; text as it is."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else str(int(value) if value is True else value)


@given(values, values)
@example(1541815604606036480, 1541815604606036481)
@example("1541815604606036480", "1541815604606036481")
@example(1541815604606036481, "1541815604606036481")
@example(2**60, float(2**60))
@example(2**63, float(2**63))
@example(-(2**60) - 1, 2**64 - 2**60 - 1)
@example("0071", "71")
@example("1E10", "10E9")
@example("1.10", "1.1")
@example("1", "1.0")
@example("inf", float("inf"))
@example(True, 1)
def test_values_are_equal_where_python_says_so(one, other):
    """Numbers by Python's equality, texts by theirs, a text and a number if it is written so."""
    if isinstance(one, str) == isinstance(other, str):
        expected = one == other
    else:
        text, number = (one, other) if isinstance(one, str) else (other, one)
        expected = math.isfinite(number) and text == as_written(number)
    assert (hash_of(one) == hash_of(other)) == expected


@given(st.lists(whole_numbers.filter(lambda number: -(2**63) <= number < 2**63), min_size=1))
def test_whole_numbers_hash_exactly_in_every_storage(numbers):
    """One by one, as 64-bit numbers, with missing ones beside them, as categories and as text."""
    expected = [hash_of(number) for number in numbers]
    assert len(set(expected)) == len(set(numbers))
    column = pd.Series(numbers, dtype="int64")
    with_missing = pd.concat([column.astype("Int64"), pd.Series([pd.NA], dtype="Int64")])
    for stored in (
        column,
        with_missing,
        with_missing.astype("category"),
        column.astype("int64[pyarrow]"),
        column.map(str),
        column.map(str).astype("category"),
        column.map(decimal.Decimal),
    ):
        hashes = row_hashes(pd.DataFrame({"x": stored.array}), ["x"])
        assert hashes[: len(numbers)].tolist() == expected


@given(st.datetimes(), st.datetimes(), st.sampled_from(["us", "ms", "s"]))
@example(dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1), "s")
def test_times_are_equal_where_python_says_so(one, other, unit):
    """From the year 1 to 9999, in any unit that holds them, and as ISO text."""
    one, other = (pd.Timestamp(time).floor(unit).to_pydatetime() for time in (one, other))
    hashes = [hash_of(time, f"datetime64[{unit}]") for time in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)
    assert hash_of(one.isoformat(sep=" ") + "Z") == hashes[0]
    assert hash_of(one, "datetime64[us]") == hashes[0]


def test_nanoseconds_count():
    """Times that differ by a nanosecond are two; without one they are as in microseconds."""
    times = ["2024-01-02T03:04:05.000000001", "2024-01-02T03:04:05.000000000"]
    odd, even = row_hashes(pd.DataFrame({"x": pd.to_datetime(times)}), ["x"])
    assert odd != even
    assert even == hash_of(dt.datetime(2024, 1, 2, 3, 4, 5), "datetime64[us]")


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
            pd.Series([None], dtype="category"),
            pd.Series([None], dtype="int64[pyarrow]"),
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


def test_the_parts_of_a_whole_are_found():
    """Wherever they stand among others, two at least, and only if they are all of it."""
    digests = [
        content_digest(row_hashes(pd.DataFrame({"x": [at, at + 0.5]}), ["x"])) for at in range(9)
    ]
    for begin in range(9):
        for end in range(begin + 2, 10):
            assert find_run(digests, joined_digest(digests[begin:end])) == slice(begin, end)
    assert find_run(digests, digests[3]) is None
    assert find_run(digests, joined_digest([digests[2], digests[4]])) is None
    assert find_run([], digests[0]) is None


def test_the_digest_tells_rows_apart():
    """Every row counts, as often as it occurs; 4,000 tables that differ in a row all differ."""
    hashes = row_hashes(pd.DataFrame({"x": np.arange(2000.0)}), ["x"])
    parts = [hashes[:0], *(np.delete(hashes, at) for at in range(2000)), hashes]
    parts += [np.append(hashes, hashes[at]) for at in range(2000)]
    parts += [np.append(hashes, [hashes[0]] * 2)]  # a pair cancels nothing
    assert len({content_digest(part) for part in parts}) == len(parts)
