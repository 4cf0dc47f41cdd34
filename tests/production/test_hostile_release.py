"""Tests of releases that are no longer what was uploaded: refused by every way to a model."""

from __future__ import annotations

import os
import threading

import pytest

from mlops_basics.commands.serve import serve
from mlops_basics.errors import ReleaseError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.storage.store_files import StoreFiles
from tests.support.releases import NAME, TRUSTED, publish

pytestmark = pytest.mark.slow  # real models and files


@pytest.fixture
def store(tmp_path, small):
    """A store with a release in production."""
    found = ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)
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

    def no_manifest(self, path):
        assert not path.endswith("manifest.json")
        return read(self, path)

    monkeypatch.setattr(StoreFiles, "read", no_manifest)
    refuse_everywhere(store, tmp_path / "copy", r"1,099,511,627,776 bytes, which no manifest needs")


def test_a_second_spelling_of_a_file_is_refused(store, release, tmp_path):
    """It is refused as an extra file, with other case or another Unicode form."""
    (release / "model" / "mlmodel").write_bytes(b"flavors: {}")
    refuse_everywhere(store, tmp_path / "copy", r"'model/mlmodel' is not in the manifest")


def test_a_stores_address_is_shown_without_its_password():
    """No message that names the store's address shows the password."""
    files = StoreFiles("memory://user:canary@host/store")
    assert files.shown() == "memory://***@host/store"
    assert files.shown("current.json") == "memory://***@host/store/current.json"
