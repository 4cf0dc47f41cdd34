"""Tests of the files of a store on a local disk: no symbolic link leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_basics.errors import StorageError
from mlops_basics.storage.store_files import StoreFiles


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Files that are none of the store's, and a link to them in the place of a folder of its."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "thesis.txt").write_text("three years of work", encoding="utf-8")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "releases").symlink_to(folder, target_is_directory=True)
    return folder


def untouched(folder: Path) -> bool:
    """Whether the files are as they were."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return texts == {"thesis.txt": "three years of work"}


@pytest.mark.parametrize(
    "do",
    [
        lambda files, _: files.write("releases/thesis.txt", b"x"),
        lambda files, _: files.write("releases/1/new.txt", b"x"),
        lambda files, here: files.upload(here / "source.txt", "releases/thesis.txt"),
        lambda files, _: files.create("releases/new.txt", b"x"),
        lambda files, _: files.replace_if("releases/thesis.txt", b"x", b"three years of work"),
        lambda files, _: files.remove("releases/thesis.txt"),
        lambda files, _: files.remove_folder("releases"),
        lambda files, _: files.remove_folder("releases/1"),
    ],
    ids=["write", "write below", "upload", "create", "replace", "remove", "folder", "below"],
)
def test_nothing_behind_a_link_is_written_or_removed(elsewhere, tmp_path, do):
    """A link in the place of a folder is an error that names it, whatever is done below."""
    (tmp_path / "source.txt").write_text("x", encoding="utf-8")
    with pytest.raises(StorageError, match=r"releases is a symbolic link.*Remove the link"):
        do(StoreFiles(str(tmp_path / "store")), tmp_path)
    assert untouched(elsewhere)


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(elsewhere, tmp_path):
    """The file behind it stays; also where a folder that is removed holds a link."""
    store = tmp_path / "store"
    files = StoreFiles(str(store))
    (store / "a.txt").symlink_to(elsewhere / "thesis.txt")
    files.write("a.txt", b"x")
    assert files.read("a.txt") == b"x"
    (store / "b.txt").symlink_to(elsewhere / "thesis.txt")
    files.remove("b.txt")
    assert not (store / "b.txt").exists()
    (store / "folder").mkdir()
    (store / "folder" / "link").symlink_to(elsewhere, target_is_directory=True)
    files.remove_folder("folder")
    assert not (store / "folder").exists()
    assert untouched(elsewhere)


def test_a_lock_is_no_link(elsewhere, tmp_path):
    """Its file would be made behind the link."""
    (tmp_path / "store" / ".lock").symlink_to(elsewhere / "new.txt")
    with pytest.raises(StorageError), StoreFiles(str(tmp_path / "store")).lock():
        pass
    assert untouched(elsewhere)


def test_the_store_itself_may_be_reached_by_a_link(elsewhere, tmp_path):
    """Its place is the user's choice, such as a larger disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk", target_is_directory=True)
    StoreFiles(str(tmp_path / "link")).write("a/b.txt", b"x")
    assert (tmp_path / "disk" / "a" / "b.txt").read_bytes() == b"x"
