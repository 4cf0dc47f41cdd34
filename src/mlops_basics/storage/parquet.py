"""Parquet files, read without trust: a few bytes of one may stand for millions of rows."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_basics.storage.npy_file import FileError

_MOST_CELLS = 2**26
_MOST_TEXT_BYTES = 2**30  # of all columns


def read_parquet(content: bytes) -> pd.DataFrame:
    """The table of a Parquet file, as ``pandas.read_parquet`` reads it.

    Raises:
        FileError: If it would take much more memory than such a file of a release, or holds
            columns that no such file has: bytes, lists and the like.
        ArrowInvalid: If it is none.
    """
    file = pq.ParquetFile(io.BytesIO(content))
    groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    rows, columns = max(file.metadata.num_rows, sum(groups)), file.metadata.num_columns
    if rows * max(columns, 1) > _MOST_CELLS:
        raise FileError(f"has {rows:,} rows of {columns:,} columns in {len(content):,} bytes.")
    texts = [field.name for field in file.schema_arrow if _is_text(field)]
    # A text stands in the file once, however often it is meant.
    kept = pq.read_table(io.BytesIO(content), columns=texts, read_dictionary=texts)
    most = 0
    for column in kept.itercolumns():
        for chunk in column.iterchunks():
            most += (pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0) * len(chunk)
            if most > _MOST_TEXT_BYTES:
                raise FileError(f"has {rows:,} rows of long texts in {len(content):,} bytes.")
    return pd.read_parquet(io.BytesIO(content))


def _is_text(field: pa.Field) -> bool:
    """Whether a column holds texts.

    Raises:
        FileError: If it holds something of any length that is no text: one row may be a billion.
    """
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return True
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise FileError(f"has the column {field.name[:60]!r} of the type {str(kind)[:60]}.")
    return False
