"""A batch file's content as a table; what is not whole is refused by its line."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import pandas as pd

from mlops_basics.errors import DataError, MlopsError
from mlops_basics.safe_text import plural, short_text
from mlops_basics.schemas import Guess

from .csv_file import read_csv_file, refuse_repeated_names
from .plain import plain_arrow, plain_text

CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
ZIP_SUFFIX = ".zip"  # of one CSV file
#: The unit of the times that Spark, Hive and Impala write in 96 bits: 9999-12-31 does not fit into
#: nanoseconds, and would come out as a day of 1816.
TIMES_OF_96_BITS = "us"
SUFFIXES = (*CSV_SUFFIXES, ZIP_SUFFIX, *PARQUET_SUFFIXES)
#: Endings of tables that are not read here: never passed over, but named.
OTHER_TABLES = {
    "a packed file": (".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz", ".gz"),
    "a table that is neither CSV nor Parquet": (
        ".xlsx", ".xls", ".xlsb", ".ods", ".json", ".jsonl", ".ndjson", ".feather", ".arrow",
        ".orc", ".avro", ".dta", ".sav", ".sas7bdat", ".sqlite", ".db", ".h5", ".hdf5", ".pkl",
    ),
}  # fmt: skip


def parse_batch(
    name: str, content: bytes, csv_args: dict[str, Any], text_columns: list[str]
) -> tuple[pd.DataFrame, tuple[Guess, ...]]:
    """The table that a batch file holds, its columns as ``plain_column`` makes them.

    Args:
        name: Of the file; its ending, in letters of any case, says what it is.
        content: Its bytes.
        csv_args: Arguments of ``pandas.read_csv``.
        text_columns: Columns that are text, whatever they look like or a Parquet file calls them.

    Returns:
        The table, and what was guessed in reading it.

    Raises:
        DataError: If it is empty, or not readable; the message names the file and the line.
    """
    if not content:
        raise DataError(f"The file '{name}' is empty. Remove it or write it again.")
    if kind := other_kind(name):
        raise DataError(
            f"The file '{name}' is {kind}. Write it, or unpack it, as one that ends in "
            f"{', '.join(SUFFIXES)}, or move it elsewhere."
        )
    guesses: tuple[Guess, ...] = ()
    if name.lower().endswith(PARQUET_SUFFIXES):
        table = _read_parquet(name, content, text_columns)
    else:
        with unpacked(name, io.BytesIO(content)) as (shown, text):
            read = read_csv_file(shown, text.read(), csv_args, text_columns)
        table, guesses = read.table, read.guesses
    if table.empty:
        raise without_rows(name)
    return table, guesses


def without_rows(name: str) -> DataError:
    """The error for a file that holds a table of no rows."""
    return DataError(f"The file '{name}' has a header but no rows. Remove it or write it again.")


def is_table(path: str) -> bool:
    """Whether a file is read here, by its name."""
    return path.lower().endswith(SUFFIXES)


def other_kind(path: str) -> str:
    """What a file is that holds a table but is not read here, by its name; empty for all others."""
    kinds = (kind for kind, endings in OTHER_TABLES.items() if path.lower().endswith(endings))
    return "" if is_table(path) else next(kinds, "")


@contextmanager
def unpacked(name: str, file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """The text of a CSV file, packed or not, and what it is called in messages.

    Args:
        name: Of the file; its ending says how it is packed.
        file: Open for reading, and for going back and forth where it is an archive.

    Raises:
        DataError: Where it cannot be unpacked, also while its text is read.
    """
    if name.lower().endswith(".gz"):
        with _readable_gzip(name), gzip.GzipFile(fileobj=file) as text:
            yield name, text  # type: ignore[misc]  # it reads as any file does
    elif name.lower().endswith(ZIP_SUFFIX):
        with _readable_zip(name), zipfile.ZipFile(file) as packed:
            entry = _only_table(name, packed)
            with packed.open(entry) as text:
                yield f"{name}/{entry.filename[-60:]}", text  # type: ignore[misc]
    else:
        yield name, file


@contextmanager
def _readable_gzip(name: str) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"The file '{name}' is not readable as gzip ({error}). Write it again."
        ) from error


@contextmanager
def _readable_zip(name: str) -> Iterator[None]:
    unreadable = (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, zlib.error)
    try:
        yield
    except unreadable as error:
        raise DataError(
            f"The file '{name}' is not readable as zip ({short_text(str(error), 200)}). "
            "Unpack it, or write it again."
        ) from error


def _only_table(name: str, packed: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one CSV file of an archive."""
    files = [entry for entry in packed.infolist() if not _is_aside(entry)]
    if len(files) != 1 or not files[0].filename.lower().endswith((".csv", ".tsv")):
        named = ", ".join(repr(file.filename[:60]) for file in files[:3]) or "nothing"
        raise DataError(
            f"The file '{name}' holds {plural(len(files), 'file')} ({named}), and only a .zip of "
            "one .csv or .tsv file is read. Unpack it into the folder."
        )
    if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"The file '{name}' is packed in an unusual way. Unpack it.")
    return files[0]


def _is_aside(entry: zipfile.ZipInfo) -> bool:
    """Whether a part of an archive is a folder, or what a Mac puts beside a file."""
    hidden = PurePosixPath(entry.filename).name.startswith(".")
    return entry.is_dir() or hidden or entry.filename.startswith("__MACOSX/")


def _read_parquet(name: str, content: bytes, text_columns: list[str]) -> pd.DataFrame:
    import pyarrow.parquet as pq

    with readable_parquet(name):
        stored = pq.read_table(io.BytesIO(content), coerce_int96_timestamp_unit=TIMES_OF_96_BITS)
        return plain_parquet(name, stored, text_columns)


@contextmanager
def readable_parquet(name: str) -> Iterator[None]:
    """Raises DataError where the file is damaged."""
    try:
        yield
    except (MlopsError, MemoryError):
        raise
    except Exception as error:  # pyarrow raises several unrelated types for a damaged file
        raise DataError(
            f"The file '{name}' is not readable as Parquet ({error}). Write it again."
        ) from error


def plain_parquet(
    name: str, stored: Any, text_columns: list[str], begin: int = 0, rows: int | None = None
) -> pd.DataFrame:
    """Arrow's table of a Parquet file as plain columns; raises DataError for a repeated name.

    Args:
        name: Of the file.
        stored: All its rows, or some.
        text_columns: Columns that are text.
        begin: Which row of the file is the first of these.
        rows: How many the file has; None where these are all.
    """
    names = [str(column) for column in stored.column_names]
    refuse_repeated_names(name, names)
    columns = {
        column: plain_arrow(stored.column(at))
        for at, column in enumerate(names)
        if not re.fullmatch(r"__index_level_\d+__", column)  # an index without a name
    }
    table = pd.DataFrame(columns, index=range(stored.num_rows))
    counted = _named_range(stored.schema.metadata or {}, rows or len(table))
    if counted and counted[0] not in table:
        part = counted[1][begin : begin + len(table)]
        table.insert(0, counted[0], pd.Series(part, dtype="int64"))
    for column in table.columns.intersection(text_columns):
        table[column] = plain_text(table[column])
    return table


def _named_range(metadata: dict[bytes, bytes], rows: int) -> tuple[str, range] | None:
    """A named index that counts the rows is stored beside the columns: it is one of them."""
    for index in json.loads(metadata.get(b"pandas", b"{}")).get("index_columns", ()):
        if isinstance(index, dict) and index.get("kind") == "range" and index.get("name"):
            numbers = range(index["start"], index["stop"], index["step"])
            if len(numbers) == rows:
                return str(index["name"]), numbers
    return None
