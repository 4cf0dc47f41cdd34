"""Tests of the small typed JSON artifacts."""

from __future__ import annotations

import json

import fsspec
import pytest
from kedro.io import DatasetError
from kedro.io.core import Version

from mlops_basics.datasets import ArtifactDataset
from mlops_basics.schemas import BatchRecord, CollectionReport, SearchReport

REPORT = CollectionReport(
    batches=(BatchRecord(name="ü.csv", sha256="00", rows=3, labelled=2),),
    rows_in_source=3,
    rows=3,
    columns=2,
    warnings=("one", "two"),
)
TYPE = "mlops_basics.schemas.CollectionReport"
OLD, NEW = "2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"


@pytest.fixture(params=["file", "memory"])
def address(request, tmp_path):
    """Where a JSON file may be written, on disk or in memory."""
    if request.param == "file":
        yield str(tmp_path / "report.json")
        return
    yield "memory:///test_artifact/report.json"
    filesystem = fsspec.filesystem("memory")
    if filesystem.exists("/test_artifact"):
        filesystem.rm("/test_artifact", recursive=True)


def test_round_trip(address):
    """An artifact comes back as its type, tuples included."""
    dataset = ArtifactDataset(filepath=address, model=TYPE)
    assert not dataset.exists()
    dataset.save(REPORT)
    assert dataset.exists()
    assert dataset.load() == REPORT


def test_the_file_is_plain_json(address):
    """Other programs read it without this project."""
    ArtifactDataset(filepath=address, model=TYPE).save(REPORT)
    with fsspec.open(address, "r", encoding="utf-8") as file:
        stored = json.load(file)["batches"]
    assert stored == [{"name": "ü.csv", "sha256": "00", "rows": 3, "labelled": 2, "content": ""}]


def test_versions_are_kept(address):
    """The latest is loaded unless a version is asked for; none is overwritten."""
    for number, version in enumerate((OLD, NEW)):
        report = REPORT.model_copy(update={"rows": number})
        ArtifactDataset(filepath=address, model=TYPE, version=Version(None, version)).save(report)
    latest = ArtifactDataset(filepath=address, model=TYPE, version=Version(None, None))
    chosen = ArtifactDataset(filepath=address, model=TYPE, version=Version(OLD, None))
    assert latest.load().rows == 1
    assert chosen.load().rows == 0
    again = ArtifactDataset(filepath=address, model=TYPE, version=Version(None, OLD))
    with pytest.raises(DatasetError, match="must not exist if versioning is enabled"):
        again.save(REPORT)


def test_a_missing_file_is_named(address):
    """The error holds the path."""
    with pytest.raises(DatasetError, match=r"report\.json"):
        ArtifactDataset(filepath=address, model=TYPE).load()


def test_another_content_is_refused(address):
    """JSON of another type never passes for this one."""
    ArtifactDataset(filepath=address, model=TYPE).save(REPORT)
    with pytest.raises(DatasetError, match="name"):
        ArtifactDataset(filepath=address, model="mlops_basics.schemas.BatchRecord").load()


def test_the_preview_is_what_was_saved(address):
    """kedro-viz shows the JSON."""
    dataset = ArtifactDataset(filepath=address, model=TYPE)
    dataset.save(REPORT)
    assert json.loads(dataset.preview()) == json.loads(REPORT.model_dump_json())


def test_values_of_a_search_survive(address):
    """Numbers, texts, booleans and None among the chosen parameters keep their types."""
    chosen = {"C": 0.1, "max_iter": 20, "loss": "l2", "warm": True, "limit": None}
    report = SearchReport(
        best_candidate="linear",
        best_params=chosen,
        best_valid_loss=0.25,
        loss="log_loss",
        trials_requested=2,
        trials_run=2,
    )
    dataset = ArtifactDataset(filepath=address, model="mlops_basics.schemas.SearchReport")
    dataset.save(report)
    loaded = dataset.load()
    assert loaded == report
    assert {key: type(value) for key, value in loaded.best_params.items()} == {
        key: type(value) for key, value in chosen.items()
    }
