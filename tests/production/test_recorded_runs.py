"""Tests of a run's manifest: what MLflow says is compared with what the run has kept elsewhere."""

from __future__ import annotations

import errno
import json
import os
import uuid

import pytest
from kedro.io import DataCatalog

from mlops_basics.errors import LineageError, ReleaseError, StorageError
from mlops_basics.production.recorded_runs import require_kept, require_same_origin
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import Code, DataVersion, Manifest, ModelRecord
from mlops_basics.storage.store_files import StoreFiles

RUN, MLFLOW_RUN = "2026-01-01T00.00.00.000Z", "ab" * 16
NOTE = f"runs/{MLFLOW_RUN}.json"
MODEL = DataVersion(version=RUN, path="data/model", sha256="0", access="written")
MANIFEST = Manifest(
    run_id=RUN,
    mlflow_run_id=MLFLOW_RUN,
    env="local",
    model_name="flowers",
    pipelines=("__default__",),
    code=Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={}),
    parameters={"training": {"n_trials": 2, "share": 0.1}},
    datasets={"model": MODEL, "train_data": MODEL.model_copy(update={"path": "data/train"})},
)
CHANGED = MANIFEST.model_copy(update={"datasets": {}})


@pytest.fixture
def store():
    """An empty store in memory."""
    return ReleaseStore(f"memory://{uuid.uuid4().hex}", "flowers", [])


@pytest.fixture
def catalog(tmp_path):
    """Manifests beside the data."""
    entry = {
        "type": "mlops_basics.datasets.ArtifactDataset",
        "filepath": str(tmp_path / "manifest.json"),
        "model": "mlops_basics.schemas.Manifest",
        "versioned": True,
    }
    return DataCatalog.from_config({"manifest": entry}, save_version=RUN)


def read_again(manifest: Manifest) -> Manifest:
    """As it comes back from MLflow."""
    return Manifest.model_validate_json(manifest.model_dump_json(indent=2))


def test_a_manifest_that_is_as_it_was_written_is_taken(store, catalog):
    """Beside the data, in MLflow and in production: one content, one SHA-256."""
    catalog.save("manifest", MANIFEST)
    store.runs.note_manifest(MANIFEST)
    require_kept(catalog, store, read_again(MANIFEST), complete=True)


def test_a_manifest_of_an_older_version_keeps_its_hash():
    """A field that came later, which it does not have, changes nothing."""
    tree = json.loads(MANIFEST.model_dump_json())
    del tree["highest_before"]
    old = Manifest.model_validate(tree)
    assert "highest_before" not in old.model_fields_set
    assert old.content_sha256() == read_again(old).content_sha256() == MANIFEST.content_sha256()
    later = old.model_copy(update={"highest_before": "2027"})
    assert later.content_sha256() != old.content_sha256()


@pytest.mark.parametrize("place", ["beside the data", "known to production"])
def test_a_manifest_that_was_changed_in_mlflow_is_refused(place, store, catalog):
    """Whichever of the two places still holds what the run has written."""
    catalog.save("manifest", MANIFEST if place == "beside the data" else CHANGED)
    if place == "known to production":  # a trainer may change both others
        store.runs.note_manifest(MANIFEST)
    with pytest.raises(LineageError, match=f"is not the one that is {place}"):
        require_kept(catalog, store, read_again(CHANGED), complete=True)


def test_a_note_is_written_once(store, catalog):
    """The first word stays."""
    store.runs.note_manifest(MANIFEST)
    store.runs.note_manifest(CHANGED)
    assert store.runs.noted_manifest(MLFLOW_RUN) == MANIFEST.content_sha256()
    assert store.runs.noted_manifest("cd" * 16) is None
    assert store.runs.noted_manifest("../ledger") is None


def test_a_run_whose_manifest_is_gone_is_not_promoted(store, catalog):
    """It is repeated, though: from data that DVC may hold."""
    with pytest.raises(LineageError, match=r"What the run .* has made is gone"):
        require_kept(catalog, store, MANIFEST, complete=True)
    require_kept(catalog, store, MANIFEST, complete=False)


def test_who_may_not_write_in_production_leaves_no_note(tmp_path, monkeypatch):
    """A trainer's run ends well all the same; a note that cannot be read is named."""
    store = ReleaseStore(str(tmp_path), "flowers", [])

    def refuse(*_arguments):
        raise OSError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        store.runs.note_manifest(MANIFEST)
    assert store.runs.noted_manifest(MLFLOW_RUN) is None
    files = StoreFiles(str(tmp_path / "flowers"))
    for content in (b"{", b"[]", b"{}"):
        files.write(NOTE, content)
        with pytest.raises(ReleaseError, match="is not readable"):
            store.runs.noted_manifest(MLFLOW_RUN)
    files.write(NOTE, b"0" * (16 * 2**20 + 1))
    with pytest.raises(StorageError, match="more than such a file needs"):
        store.runs.noted_manifest(MLFLOW_RUN)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"run_id": "another"}, "model"), ({"data_versions": {"train_data": "x"}}, "train_data")],
)
def test_a_model_of_another_run_is_refused(change, named):
    """The model's own record says which data it was made from."""
    record = ModelRecord(
        candidate="linear",
        run_id=RUN,
        mlflow_run_id=MLFLOW_RUN,
        data_versions={"train_data": RUN, "scores": "of a later evaluation"},
        git_commit=None,
        git_dirty=None,
    )
    require_same_origin(MANIFEST, record, {"train_data", "model"})
    with pytest.raises(LineageError, match=f"another version of '{named}'"):
        require_same_origin(MANIFEST, record.model_copy(update=change), {"train_data", "model"})
