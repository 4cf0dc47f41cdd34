"""Tests of batches that are zip archives of one CSV file."""

from __future__ import annotations

import io
import zipfile

import pytest

from mlops_basics.errors import DataError
from mlops_basics.table.batch_file import parse_batch
from mlops_basics.table.unpacked_size import require_fits_memory

MIB = 1 << 20


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """An archive of these files, by name."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize(
    "files",
    [
        {"a.csv": "x,y\n1,a\n2,b\n"},
        {"rows/A.CSV": "x,y\n1,a\n2,b\n", "rows/": ""},
        {"a.tsv": "x\ty\n1\ta\n2\tb\n", "__MACOSX/._a.tsv": "\0", ".DS_Store": "\0"},
    ],
    ids=["one file", "in a folder", "tabs, and what a Mac adds"],
)
@pytest.mark.parametrize("name", ["b.zip", "b.csv.ZIP"])
def test_the_one_csv_file_of_an_archive_is_read(name, files):
    """Its own name says what separates its fields; options of CSV files count for it."""
    table, guesses = parse_batch(name, zipped(files), {}, ["x"])
    assert table.to_dict("list") == {"x": ["1", "2"], "y": ["a", "b"]}
    assert guesses == ()


def test_a_fault_names_the_archive_and_the_file_in_it():
    """And the line, as of any other CSV file."""
    with pytest.raises(DataError, match=r"'b\.zip/a\.csv'.*line 3"):
        parse_batch("b.zip", zipped({"a.csv": "x,y\n1,2\n3\n"}), {}, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped({"a.csv": "x\n1\n", "b.csv": "x\n1\n"}), r"2 files \('a.csv', 'b.csv'\).*Unpack"),
        (zipped({"a.parquet": "x"}), r"1 file \('a.parquet'\), and only a .zip of one .csv"),
        (zipped({}), r"0 files \(nothing\)"),
        (zipped({"a.csv": "x\n1\n"}, zipfile.ZIP_BZIP2), "packed in an unusual way. Unpack it"),
        (zipped({"a.csv": "x\n1\n" * 99})[:60], "not readable as zip"),
        (
            zipped({"a.csv": "x\n1\n"}, zipfile.ZIP_STORED).replace(b"x", b"y"),
            "not readable as zip",
        ),
    ],
    ids=["two", "other", "none", "bzip2", "cut", "changed"],
)
def test_any_other_archive_is_named(content, message):
    """Never a guess at which of several files is the table."""
    with pytest.raises(DataError, match=message):
        parse_batch("b.zip", content, {}, [])


def test_an_archive_that_unpacks_to_more_than_memory_is_refused():
    """It is refused by what it says, and what it says bounds what is read of it."""
    bomb = zipped({"a.csv": b"1,2\n" * (16 * MIB // 4)})
    assert len(bomb) < MIB / 4
    with pytest.raises(DataError, match=r"'b\.zip' holds a table of more than 34 MB"):
        require_fits_memory("b.zip", bomb, 32 * MIB)
    require_fits_memory("b.zip", bomb, 128 * MIB)
    require_fits_memory("b.zip", b"no archive", MIB)
    size = (16 * MIB).to_bytes(4, "little")
    lies = bomb.replace(size, (100).to_bytes(4, "little"))
    require_fits_memory("b.zip", lies, 32 * MIB)
    with pytest.raises(DataError, match="not readable as zip"):
        parse_batch("b.zip", lies, {}, [])
