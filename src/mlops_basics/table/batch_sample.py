"""Rows from all over a batch file that is too large for being read whole in seconds."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Guess

from .batch_file import (
    CSV_SUFFIXES,
    PARQUET_SUFFIXES,
    TIMES_OF_96_BITS,
    parse_batch,
    plain_parquet,
)
from .csv_lines import LINE_OPTIONS

PIECES = 16  # of a CSV file
FEWEST_ROWS = 1_000  # of a Parquet file, however wide
#: Rows are drawn from whole row groups of Parquet; of a group with more cells, its first ones.
_MOST_CELLS = 50_000_000
_PACKED = 5  # times a packed file's text is larger, about
_CELL = 10  # bytes of a cell in a CSV file, about
_WIDE = ("utf-16", "utf-32", "utf_16", "utf_32")  # a line's end is no single byte there


@dataclass(frozen=True)
class BatchSample:
    """Rows of a batch file.

    Attributes:
        table: Plain columns.
        guesses: What was guessed in reading it.
        rows: How many the file has, or about so many.
    """

    table: pd.DataFrame
    guesses: tuple[Guess, ...]
    rows: int


def sample_batch(
    name: str,
    file: BinaryIO,
    size: int,
    most_bytes: int,
    csv_args: dict[str, Any],
    text_columns: list[str],
) -> BatchSample | None:
    """Rows from all over a large file; None where it is to be read whole.

    That is where it is small, where nothing tells its lines apart, and where the rows cannot be
    read: the whole file tells whether it is at fault, and in which line.

    Args:
        name: Of the file; its ending says what it is.
        file: Open for reading.
        size: Its bytes.
        most_bytes: Of text that are read, about; of Parquet, as many cells as these make.
        csv_args: Arguments of ``pandas.read_csv``.
        text_columns: Columns that are text.
    """
    lower = name.lower()
    packed = lower.endswith(".gz")
    try:
        if lower.endswith(PARQUET_SUFFIXES):
            return _of_parquet(name, file, most_bytes // _CELL, text_columns)
        if not lower.endswith(CSV_SUFFIXES) or size <= most_bytes // (_PACKED if packed else 1):
            return None
        text = _first(file, most_bytes) if packed else _pieces(file, size, most_bytes, csv_args)
        if not text:
            return None
        table, guesses = parse_batch(name[:-3] if packed else name, text, csv_args, text_columns)
    except DataError:
        return None
    on_disk = len(gzip.compress(text, 6)) if packed else len(text)
    return BatchSample(table, guesses, max(len(table), round(len(table) * size / on_disk)))


def _first(file: BinaryIO, most_bytes: int) -> bytes:
    """The first lines of a packed file; empty where it cannot be unpacked, or has no more."""
    try:
        text = gzip.GzipFile(fileobj=file).read(most_bytes)
    except (OSError, EOFError):
        return b""
    return _whole_records(text) if len(text) == most_bytes else b""


def _pieces(file: BinaryIO, size: int, most_bytes: int, csv_args: dict[str, Any]) -> bytes:
    """Whole lines from all over a CSV file, its header first; empty where nothing tells lines."""
    if str(csv_args.get("encoding", "")).lower().startswith(_WIDE):
        return b""
    if csv_args.get("skipfooter") or "lineterminator" in csv_args:
        return b""
    length = most_bytes // PIECES
    first = _whole_records(file.read(length))
    quote = str(csv_args.get("quotechar", '"')).encode()
    if LINE_OPTIONS & set(csv_args) or _breaks_in_quotes(
        first, quote
    ):  # where a record begins is not known elsewhere
        file.seek(0)
        return _whole_records(file.read(most_bytes))
    parts = [first]
    for begin in np.linspace(len(first), size - length, PIECES, dtype=np.int64)[1:].tolist():
        file.seek(begin)
        _, _, rest = file.read(length).partition(b"\n")
        parts.append(rest[: rest.rfind(b"\n") + 1])
    return b"".join(parts)


def _whole_records(text: bytes) -> bytes:
    """Up to the last line's end that lies in no quotes."""
    end = text.rfind(b"\n")
    while end >= 0 and text.count(b'"', 0, end) % 2:
        end = text.rfind(b"\n", 0, end)
    return text[: end + 1]


def _breaks_in_quotes(text: bytes, quote: bytes) -> bool:
    return any(line.count(quote) % 2 for line in text.split(b"\n"))


def _of_parquet(
    name: str, file: BinaryIO, most_cells: int, text_columns: list[str]
) -> BatchSample | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = pq.ParquetFile(file, coerce_int96_timestamp_unit=TIMES_OF_96_BITS)
        rows, cells = stored.metadata.num_rows, _cells_of_row(stored.metadata)
        wanted = max(FEWEST_ROWS, most_cells // cells)
        if rows <= wanted:
            return None
        table = plain_parquet(name, _drawn(stored, wanted, cells), text_columns)
    except (pa.ArrowException, OSError, ValueError):  # damaged, or of a kind that it is not
        return None
    return BatchSample(table, (), rows)


def _cells_of_row(metadata: Any) -> int:
    """How many cells a row has; a long text counts as several."""
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    return max(1, int(metadata.num_columns), int(size // (_CELL * max(1, metadata.num_rows))))


def _drawn(stored: Any, wanted: int, cells: int) -> Any:
    """Evenly spaced rows of evenly spaced row groups; ``cells`` are those of a row."""
    import pyarrow as pa

    groups = _spread(range(stored.metadata.num_row_groups), 4)
    share = -(-wanted // len(groups))
    parts = []
    for group in groups:
        if stored.metadata.row_group(group).num_rows * cells > _MOST_CELLS:
            batch = next(stored.iter_batches(batch_size=share, row_groups=[group]))
            parts.append(pa.Table.from_batches([batch]))
            continue
        table = stored.read_row_group(group, use_threads=False)
        kept = np.linspace(0, table.num_rows - 1, min(share, table.num_rows)).astype(np.int64)
        parts.append(table.take(np.unique(kept)))
    return pa.concat_tables(parts)


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    at = np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(np.int64))
    return [numbers[each] for each in at]
