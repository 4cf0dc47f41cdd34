"""Tests of the releases: always whole and verified, and one of them in production."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from fsspec.implementations.memory import MemoryFileSystem

from mlops_basics.errors import ConfigurationError, ConflictError, ReleaseError, StorageError
from mlops_basics.production.release_check import manifest_bytes, sha256
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import FileRecord, Pointer, ReleaseManifest
from mlops_basics.storage.store_files import StoreFiles
from tests.support.artifacts import make_recipe
from tests.support.killed import Killed
from tests.support.releases import (
    NAME,
    TRUSTED,
    make_entry,
    make_manifest,
    make_rows,
    publish,
    small_copy,
)

pytestmark = pytest.mark.slow  # real models, files and an MLflow store

NOW = "2026-01-01T00:00:00+00:00"
CALLS = ("open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.listdir")


@pytest.fixture(scope="module")
def other(small, tmp_path_factory):
    """A release with another table."""
    target = small_copy(small, tmp_path_factory.mktemp("other"))
    text = (target / "table_info.json").read_text(encoding="utf-8")
    (target / "table_info.json").write_text(text.replace("answer", "reply"), encoding="utf-8")
    return target


@pytest.fixture
def store(root):
    """An empty store."""
    return ReleaseStore(root, NAME, TRUSTED)


def files_of(root):
    """The store's files, to look at them or to damage them."""
    return StoreFiles(f"{root}/{NAME}")


def test_a_release_is_stored_pointed_at_and_loaded(store, root, folder, tmp_path):
    """From the folder to predictions; layout, manifest, pointer and local copy are as promised."""
    assert (store.pointer(), store.versions(), store.ledger()) == (None, [], [])
    manifest = store.upload(folder, make_manifest())
    assert store.pointer() is None
    pointer = store.point("1", None, NOW)
    content = files_of(root).read("releases/1/manifest.json")
    assert pointer == Pointer(version="1", manifest_sha256=sha256(content), at=NOW)
    assert (store.pointer(), store.versions()) == (pointer, ["1"])
    assert set(files_of(root).sizes("releases/1")) == {*manifest.files, "manifest.json"}
    release = store.load()
    assert release.manifest == manifest == store.verify("1")
    assert set(release.model.predict(make_rows())) == {"yes", "no"}
    assert release.table.target == "answer"
    assert store.fetch(None, tmp_path / "copy") == manifest
    copied = {f.relative_to(tmp_path / "copy").as_posix() for f in (tmp_path / "copy").rglob("*.*")}
    assert {"manifest.json", "table_info.json", "model/model.skops"} <= copied
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == content


def test_a_release_tells_its_recipe_to_the_monitor(store, small, tmp_path):
    """It is read where the reference is, and older releases have none."""
    folder = small_copy(small, tmp_path / "with")
    recipe = make_recipe()
    (folder / "recipe.json").write_text(recipe.model_dump_json(), encoding="utf-8")
    store.upload(folder, make_manifest("1"))
    store.upload(small, make_manifest("2"))
    assert store.load("1", reference=True).recipe == recipe
    assert store.load("1").recipe is None
    assert store.load("2", reference=True).recipe is None


def test_versions_are_listed_as_numbers(store, root):
    """10 comes after 9; what is no version is left out."""
    for version in ("10", "9", "x", ".tmp"):
        files_of(root).write(f"releases/{version}/manifest.json", b"{}")
    assert store.versions() == ["9", "10", "x"]


def test_storing_again_changes_nothing(store, root, small):
    """An equal release is kept, published or not."""
    first = store.upload(small, make_manifest())
    written = files_of(root).read("releases/1/manifest.json")
    assert store.upload(small, make_manifest()) == first
    pointer = store.point("1", None, NOW)
    assert store.upload(small, make_manifest()) == first
    assert store.point("1", pointer, "later") == pointer == store.pointer()
    assert files_of(root).read("releases/1/manifest.json") == written


def listed(root):
    """What the store's folder of release 1 holds, by name."""
    files = files_of(root)
    return {name: files.read(f"releases/1/{name}") for name in files.sizes("releases/1")}


def test_a_partial_release_is_finished(store, root, small):
    """What a killed upload has left is kept, and the rest is written."""
    content = (small / "table_info.json").read_bytes()
    files_of(root).write("releases/1/table_info.json", content)
    manifest = store.upload(small, make_manifest())
    assert set(listed(root)) == {*manifest.files, "manifest.json"}


STRANGE = {
    "another content": ("table_info.json", b"{"),
    "the same size": ("table_info.json", None),
    "a file too many": ("model/left over", b""),
    "another manifest": ("manifest.json", b"{}"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_lies_in_a_releases_folder_is_neither_overwritten_nor_removed(
    case, store, root, small
):
    """It is refused with the way out; only mending, an operator's word, puts it right."""
    name, content = STRANGE[case]
    if content is None:
        content = b"x" * (small / name).stat().st_size
    files_of(root).write(f"releases/1/{name}", content)
    with pytest.raises(ReleaseError, match=f"'{name}' in .* written once.*kedro rollback --to 1"):
        store.upload(small, make_manifest())
    assert listed(root) == {name: content}
    manifest = store.upload(small, make_manifest(), mend=True)
    assert set(listed(root)) == {*manifest.files, "manifest.json"}
    assert store.load("1").table.target == "answer"


def test_of_two_publishers_of_one_version_the_first_stays(root, small, other, monkeypatch):
    """Also where both saw an empty folder: no file of the first one is overwritten."""
    ReleaseStore(root, NAME, TRUSTED).upload(other, make_manifest())
    before = listed(root)
    late = ReleaseStore(root, NAME, TRUSTED)
    with monkeypatch.context() as patch:
        patch.setattr(StoreFiles, "sizes", lambda *_: {})
        with pytest.raises(ReleaseError, match=r"'table_info\.json' in .* written once"):
            late.upload(small, make_manifest())
    assert listed(root) == before


def test_a_damaged_release_is_put_right_by_the_same_content(store, root, small):
    """What is missing is written by the next upload; what was changed, by mending alone."""
    store.upload(small, make_manifest())
    store.point("1", None, NOW)
    for name in ("manifest.json", "table_info.json"):
        files_of(root).remove(f"releases/1/{name}")
        store.upload(small, make_manifest())
        assert store.load().table.target == "answer"
    files_of(root).write("releases/1/table_info.json", b"{}")
    with pytest.raises(ReleaseError, match="written once"):
        store.upload(small, make_manifest())
    assert files_of(root).read("releases/1/table_info.json") == b"{}"
    untouched = files_of(root).folder + "/releases/1/model/model.skops"
    age = Path(untouched).stat().st_mtime_ns if Path(untouched).exists() else None
    store.upload(small, make_manifest(), mend=True)
    assert store.load().table.target == "answer"
    assert age is None or Path(untouched).stat().st_mtime_ns == age


def test_a_published_release_is_never_changed(store, root, small, other):
    """A release that is or was in production is never changed by other content."""
    publish(store, small, "1")
    with pytest.raises(ReleaseError, match="was published with other content"):
        store.upload(other, make_manifest("1"))
    publish(store, other, "2")
    with pytest.raises(ReleaseError, match="a published release never changes"):
        store.upload(other, make_manifest("1"))
    assert store.load("1").table.target == "answer"


def test_of_two_publishers_one_wins(root, small, other):
    """The publisher that compared with an older champion gets an error that names the winner."""
    mine, theirs = (ReleaseStore(root, NAME, TRUSTED) for _ in range(2))
    mine.upload(small, make_manifest("1"))
    theirs.upload(other, make_manifest("2"))
    mine.point("1", None, NOW)
    with pytest.raises(ConflictError, match="of 'flowers' is release 1 since 2026-01-01"):
        theirs.point("2", None, NOW)
    assert mine.pointer().version == "1"
    stale = Pointer(version="1", manifest_sha256="0", at=NOW)
    with pytest.raises(ConflictError, match="Somebody else was faster"):
        theirs.point("2", stale, NOW)


def test_a_publisher_overtaken_at_the_last_moment_fails(store, small, other, monkeypatch):
    """The pointer is compared once more when it is written."""
    for version, content in (("1", small), ("2", other)):
        store.upload(content, make_manifest(version))
    real = StoreFiles.replace_if

    def overtaken(self, path, content, expected):
        monkeypatch.undo()
        store.point("1", None, NOW)
        return real(self, path, content, expected)

    monkeypatch.setattr(StoreFiles, "replace_if", overtaken)
    with pytest.raises(ConflictError, match="is release 1"):
        store.point("2", None, NOW)
    assert store.pointer().version == "1"


def test_of_many_publishers_at_once_one_wins(small, tmp_path):
    """Eight threads, one lock on the disk: one pointer, seven conflicts."""
    store = ReleaseStore(str(tmp_path), NAME, TRUSTED)
    for version in "12345678":
        store.upload(small, make_manifest(version))

    def point(version):
        try:
            return ReleaseStore(str(tmp_path), NAME, TRUSTED).point(version, None, NOW)
        except ConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [pointer for pointer in pool.map(point, "12345678") if pointer]
    assert winners == [store.pointer()]


def rewrite(files, change):
    """Rewrite a release's manifest, as an attacker who knows its format would."""
    manifest = ReleaseManifest.model_validate_json(files.read("releases/1/manifest.json"))
    files.write("releases/1/manifest.json", manifest_bytes(change(manifest)))


def forge(files, name, content):
    """Put a file into a release with a manifest that fits."""
    files.write(f"releases/1/{name}", content)
    record = FileRecord(sha256=sha256(content), size=len(content))
    rewrite(files, lambda m: m.model_copy(update={"files": {**m.files, name: record}}))


def change_byte(files):
    """One bit, the size stays."""
    content = bytearray(files.read("releases/1/model/model.skops"))
    content[len(content) // 2] ^= 1
    files.write("releases/1/model/model.skops", bytes(content))


def name_path(path):
    """A manifest that names a path elsewhere."""

    def change(files):
        record = FileRecord(sha256="0", size=1)
        rewrite(files, lambda m: m.model_copy(update={"files": {**m.files, path: record}}))

    return change


def edit_mlmodel(flavor, **values):
    """An MLmodel that says something else, with a manifest that fits."""

    def change(files):
        tree = yaml.safe_load(files.read("releases/1/model/MLmodel"))
        tree["flavors"][flavor].update(values)
        forge(files, "model/MLmodel", yaml.safe_dump(tree).encode())

    return change


class Bomb:
    """An object whose pickle makes a file."""

    def __reduce__(self):
        return Path.touch, (Path(os.environ["BOMB"]),)


def unreviewed_archive():
    """A skops file with an unreviewed class."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    return skops.io.dumps(RandomForestClassifier())


def wild_archive():
    """A skops file of trusted types, whose first prediction would end the process."""
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=1).fit(np.eye(60), [0, 1] * 30)
    (tree,) = model._predictors[0]
    tree.nodes["is_leaf"], tree.nodes["left"], tree.nodes["right"] = 0, 2**31, 2**31
    return skops.io.dumps(model)


HOSTILE = {
    "changed byte": (change_byte, r"'model/model\.skops' was changed"),
    "missing file": (
        lambda files: files.remove("releases/1/table_info.json"),
        r"'table_info\.json' is missing",
    ),
    "extra file": (
        lambda files: files.write("releases/1/model/evil.py", b"raise SystemExit"),
        r"'model/evil\.py' is not in the manifest",
    ),
    "longer file": (
        lambda files: files.write("releases/1/table_info.json", b"{}"),
        r"'table_info\.json' has 2 bytes",
    ),
    "upward path": (name_path("../../etc/passwd"), r"'\.\./\.\./etc/passwd', which is not"),
    "absolute path": (name_path("/etc/passwd"), "'/etc/passwd', which is not"),
    "backslash path": (name_path("model\\x"), r"which is not a plain relative path"),
    "no manifest": (
        lambda files: files.remove("releases/1/manifest.json"),
        "no complete release '1'",
    ),
    "broken manifest": (
        lambda files: files.write("releases/1/manifest.json", b"{"),
        "is not a manifest",
    ),
    "other loader": (
        edit_mlmodel("python_function", loader_module="evil"),
        "loader_module 'evil'",
    ),
    "pickle format": (
        edit_mlmodel("sklearn", serialization_format="pickle"),
        "serialization_format 'pickle'",
    ),
    "code entry": (edit_mlmodel("python_function", code="code"), "code 'code'"),
    "code folder": (lambda files: forge(files, "model/code/evil.py", b"1"), "is code of its own"),
    "more trusted types": (
        edit_mlmodel("sklearn", skops_trusted_types=["builtins.eval"]),
        r"trusts types that we do not: builtins\.eval",
    ),
    "pickle bomb": (
        lambda files: forge(files, "model/model.skops", pickle.dumps(Bomb())),
        "is not a readable skops archive",
    ),
    "tree that leads out of itself": (
        lambda files: forge(files, "model/model.skops", wild_archive()),
        "holds a tree whose nodes lead out of it",
    ),
    "unreviewed type": (
        lambda files: forge(files, "model/model.skops", unreviewed_archive()),
        r"holds types that are not trusted: sklearn\.ensemble",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_release_is_refused_before_it_is_loaded(
    case, store, root, small, tmp_path, monkeypatch
):
    """It is refused by verify, load, fetch and point; production stays as it is."""
    damage, message = HOSTILE[case]
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    store.upload(small, make_manifest())
    damage(files_of(root))
    for use in (
        lambda: store.verify("1"),
        lambda: store.load("1"),
        lambda: store.fetch("1", tmp_path / "copy"),
        lambda: store.point("1", None, NOW),
    ):
        with pytest.raises(ReleaseError, match=message):
            use()
    assert store.pointer() is None
    assert sorted(tmp_path.glob("*")) == sorted(tmp_path.glob("store"))


def test_a_manifest_that_is_not_the_one_pointed_at_is_refused(store, root, small):
    """A forged release fits its own manifest, but not the pointer."""
    store.upload(small, make_manifest())
    store.point("1", None, NOW)
    forge(files_of(root), "note.txt", b"forged")
    for use in (store.load, lambda: store.verify("1"), lambda: store.verify("1", "0" * 64)):
        with pytest.raises(ReleaseError, match=r"'manifest\.json' was changed.*rollback"):
            use()


def test_publishing_removes_nothing_behind_a_link(small, tmp_path):
    """A link in the place of a release's folder would have let it delete the files behind it."""
    thesis = tmp_path / "mine" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("three years of work", encoding="utf-8")
    releases = tmp_path / "store" / NAME / "releases"
    releases.mkdir(parents=True)
    (releases / "1").symlink_to(thesis.parent, target_is_directory=True)
    store = ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)
    with pytest.raises(StorageError, match=r"releases/1 is a symbolic link"):
        store.upload(small, make_manifest("1"))
    assert [file.name for file in thesis.parent.iterdir()] == ["thesis.txt"]
    assert thesis.read_text(encoding="utf-8") == "three years of work"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_are_extra_files(kind, small, tmp_path):
    """A link is an extra file, with any target."""
    store = ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)
    store.upload(small, make_manifest())
    target = tmp_path / "elsewhere"
    target.mkdir() if kind == "folder" else target.touch()
    (tmp_path / "store" / NAME / "releases" / "1" / "model" / "link").symlink_to(target)
    with pytest.raises(ReleaseError, match="'model/link' is not in the manifest"):
        store.verify("1")


@pytest.mark.parametrize("version", ["../1", "a/b", "/1", "", ".", "..", "1\\2", "*"])
def test_a_version_must_be_one_part_of_a_path(version, store, small, tmp_path):
    """Nothing outside the store is read or written."""
    for use in (
        lambda: store.verify(version),
        lambda: store.load(version),
        lambda: store.fetch(version, tmp_path / "copy"),
        lambda: store.point(version, None, NOW),
        lambda: store.upload(small, make_manifest(version)),
    ):
        with pytest.raises(ReleaseError, match="version must be one part of a path"):
            use()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "*", "x" * 1_000])
def test_a_model_name_must_be_one_part_of_a_path(name, tmp_path):
    """The message shows the rule and the value."""
    with pytest.raises(ConfigurationError, match="model_name must be one part of a path"):
        ReleaseStore(str(tmp_path), name, TRUSTED)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"version": "1"}', b'{"version": "../1", "manifest_sha256": "0", "at": "x"}'],
)
def test_a_broken_pointer_is_named(content, store, root):
    """A broken pointer is an error, not "nothing in production"."""
    files_of(root).write("current.json", content)
    with pytest.raises(ReleaseError, match=r"current\.json|one part of a path"):
        store.load()


def test_nothing_in_production_is_said_so(store):
    """The error names the command that publishes."""
    with pytest.raises(ReleaseError, match=r"No release of 'flowers' is in production.*kedro run"):
        store.load()


def test_a_missing_release_is_reported_with_those_that_exist(store, small):
    """The error lists the store's folders."""
    store.upload(small, make_manifest())
    with pytest.raises(ReleaseError, match=r"no complete release '2'.*Folders there: 1"):
        store.verify("2")


def test_a_release_that_would_be_refused_is_not_published(store, small, tmp_path):
    """Without a model there is nothing to point at; the upload itself says so."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReleaseError, match="does not name 'model/MLmodel'"):
        store.upload(tmp_path / "empty", make_manifest())
    other_model = make_manifest(model_name="other")
    with pytest.raises(ReleaseError, match="is of another release"):
        store.upload(small, other_model)
    assert store.versions() == []


def test_a_copy_never_mixes_with_what_is_there(store, small, tmp_path):
    """A folder that holds something is refused."""
    store.upload(small, make_manifest())
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine.txt").touch()
    with pytest.raises(StorageError, match=r"Cannot write .*copy: Directory not empty"):
        store.fetch("1", tmp_path / "copy")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "store") == ["copy"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "No space left on device. The disk is full.*Production is unchanged"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EROFS, "Read-only file system. It is read-only for you"),
        (errno.EACCES, "Permission denied. It is read-only for you.*`production` in globals.yml"),
        (errno.EIO, "Input/output error. Check that the storage can be reached"),
    ],
)
@pytest.mark.parametrize("name", ["open", "fsync", "replace", "mkdir"])
def test_a_store_that_cannot_be_written_is_one_clear_error(
    number, message, name, small, other, tmp_path, monkeypatch
):
    """Disk full, read-only, broken, at any step: production stays, and then it goes on."""
    store = ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)
    publish(store, small, "1")
    before = store.pointer()

    def fail(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        if name in ("open", "mkdir"):
            real = getattr(Path, name)

            def maybe(self, mode="r", *arguments, **options):
                writes = name == "mkdir" or str(mode).startswith(("x", "a", "w"))
                return fail() if writes else real(self, mode, *arguments, **options)

            broken.setattr(Path, name, maybe)
        else:
            broken.setattr(os, name, fail)
            if name == "replace":
                broken.setattr(os, "link", fail)
        with pytest.raises(StorageError, match=f"(?s)Cannot write .*{message}"):
            store.upload(other, make_manifest("2"))
        with pytest.raises(StorageError, match=f"(?s)Cannot write .*{message}"):
            store.record(make_entry("2", "1"))
        assert store.load().table.target == "answer"
    assert store.pointer() == before
    assert not list((tmp_path / "store").rglob(".tmp-*"))
    publish(store, other, "2")
    assert store.load().table.target == "reply"


def test_a_pointer_that_cannot_be_written_stays(small, other, tmp_path, monkeypatch):
    """The disk is full at the very last step."""
    store = ReleaseStore(str(tmp_path), NAME, TRUSTED)
    publish(store, small, "1")
    before = store.pointer()
    store.upload(other, make_manifest("2"))

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"Cannot write .*current\.json.*disk is full"):
            store.point("2", before, NOW)
    assert store.pointer() == before
    assert store.load().table.target == "answer"


def test_a_file_in_place_of_a_folder_is_named(small, tmp_path):
    """A store below a file is an error that names the file."""
    (tmp_path / "store").touch()
    store = ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED)
    assert store.pointer() is None
    with pytest.raises(StorageError, match=r"Cannot write .*Not a directory|File exists"):
        store.upload(small, make_manifest())


def test_a_remote_store_that_fails_is_one_clear_error(small, monkeypatch):
    """What the file system raises becomes a message, also while reading."""
    store = ReleaseStore(f"memory://{uuid.uuid4().hex}", NAME, TRUSTED)

    def fail(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Access Denied")

    for name in ("put_file", "pipe_file"):
        monkeypatch.setattr(MemoryFileSystem, name, fail)
    with pytest.raises(StorageError, match=r"Cannot write .*Access Denied.*read-only for you"):
        store.upload(small, make_manifest())
    for name in ("cat_file", "ls"):
        monkeypatch.setattr(MemoryFileSystem, name, fail)
    with pytest.raises(StorageError, match=r"Cannot read .*Access Denied"):
        store.pointer()
    with pytest.raises(StorageError, match=r"Cannot list .*Access Denied"):
        store.versions()


def test_what_killed_writers_left_is_swept_after_a_day(small, tmp_path):
    """Temporary files of others who are still at work stay."""
    base = tmp_path / NAME
    base.mkdir()
    for name, age in ((".tmp-old", 90_000), (".tmp-new", 10)):
        (base / name).touch()
        os.utime(base / name, (time.time() - age,) * 2)
    ReleaseStore(str(tmp_path), NAME, TRUSTED).upload(small, make_manifest())
    assert [file.name for file in base.glob(".tmp-*")] == [".tmp-new"]


def killed_at(step, work, watched):
    """Do work in a process that is killed before its step-th file-system call.

    Returns:
        Whether it was killed; False if the work has fewer steps.
    """
    child = os.fork()
    if child == 0:
        left = [step]

        def count(event, arguments):
            if event in CALLS and arguments and str(arguments[0]).startswith(watched):
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)

        code = 1
        try:
            sys.addaudithook(count)
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.slow
def test_a_publisher_killed_at_any_call_on_disk_harms_nothing(small, other, tmp_path, quick_checks):
    """Production is valid at every moment, and a second run ends with the new release, once."""
    prepared = ReleaseStore(str(tmp_path / "prepared"), NAME, TRUSTED)
    publish(prepared, small, "1")
    step, went_on = 0, True
    while went_on:
        step += 1
        root = tmp_path / "store"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "prepared", root)
        store = ReleaseStore(str(root), NAME, TRUSTED)
        went_on = killed_at(step, lambda: publish(store, other, "2"), str(root))  # noqa: B023
        found = store.pointer().version
        assert store.verify(found).version in ("1", "2")
        publish(store, other, "2")
        assert store.pointer().version == store.verify("2").version == "2"
        versions = [entry.version for entry in store.ledger()]
        assert versions[0] == "1"
        assert set(versions) == {"1", "2"}
    assert step > 30


def test_a_publisher_killed_at_any_call_of_another_file_system_harms_nothing(
    small, other, monkeypatch, quick_checks
):
    """The calls of another file system fail one after the other, without harm."""
    left, step, went_on = [0], 0, True
    for name in ("pipe_file", "put_file", "cat_file", "find", "ls", "rm_file"):
        real = getattr(MemoryFileSystem, name)

        def counted(self, *arguments, _real=real, **options):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return _real(self, *arguments, **options)

        monkeypatch.setattr(MemoryFileSystem, name, counted)
    while went_on:
        step += 1
        store = ReleaseStore(f"memory://{uuid.uuid4().hex}", NAME, TRUSTED)
        left[0] = 0
        publish(store, small, "1")
        left[0] = step
        try:
            publish(store, other, "2")
            went_on = False
        except Killed:
            pass
        left[0] = 0
        found = store.pointer().version
        assert store.verify(found).version in ("1", "2")
        publish(store, other, "2")
        assert store.pointer().version == store.verify("2").version == "2"
    assert step > 15
