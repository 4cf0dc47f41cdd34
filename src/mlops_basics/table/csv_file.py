"""A CSV file's content as a table of plain columns, and what was guessed in reading it."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Guess

from .csv_lines import (
    WHOLE,
    CsvFile,
    Place,
    guessed_separator,
    header_of,
    later_header,
    refuse_ragged_lines,
)
from .csv_text import looked_at_again
from .labels import PREDICTION_ID
from .plain import plain_table

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how Excel saves "Unicode text"


@dataclass(frozen=True)
class CsvTable:
    """What was read of a CSV file.

    Attributes:
        table: Plain columns.
        guesses: Which words were taken for missing values, or digits for numbers.
        dtypes: What pandas took each column for: the name of a type, or of what objects are.
        typed: The columns whose type was not left to pandas.
    """

    table: pd.DataFrame
    guesses: tuple[Guess, ...]
    dtypes: dict[str, str]
    typed: frozenset[str]


def read_csv_file(
    name: str,
    content: bytes,
    csv_args: dict[str, Any],
    text_columns: list[str],
    place: Place = WHOLE,
) -> CsvTable:
    """The table that a CSV file holds, or a piece of one.

    Args:
        name: Of the file, for messages; ".tsv" says that tabs separate.
        content: Its bytes, decompressed.
        csv_args: Arguments of ``pandas.read_csv``.
        text_columns: Columns to be read as text.
        place: Of a piece in its file, for messages.

    Raises:
        DataError: If it cannot be read as it is; the message names the file and the line.
    """
    _refuse_options(name, csv_args)
    try:
        return _read_with(name, content, dict(csv_args), text_columns, place)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # what pandas and csv raise for options that they cannot use
        raise _unreadable(name, error) from error


def csv_file_of(
    name: str, content: bytes, csv_args: dict[str, Any], place: Place = WHOLE
) -> CsvFile:
    """A file's content with what its options, its name or itself say about how it is divided."""
    options = dict(csv_args)
    encoding = options.get("encoding") or "utf-8-sig"
    separator = options.pop("delimiter", None) or options.get("sep", _separator_of(name))
    if separator is None:
        separator = guessed_separator(content, encoding)
    return CsvFile(name, content, encoding, separator, options, place)


def _read_with(
    name: str, content: bytes, options: dict[str, Any], text_columns: list[str], place: Place
) -> CsvTable:
    _check_encoding(name, content, options, place)
    file = csv_file_of(name, content, options, place)
    options = file.options
    if not place.is_later:
        _check_header(file)
    if "on_bad_lines" not in options:
        refuse_ragged_lines(file)
    args = csv_arguments(file, text_columns)
    raw = _without_index(_read(file, args), options)
    table, guesses = looked_at_again(file, args, plain_table(raw))
    given = args["dtype"]
    typed = [str(name) for name in raw if not isinstance(given, dict) or name in given]
    return CsvTable(table, guesses, _dtypes_of(raw), frozenset(typed))


def _dtypes_of(raw: pd.DataFrame) -> dict[str, str]:
    return {
        str(name): pd.api.types.infer_dtype(raw[name], skipna=True)
        if raw[name].dtype == object
        else str(raw[name].dtype)
        for name in raw
    }


def _separator_of(name: str) -> str:
    return "\t" if name.lower().endswith((".tsv", ".tsv.gz")) else ","


def _refuse_options(name: str, options: dict[str, Any]) -> None:
    for option in ("chunksize", "iterator", "compression", "filepath_or_buffer"):
        if options.get(option):
            raise DataError(
                f"The file '{name}' cannot be read with csv: {{{option}: ...}}: a file is read "
                "whole, and unpacked by its ending. Remove the option in globals.yml."
            )


def csv_arguments(file: CsvFile, text_columns: list[str]) -> dict[str, Any]:
    """What ``pandas.read_csv`` is called with."""
    options = file.options
    in_c = len(file.separator) == 1 or file.separator == r"\s+"
    engine = options.get("engine") or ("c" if in_c and not options.get("skipfooter") else "python")
    types: Any = dict.fromkeys([*text_columns, PREDICTION_ID], "str")
    given = options.get("dtype")
    types = types | given if isinstance(given, dict) else given or types
    own = {"index_col": False}  # never the first column, in silence, where lines are longer
    own |= {"low_memory": False} if engine == "c" else {}
    return (
        own
        | options
        | {
            "encoding": file.encoding,
            "sep": file.separator,
            "engine": engine,
            "dtype": types,
        }
    )


def _read(file: CsvFile, args: dict[str, Any]) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_csv(io.BytesIO(file.content), **args)
    table.columns = table.columns.map(str)
    return table


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"The file '{name}' is not readable as CSV: {error}. "
        "Mend the file, or set `csv` in globals.yml (sep, decimal, encoding, ...)."
    )


def _without_index(table: pd.DataFrame, options: dict[str, Any]) -> pd.DataFrame:
    """An index that has a name is a column; one that has none numbers the rows."""
    index = options.get("index_col")
    if index is None or index is False:
        return table
    named = [name for name in table.index.names if name and not str(name).startswith("Unnamed: ")]
    unnamed = [at for at, name in enumerate(table.index.names) if name not in named]
    if not named:
        return table.reset_index(drop=True)
    kept = table.reset_index(level=unnamed, drop=True) if unnamed else table
    return kept.reset_index()


def _check_encoding(name: str, content: bytes, options: dict[str, Any], place: Place) -> None:
    encoding = options.get("encoding") or "utf-8-sig"
    try:
        text = content.decode(encoding, options.get("encoding_errors", "strict"))
    except LookupError as error:
        raise DataError(
            f"The encoding {encoding!r} of the file '{name}' is not known. "
            "Correct it in globals.yml: csv: {encoding: ...}."
        ) from error
    except UnicodeDecodeError as error:
        line = place.line(content.count(b"\n", 0, error.start) + 1)
        likely = "utf-16" if content.startswith(_UTF_16) else "latin-1"
        raise DataError(
            f"The file '{name}' is not {encoding} in line {line} (byte "
            f"{place.byte(error.start)}). Save it as UTF-8, or name its encoding in globals.yml: "
            f"csv: {{encoding: {likely}}}."
        ) from error
    if not text.strip():
        raise DataError(f"The file '{name}' holds nothing but white space. Write it again.")


def _check_header(file: CsvFile) -> None:
    """Refuse a repeated name, which pandas would rename in silence, and a wrong separator."""
    header = header_of(file)
    if header is None:
        return
    later = later_header(file, header)
    if later:
        raise DataError(
            f"The header of the file '{file.name}' seems to stand in its line {later}, not in the "
            f"first. Set in globals.yml: csv: {{skiprows: {later - 1}}}, or remove what is above."
        )
    refuse_repeated_names(file.name, header)
    index = file.options.get("index_col")
    as_index = {index} if isinstance(index, (int, str)) and index is not False else set(index or ())
    nameless = [at for at, column in enumerate(header) if not column.strip() and at not in as_index]
    if nameless and "usecols" not in file.options and not {"Unnamed: 0", ""} & as_index:
        remedy = (
            "pandas writes its index so, which is no feature. Write the file with index=False, or "
            "set in globals.yml: csv: {index_col: 0}."
            if nameless[0] == 0
            else "Name it, or remove the separator at the end of the lines."
        )
        raise DataError(
            f"The file '{file.name}' has no name for its column {nameless[0] + 1}: {remedy}"
        )
    for other in (";", "\t", "|"):
        if len(header) == 1 and other in header[0] and file.separator != other:
            raise DataError(
                f"The file '{file.name}' has one column only, '{header[0][:60]}': its separator "
                f"seems to be {other!r}. Set in globals.yml: csv: {{sep: {other!r}}}."
            )


def refuse_repeated_names(name: str, columns: list[str]) -> None:
    """Raises DataError if two columns have the same name."""
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(
            f"The file '{name}' names the column '{repeated[0]}' {columns.count(repeated[0])} "
            "times in its header. Rename or remove the others."
        )
