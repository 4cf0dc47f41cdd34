"""Tests of the source data set: what users' CSV and Parquet files really hold."""

from __future__ import annotations

import errno
import gc
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
from unittest.mock import Mock

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from kedro.io import DatasetError
from pandas.testing import assert_frame_equal

from mlops_basics.datasets import SourceDataset
from mlops_basics.errors import DataError
from tests.support.bombs import NO_FILES, gzip_bomb, no_files, number_bomb, text_bomb
from tests.support.files import as_parquet

TABLE = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, np.nan, -1e-9], "z": ["a", "b, c", "ü"]})


@pytest.fixture
def read(tmp_path):
    """A function that writes one file and reads it as the source, giving its table."""

    def read_file(content, name="a.csv", **arguments):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        [batch] = SourceDataset(path=str(path), **arguments).load()
        if batch.fault:
            assert batch.table.empty
            raise DataError(batch.fault)
        return batch.table

    return read_file


@pytest.fixture(params=["file", "memory"])
def folder(request, tmp_path):
    """Address of an empty folder, on disk or in memory."""
    if request.param == "file":
        yield str(tmp_path)
        return
    filesystem = fsspec.filesystem("memory")
    filesystem.makedirs("/test_source", exist_ok=True)
    yield "memory:///test_source"
    filesystem.rm("/test_source", recursive=True)


def put(address, content):
    """Write a file with any protocol."""
    with fsspec.open(address, "wb") as file:
        file.write(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TABLE.to_csv(index=False).encode()),
        ("a.csv.gz", gzip.compress(TABLE.to_csv(index=False).encode(), mtime=0)),
        ("a.parquet", as_parquet(TABLE)),
        ("a.pq", as_parquet(TABLE)),
    ],
)
def test_every_file_type_gives_the_same_table(folder, name, content):
    """One file is one batch, named, with the SHA-256 of its bytes."""
    put(f"{folder}/{name}", content)
    [batch] = SourceDataset(path=f"{folder}/{name}").load()
    assert batch.name == name
    assert batch.sha256 == hashlib.sha256(content).hexdigest()
    assert_frame_equal(batch.table, TABLE)


def test_a_folder_is_read_by_name(folder):
    """The order of writing does not matter, and other files are not data."""
    for name in ("b.csv", "a.csv", "c.csv"):
        put(f"{folder}/{name}", f"x\n{ord(name[0])}\n".encode())
    put(f"{folder}/README.md", b"x")
    batches = SourceDataset(path=folder).load()
    assert [batch.name for batch in batches] == ["a.csv", "b.csv", "c.csv"]
    assert [batch.table["x"][0] for batch in batches] == [97, 98, 99]


def test_exists(folder):
    """A source exists when there is a file or folder of that name."""
    put(f"{folder}/a.csv", b"x\n1\n")
    assert SourceDataset(path=folder).exists()
    assert SourceDataset(path=f"{folder}/a.csv").exists()
    assert not SourceDataset(path=f"{folder}/b.csv").exists()


def test_saving_is_refused(tmp_path):
    """A source is read only."""
    dataset = SourceDataset(path=str(tmp_path))
    with pytest.raises(DatasetError, match="SourceDataset is a read only dataset type"):
        dataset.save(TABLE)


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        ({}, "a.csv", r"a\.csv' does not exist.*globals\.yml"),
        ({"notes.txt": b"x"}, "", "holds no CSV or Parquet file"),
        ({"a.xlsx": b"x"}, "a.xlsx", "neither CSV nor Parquet"),
    ],
)
def test_a_source_that_is_not_there_is_named(folder, files, name, message):
    """A missing file, an empty folder and another file type are errors with a remedy."""
    for file, content in files.items():
        put(f"{folder}/{file}", content)
    with pytest.raises(DatasetError, match=rf"(?s){message}"):
        SourceDataset(path=f"{folder}/{name}".rstrip("/")).load()


def test_the_description_shows_no_secret():
    """Credentials and their values stay out of messages."""
    dataset = SourceDataset(path="memory:///nowhere", credentials={"secret": "hidden"})
    assert "hidden" not in str(dataset)
    assert "memory:///nowhere" in str(dataset)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("x;y\n1,5;ü\n", {"sep": ";", "decimal": ","}),
        ("x;y\n1,5;ü\n", {"delimiter": ";", "decimal": ","}),
        ("x\ty\n1.5\tü\n", {"sep": "\t"}),
        ("x::y\n1.5::ü\n", {"sep": "::"}),
        ("x   y\n1.5  ü\n", {"sep": r"\s+"}),
        ("x,y\n1.5,'ü'\n", {"quotechar": "'"}),
        ("# made by hand\nx,y\n1.5,ü\n", {"skiprows": 1}),
        ("x,y\n1.5,ü\nsum,1\n", {"skipfooter": 1}),
        ("x,y\n1.5,ü\n", {"engine": "python"}),
        ("1.5,ü\n", {"names": ["x", "y"]}),
        ("x,y\n1.5,ü\n".encode("latin-1"), {"encoding": "latin-1"}),
        ("x,y\n1.5,ü\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("\ufeffx,y\n1.5,ü\n", {}),
        ("x,y\r\n1.5,ü\r\n", {}),
        ("x,y\r1.5,ü\r", {}),
        ("\n\nx,y\n1.5,ü", {}),
    ],
)
def test_options_of_csv(read, content, options):
    """The options of pandas.read_csv, byte order marks and all kinds of line ends."""
    assert_frame_equal(read(content, csv_args=options), pd.DataFrame({"x": [1.5], "y": ["ü"]}))


def test_a_file_without_a_header(read):
    """With header: null the first line is data, equal values in it are no repeated name."""
    table = read("1,1,2\n3,4,5\n", csv_args={"header": None})
    assert list(table.columns) == ["0", "1", "2"]
    assert len(table) == 2


def test_missing_values_are_configured(read):
    """Configured values are read as missing."""
    assert read("x\n1\n-\n", csv_args={"na_values": ["-"]})["x"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("code,n\n007,1\n", {}),
        ("\ncode,n\n007,1\n", {}),
        ("\ufeffcode,n\n007,1\n", {}),
        ("title\ncode,n\n007,1\n", {"skiprows": 1}),
        ("code::n\n007::1\n", {"sep": "::"}),
        ("007,1\n", {"names": ["code", "n"]}),
    ],
)
def test_text_columns_keep_leading_zeros(read, content, options):
    """A postcode is not a number, wherever the header stands; a name that is absent is ignored."""
    table = read(content, text_columns=["code", "absent"], csv_args=options)
    assert table["code"].tolist() == ["007"]
    assert table["n"].tolist() == [1]


def test_quoted_newlines_and_separators(read):
    """A field may hold a line end, a separator and a quote."""
    table = read('text,n\n"one\ntwo, ""three""",1\nplain,2\n')
    assert table["text"].tolist() == ['one\ntwo, "three"', "plain"]


def test_a_row_longer_than_a_block_of_the_parser(read):
    """A text of megabytes in one field is still one field."""
    long = "x" * 1_500_000
    assert read(f"text,n\n{long},1\nshort,2\n")["text"].str.len().tolist() == [len(long), 5]


def test_numbers_of_a_csv_file_are_exact(read):
    """Each float comes back to the last bit: hashes, and so the split, depend on it."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=2_000) * 10.0 ** rng.integers(-12, 12, 2_000)
    table = pd.DataFrame({"x": numbers})
    assert (read(table.to_csv(index=False))["x"] == numbers).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", r"line 3 has 3 fields, its header 2 \('3,4,5'\)"),
        ("a,b\n1,2\n3\n", r"line 3 has 1 fields, its header 2 \('3'\)"),
        ('a,b\n"one\ntwo",2\n3\n', "line 4 has 1 fields"),
        ("a,b\n\n1,2\n\n3\n", "line 5 has 1 fields"),
        ("a,b\r\n1,2\r\n3\r\n", "line 3 has 1 fields"),
        ('a,b\n"never closed,2\n3,4\n', "line 2 has 1 fields"),
    ],
)
def test_ragged_lines_are_refused(read, content, message):
    """Too many or too few fields: the line of the file is named, also after quoted newlines."""
    with pytest.raises(DataError, match=message):
        read(content)


def test_a_ragged_line_after_a_long_row(read):
    """The second look, at all of the file at once, misses nothing."""
    with pytest.raises(DataError, match="line 3 has 1 fields"):
        read(f"a,b\n{'x' * 1_500_000},1\n3\n")


@pytest.mark.parametrize(
    ("content", "name", "options", "message"),
    [
        (b"", "a.csv", {}, "'a.csv' is empty"),
        (b" \n \n", "a.csv", {}, "'a.csv' holds nothing but white space"),
        (b"a,b\n", "a.csv", {}, "'a.csv' has a header but no rows"),
        (b"a,b,a\n1,2,3\n", "a.csv", {}, "'a.csv' names the column 'a' 2 times"),
        (b"a;b\n1;2\n", "a.csv", {}, "'a.csv' has one column only.*csv: {sep: ';'}"),
        (b"a\tb\n1\t2\n", "a.csv", {}, r"'a.csv' has one column only.*csv: {sep: '\\t'}"),
        (
            "a\nb\nü\n".encode("latin-1"),
            "a.csv",
            {},
            r"'a.csv' is not utf-8-sig in line 3 \(byte 4\)",
        ),
        (b'"a,b\n' + b"1,2\n" * 50_000, "a.csv", {}, "'a.csv' is not readable as CSV"),
        (b"a\n1\n", "a.csv", {"encoding": "nope"}, "encoding 'nope' of the file 'a.csv'"),
        (b"a\n1\n", "a.csv", {"engine": "pyarrow"}, "'a.csv' is not readable as CSV.*globals"),
        (b"a\n1\n", "a.csv", {"sep": ""}, "'a.csv' is not readable as CSV.*globals.yml"),
        ("x,y\n1,2\n".encode("utf-16"), "a.csv", {}, "csv: {encoding: utf-16}"),
        (b"Report\n\nx,y\n1,2\n3,4\n", "a.csv", {}, "stand in its line 3.*{skiprows: 2}"),
        (b"sep=,\nx,y\n1,2\n3,4\n", "a.csv", {}, "stand in its line 2.*{skiprows: 1}"),
        (b",kind\na,tall\nb,short\nc,tall\n", "a.csv", {}, "no name for its column 1"),
        (b"All,,\nx,y,z\n1,2,3\n4,5,6\n", "a.csv", {}, "stand in its line 2.*{skiprows: 1}"),
        (b"Report\n1,2\n3,4\n5,6\n", "a.csv", {}, "ragged: line 2 has 2 fields, its header 1"),
        (b"a\n1\n", "a.csv", {"nope": 1}, "'a.csv' is not readable as CSV.*'nope'.*globals.yml"),
        (b"a\n1\n", "a.csv.gz", {}, "'a.csv.gz' is not readable as gzip"),
        (
            gzip.compress(b"a\n1\n", mtime=0)[:-5],
            "a.csv.gz",
            {},
            "'a.csv.gz' is not readable as gzip",
        ),
        (b"PAR1 no more", "a.parquet", {}, "'a.parquet' is not readable as Parquet"),
        (as_parquet(TABLE)[:-9], "a.parquet", {}, "'a.parquet' is not readable as Parquet"),
        (as_parquet(TABLE.head(0)), "a.parquet", {}, "'a.parquet' has a header but no rows"),
    ],
)
def test_damaged_files_are_refused(read, content, name, options, message):
    """Each error names the file and what is wrong with it."""
    with pytest.raises(DataError, match=rf"(?s){message}"):
        read(content, name, csv_args=options)


def test_a_damaged_file_hides_no_other(folder):
    """A damaged file becomes a batch with a fault; the other files are read."""
    put(f"{folder}/a.csv", b"a,b\n1,2\n3\n")
    put(f"{folder}/b.csv", b"a,b\n1,2\n")
    damaged, whole = SourceDataset(path=folder).load()
    assert "'a.csv' is ragged" in damaged.fault
    assert damaged.sha256 == hashlib.sha256(b"a,b\n1,2\n3\n").hexdigest()
    assert whole.fault == ""
    assert len(whole.table) == 1


def test_an_optional_source_may_not_be_there(folder):
    """No path, no such folder, an empty folder: no batches; then those that came."""
    assert SourceDataset(path=None, optional=True).load() == []
    assert SourceDataset(path=f"{folder}/none", optional=True).load() == []
    put(f"{folder}/notes.txt", b"x")
    dataset = SourceDataset(path=folder, optional=True)
    assert dataset.load() == []
    assert dataset.fingerprints() == {}
    put(f"{folder}/a.csv", b"a,b\n1,2\n")
    assert [batch.name for batch in dataset.load()] == ["a.csv"]


def test_fingerprints_are_those_of_the_batches(folder):
    """Every file has a fingerprint, also a damaged one."""
    put(f"{folder}/a.csv", b"a,b\n1,2\n")
    put(f"{folder}/b.csv", b"")
    dataset = SourceDataset(path=folder)
    assert dataset.fingerprints() == {batch.name: batch.sha256 for batch in dataset.load()}


def test_a_parquet_index_without_a_name_is_not_data(read):
    """The index that pandas stores beside the columns changes nothing."""
    stored = as_parquet(TABLE.set_index(pd.Index([7, 8, 9])))
    assert_frame_equal(read(stored, "a.parquet"), TABLE)


def test_times_of_96_bits_keep_their_century(read):
    """Spark writes open ends as 9999-12-31, which does not fit into its own nanoseconds."""
    times = ["0001-01-01T00:00:00", "2024-05-06T07:08:09.123456", "9999-12-31T00:00:00"]
    written = pa.array(np.array(times, dtype="datetime64[us]"))
    stored = io.BytesIO()
    pq.write_table(pa.table({"until": written}), stored, use_deprecated_int96_timestamps=True)
    found = read(stored.getvalue(), "a.parquet")["until"]
    assert found.to_numpy().astype("datetime64[us]").tolist() == written.to_pylist()


def test_what_is_no_readable_file_is_a_fault_of_its_batch_alone(tmp_path):
    """A pipe is not waited for; the fingerprint stays while the fault does, and then changes."""
    put(f"{tmp_path}/a.csv", b"x\n1\n")
    no_files(tmp_path)
    source = SourceDataset(path=str(tmp_path))
    found = {batch.name: batch for batch in source.load()}
    assert found.keys() == {"a.csv", *NO_FILES}
    assert found["a.csv"].fault == ""
    for name, reason in NO_FILES.items():
        assert reason in found[name].fault
        assert found[name].table.empty
    prints = source.fingerprints()
    assert prints == {name: batch.sha256 for name, batch in found.items()}
    (tmp_path / "pipe.csv").unlink()
    put(f"{tmp_path}/pipe.csv", b"x\n2\n")
    mended = {name for name, sha in source.fingerprints().items() if sha != prints[name]}
    assert mended == {"pipe.csv", "pipe_link.csv"}


def test_a_file_without_rights_is_a_fault_of_its_batch(tmp_path, monkeypatch):
    """With the remedy; root, who may read everything, is refused by hand."""
    put(f"{tmp_path}/a.csv", b"x\n1\n")
    (tmp_path / "a.csv").chmod(0)
    if os.geteuid() == 0:
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        monkeypatch.setattr(LocalFileSystem, "_open", Mock(side_effect=refused))
    [batch] = SourceDataset(path=str(tmp_path)).load()
    assert batch.fault.startswith("Cannot read the file 'a.csv': Permission denied. Correct its")


def test_an_object_that_is_not_given_out_is_a_fault_of_its_batch(monkeypatch):
    """Where none is given out it is the storage's fault, and nothing is quarantined for it."""
    closed = {"b.csv"}
    for name in ("a.csv", "b.csv"):
        put(f"memory:///closed/{name}", b"x\n1\n")
    info = MemoryFileSystem.info

    def info_of_some(self, path, **options):
        if path.split("/")[-1] in closed:
            raise PermissionError(errno.EACCES, "Access Denied")
        return info(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "info", info_of_some)
    source = SourceDataset(path="memory:///closed")
    first, second = source.load()
    assert (first.fault, len(first.table)) == ("", 1)
    assert second.fault.startswith("Cannot read the file 'b.csv': Access Denied.")
    closed.add("a.csv")
    with pytest.raises(DatasetError, match=r"Cannot read the file 'a\.csv': Access Denied"):
        source.load()
    fsspec.filesystem("memory").rm("/closed", recursive=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the most memory it took")
def test_bombs_are_faults_of_their_batches_in_bounded_memory(tmp_path):
    """With a limit as `ulimit -v` sets it, one file of each kind leaves the others as they are."""
    put(f"{tmp_path}/a.csv", b"x\n1\n")
    put(f"{tmp_path}/gzip.csv.gz", gzip_bomb(3000))
    put(f"{tmp_path}/text.parquet", text_bomb(100_000, 100_000))
    put(f"{tmp_path}/numbers.parquet", number_bomb(200))
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from mlops_basics.datasets import SourceDataset\n"
        f"source = SourceDataset(path={str(tmp_path)!r})\n"
        "batches = source.load()\n"
        "assert {b.name: b.sha256 for b in batches} == source.fingerprints()\n"
        "for b in batches: print(b.name, len(b.table), b.fault)\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *others, peak = done.stdout.splitlines()
    assert first == "a.csv 1 "
    assert len(others) == 3
    assert all(
        re.search(r" 0 The file '\S+' of \S+ MB holds a table of more", line) for line in others
    )
    assert int(peak) < 1 << 20  # KiB


@pytest.mark.parametrize("index", [pd.Index([7, 8, 9], name="id"), pd.RangeIndex(3, name="id")])
def test_a_parquet_index_with_a_name_is_a_column(read, index):
    """Whether its values are stored or only counted."""
    table = read(as_parquet(TABLE.set_index(index)), "a.parquet")
    assert table["id"].tolist() == index.tolist()
    assert_frame_equal(table[list(TABLE.columns)], TABLE)


@pytest.mark.parametrize("name", ["A.CSV", "A.Csv.GZ", "A.TSV", "a.tsv.gz", "A.PARQUET", "a.PQ"])
def test_endings_in_letters_of_any_case(folder, name):
    """A file is read by its ending, whoever wrote it; tabs separate in .tsv."""
    separator = "\t" if ".tsv" in name.lower() else ","
    content = TABLE.to_csv(index=False, sep=separator).encode()
    content = as_parquet(TABLE) if name.lower().endswith(("parquet", "pq")) else content
    content = gzip.compress(content) if name.lower().endswith("gz") else content
    put(f"{folder}/{name}", content)
    for path in (folder, f"{folder}/{name}"):
        [batch] = SourceDataset(path=path).load()
        assert batch.fault == ""
        assert_frame_equal(batch.table, TABLE)


def test_what_is_passed_over_is_counted(folder):
    """Hidden files, a Mac's among them, and files that are no table are told with the batches."""
    for name in ("._a.csv", "README.md", "_SUCCESS", "a.csv", "old/notes.txt"):
        put(f"{folder}/{name}", b"x\n1\n")
    [batch] = SourceDataset(path=folder).load()
    assert batch.fault == ""
    assert {(guess.column, guess.example) for guess in batch.guesses} == {
        ("._a.csv", "hidden"),
        ("README.md", "neither CSV nor Parquet"),
        ("_SUCCESS", "neither CSV nor Parquet"),
        ("old", "folder without tables"),
    }


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        ("2024-05/part.csv", "2024-05", "is a folder, not a file. Remove it, or put its rows"),
        ("b.parquet/part-0.snappy.parquet", "b.parquet", "is a folder, not a file"),
        ("year=2024/month=1/part-0.parquet", "year=2024", "is a folder, not a file"),
        ("b.csv.bz2", "b.csv.bz2", "a packed file. Write it, or unpack it"),
        ("b.csv.zip", "b.csv.zip", "not readable as zip (File is not a zip file). Unpack it, or"),
        ("b.CSV.BZ2", "b.CSV.BZ2", "a packed file"),
        ("b.xlsx", "b.xlsx", "a table that is neither CSV nor Parquet"),
    ],
)
def test_tables_that_are_not_read_are_named(folder, path, name, message):
    """A table in another form is no batch that one may miss: it is a fault, with a remedy."""
    put(f"{folder}/a.csv", b"x\n1\n")
    put(f"{folder}/{path}", b"x\n1\n")
    dataset = SourceDataset(path=folder)
    faults = {batch.name: batch.fault for batch in dataset.load()}
    assert faults["a.csv"] == ""
    assert message in faults[name]
    assert dataset.fingerprints() == {batch.name: batch.sha256 for batch in dataset.load()}


RAGGED = [
    ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 fields, its header 2"),
    ("a,b\n1,2,\n4,5,\n", "Remove the separator at the end of the lines"),
    ("a,b\n1,2\n3\n", "line 3 has 1 fields"),
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep_default_na": False},
        {"dtype": {"a": "float64"}},
        {"parse_dates": ["a"]},
        {"low_memory": False},
        {"header": 0},
        {"skiprows": 0},
        {"skipinitialspace": True},
        {"usecols": ["a", "b"]},
        {"comment": "#"},
        {"engine": "python"},
        {"quoting": 3},
        {"sep": None, "engine": "python"},
        {"sep": " *, *"},
        {"lineterminator": "\n"},
        {"names": ["a", "b"], "skiprows": 1},
        {"names": ["a", "b"], "skiprows": [0]},
        {"index_col": 0},
    ],
)
@pytest.mark.parametrize(("content", "message"), RAGGED)
def test_no_option_lets_columns_shift(read, content, message, options):
    """With any options, a line of more or fewer fields is an error, and no column moves."""
    with pytest.raises(DataError, match=message):
        read(content, csv_args=options)
    whole = read("a,b\n1,2\n4,5\n", csv_args=options)
    assert [whole[name].tolist() for name in ("b",)] == [[2, 5]]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (",x,y\n0,1.5,ü\n", {"index_col": 0}),
        ("made by hand\n\nx,y\n1.5,ü\n", {"skiprows": 2}),
        ("made by hand\nx,y\nkg,\n1.5,ü\n", {"skiprows": [0, 2]}),
        ("x,y\n# by hand\n1.5,ü # so\n", {"comment": "#", "converters": {"y": str.strip}}),
        ("x,y,z\n1.5,ü,0\n", {"usecols": ["x", "y"]}),
        ("x|y\n1.5|ü\n", {"sep": None}),
        ("title,\nx,y\n1.5,ü\n", {"header": 1}),
        ("x,y\n1.5,ü\n1,2,3\n", {"on_bad_lines": "skip"}),
        ("x, y\n1.5, ü\n", {"skipinitialspace": True}),
    ],
)
def test_options_that_messages_propose(read, content, options):
    """What a message proposes, and what users try, gives the table and nothing else."""
    assert_frame_equal(read(content, csv_args=options), pd.DataFrame({"x": [1.5], "y": ["ü"]}))


def test_an_index_column_with_a_name_stays_a_column(read):
    """index_col only says where a name is missing."""
    table = read("id,x\n7,1\n8,2\n", csv_args={"index_col": 0})
    assert table["id"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (",x\n0,1\n", {}, r"no name for its column 1.*csv: \{index_col: 0\}"),
        ("x,\n0,1\n", {}, "no name for its column 2: Name it, or remove the separator"),
        ("x\n1\n", {"chunksize": 5}, "csv: {chunksize: ...}"),
        ("x\n1\n", {"compression": "gzip"}, "csv: {compression: ...}"),
    ],
)
def test_options_that_cannot_work_are_named(read, content, options, message):
    """With what to do."""
    with pytest.raises(DataError, match=message):
        read(content, csv_args=options)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("id,x\n1541815604606036481,1\n,2\n1541815604606036483,3\n", {}),
        ("id;x\n1541815604606036481;1\nNA;2\n1541815604606036483;3\n", {"sep": ";"}),
        ("x,id\n1,1541815604606036481\n2,\n3,1541815604606036483\n", {"usecols": [0, 1]}),
        ("# t\nx,id\n1,1541815604606036481\n2,\n3,1541815604606036483\n", {"skiprows": 1}),
    ],
)
def test_whole_numbers_are_exact_beside_missing_ones(read, content, options):
    """A first missing value does not round the others to what a float holds."""
    ids = read(content, csv_args=options)["id"]
    assert ids.isna().tolist() == [False, True, False]
    assert ids.dropna().tolist() == [1541815604606036481, 1541815604606036483]


def test_large_measurements_stay_numbers(read):
    """Numbers beyond 2**53 that are no whole ones as written, or of 64 bits, are read."""
    assert read("x\n1e300\n2\n")["x"].tolist() == [1e300, 2]
    assert read("x\n9007199254740993.5\n2\n")["x"].tolist() == [9007199254740994.0, 2]
    unsigned = read("x,y\n18446744073709551615,1\n,2\n")["x"]
    assert unsigned.isna().tolist() == [False, True]
    assert unsigned[0] == 18446744073709551615


@pytest.fixture
def small_pieces(monkeypatch):
    """What is large is so from some hundred bytes on."""
    monkeypatch.setattr("mlops_basics.datasets.source.HELD", 1000)
    monkeypatch.setattr("mlops_basics.datasets.source.TEXT_OF_PIECE", 250)
    monkeypatch.setattr("mlops_basics.table.large_file.HELD", 1000)
    monkeypatch.setattr("mlops_basics.table.large_file.TEXT_OF_PIECE", 250)


LARGE = pd.DataFrame({"x": range(200), "y": ["1"] * 150 + ["a"] * 50, "z": np.arange(200) / 7})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", LARGE.to_csv(index=False).encode()),
        ("a.csv.gz", gzip.compress(LARGE.to_csv(index=False).encode(), mtime=0)),
        ("a.parquet", as_parquet(LARGE)),
    ],
)
@pytest.mark.usefixtures("small_pieces")
def test_a_large_file_is_read_in_parts(folder, name, content):
    """Of the table that it would be at once, under the digest of its bytes."""
    put(f"{folder}/{name}", content)
    source = SourceDataset(path=folder)
    [batch] = source.load()
    assert batch.fault == ""
    assert len(batch.parts.parts) > 1
    assert_frame_equal(batch.table, LARGE)
    assert source.fingerprints() == {name: batch.sha256}
    assert batch.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.usefixtures("small_pieces")
def test_a_fault_of_a_large_file_is_one_of_its_batch(folder):
    """With its line, and under the digest of its bytes."""
    put(f"{folder}/a.csv", b"x,y\n" + b"1,2\n" * 400 + b"3\n")
    put(f"{folder}/b.csv", b"x,y\n1,2\n")
    source = SourceDataset(path=folder)
    damaged, whole = source.load()
    assert "'a.csv' is ragged: line 402 has 1 fields" in damaged.fault
    assert source.fingerprints() == {each.name: each.sha256 for each in (damaged, whole)}


@pytest.mark.parametrize("held", [1 << 20, 0], ids=["in memory", "put away"])
def test_parts_are_no_larger_than_what_memory_holds_at_once(folder, monkeypatch, held):
    """A file that is read at once is cut as one that is read in pieces; one of objects is not."""
    monkeypatch.setattr("mlops_basics.datasets.source.HELD", held)
    monkeypatch.setattr("mlops_basics.datasets.source.fits_memory", lambda *_: True)
    monkeypatch.setattr("mlops_basics.schemas.parts.HELD_BYTES", 2000)
    put(f"{folder}/a.csv", LARGE.to_csv(index=False).encode())
    put(f"{folder}/b.parquet", as_parquet(pd.DataFrame({"x": [[1]] * 2000})))
    cut, whole = SourceDataset(path=folder).load()
    assert [part.rows for part in cut.parts.parts] == [66, 67, 67]
    assert_frame_equal(cut.table, LARGE)
    assert len(whole.parts.parts) == 1


@pytest.mark.usefixtures("small_pieces")
def test_what_cannot_be_cut_is_read_at_once(read):
    """It is the table that it was, as long as memory suffices."""
    table = read(LARGE.to_csv(index=False), csv_args={"skipfooter": 1})
    assert len(table) == 199


@pytest.mark.usefixtures("small_pieces")
def test_small_files_of_a_large_source_are_put_away(tmp_path, monkeypatch):
    """Those beyond what is held in memory, as long as a batch knows them."""
    spilled = tmp_path / "temporary"
    spilled.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spilled))
    small = pd.DataFrame({"x": range(50), "y": ["a"] * 50})
    for name in "abcd":
        put(f"{tmp_path}/{name}.csv", small.head(40).to_csv(index=False).encode())
    batches = SourceDataset(path=str(tmp_path)).load()
    assert all(each.table.equals(small.head(40)) for each in batches)
    assert len(list(spilled.iterdir())) == 3
    del batches
    gc.collect()
    assert list(spilled.iterdir()) == []
