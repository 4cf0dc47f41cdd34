"""Tests of reading Parquet files without trust."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import ReleaseError
from mlops_basics.production.release_reference import read_fitted_rows, read_recipe, read_table
from mlops_basics.storage.npy_file import FileError
from mlops_basics.storage.parquet import read_parquet


def written(table):
    """The bytes of a Parquet file."""
    target = io.BytesIO()
    table.to_parquet(target, compression="zstd")
    return target.getvalue()


def test_a_table_is_read_as_pandas_reads_it():
    """Numbers, texts with gaps, times and categories."""
    table = pd.DataFrame(
        {
            "number": [1.0, np.nan],
            "text": pd.Series(["a", None], dtype="str"),
            "time": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "kind": pd.Categorical(["x", "y"]),
        }
    )
    content = written(table)
    assert_frame_equal(read_parquet(content), pd.read_parquet(io.BytesIO(content)))


def test_few_bytes_of_many_rows_are_refused():
    """Seventy million zeros, and ten thousand times one long text, each in few bytes."""
    zeros = written(pd.DataFrame({"x": np.zeros(70_000_000, dtype=np.int8)}))
    texts = written(pd.DataFrame({"x": ["a" * 200_000] * 10_000}))
    assert len(zeros) + len(texts) < 2_000_000
    with pytest.raises(FileError, match="70,000,000 rows"):
        read_parquet(zeros)
    with pytest.raises(FileError, match="long texts"):
        read_parquet(texts)


MANY = pa.ListArray.from_arrays([0, 5_000_000], pa.array(np.zeros(5_000_000, dtype=np.int64)))
LONG = pa.array(["x" * 300_000])
FEW = pa.array(np.zeros(1_000, dtype=np.int32))
REPEATED = pa.DictionaryArray.from_arrays(FEW, LONG)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"one row": MANY}, "'one row' of the type list"),
        ({"nested": pa.StructArray.from_arrays([pa.array([1])], ["a"])}, "type struct"),
        ({"bytes": pa.DictionaryArray.from_arrays(FEW, LONG.cast("binary"))}, "type binary"),
        ({"wide": pa.array([b"x" * 10_000] * 9, pa.binary(10_000))}, "fixed_size_binary"),
        ({str(at): REPEATED for at in range(9)}, "long texts"),
        ({str(at): REPEATED.cast("string") for at in range(9)}, "long texts"),
    ],
    ids=["a list", "a struct", "bytes", "bytes of one length", "categories", "many columns"],
)
def test_a_column_of_few_bytes_and_much_memory_is_refused(columns, words):
    """What has any length counts, whatever its type, and all columns together."""
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, compression="zstd")
    with pytest.raises(FileError, match=words):
        read_parquet(target.getvalue())


@pytest.mark.parametrize("read", [read_fitted_rows, read_recipe, read_table])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}", b"[" * 100_000, b"\xff" * 100])
def test_what_a_release_holds_beside_its_model_is_refused_by_name(read, content):
    """Whatever the reader of such a file raises, the release is refused, in few words."""
    with pytest.raises(ReleaseError, match=r"^'[a-z_]+\.(json|parquet)' cannot be read") as caught:
        read(content)
    assert len(str(caught.value)) < 200
