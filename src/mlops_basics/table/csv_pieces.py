"""A CSV file's text in pieces that end where records end, each under the file's header."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from mlops_basics.errors import DataError

from .csv_file import csv_file_of
from .csv_lines import WHOLE, CsvFile, Place, records

#: Options that say how the columns of ``parse_dates`` are read.
OF_TIMES = ("dayfirst", "date_format", "cache_dates")
#: Options that mean the same in a piece as in the whole file, or say how it is cut.
_OPTIONS = frozenset(
    (
        "sep", "delimiter", "decimal", "thousands", "encoding", "encoding_errors", "quotechar",
        "usecols", "na_values", "keep_default_na", "na_filter", "dtype", "header", "names",
        "skiprows", "true_values", "false_values", "index_col", "parse_dates", *OF_TIMES,
    )
)  # fmt: skip
#: Encodings in which no byte of another letter is that of a quote, a separator or a line's end.
_ENCODINGS = (
    r"(utf[-_]?8([-_]sig)?|(us[-_]?)?ascii|latin[-_]?1|iso[-_]?8859[-_]\d+|(cp|windows-?)125\d)"
)
_ROWS = 1_000_000  # of a piece, about
_LOOKED_AT = 1 << 20  # bytes that tell how long a row is


@dataclass(frozen=True)
class Piece:
    """Rows of a CSV file.

    Attributes:
        content: Its header and the rows: a CSV file by itself.
        place: Where the rows stand in the file.
    """

    content: bytes
    place: Place


def can_be_cut(csv_args: dict[str, Any]) -> bool:
    """Whether a CSV file that is read with these options can be read piece by piece."""
    if set(csv_args) - _OPTIONS or not isinstance(csv_args.get("parse_dates", []), list):
        return False
    header, encoding = csv_args.get("header", 0), csv_args.get("encoding") or "utf-8"
    separator = csv_args.get("delimiter") or csv_args.get("sep")
    signs = [sign for sign in (separator, csv_args.get("quotechar", '"')) if sign is not None]
    return (
        isinstance(csv_args.get("skiprows", 0), int)
        and (isinstance(header, int) or (header is None and "names" in csv_args))
        and all(isinstance(name, str) for name in csv_args.get("parse_dates", []))
        # pandas takes digits for flags only where all values of the column are flags.
        and not any(re.search(r"\d", str(word)) for word in _words_of_flags(csv_args))
        and re.fullmatch(_ENCODINGS, str(encoding).lower()) is not None
        and all(isinstance(sign, str) and len(sign) == 1 and sign.isascii() for sign in signs)
    )


def _words_of_flags(csv_args: dict[str, Any]) -> list[Any]:
    return [*(csv_args.get("true_values") or []), *(csv_args.get("false_values") or [])]


def cut(
    name: str,
    text: BinaryIO,
    csv_args: dict[str, Any],
    most_bytes: int,
    longest: int,
) -> Iterator[Piece]:
    """The pieces of a CSV file; the first one as it stands in the file.

    Args:
        name: Of the file.
        text: Open for reading.
        csv_args: Options with which it can be cut.
        most_bytes: Of a piece, unless a record is longer.
        longest: Bytes of the longest record that there may be.

    Raises:
        DataError: If a record is longer, as where a quote is never closed.
    """
    rest = text.read(min(_LOOKED_AT, most_bytes))
    file = csv_file_of(name, rest, csv_args)
    ends = _records_of(file)
    step = min(most_bytes, len(rest) * _ROWS // max(1, rest.count(b"\n")))
    head, place = b"", WHOLE
    while chunk := text.read(max(1, max(step, len(rest) * 2) - len(rest))):
        rest += chunk
        end = _end_of_records(rest, file, ends)
        rows = rest[:end]
        below = place if place.is_later or not end else _below_head(file, rows)
        if not end or below is None:
            if len(rest) > longest:
                raise _too_long(name, place, rest)
            continue
        rest = rest[end:]
        if rows.strip():
            yield Piece(head + rows, place)
        head = head if place.is_later else rows[: below.head_bytes]
        place = replace(below, lines=below.lines + _lines(rows), bytes=below.bytes + len(rows))
    if rest.strip() or not place.is_later:
        yield Piece(head + rest, place)


def _records_of(file: CsvFile) -> re.Pattern[bytes]:
    """Whole records: a quote opens where a field begins, and may then hold what ends others."""
    between, quote = re.escape(file.separator.encode()), re.escape(file.quote.encode())
    quoted = rb"%b[^%b]*+(?:%b%b[^%b]*+)*+%b" % ((quote,) * 6)
    field = rb"(?:%b|(?!%b))[^%b\r\n]*+" % (quoted, quote, between)
    return re.compile(rb"(?:(?:%b[%b\r])*+%b\n)*+" % (field, between, field))


def _end_of_records(text: bytes, file: CsvFile, whole: re.Pattern[bytes]) -> int:
    if file.quote.encode() not in text:
        return text.rfind(b"\n") + 1
    found = whole.match(text)
    return found.end() if found else 0


def _below_head(file: CsvFile, first: bytes) -> Place | None:
    """The place of rows that follow the header of a file at once; None where it has no row yet."""
    options = file.options | {
        "encoding_errors": "replace"
    }  # who reads the piece says what is wrong
    found = records(CsvFile(file.name, first, file.encoding, file.separator, options))
    header = options.get("header", None if "names" in options else 0)
    names = 0 if header is None else int(header) + 1
    line = next((line for line, _ in itertools.islice(found, names, None)), None)
    if line is None:
        return None
    ends = (match.end() for match in re.finditer(rb"\r\n|\r|\n", first))
    end = next(itertools.islice(ends, line - 2, None)) if line > 1 else 0
    return Place(True, line - 1, end, 1 - line, -end)


def _lines(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _too_long(name: str, place: Place, text: bytes) -> DataError:
    why = "a quote may not be closed there. Mend the line."
    if b"\n" not in text and b"\r" in text:
        why = "its lines end with a carriage return alone. Write it with line feeds."
    return DataError(
        f"The file '{name}' has a record of more than {len(text) / 1e6:,.0f} MB below its line "
        f"{place.lines + place.head + 1}: {why}"
    )
