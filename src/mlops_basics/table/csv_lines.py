"""How many fields each line of a CSV file has, under any options of ``pandas.read_csv``."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_basics.errors import DataError

#: Options that change what a line, a field or the header is; without them Arrow counts, faster.
LINE_OPTIONS = frozenset(
    (
        "header", "names", "skiprows", "skipfooter", "comment", "quoting", "escapechar",
        "doublequote", "lineterminator", "skipinitialspace", "skip_blank_lines",
    )
)  # fmt: skip
_LINES_OF_A_TITLE = 20


@dataclass(frozen=True)
class Place:
    """Where a piece of a CSV file stands in it; what stands above its rows is a copy of the head.

    Attributes:
        is_later: Whether it is not the first piece: its head is a copy.
        head: Lines that are copied: up to the header.
        head_bytes: How long they are.
        lines: Of the file, between its head and the rows of the piece.
        bytes: How long these are.
    """

    is_later: bool = False
    head: int = 0
    head_bytes: int = 0
    lines: int = 0
    bytes: int = 0

    def line(self, number: int) -> int:
        """The file's line that is this one of the piece."""
        return number + self.lines if number > self.head else number

    def byte(self, offset: int) -> int:
        """The file's byte that is this one of the piece."""
        return offset + self.bytes if offset >= self.head_bytes else offset


#: Of a file that is no piece of another.
WHOLE = Place()


@dataclass(frozen=True)
class CsvFile:
    """A CSV file's content and how it is divided.

    Attributes:
        name: For messages.
        content: Its bytes, decompressed.
        encoding: Of the bytes.
        separator: One character, or a regular expression.
        options: Of ``pandas.read_csv``, as the user gave them.
        place: Of which larger file it is a piece.
    """

    name: str
    content: bytes
    encoding: str
    separator: str
    options: dict[str, Any]
    place: Place = WHOLE

    @property
    def quote(self) -> str:
        """The character around fields that hold a separator or a line's end."""
        return str(self.options.get("quotechar", '"'))


def guessed_separator(content: bytes, encoding: str) -> str:
    """What the first line that is not blank seems to be divided by; for ``sep: null``."""
    lines = io.TextIOWrapper(io.BytesIO(content), encoding, errors="replace")
    try:
        return csv.Sniffer().sniff(next(line for line in lines if line.strip())).delimiter
    except csv.Error:
        return ","


def header_of(file: CsvFile) -> list[str] | None:
    """The names that stand in the file; None where its options name none or others."""
    if file.options.get("header", 0) is None or "names" in file.options:
        return None
    level = file.options.get("header", 0)
    if not isinstance(level, int):
        return None  # several lines, or "infer" beside names
    found_in = records(file)
    for _ in range(level):
        next(found_in, None)
    found = next(found_in, None)
    return None if found is None else found[1]


def later_header(file: CsvFile, header: Sequence[str]) -> int | None:
    """The line of what is the header, where titles stand above it; None where none seems to be.

    The first line then has fewer names than the lines below it have fields, or lacks names; a
    header names all, each once, and by no number.

    Args:
        file: As configured; where its options say where the header is, they are believed.
        header: The names of its first line.
    """
    if {"header", "names", "skiprows"} & set(file.options):
        return None
    below = list(itertools.islice(records(file), 1, _LINES_OF_A_TITLE))
    if len(below) < 2:
        return None
    width = Counter(len(fields) for _, fields in below).most_common(1)[0][0]
    names = sum(bool(name.strip()) for name in header)
    whole = names >= width - 1 and (names > 1 or len(header) >= width)  # but perhaps for an index
    if width < 2 or (whole and not header[0].lower().startswith("sep=")):  # Excel's own line
        return None
    for line, fields in below[:-1]:
        named = {field.strip() for field in fields if field.strip()}
        if len(named) == width and not any(re.search(r"^[-+.\d]", name) for name in named):
            return line
    return None


def refuse_ragged_lines(file: CsvFile) -> None:
    """Too many *or too few* fields in a line are an error: pandas shifts or fills in silence.

    Raises:
        DataError: If a line has another number of fields than the header; it names the line.
    """
    if len(file.separator) == 1 and not LINE_OPTIONS & set(file.options):
        bad = _arrow_finds_a_fault(file)
        if bad is not None:
            _refuse_by_record(file)
            raise DataError(
                f"The file '{file.name}' is ragged: a line has {bad.actual_columns} fields, its "
                f"header {bad.expected_columns} ({bad.text[:60]!r}). Mend the line."
            )
    else:
        _refuse_by_record(file)


def _refuse_by_record(file: CsvFile) -> None:
    header, names = header_of(file), file.options.get("names")
    width = len(names) if names is not None else len(header) if header else None
    below: Iterable[tuple[int, list[str]]] = records(file)
    if file.options.get("skipfooter"):
        below = list(below)[: -file.options["skipfooter"]]
    for line, fields in below:
        width = width or len(fields)
        if len(fields) != width:
            remedy = "Mend the line."
            if len(fields) > width and not any(fields[width:]):
                remedy = "Remove the separator at the end of the lines, or name the column."
            shown = (file.separator if len(file.separator) == 1 else " ").join(fields)[:60]
            raise DataError(
                f"The file '{file.name}' is ragged: line {file.place.line(line)} has "
                f"{len(fields)} fields, its header {width} ({shown!r}). {remedy}"
            )


def records(file: CsvFile) -> Iterator[tuple[int, list[str]]]:
    """Each record that pandas would read, the header among them, with the line it begins in."""
    options = file.options
    text = io.TextIOWrapper(
        io.BytesIO(file.content),
        file.encoding,
        errors=options.get("encoding_errors", "strict"),
        newline=None,
    )
    lines: Iterable[str] = text
    if "lineterminator" in options:
        lines = text.read().split(options["lineterminator"])
    kept = _kept_lines(lines, options)
    if len(file.separator) > 1:
        for number, line in kept:
            if file.quote not in line:  # what quotes mean beside such a separator is pandas' secret
                yield number, _split(line, file.separator)
        return
    numbers: list[int] = []

    def seen() -> Iterator[str]:
        for number, line in kept:
            numbers.append(number)
            yield line

    longest = min(len(file.content) + 1, 2**31 - 1)  # no field is too long for being read
    csv.field_size_limit(max(longest, csv.field_size_limit()))
    reader = csv.reader(
        seen(),
        delimiter=file.separator,
        quotechar=file.quote,
        quoting=options.get("quoting", csv.QUOTE_MINIMAL),
        escapechar=options.get("escapechar"),
        doublequote=options.get("doublequote", True),
        skipinitialspace=options.get("skipinitialspace", False),
    )
    for fields in reader:
        begin = numbers[0]
        numbers.clear()
        if fields:
            yield begin, fields


def _kept_lines(lines: Iterable[str], options: dict[str, Any]) -> Iterator[tuple[int, str]]:
    is_skipped, comment = _skipped(options.get("skiprows")), options.get("comment")
    quote = options.get("quotechar", '"')
    for number, line in enumerate(lines):
        if is_skipped(number):
            continue
        if comment and comment in line and quote not in line.partition(comment)[0]:
            line = line.partition(comment)[0]
            if not line.strip():
                continue
        yield number + 1, line


def _skipped(rows: Any) -> Callable[[int], bool]:
    if rows is None:
        return lambda _: False
    if callable(rows):
        return lambda number: bool(rows(number))
    if isinstance(rows, int):
        return lambda number: number < rows
    listed = set(rows)
    return lambda number: number in listed


def _split(line: str, separator: str) -> list[str]:
    text = line.rstrip("\r\n")
    if not text.strip():
        return []
    return text.split() if separator == r"\s+" else re.split(separator, text)


def _arrow_finds_a_fault(file: CsvFile, block_size: int = 1 << 20) -> Any:
    """The first row that has another number of fields than the header; None if none has.

    Raises:
        DataError: If Arrow cannot read the file for another reason.
    """
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    bad: list[Any] = []

    def remember(row: Any) -> str:
        bad.append(row)
        return "error"

    header = header_of(file) or []
    try:
        with pa_csv.open_csv(
            io.BytesIO(file.content),
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                encoding="utf-8" if "utf-8" in file.encoding else file.encoding,
                block_size=block_size,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=file.separator,
                quote_char=file.quote,
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
        if bad:
            return bad[0]
        if "straddling" in str(error) and block_size < len(file.content):
            # A row longer than a block: look again, at all at once.
            return _arrow_finds_a_fault(file, len(file.content) + 1)
        raise DataError(
            f"The file '{file.name}' is not readable as CSV: {error}. Mend the file."
        ) from error
    return None
