"""Parquet files, read without trust: a few bytes of one may stand for millions of rows."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_basics.storage.npy_file import FileError

_MOST_CELLS = 2**26
_MOST_TEXT_BYTES = 2**30


def read_parquet(content: bytes) -> pd.DataFrame:
    """The table of a Parquet file, as ``pandas.read_parquet`` reads it.

    Raises:
        FileError: If it would take much more memory than such a file of a release.
        ArrowInvalid: If it is none.
    """
    file = pq.ParquetFile(io.BytesIO(content))
    rows, columns = file.metadata.num_rows, file.metadata.num_columns
    if rows * max(columns, 1) > _MOST_CELLS:
        raise FileError(f"has {rows:,} rows of {columns:,} columns in {len(content):,} bytes.")
    texts = [
        field.name
        for field in file.schema_arrow
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    # A text stands in the file once, however often it is meant.
    kept = pq.read_table(io.BytesIO(content), columns=texts, read_dictionary=texts)
    for column in kept.itercolumns():
        for chunk in column.iterchunks():
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest * len(chunk) > _MOST_TEXT_BYTES:
                raise FileError(f"has {rows:,} rows of long texts in {len(content):,} bytes.")
    return pd.read_parquet(io.BytesIO(content))
