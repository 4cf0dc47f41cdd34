"""Tests of a project that was moved or copied, with MLflow's own database."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from mlops_basics.runs.moved import follow_move

pytestmark = pytest.mark.slow
PLACE = "data/mlflow/artifacts"


def uri_of(project: Path) -> str:
    """Of its database."""
    return f"sqlite:///{project}/data/mlflow/mlflow.db"


@pytest.fixture(params=["here", "a place"])
def project(request, mlflow_store, tmp_path) -> Path:
    """A project with an experiment and a run; its place may need quoting in an address."""
    project = tmp_path / request.param
    (project / PLACE).mkdir(parents=True)
    shutil.copy(mlflow_store, project / "data" / "mlflow" / "mlflow.db")
    mlflow.set_tracking_uri(uri_of(project))
    client = MlflowClient()
    experiment = client.create_experiment("iris", artifact_location=f"{project}/{PLACE}")
    client.log_text(client.create_run(experiment).info.run_id, "kept", "note.txt")
    client.create_experiment("elsewhere", artifact_location=f"{tmp_path}/other/artifacts")
    return project


def places(project: Path) -> list[str]:
    """Where the experiments' artifacts go."""
    mlflow.set_tracking_uri(uri_of(project))
    client = MlflowClient()
    names = ("iris", "elsewhere")
    return [client.get_experiment_by_name(name).artifact_location for name in names]


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
@pytest.mark.parametrize("below", [False, True])
def test_records_follow_a_project(project, tmp_path, how, below):
    """Old artifacts are read, and new ones written, where the project is; others stay."""
    # Below a folder that repeats the whole old path, the new one holds the old one.
    new = Path(f"{tmp_path}/new{project}") if below else tmp_path / "new place"
    new.parent.mkdir(parents=True, exist_ok=True)
    how(project, new)
    assert follow_move(uri_of(new), f"{new}/{PLACE}", new) == project.as_posix()
    iris, elsewhere = places(new)
    assert iris.endswith(f"{new}/{PLACE}")
    assert elsewhere.endswith(f"{tmp_path}/other/artifacts")
    client = MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("iris").experiment_id])
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/note.txt") == "kept"
    assert run.info.artifact_uri.startswith(iris)
    assert follow_move(uri_of(new), f"{new}/{PLACE}", new) is None


def test_what_was_not_moved_is_left_alone(project, tmp_path):
    """The same project, another folder for artifacts, another database, a server, none at all."""
    before = places(project)
    assert follow_move(uri_of(project), f"{project}/{PLACE}", project) is None
    assert follow_move(uri_of(project), f"{project}/data/other", project) is None
    assert follow_move(uri_of(project), str(tmp_path / "disk"), project) is None
    assert follow_move(uri_of(project), f"{tmp_path}/x/{PLACE}", tmp_path / "x") is None
    assert follow_move("http://server:5000", f"{project}/{PLACE}", project) is None
    assert follow_move(uri_of(project), None, project) is None
    assert follow_move(uri_of(tmp_path / "none"), f"{tmp_path}/none/{PLACE}", tmp_path) is None
    assert places(project) == before
