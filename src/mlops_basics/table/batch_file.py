"""A batch file's content as a table, CSV or Parquet; what is not whole is refused by its line."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from typing import Any

import pandas as pd

from mlops_basics.errors import DataError

CSV_SUFFIXES = (".csv", ".csv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
SUFFIXES = CSV_SUFFIXES + PARQUET_SUFFIXES
#: Options of pandas.read_csv that leave a line a row, so that its fields can be counted.
PLAIN_CSV_ARGS = frozenset(
    ("sep", "delimiter", "encoding", "decimal", "thousands", "na_values", "quotechar")
)


def parse_batch(
    name: str, content: bytes, csv_args: dict[str, Any], text_columns: list[str]
) -> pd.DataFrame:
    """The table that a batch file holds.

    Args:
        name: Of the file; its ending says what it is.
        content: Its bytes.
        csv_args: Arguments of ``pandas.read_csv``.
        text_columns: Columns that a CSV file is to be read as text for.

    Raises:
        DataError: If it is empty, or not readable; the message names the file and the line.
    """
    if not content:
        raise DataError(f"The file '{name}' is empty. Remove it or write it again.")
    if name.endswith(PARQUET_SUFFIXES):
        table = _read_parquet(name, content)
    else:
        text = _decompress(name, content) if name.endswith(".gz") else content
        table = _read_csv(name, text, csv_args, text_columns)
    if table.empty:
        raise DataError(f"The file '{name}' has a header but no rows. Remove it or write it again.")
    return table


def _decompress(name: str, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"The file '{name}' is not readable as gzip ({error}). Write it again."
        ) from error


def _read_parquet(name: str, content: bytes) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow raises several unrelated types for a damaged file
        raise DataError(
            f"The file '{name}' is not readable as Parquet ({error}). Write it again."
        ) from error
    table.columns = table.columns.map(str)
    _refuse_duplicate_columns(name, list(table.columns))
    return table.reset_index(drop=True)


def _read_csv(
    name: str, content: bytes, csv_args: dict[str, Any], text_columns: list[str]
) -> pd.DataFrame:
    encoding = csv_args.get("encoding", "utf-8-sig")
    separator = csv_args.get("sep", csv_args.get("delimiter", ",")) or ""  # "": pandas guesses
    quote = csv_args.get("quotechar", '"')
    _check_encoding(name, content, encoding)
    header = next(record for record in _records(content, encoding, separator, quote) if record)
    if not {"header", "names"} & set(csv_args):
        _check_header(name, header, separator)
    if set(csv_args) <= PLAIN_CSV_ARGS and len(separator) == 1:
        _refuse_ragged_lines(name, content, encoding, header, (separator, quote))
    types = dict.fromkeys(text_columns, "str")
    in_c = (len(separator) == 1 or separator == r"\s+") and not csv_args.get("skipfooter")
    engine = csv_args.get("engine") or ("c" if in_c else "python")
    own = {"encoding": encoding, "dtype": types, "engine": engine}
    args: dict[str, Any] = ({"low_memory": False} if engine == "c" else {}) | own | csv_args
    try:
        table: pd.DataFrame = pd.read_csv(io.BytesIO(content), **args)
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"The file '{name}' is not readable as CSV: {error}. "
            "Mend the file, or set `csv` in globals.yml (sep, decimal, encoding, ...)."
        ) from error
    table.columns = table.columns.map(str)
    return table


def _check_encoding(name: str, content: bytes, encoding: str) -> None:
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise DataError(
            f"The encoding {encoding!r} of the file '{name}' is not known. "
            "Correct it in globals.yml: csv: {encoding: ...}."
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"The file '{name}' is not {encoding} in line {line} (byte {error.start}). "
            "Save it as UTF-8, or name its encoding in globals.yml: csv: {encoding: latin-1}."
        ) from error
    if not text.strip():
        raise DataError(f"The file '{name}' holds nothing but white space. Write it again.")


def _records(content: bytes, encoding: str, separator: str, quote: str) -> Any:
    """A ``csv.reader``; its ``line_num`` counts lines, also those that end in "\\r" alone."""
    longest = min(len(content) + 1, 2**31 - 1)  # no field is too long for being read
    csv.field_size_limit(max(longest, csv.field_size_limit()))
    return csv.reader(
        io.TextIOWrapper(io.BytesIO(content), encoding, newline=None),
        delimiter=separator if len(separator) == 1 else ",",
        quotechar=quote,
    )


def _check_header(name: str, header: list[str], separator: str) -> None:
    """Refuse a repeated name, which pandas would rename in silence, and a wrong separator."""
    _refuse_duplicate_columns(name, header)
    nameless = [number for number, column in enumerate(header, 1) if not column.strip()]
    if nameless:
        raise DataError(
            f"The file '{name}' has no name for its column {nameless[0]}: pandas writes its index "
            "so, which is no feature. Write the file with index=False, or set in globals.yml: "
            "csv: {index_col: 0}."
        )
    for other in (";", "\t", "|"):
        if len(header) == 1 and other in header[0] and len(separator) == 1 and other != separator:
            raise DataError(
                f"The file '{name}' has one column only, '{header[0][:60]}': its separator "
                f"seems to be {other!r}. Set in globals.yml: csv: {{sep: {other!r}}}."
            )


def _refuse_duplicate_columns(name: str, columns: list[str]) -> None:
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(
            f"The file '{name}' names the column '{repeated[0]}' {columns.count(repeated[0])} "
            "times in its header. Rename or remove the others."
        )


def _refuse_ragged_lines(
    name: str,
    content: bytes,
    encoding: str,
    header: list[str],
    signs: tuple[str, str],
    block_size: int = 1 << 20,
) -> None:
    """Too many *or too few* fields in a row are an error; pandas fills short rows in silence."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    separator, quote = signs
    bad: list[Any] = []

    def remember(row: Any) -> str:
        bad.append(row)
        return "error"

    try:
        with pa_csv.open_csv(
            io.BytesIO(content),
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                encoding="utf-8" if "utf-8" in encoding else encoding,
                block_size=block_size,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator,
                quote_char=quote,
                newlines_in_values=True,
                invalid_row_handler=remember,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={column: pa.string() for column in header}
            ),
        ) as reader:
            for _ in reader:
                pass
    except pa.ArrowInvalid as error:
        if not bad and "straddling" in str(error) and block_size < len(content):
            # A row longer than a block: look again, at all at once.
            everything = len(content) + 1
            _refuse_ragged_lines(name, content, encoding, header, signs, everything)
            return
        if not bad:
            raise DataError(
                f"The file '{name}' is not readable as CSV: {error}. Mend the file."
            ) from error
        row = bad[0]
        line = _line_of_record(_records(content, encoding, *signs), row.expected_columns)
        raise DataError(
            f"The file '{name}' is ragged: line {line} has {row.actual_columns} fields, its header "
            f"{row.expected_columns} ({row.text[:60]!r}). Mend the line."
        ) from error


def _line_of_record(records: Any, width: int) -> int:
    """Where the first record of another width begins; a quoted field may span lines."""
    begin = 1
    for record in records:
        if record and len(record) != width:
            break
        begin = records.line_num + 1
    return begin
