"""Tests of the history of production."""

from __future__ import annotations

import errno
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mlops_basics.errors import StorageError
from mlops_basics.production.ledger import Ledger
from mlops_basics.storage.store_files import StoreFiles
from tests.support.releases import make_entry


@pytest.fixture(params=["file", "memory"])
def files(request, tmp_path):
    """An empty folder on disk or in memory."""
    folder = str(tmp_path) if request.param == "file" else f"memory://{uuid.uuid4().hex}"
    return StoreFiles(folder)


def test_entries_are_read_in_their_order(files):
    """Numbers count up and lead the order, also beyond what their width shows."""
    ledger = Ledger(files)
    assert ledger.entries() == []
    entries = [make_entry("1"), make_entry("2", "1"), make_entry("3", "2")]
    assert [ledger.record(entry) for entry in entries[:2]] == [1, 2]
    files.write("ledger/1000000.json", entries[2].model_dump_json().encode())
    assert ledger.entries() == entries
    assert ledger.record(entries[0]) == 1_000_001


def test_a_taken_number_means_the_next_one(files, monkeypatch):
    """A writer that finds its number taken uses the next one; nothing is overwritten."""
    slow, quick = Ledger(files), Ledger(files)
    monkeypatch.setattr(slow, "_numbers", list)
    quick.record(make_entry("1"))
    assert slow.record(make_entry("2")) == 2
    assert [entry.version for entry in quick.entries()] == ["1", "2"]


def test_many_writers_lose_nothing(tmp_path):
    """Eight at once get eight numbers without gaps."""

    def record(number):
        return Ledger(StoreFiles(str(tmp_path))).record(make_entry(str(number)))

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(record, range(1, 9)))
    assert sorted(numbers) == list(range(1, 9))
    assert len(Ledger(StoreFiles(str(tmp_path))).entries()) == 8


@pytest.mark.parametrize("content", [b"", b'{"at": "2026', b"\xff", b"{}"])
def test_a_half_written_entry_is_skipped(files, content):
    """Where a killed writer left one, the rest is read and the next number is used."""
    ledger = Ledger(files)
    ledger.record(make_entry("1"))
    files.write("ledger/000002.json", content)
    files.write("ledger/.000003.json.tmp", b"{")
    assert ledger.record(make_entry("3")) == 3
    assert [entry.version for entry in ledger.entries()] == ["1", "3"]


def test_a_key_that_s3_reports_as_invalid_is_taken(monkeypatch):
    """s3fs says EINVAL where the key exists; the same fault of a free key is an error."""
    folder = f"memory://{uuid.uuid4().hex}"
    ledger, real = Ledger(StoreFiles(folder)), MemoryFileSystem.pipe_file

    def as_s3(self, path, value, mode="overwrite", **kwargs):
        try:
            real(self, path, value, mode=mode, **kwargs)
        except FileExistsError as error:
            raise OSError(errno.EINVAL, "PreconditionFailed") from error

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", as_s3)
    other = Ledger(StoreFiles(folder))
    monkeypatch.setattr(other, "_numbers", list)
    assert (ledger.record(make_entry("1")), other.record(make_entry("2"))) == (1, 2)

    def broken(self, path, value, **kwargs):
        raise OSError(errno.EINVAL, "InvalidArgument")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", broken)
    with pytest.raises(StorageError, match=r"Cannot write .*000003\.json: InvalidArgument"):
        ledger.record(make_entry("3"))


def test_entries_are_chained(files):
    """A gap, a removed first entry and a change of any but the newest are told, with the file."""
    ledger = Ledger(files)
    for number in (1, 2, 3, 4):
        ledger.record(make_entry(str(number)))
    assert Ledger(files).faults() == []
    whole = {number: files.read(f"ledger/00000{number}.json") for number in (1, 2, 3, 4)}
    files.write("ledger/000002.json", whole[2].replace(b"better", b"nicer!"))
    [told] = Ledger(files).faults()
    assert "000002.json was changed" in told
    assert Ledger(files).entries()[1].reason == "nicer!"
    files.write("ledger/000002.json", whole[2])
    for number in (1, 3):
        files.remove(f"ledger/00000{number}.json")
        [told] = Ledger(files).faults()
        assert f"Entries {number} to {number} are missing before" in told
        files.write(f"ledger/00000{number}.json", whole[number])
    assert Ledger(files).faults() == []


def test_entries_of_before_the_chain_are_no_fault(files):
    """They say nothing of the one before; from then on the chain holds."""
    for number in (1, 2):
        content = make_entry(str(number)).model_dump_json(exclude={"manifest_sha256"})
        files.write(f"ledger/00000{number}.json", content.encode())
    ledger = Ledger(files)
    ledger.record(make_entry("3"))
    assert ledger.faults() == []
    assert [entry.version for entry in ledger.entries()] == ["1", "2", "3"]
    files.write("ledger/000002.json", b"{}")
    assert len(Ledger(files).faults()) == 1
