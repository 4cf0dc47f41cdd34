"""Every storage type beside every other: collection, monitor and inference take the same ones."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.pipelines.monitoring.usable import column_kinds, usable_features
from mlops_basics.schemas import Batch, CollectionParams, Parts, PreprocessingParams
from mlops_basics.table.batch_file import parse_batch
from mlops_basics.table.columns import features_of
from mlops_basics.table.joined import join_parts
from mlops_basics.table.plain import plain_column
from mlops_basics.table.row_hash import row_hashes
from tests.support.parameters import configured
from tests.support.whole import collect_batches, label_rows, preprocess_data

ROWS = 8
NUMBERS = [float(n) for n in range(ROWS - 1)] + [None]
DATES = [dt.date(2024, 1, n + 1) for n in range(ROWS - 1)] + [None]
TIMES = [None if day is None else dt.datetime(day.year, day.month, day.day) for day in DATES]
WORDS = [*"abcdefg", None]


def as_decimals(values):
    """The same numbers as decimals."""
    return [None if value is None else Decimal(value) for value in values]


#: The same values of each kind, as files hold them: an Arrow array, or the text of CSV fields.
STORED = {
    "numbers": {
        "float64": pa.array(NUMBERS, pa.float64()),
        "float32": pa.array(NUMBERS, pa.float32()),
        "int64": pa.array(NUMBERS, pa.int64()),
        "int8": pa.array(NUMBERS, pa.int8()),
        "uint64": pa.array(NUMBERS, pa.uint64()),
        "decimal128": pa.array(as_decimals(NUMBERS), pa.decimal128(12, 2)),
        "decimal256": pa.array(as_decimals(NUMBERS), pa.decimal256(40, 0)),
        "dictionary": pa.array(NUMBERS, pa.int64()).dictionary_encode(),
        "duration": pa.array([None if n is None else int(n) for n in NUMBERS], pa.duration("s")),
        "time of day": pa.array([None if n is None else int(n) for n in NUMBERS], pa.time32("s")),
        "csv": ["" if n is None else f"{n:g}" for n in NUMBERS],
        "csv with points": ["" if n is None else f"{n:.1f}" for n in NUMBERS],
    },
    "times": {
        "date32": pa.array(DATES, pa.date32()),
        "date64": pa.array(DATES, pa.date64()),
        "s": pa.array(TIMES, pa.timestamp("s")),
        "ms": pa.array(TIMES, pa.timestamp("ms")),
        "us": pa.array(TIMES, pa.timestamp("us")),
        "ns": pa.array(TIMES, pa.timestamp("ns")),
        "utc": pa.array(TIMES, pa.timestamp("us", "UTC")),
        "zone": pa.array(TIMES, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Asia/Tokyo")),
        "csv": ["" if time is None else str(time) for time in TIMES],
        "csv with a zone": ["" if time is None else f"{time.isoformat()}Z" for time in TIMES],
        "csv with an offset": ["" if day is None else f"{day} 09:00:00+09:00" for day in DATES],
    },
    "text": {
        "string": pa.array(WORDS, pa.string()),
        "large_string": pa.array(WORDS, pa.large_string()),
        "string_view": pa.array(WORDS, pa.string_view()),
        "dictionary": pa.array(WORDS).dictionary_encode(),
        "csv": [word or "" for word in WORDS],
    },
    "nothing": {"null": pa.nulls(ROWS), "csv": [""] * ROWS},
    "lists": {"list": pa.array([[1]] * ROWS)},
}
TYPES = [(kind, name) for kind, stored in STORED.items() for name in stored]
TARGET = ["yes", "no"] * (ROWS // 2)


def batch_of(name: str, kind: str, stored: str) -> Batch:
    """A batch as it is read from a file of this type."""
    column = STORED[kind][stored]
    if isinstance(column, list):
        lines = [
            f"{value},{n},{y}" for n, (value, y) in enumerate(zip(column, TARGET, strict=True))
        ]
        content, file = "\n".join(["x,n,y", *lines]).encode(), f"{name}.csv"
    else:
        buffer, file = io.BytesIO(), f"{name}.parquet"
        n = pa.array(range(ROWS), pa.int64())
        pq.write_table(pa.table({"x": column, "n": n, "y": TARGET}), buffer)
        content = buffer.getvalue()
    table, _ = parse_batch(file, content, {}, [])
    return Batch.of(file, name, table)


BATCHES = {(n, *each): batch_of(f"{n}", *each) for n in (1, 2) for each in TYPES}
COLLECTION = configured(CollectionParams, target="y")
PREPROCESSING = configured(PreprocessingParams, target="y")


class OfFirst:
    """As much of a release as the monitor asks for its columns."""

    def __init__(self, info, sample):
        self.table = info
        self.reference = None
        self.sample = sample


def trained_on(*batches):
    """The typed table of a training on these batches, and what is known of it."""
    raw, _ = collect_batches(list(batches), [], COLLECTION)
    buffer = io.BytesIO()
    raw.to_parquet(buffer)  # which is what the catalog does
    raw = pd.read_parquet(io.BytesIO(buffer.getvalue()))
    return preprocess_data(*label_rows(raw, PREPROCESSING), PREPROCESSING)


def result_of(function, *arguments):
    """What a function returns; None where it refuses, in words."""
    try:
        return function(*arguments)
    except DataError as error:
        return None if "'x'" in str(error) else pytest.fail(f"It does not name the column: {error}")


@pytest.mark.parametrize(("kind", "stored"), TYPES)
def test_all_pairs_of_types_between_batches(kind, stored):
    """What monitor and inference take of a second batch, the next training takes.

    And equal values have equal features and equal hashes, whatever the types.
    """
    first = BATCHES[1, kind, stored]
    trained = result_of(trained_on, first)
    assert (trained is None) == (kind == "lists")
    for other in TYPES if trained else ():
        second = BATCHES[2, *other]
        info = trained[1]
        both = result_of(trained_on, first, second)
        kinds = column_kinds(OfFirst(info, trained[0]), [first.parts])
        watched = result_of(usable_features, second, info, kinds, PREPROCESSING)
        assert both or watched is None, other
        text_and_dates = {kind, other[0]} == {"times", "text"} and "csv" in f"{stored} {other[1]}"
        if watched is None:  # a column of dates does not become one of text in silence
            assert not both or (text_and_dates and kind == "times")
            assert other[0] != kind
            continue
        assert other[0] in (kind, "nothing") or kind == "nothing" or text_and_dates
        scored = features_of(second.table, info)
        assert scored.dtypes.equals(watched.read().dtypes)
        if other[0] == kind != "nothing":
            names = list(info.features)
            table = both[0]
            halves = [table.iloc[:ROWS], table.iloc[ROWS:].reset_index(drop=True)]
            pd.testing.assert_frame_equal(halves[0][names], halves[1][names])
            pd.testing.assert_frame_equal(trained[0][names], scored[names])
            hashes = [row_hashes(batch.table, ["x", "n"]) for batch in (first, second)]
            assert (hashes[0] == hashes[1]).all()


def joined_of(tables, mixed_allowed=()):
    """The rows of several tables below each other."""
    parts = {name: Parts.of(table) for name, table in tables.items()}
    return join_parts(parts, mixed_allowed).read()


def test_whole_numbers_stay_exact_beside_an_empty_batch():
    """Neither a batch without values nor one of small floats rounds 19 digits."""
    order = 1541815604606036481
    tables = {
        "a": pd.DataFrame({"x": [order, order + 1]}),
        "b": pd.DataFrame({"x": [np.nan]}),
        "c": pd.DataFrame({"x": pd.array([order + 2, None], dtype="Int64")}),
        "d": pd.DataFrame({"x": [7.0, np.nan]}),
    }
    joined = joined_of(tables)["x"]
    assert joined.dropna().tolist() == [order, order + 1, order + 2, 7]
    assert joined.isna().tolist() == [False, False, True, False, True, False, True]


@pytest.mark.parametrize("dtype", ["Int64", "UInt64"])
def test_whole_numbers_that_some_parts_of_a_file_lack_are_of_one_type(dtype):
    """That of the file, wherever it is cut."""
    table = pd.DataFrame({"x": pd.Series([1, 2, None, 4, None], dtype=dtype)})
    for ends in ((), (2,), (4,), (2, 4), (2, 3)):
        parts = [table[a:b] for a, b in pairwise((0, *ends, 5))]
        assert_frame_equal(join_parts({"a.parquet": Parts.of(*parts)}).read(), table)


def test_kinds_that_do_not_fit_are_named_with_their_files():
    """Except where a column is not used: there it becomes text."""
    tables = {"a.csv": pd.DataFrame({"x": [1, 2]}), "b.csv": pd.DataFrame({"x": ["soon"]})}
    message = "'x' holds numbers in 'a.csv', but text in 'b.csv'.*`text_columns`"
    with pytest.raises(DataError, match=message):
        joined_of(tables)
    assert joined_of(tables, ["x"])["x"].tolist() == ["1", "2", "soon"]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([Decimal("1.5"), None], dtype=object),
        pd.Series([1.5, None], dtype="category"),
        pd.Series([1.5, None], dtype="Float64"),
        pd.Series([1.5, None], dtype="Float32"),
        pd.Series([1.5, None], dtype=pd.ArrowDtype(pa.float32())),
        pd.Series([Decimal("1.5"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    ],
)
def test_types_of_pandas_are_plain_too(values):
    """Nullable, categorical and Arrow-backed columns are what they hold."""
    plain = plain_column(values.rename("x"))
    pd.testing.assert_series_equal(plain, pd.Series([1.5, np.nan], name="x"))


WHOLE_NUMBERS = {
    "large, then none": ([2**60, 2**60 + 1], [None, None], "Int64"),
    "unsigned, then none": ([2**63 + 1], [None], "UInt64"),
    "small, then none": ([1, 2], [None], "float64"),
    "flags, then none": ([True, False], [None], "float64"),
}


@pytest.mark.parametrize(("first", "then", "dtype"), WHOLE_NUMBERS.values(), ids=WHOLE_NUMBERS)
def test_whole_numbers_stay_exact_beside_a_part_without_any(first, then, dtype):
    """In each part, whether it is the part of a file or a file."""
    tables = [pd.DataFrame({"id": values}) for values in (first, then)]
    expected = pd.Series([*first, *then], dtype=object).astype(dtype)
    of_files = join_parts({str(at): Parts.of(table) for at, table in enumerate(tables)})
    for joined in (of_files, join_parts({"file": Parts.of(*tables)})):
        assert [str(part.read(None)["id"].dtype) for part in joined.parts] == [dtype, dtype]
        pd.testing.assert_series_equal(joined["id"], expected, check_names=False)
