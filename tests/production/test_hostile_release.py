"""Tests of releases that are no longer what was uploaded: refused by every way to a model."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_basics.commands.serve import serve
from mlops_basics.errors import ReleaseError, StorageError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.storage.store_files import StoreFiles
from tests.support.releases import NAME, TRUSTED, publish

pytestmark = pytest.mark.slow  # real models and files


def opened(tmp_path):
    """The store, as another process opens it."""
    return ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)


@pytest.fixture
def store(tmp_path, small):
    """A store with a release in production."""
    found = opened(tmp_path)
    publish(found, small, "1")
    return found


@pytest.fixture
def release(tmp_path, store):
    """The folder of that release."""
    return tmp_path / "store" / NAME / "releases" / "1"


def refuse_everywhere(store, target, message):
    """Verify, load, fetch and serve refuse it; no server starts, no copy is left."""
    started = []
    for use in (
        lambda: store.verify("1"),
        store.load,
        lambda: store.fetch(None, target),
        lambda: serve(store, "127.0.0.1", 1, lambda *command: started.append(command) or 0),
    ):
        with pytest.raises(ReleaseError, match=message):
            use()
    assert not started
    assert not target.exists()


@pytest.mark.parametrize("name", ["manifest.json", "table_info.json", "model/model.skops"])
def test_a_link_to_the_very_same_content_is_refused(name, store, release, tmp_path):
    """It could show something else a moment later."""
    (release / name).rename(tmp_path / "elsewhere")
    (release / name).symlink_to(tmp_path / "elsewhere")
    refuse_everywhere(store, tmp_path / "copy", f"'{name}' is a link")


def test_a_link_of_the_right_length_is_refused(store, release, tmp_path):
    """The length of a link is that of its path, which can be chosen."""
    file = release / "table_info.json"
    size = file.stat().st_size
    file.rename(tmp_path / "elsewhere")
    path = str(tmp_path / "elsewhere")
    padding = size - len(path)
    file.symlink_to("/" * padding + path)
    assert file.lstat().st_size == size
    assert file.is_file()
    refuse_everywhere(store, tmp_path / "copy", r"'table_info\.json' is a link")


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "table_info.json"])
def test_a_pipe_is_refused_without_being_read(name, store, release, tmp_path):
    """Reading it would wait for ever."""
    (release / name).unlink(missing_ok=True)
    os.mkfifo(release / name)
    done = threading.Event()

    def check():
        refuse_everywhere(store, tmp_path / "copy", f"'{name}' is a link or another thing")
        done.set()

    threading.Thread(target=check, daemon=True).start()
    assert done.wait(30)


def test_a_huge_manifest_is_refused_without_being_read(store, release, tmp_path, monkeypatch):
    """A sparse file of a terabyte would fill the memory."""
    with (release / "manifest.json").open("r+b") as file:
        file.truncate(2**40)
    read = StoreFiles.read

    def no_manifest(self, path, most=None):
        assert not path.endswith("manifest.json")
        return read(self, path, most)

    monkeypatch.setattr(StoreFiles, "read", no_manifest)
    refuse_everywhere(store, tmp_path / "copy", r"1,099,511,627,776 bytes, which no manifest needs")


NOTES = {
    "current.json": lambda store: store.load(),
    ".moving": lambda store: store.is_moving(),
    "ledger/000001.json": lambda store: store.ledger(),
    "registered/abc.json": lambda store: store.runs.require_recorded("9", "abc", Path()),
    ".run-lock": lambda store: store.one_run_at_a_time().__enter__(),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_pipe_or_a_link_in_the_place_of_a_small_file_is_told(name, store, tmp_path):
    """Nobody waits for a pipe, and nothing behind a link is read or written."""
    file, kept = tmp_path / "store" / NAME / name, tmp_path / "kept"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(StorageError, match="is a pipe or a device"):
        ThreadPoolExecutor(1).submit(NOTES[name], opened(tmp_path)).result(timeout=20)
    file.unlink()
    kept.write_text("kept", encoding="utf-8")
    file.symlink_to(kept)
    with pytest.raises(StorageError, match="is a symbolic link"):
        NOTES[name](opened(tmp_path))
    assert kept.read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("name", ["current.json", ".moving", "ledger/000001.json"])
def test_a_huge_small_file_is_not_read(name, store, tmp_path):
    """Tens of gigabytes, which take no place on the disk, do not come into memory."""
    with (tmp_path / "store" / NAME / name).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(StorageError, match="it has 1,099,511,627,776 bytes"):
        NOTES[name](opened(tmp_path))


def test_a_file_of_a_release_has_a_size_that_fits_into_memory(store, release):
    """Whoever may seal a manifest anew may name any size in it."""
    with (release / "table_info.json").open("wb") as file:
        file.truncate(2**40)
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["table_info.json"]["size"] = 2**40
    (release / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (release.parents[1] / "current.json").unlink()
    with pytest.raises(ReleaseError, match="which no release needs"):
        store.verify("1")


@pytest.mark.parametrize("name", ["ledger", "releases", "releases/1"])
def test_a_folder_that_is_a_link_is_not_read(name, store, tmp_path):
    """What lies behind it is not the store's."""
    place = tmp_path / "store" / NAME / name
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((StorageError, ReleaseError), match="is a symbolic link"):
        opened(tmp_path).ledger() if name == "ledger" else store.load()


def test_a_lock_that_is_another_file_too_is_not_written_into(store, tmp_path):
    """A hard link is no symbolic one, and leads to a file all the same."""
    kept = tmp_path / "kept"
    kept.write_text("kept", encoding="utf-8")
    (tmp_path / "store" / NAME / ".run-lock").unlink(missing_ok=True)
    os.link(kept, tmp_path / "store" / NAME / ".run-lock")
    with pytest.raises(StorageError, match="link"), store.one_run_at_a_time():
        pass
    assert kept.read_text(encoding="utf-8") == "kept"


def test_a_second_spelling_of_a_file_is_refused(store, release, tmp_path):
    """It is refused as an extra file, with other case or another Unicode form."""
    (release / "model" / "mlmodel").write_bytes(b"flavors: {}")
    refuse_everywhere(store, tmp_path / "copy", r"'model/mlmodel' is not in the manifest")


def test_a_stores_address_is_shown_without_its_password():
    """No message that names the store's address shows the password."""
    files = StoreFiles("memory://user:canary@host/store")
    assert files.shown() == "memory://***@host/store"
    assert files.shown("current.json") == "memory://***@host/store/current.json"
