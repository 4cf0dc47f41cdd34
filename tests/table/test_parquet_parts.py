"""Tests that a Parquet file read in pieces is the table that it is when it is read at once."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.storage.spill import Spill
from mlops_basics.table import parquet_parts
from mlops_basics.table.batch_file import parse_batch
from mlops_basics.table.parquet_parts import LargeParquet
from tests.support.bombs import list_bomb, text_bomb
from tests.support.files import as_parquet

ROWS = 40
TEXTS = (["a", "bb", None] * ROWS)[:ROWS]
HALF = ROWS // 2
TABLE = pa.table(
    {
        "whole": pa.array(range(ROWS)),
        "missing at first": pa.array([None] * HALF + list(range(HALF))),
        "code": pa.array([None] * HALF + list(range(HALF))),
        "missing": pa.array([None] * ROWS, pa.int64()),
        "nothing": pa.nulls(ROWS),
        "float": pa.array(np.arange(ROWS) / 7),
        "float of 32 bits": pa.array((np.arange(ROWS) / 7).astype("f4")),
        "flag": pa.array([None] * 3 + [True] * (ROWS - 3)),
        "unsigned": pa.array([2**63 + 1] * HALF + [1] * HALF, pa.uint64()),
        "unsigned and missing": pa.array([2**63 + 1] * HALF + [None] * HALF, pa.uint64()),
        "decimal, whole": pa.array([Decimal("1.00")] * ROWS),
        "a.decimal": pa.array([Decimal("1.00")] * HALF + [Decimal("2.55")] * HALF),
        "decimal, long": pa.array([Decimal(10**25)] * HALF + [Decimal(1)] * HALF),
        "time": pa.array([dt.datetime(2020, 1, 1)] * HALF + [None] * HALF),
        "nanoseconds": pa.array([1, 1000] + [0] * (ROWS - 2), pa.timestamp("ns")),
        "zone": pa.array([0] * ROWS, pa.timestamp("us", "Europe/Paris")),
        "day": pa.array([dt.date(2020, 1, 1)] * ROWS),
        "duration": pa.array([dt.timedelta(1)] * HALF + [None] * HALF),
        "text": pa.array(TEXTS),
        "no text": pa.array([None] * ROWS, pa.string()),
        "large text": pa.array(TEXTS, pa.large_string()),
        "category": pa.array(TEXTS).dictionary_encode(),
    }
)


def written(table, **options):
    """The content of a file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def large(content, most_bytes):
    """A file whose pieces have so many bytes."""
    return LargeParquet("a.parquet", io.BytesIO(content), ["code"], most_bytes)


@pytest.mark.parametrize("options", [{}, {"row_group_size": 7}, {"use_dictionary": False}])
@pytest.mark.parametrize(("most_bytes", "least"), [(300, 20), (2000, 4), (1 << 20, 1)])
def test_columns_have_the_types_of_the_whole_file(options, most_bytes, least):
    """Whatever their pieces would be by themselves; small row groups make no small pieces."""
    content = written(TABLE, **options)
    table, _ = parse_batch("a.parquet", content, {}, ["code"])
    file = large(content, most_bytes)
    assert file.can_be_cut()
    parts = file.read(Spill("a.parquet"))
    assert_frame_equal(parts.read(), table)
    assert all(part.read(None).dtypes.equals(table.dtypes) for part in parts.parts)
    assert least <= len(parts.parts) <= 2 * least


def test_an_index_that_counts_the_rows_counts_on():
    """It is a column of the whole file."""
    index = pd.RangeIndex(5, 85, 2, name="id")
    content = as_parquet(pd.DataFrame({"x": range(ROWS)}, index=index))
    parts = large(content, 100).read(Spill("a.parquet"))
    assert len(parts.parts) > 1
    assert parts["id"].tolist() == list(index)


def test_a_long_text_that_is_written_once_is_cut():
    """It takes its length in the table in each row."""
    parts = large(text_bomb(1000, 1000), 100_000).read(Spill("a.parquet"))
    assert len(parts) == 1000
    assert max(part.rows for part in parts.parts) <= 100


def test_long_texts_of_one_row_group_are_not_read_at_once(monkeypatch):
    """A piece is small before it is cut: of 400 rows with 5 KB each, 20 are 100 KB."""
    read = []

    def noted(batch, most_bytes):
        read.append(batch.num_rows)
        return slices(batch, most_bytes)

    slices = parquet_parts._slices
    monkeypatch.setattr(parquet_parts, "_slices", noted)
    texts = [f"{at:05}" * 1000 for at in range(400)]
    content = written(pa.table({"id": range(400), "text": texts}))
    assert large(content, 100_000).read(Spill("a.parquet"))["text"].tolist() == texts
    assert max(read) <= 20
    file = pq.ParquetFile(io.BytesIO(content))
    assert large(content, 100_000)._written_once(file) == []
    assert large(content, 5_000_000)._written_once(file) == ["text"]


def test_lists_are_not_cut():
    """One of them may be as large as a table."""
    assert not large(list_bomb(4, 10), 100).can_be_cut()


def test_faults_are_told():
    """As of a file that is read at once."""
    with pytest.raises(DataError, match=r"'a\.parquet' is not readable as Parquet"):
        large(written(TABLE)[:-9], 100).can_be_cut()
    with pytest.raises(DataError, match="has a header but no rows"):
        large(written(TABLE.slice(0, 0)), 100).read(Spill("a.parquet"))
