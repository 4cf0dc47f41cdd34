"""Tests of the versions that a run reads and writes together."""

from __future__ import annotations

import hashlib
from pathlib import Path

import fsspec
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import Version
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from mlops_basics.datasets import ArtifactDataset
from mlops_basics.errors import ConflictError, LineageError, VersionTakenError
from mlops_basics.runs.versions import (
    claim_run,
    content_hash,
    content_path,
    describe_versions,
    latest_manifest,
    pin_inputs,
    pin_outputs,
    runs_before,
    versioned,
    with_free_version,
)
from mlops_basics.schemas import Code, DataVersion, Manifest

V1, V2, V3, V4, V5 = (f"2024-01-0{day}T00.00.00.000Z" for day in range(1, 6))
CODE = Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={})


def double(value):
    """A node's function."""
    return 2 * value


FIRST = Pipeline([Node(double, "raw", "clean", name="first")])
SECOND = Pipeline([Node(double, "clean", "model", name="second")])
ASIDE = Pipeline([Node(double, "raw", "aside", name="aside")])
WHOLE = FIRST + SECOND + ASIDE


@pytest.fixture
def catalog_of(tmp_path):
    """A function that makes the catalog of a run that saves one version."""

    def make(version):
        save = Version(None, version)
        names = ("raw", "clean", "model", "aside")
        catalog = DataCatalog(
            {
                name: JSONDataset(filepath=str(tmp_path / f"{name}.json"), version=save)
                for name in names
            }
        )
        catalog["manifest"] = ArtifactDataset(
            filepath=str(tmp_path / "manifest.json"),
            model="mlops_basics.schemas.Manifest",
            version=save,
        )
        catalog["plain"] = MemoryDataset(1)
        return catalog

    return make


def make_manifest(**versions):
    """A manifest of the run of the last version."""
    datasets = {
        name: DataVersion(version=version, path=f"{name}.json", sha256="00", access="written")
        for name, version in versions.items()
    }
    return Manifest(
        run_id=max(versions.values(), default=V1),
        mlflow_run_id=None,
        env="local",
        model_name="m",
        pipelines=("first",),
        code=CODE,
        parameters={},
        datasets=datasets,
    )


def save(catalog, **values):
    """Save some data sets."""
    for name, value in values.items():
        catalog.save(name, value)


def test_the_newest_manifest_is_found(catalog_of):
    """None before the first run, then the last one saved; None without such an entry."""
    assert latest_manifest(catalog_of(V1)) is None
    catalog_of(V1).save("manifest", make_manifest(raw=V1))
    catalog_of(V2).save("manifest", make_manifest(raw=V2))
    (Path(catalog_of(V1).get("manifest")._filepath) / V1 / "manifest.json").write_text("{")
    found = latest_manifest(catalog_of(V3))
    assert found is not None
    assert found.run_id == V2
    assert latest_manifest(DataCatalog({})) is None


def told_by(caplog):
    """What the room of versions has said; Kedro's own words may be among the others."""
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_a_run_that_lies_in_the_future_is_told_and_later_ones_are_newer(catalog_of, caplog):
    """Of a run whose clock was ahead, until one has begun after it; a killed run's folder is none.

    What began before it came, and knows nothing of it, is older.
    """
    catalog_of(V1).save("manifest", make_manifest(raw=V1))
    catalog_of(V4).save("manifest", make_manifest(raw=V4))  # made on the first day, too
    (Path(catalog_of(V1).get("manifest")._filepath) / V2).mkdir()
    assert newest(catalog_of(V2)) == (V4, V4)
    (told,) = told_by(caplog)
    assert told.startswith(f"The run {V4} lies in the future: the clock of the machine that made")
    assert told.endswith("No run has begun after it: it is the newest one.")
    after = make_manifest(raw=V2).model_copy(update={"highest_before": V4})
    catalog_of(V2).save("manifest", after)
    assert newest(catalog_of(V3)) == (V2, V4)
    assert told_by(caplog)[-1].endswith(f"The newest run is {V2}, which began after it.")
    later = make_manifest(raw=V3).model_copy(update={"highest_before": V4})
    catalog_of(V3).save("manifest", later)
    assert newest(catalog_of(V3)) == (V3, V4)
    assert len(told_by(caplog)) == 3
    assert newest(catalog_of(V5)) == (V3, V4)  # that time has come: nothing to tell
    assert len(told_by(caplog)) == 3


def test_inputs_come_from_the_run_that_is_newer_than_one_of_the_future(catalog_of):
    """Not from the one of the highest version, as Kedro alone would take it."""
    for version in (V1, V4):
        save(catalog_of(version), raw=int(version[9]), manifest=make_manifest(raw=version))
    after = make_manifest(raw=V2).model_copy(update={"highest_before": V4})
    save(catalog_of(V2), raw=2, manifest=after)
    catalog = catalog_of(V3)
    pin_inputs(catalog, FIRST, latest_manifest(catalog), {}, WHOLE)
    assert catalog.load("raw") == 2


def newest(catalog):
    """The version of the newest run, and the highest version."""
    manifest, highest = runs_before(catalog)
    return manifest.run_id, highest


def test_only_versioned_data_sets_have_versions(catalog_of):
    """A data set in memory, or without versions, is left out."""
    catalog = catalog_of(V1)
    assert versioned(catalog, "raw") is not None
    assert versioned(catalog, "plain") is None


def test_inputs_are_loaded_from_the_manifest(catalog_of):
    """Inputs are loaded from the manifest, not from a later version of a failed run."""
    save(catalog_of(V1), raw=1)
    save(catalog_of(V2), raw=2)
    catalog = catalog_of(V3)
    pin_inputs(catalog, FIRST, make_manifest(raw=V1), {}, WHOLE)
    assert catalog.load("raw") == 1


def test_outputs_are_saved_under_the_runs_own_version(catalog_of):
    """Pinning what is loaded leaves alone what is saved."""
    save(catalog_of(V1), raw=1)
    catalog = catalog_of(V3)
    pin_inputs(catalog, FIRST, make_manifest(raw=V1), {}, WHOLE)
    catalog.save("clean", 5)
    assert content_path(versioned(catalog, "clean"), "written").split("/")[-2] == V3
    assert content_path(versioned(catalog, "raw"), "read").split("/")[-2] == V1


def test_a_chosen_version_is_left_alone(catalog_of):
    """The user's --load-versions needs no manifest."""
    save(catalog_of(V1), raw=1)
    catalog = catalog_of(V3)
    pin_inputs(catalog, FIRST, None, {"raw": V1}, WHOLE)
    assert catalog.load("raw") == 1


def test_parameters_and_unversioned_inputs_need_no_manifest(catalog_of):
    """Only versioned data can be of the wrong run."""
    pipeline = Pipeline(
        [Node(lambda one, two: one + two, ["plain", "params:x"], "clean", name="n")]
    )
    catalog = catalog_of(V1)
    catalog["params:x"] = MemoryDataset(1)
    pin_inputs(catalog, pipeline, None, {}, WHOLE)
    assert catalog.load("plain") == 1


def test_before_the_first_run_the_remedy_is_a_run(catalog_of):
    """A pipeline that runs alone first has nothing to load."""
    with pytest.raises(LineageError, match=r"no version of 'clean' yet.*kedro run"):
        pin_inputs(catalog_of(V1), SECOND, None, {}, WHOLE)


def test_an_outdated_input_is_named(catalog_of):
    """An older version exists, but belongs to other data."""
    save(catalog_of(V1), clean=1)
    with pytest.raises(LineageError, match=rf"{V2} \(first\), has no 'clean'"):
        pin_inputs(catalog_of(V3), SECOND, make_manifest(raw=V2), {}, WHOLE)


def test_a_deleted_version_is_named(catalog_of):
    """The manifest names it, the disk has not got it."""
    with pytest.raises(LineageError, match=r"'clean' of the run .* is gone: clean\.json"):
        pin_inputs(catalog_of(V3), SECOND, make_manifest(clean=V1), {}, WHOLE)


def test_a_runs_versions_are_described(catalog_of, tmp_path):
    """Read and written ones with path, rows and SHA-256; the rest is kept or out of date."""
    save(catalog_of(V1), raw=1, clean=2, model=4, aside=2)
    parent = make_manifest(raw=V1, clean=V1, model=V1, aside=V1)
    catalog = catalog_of(V2)
    pin_inputs(catalog, FIRST, parent, {}, WHOLE)
    catalog.save("clean", 20)
    found = describe_versions(catalog, FIRST, {"clean": 7}, parent, WHOLE, tmp_path)
    assert {name: (item.version, item.access) for name, item in found.items()} == {
        "raw": (V1, "read"),
        "clean": (V2, "written"),
        "aside": (V1, "kept"),
    }
    assert found["clean"].path == f"clean.json/{V2}/clean.json"
    assert found["clean"].rows == 7
    content = (tmp_path / found["clean"].path).read_bytes()
    assert found["clean"].sha256 == hashlib.sha256(content).hexdigest()


def test_the_first_run_keeps_nothing(catalog_of, tmp_path):
    """Without a parent there is only what was written, in between too."""
    catalog = catalog_of(V1)
    save(catalog, raw=1, clean=2, model=4, aside=2)
    pipeline = Pipeline([Node(lambda: 1, None, "raw", name="make")]) + WHOLE
    found = describe_versions(catalog, pipeline, {}, None, pipeline, tmp_path)
    assert {item.access for item in found.values()} == {"written"}
    assert set(found) == {"raw", "clean", "model", "aside"}


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_a_folders_hash_depends_on_names_and_contents_only(protocol, tmp_path):
    """The hash does not depend on the path, the file system or the order of writing."""
    filesystem = fsspec.filesystem(protocol)
    root = str(tmp_path) if protocol == "file" else "/test_lineage"

    def write(folder, files):
        for name, content in files.items():
            filesystem.makedirs(f"{root}/{folder}/{name}".rpartition("/")[0], exist_ok=True)
            filesystem.pipe_file(f"{root}/{folder}/{name}", content)
        return content_hash(filesystem, f"{root}/{folder}")

    files = {"a.txt": b"one", "sub/b.txt": b"two"}
    first = write("first", files)
    assert write("second", dict(reversed(files.items()))) == first
    assert write("third", files | {"a.txt": b"ONE"}) != first
    assert write("fourth", {"a.txt": b"one", "sub/c.txt": b"two"}) != first
    assert write("fifth", files | {"d.txt": b""}) != first
    expected = hashlib.sha256()
    for name, content in files.items():
        expected.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    assert first == expected.hexdigest()
    if protocol == "memory":
        filesystem.rm(root, recursive=True)


def test_a_files_hash_is_that_of_its_bytes(tmp_path):
    """What ``sha256sum`` would print."""
    (tmp_path / "a").write_bytes(b"one")
    filesystem = fsspec.filesystem("file")
    assert content_hash(filesystem, str(tmp_path / "a")) == hashlib.sha256(b"one").hexdigest()


def test_a_run_reads_back_what_it_wrote_itself(catalog_of):
    """Also when another run has saved a later version meanwhile; what was chosen stays."""
    ours, theirs = catalog_of(V1), catalog_of(V2)
    pin_outputs(ours, FIRST + SECOND, {"model": V3})
    save(ours, clean=1)
    save(theirs, clean=2)
    assert (ours.load("clean"), theirs.load("clean")) == (1, 2)
    assert versioned(ours, "raw").resolve_save_version() == V1
    assert versioned(ours, "model")._version == Version(None, V1)
    assert versioned(ours, "manifest")._version == Version(V1, V1)


def test_two_runs_of_one_version_are_told_apart(catalog_of):
    """While the first one runs, and after it has ended; a failed one may be run again."""

    def claim():
        catalog = catalog_of(V1)
        pin_outputs(catalog, FIRST, {})
        return claim_run(catalog, "manifest")

    first = claim()
    with pytest.raises(ConflictError, match=f"Another run has the version {V1} already"):
        claim()
    first.drop()
    claim().drop()
    catalog_of(V1).save("manifest", make_manifest())
    for _ in range(2):  # it leaves no claim of its own
        with pytest.raises(ConflictError, match="Nothing was written; run again"):
            claim()
    assert claim_run(DataCatalog(), "manifest") is None


@pytest.mark.parametrize(("taken_times", "tries"), [(0, 1), (1, 2), (2, 3)])
def test_a_taken_version_is_passed_over(taken_times, tries, caplog):
    """The run takes another version, and nothing is logged."""
    asked = []

    def run():
        asked.append(len(asked))
        if len(asked) <= taken_times:
            raise VersionTakenError("taken")
        return "ran"

    with caplog.at_level("INFO"):
        assert with_free_version(run) == "ran"
    assert len(asked) == tries
    assert not caplog.records


@pytest.mark.parametrize(("error", "tries"), [(VersionTakenError, 3), (ConflictError, 1)])
def test_no_other_conflict_is_tried_again(error, tries):
    """A version that stays taken, or another conflict, is raised."""
    asked = []

    def run():
        asked.append(1)
        raise error("somebody else")

    with pytest.raises(error):
        with_free_version(run)
    assert len(asked) == tries
