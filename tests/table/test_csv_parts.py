"""Tests that a CSV file read in pieces is the table that it is when it is read at once."""

from __future__ import annotations

import gzip
import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.storage.spill import Spill
from mlops_basics.table.batch_file import parse_batch
from mlops_basics.table.csv_parts import LargeCsv
from mlops_basics.table.csv_pieces import can_be_cut

LARGE = "1541815604606036481"  # a float would round it
UNSIGNED = "18446744073709551615"


def in_pieces(content, csv_args, text_columns, name="a.csv", most_bytes=8, longest=1 << 20):
    """What ``LargeCsv`` makes of a file whose pieces have a few bytes."""
    args = (csv_args, text_columns, most_bytes, longest)
    return LargeCsv(name, lambda: io.BytesIO(content), *args).read(Spill(name))


def require_equal(content, csv_args=None, text_columns=(), name="a.csv", most_bytes=8):
    """In values, types, guesses or errors; gives the number of pieces."""
    args = (csv_args or {}, list(text_columns))
    try:
        table, guesses = parse_batch(name, content, *args)
    except DataError as error:
        with pytest.raises(DataError, match=f"^{re.escape(str(error))}$"):
            in_pieces(content, *args, name, most_bytes)
        return 0
    parts, found = in_pieces(content, *args, name, most_bytes)
    assert_frame_equal(parts.read(), table)
    assert all(part.read(None).dtypes.equals(table.dtypes) for part in parts.parts)
    assert found == guesses
    return len(parts.parts)


COLUMNS = {
    "whole numbers": ["1", "2"] * 4,
    "with missing ones": ["1"] * 4 + [""] * 4,
    "and fractions": ["1"] * 4 + ["2.5"] * 4,
    "digits": ["0071", "12"] * 4,
    "digits, then text": ["0071", "12"] * 3 + ["a"] * 2,
    "digits, then fractions": ["0071"] * 6 + ["2.5"],
    "flags": ["True"] * 4 + [""] + ["False"] * 4,
    "flags, then numbers": ["True"] * 4 + ["1"] * 4,
    "words, then text": ["NA", "None"] * 3 + ["x"] * 3,
    "words, then numbers": ["NA"] * 5 + ["1"] * 3,
    "words alone": ["None"] * 8,
    "large numbers": [LARGE] * 4 + [""] + ["5"] * 3,
    "large numbers, then fractions": [LARGE] * 4 + ["1.5"],
    "large numbers, then none": [LARGE] * 4 + [""] * 4,
    "numbers of 64 bits": [UNSIGNED] * 4 + ["1"] * 4,
    "and a sign": [UNSIGNED] * 4 + ["-1"] * 4,
    "and missing ones": [UNSIGNED] * 4 + [""] * 4,
    "more than 64 bits": ["9" * 20] * 3 + ["1"] * 3,
    "exponents": ["1e5"] * 4 + ["2"] * 4,
    "large measurements": ["1e300"] * 4 + ["7"] * 4,
    "infinity": ["inf"] * 4 + [LARGE] * 4,
    "lines in quotes": ['"a\nb"', '"c""\n"'] * 4,
    "quotes that quote nothing": ['"a, ""b"""', 'x"y', '5" pipe'] * 3,
    "white space": [" 1", " x"] * 4,
    "more than 64 bits, and ends of lines": ['"x\ry"', "a", "9" * 25, '"d\n"', "e"],
    "more than 64 bits, and spaces": ["  ", "a", "9" * 25, "", '"  "', "e"],
}


def column_of(values, end="\n"):
    """A file of these values."""
    lines = ["x,y", *(f"{value},{at}" for at, value in enumerate(values))]
    return end.join([*lines, ""]).encode()


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_a_column_has_the_type_of_the_whole_file(values):
    """Whatever its pieces would be taken for by themselves."""
    assert require_equal(column_of(values)) > 1


@pytest.mark.parametrize("name", ["digits, then text", "lines in quotes", "white space"])
def test_lines_may_end_as_on_windows(name):
    """The carriage return is no part of a value."""
    assert require_equal(column_of(COLUMNS[name], "\r\n")) > 1


FLAGS = {
    "flags": ["yes", "no"] * 3,
    "then others": ["yes"] * 4 + ["", "maybe"],
    "then numbers": ["no"] * 4 + ["0"] * 2,
}


@pytest.mark.parametrize("values", FLAGS.values(), ids=FLAGS)
def test_own_words_are_flags_where_all_are(values):
    """In the whole column."""
    options = {"true_values": ["yes"], "false_values": ["no"]}
    assert require_equal(column_of(values), options) > 1


def test_tabs_in_quotes_divide_no_value():
    """Also where the column is read by itself."""
    content = b'x\ty\n"a\tb"\t1\n' + b"9" * 25 + b"\t2\nc\t3\n"
    assert require_equal(content, name="a.tsv") > 1


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "Int64"},
        {"dtype": {"x": "Int64"}},
        {"keep_default_na": False},
        {"na_values": ["5"]},
        {"dtype": {"x": "str"}},
        {"dtype": {"x": "category"}},
        {"names": ["p", "q"]},
        {"header": None, "names": ["p", "q"]},
        {"skiprows": 1, "names": ["p", "q"]},
        {"usecols": ["x"]},
        {"header": 1},
        {"sep": None},
        {"encoding": "latin-1"},
        {"index_col": "y"},
        {"index_col": 0},
        {"index_col": ["y", "x"]},
        {"true_values": ["b"], "false_values": ["no"]},
    ],
    ids=str,
)
def test_options_mean_the_same_in_a_piece(options):
    """Each piece stands under the header, wherever that is."""
    last = b"0012,3\n" if options.get("dtype") == "Int64" else b",b\n0012,3\n"
    content = b"x,y\n5,7\n" + b"1,2\n5,3\n" * 6 + b",3\n" + last
    assert can_be_cut(options)
    assert require_equal(content, options) > 1


DAYS = {
    "days first": ["13/02/2024", "01/03/2024"],
    "as if months came first": ["01/02/2024"] * 4 + ["13/02/2024"],
    "some missing": ["2024-01-01", ""] * 3 + ["NA"],
    "not all are times": ["2024-01-01"] * 5 + ["soon"],
    "none": [""] * 6,
    "whole numbers": ["20240101", "20240102"] * 3,
    "with zones": ["2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"] * 2,
}


@pytest.mark.parametrize("days", DAYS.values(), ids=DAYS)
@pytest.mark.parametrize(
    "options", [{"index_col": 0}, {"dayfirst": True}, {"date_format": "%d/%m/%Y"}], ids=str
)
def test_times_are_those_of_the_whole_column(days, options):
    """How they are written is inferred from its first one, wherever it is cut."""
    options = {"parse_dates": ["x"], **options}
    assert can_be_cut(options)
    assert require_equal(column_of(days * 2), options) > 1


def test_times_that_are_not_there_are_told():
    """As for a file that is read at once."""
    with pytest.raises(DataError, match=r"The file 'a\.csv' has no column z, which `parse_dates`"):
        in_pieces(b"x,y\n" + b"1,2\n" * 9, {"parse_dates": ["z"]}, [])


@pytest.mark.parametrize(
    "options",
    [
        {"skipfooter": 1},
        {"nrows": 5},
        {"lineterminator": ";"},
        {"encoding": "utf-16"},
        {"encoding": "shift_jis"},
        {"skiprows": [3]},
        {"header": None},
        {"comment": "#"},
        {"escapechar": "\\"},
        {"sep": r"\s+"},
        {"parse_dates": True},
        {"parse_dates": [0]},
        {"true_values": ["yes", "1"]},
    ],
    ids=str,
)
def test_what_a_piece_cannot_tell_is_read_at_once(options):
    """Such as where the file ends, or what a line is."""
    assert not can_be_cut(options)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n" + b"1,2\n" * 20 + b"3\n",
        b"a,b\r\n\r\n" + b"1,2\r\n" * 20 + b"3,4,5\r\n",
        b'a,b\n"one\ntwo",2\n' + b"\n\n1,2\n" * 9 + b"3\n",
        b'a,b\n1,2\n"never closed,2\n3,4\n',
        b"a\n" + b"1\n" * 30 + b"\xfc\n1\n",
        b"a,a\n" + b"1,2\n" * 9,
        b"a;b\n" + b"1;2\n" * 9,
        b"a,b\n",
        b"\n \n",
    ],
)
def test_faults_are_told_of_the_file(content):
    """With its line and its byte, not those of the piece."""
    require_equal(content)


def test_a_quote_that_is_never_closed_fills_no_memory():
    """The record that it begins is refused by its line."""
    content = b"a,b\n1,2\n" + b'"3,4\n' + b"1,2\n" * 99
    with pytest.raises(DataError, match=r"'a\.csv' has a record of more than .* below its line 3"):
        in_pieces(content, {}, [], longest=100)


def test_lines_that_no_line_feed_ends_are_told():
    """Such a file cannot be cut; a small one is read at once."""
    with pytest.raises(DataError, match=r"end with a carriage return alone\. Write it with line f"):
        in_pieces(b"a,b\r" + b"1,2\r" * 99, {}, [], longest=100)


def test_packed_files_are_unpacked_piece_by_piece():
    """Of several members, or in an archive; a damaged one is told as ever."""
    content = b"code,y\n" + b"0071,1\n" * 20 + b"a,1\n"
    packed = gzip.compress(content[:60]) + gzip.compress(content[60:])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    archived = written.getvalue()
    assert require_equal(packed, name="a.csv.gz") > 1
    assert require_equal(archived, name="a.zip") > 1
    require_equal(packed[:-5], name="a.csv.gz")
    require_equal(content, name="a.csv.gz")
    require_equal(archived[:60], name="a.zip")


def test_columns_of_text_are_text_in_each_piece():
    """As named, and nothing is guessed of them."""
    assert require_equal(b"code,y\n" + b"0071,1\n" * 9, text_columns=["code"]) > 1


FIELDS = st.sampled_from(
    ["", "0", "1", "-7", "0071", "2.5", "1e3", "True", "NA", "None", "x", " y", '"a\nb"', '"c,""d"',
     '5" z', '"e\rf"', "  ", '" "', "inf", LARGE, UNSIGNED, "9" * 20, "2024-05-06"]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=12),
    most_bytes=st.integers(4, 60),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_file_is_the_same_in_pieces(rows, most_bytes, end):
    """Odd fields in any order, cut anywhere."""
    content = end.join(["p,q", *map(",".join, rows)])
    require_equal(content.encode(), most_bytes=most_bytes)
