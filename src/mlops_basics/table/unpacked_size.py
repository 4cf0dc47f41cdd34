"""How much a batch file unpacks to, found out in little memory before it is unpacked."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from typing import Any

from mlops_basics.errors import DataError

_CHUNK = 1 << 20
#: Of Parquet: a text, or what it has in common with the one before, is written once.
_ONCE = {"PLAIN_DICTIONARY", "RLE_DICTIONARY", "DELTA_BYTE_ARRAY"}
_ROWS = 1 << 14  # looked at together
_VALUE = 8  # bytes of a number or a time in a table
#: Bytes of a table for each of a text that it is read from: the text, decoded, and its columns.
OF_TEXT = 4


def require_fits_memory(name: str, content: bytes, most_bytes: int) -> None:
    """Raise DataError if a table that cannot be read in parts would take more than it may.

    Args:
        name: As for ``fits_memory``.
        content: As there.
        most_bytes: As there.
    """
    if not fits_memory(name, content, most_bytes):
        raise too_large(name, most_bytes)


def fits_memory(name: str, content: bytes, most_bytes: int) -> bool:
    """Whether a batch file's table takes no more memory than it may.

    A small file may unpack to any size: gzip makes a thousandth of repeated text, and Parquet
    writes a value that is repeated a billion times once.

    Args:
        name: Of the file; its ending says what it is.
        content: Its bytes.
        most_bytes: How much its table may take.
    """
    lower = name.lower()
    if lower.endswith(".gz"):
        fits = _gzip_fits(content, most_bytes // OF_TEXT)
    elif lower.endswith(".zip"):
        fits = _zip_fits(content, most_bytes // OF_TEXT)
    elif lower.endswith((".parquet", ".pq")):
        fits = _parquet_fits(content, most_bytes)
    else:
        fits = len(content) <= most_bytes // OF_TEXT
    return fits


def too_large(name: str, most_bytes: int) -> DataError:
    """The error for a file that has to be read at once and for which memory does not suffice."""
    return DataError(
        f"The file '{name}' holds a table of more than {most_bytes / 1e6:,.0f} MB, which is all "
        "that a file that is read at once may take of this machine's free memory. Split it into "
        "smaller files, or use a machine with more memory. Most CSV files are read in parts, "
        "whatever their size; docs/scale.md says with which options of `csv` they are not."
    )


def _gzip_fits(content: bytes, most_bytes: int) -> bool:
    size = 0
    try:
        with gzip.open(io.BytesIO(content)) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > most_bytes:
                    return False
    except (OSError, EOFError, zlib.error):  # who reads it says what is wrong
        pass
    return True


def _zip_fits(content: bytes, most_bytes: int) -> bool:
    """No more of a file in an archive is ever read than what the archive says is its size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return all(entry.file_size <= most_bytes for entry in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):  # who reads it says what is wrong
        return True


def _parquet_fits(content: bytes, most_bytes: int) -> bool:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(io.BytesIO(content))
        groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
        size = metadata.num_rows * metadata.num_columns * _VALUE
        texts, longest = set(), 0
        for group in groups:
            for chunk in (group.column(at) for at in range(group.num_columns)):
                size += max(0, chunk.num_values - group.num_rows) * _VALUE  # of lists
                size += chunk.total_uncompressed_size
                if chunk.physical_type == "BYTE_ARRAY" and _ONCE.intersection(chunk.encodings):
                    texts.add(chunk.path_in_schema)
                    longest += chunk.num_values * chunk.total_uncompressed_size
        left = most_bytes - size
        return left >= 0 and (longest <= left or _texts_fit(content, texts, left))
    except Exception:  # who reads it says what is wrong; pyarrow raises several unrelated types
        return True


def _texts_fit(content: bytes, paths: set[str], most_bytes: int) -> bool:
    """Whether texts fit, each of which may be stored once for many rows."""
    import pyarrow.parquet as pq

    # As dictionaries: a text is held once, however often it occurs.
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=sorted(paths))
    columns = sorted({path.split(".")[0] for path in paths})
    size = 0
    for batch in file.iter_batches(batch_size=_ROWS, columns=columns, use_threads=False):
        size += sum(bytes_of(column) for column in batch.columns)
        if size > most_bytes:
            return False
    return True


def bytes_of(column: Any) -> int:
    """How much an array of Arrow takes with each value written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = column.flatten()
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    return int(pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0)
