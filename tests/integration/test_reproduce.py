"""kedro reproduce: the recorded data and parameters again, also after newer runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.support.project import Project, lines_of_error
from tests.support.small_table import ENV, make_table, production_of, set_up, weak

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Recorded:
    """A project with a run that its time limit stopped, and a newer one of more data."""

    project: Project
    old: object
    new: object


@pytest.fixture(scope="module")
def recorded(shared_project) -> Recorded:
    """The old run asked for 3 trials and got 1; the newer one has other data and parameters."""
    project = shared_project
    folder = set_up(project)
    limit = project.path / "conf" / ENV / "catalog_limit.yml"
    limit.write_text(
        "search_monitor: {type: mlops_basics.datasets.SearchMonitorDataset, time_limit: 0}\n",
        encoding="utf-8",
    )
    old = project.run(env=ENV, **(weak() | {"training__n_trials": 3}))
    limit.unlink()
    make_table(300, seed=1).to_csv(folder / "b.csv", index=False)
    return Recorded(project, old, project.run(env=ENV, **weak(0.1)))


def client_of(project: Project):
    """MLflow's client at the project's store."""
    from mlflow import MlflowClient

    production_of(project)
    return MlflowClient()


def state_of(project: Project, run_id: str) -> tuple:
    """What an MLflow run holds: its end, its artifacts, its numbers."""
    client = client_of(project)
    run = client.get_run(run_id)
    files = sorted((item.path, item.file_size) for item in client.list_artifacts(run_id))
    return run.info.end_time, run.info.status, files, run.data.metrics, run.data.params


def runs_of(project: Project) -> set[str]:
    """Ids of all MLflow runs of the model."""
    client = client_of(project)
    experiment = client.get_experiment_by_name(ENV)
    return {run.info.run_id for run in client.search_runs([experiment.experiment_id])}


def test_an_older_run_is_reproduced(recorded):
    """The run is repeated identically, as a new MLflow run; ids are tested in tests/runs."""
    project, old = recorded.project, recorded.old
    before, runs = state_of(project, old.mlflow_run_id), runs_of(project)
    result = project.command("reproduce", old.run_id, "--env", ENV)
    assert result.exit_code == 0, result.output
    assert "metrics and predictions are identical" in result.output
    assert old.run_id in result.output
    assert state_of(project, old.mlflow_run_id) == before
    (own,) = runs_of(project) - runs
    repeated = client_of(project).get_run(own)
    assert repeated.info.status == "FINISHED"
    assert repeated.data.params["reproduces"] == old.run_id
    assert repeated.data.params["training.n_trials"] == "1"
    assert repeated.data.metrics["trials_run"] == 1
    assert repeated.data.tags["data_version"] == old.datasets["raw_data"].version


def test_a_run_that_was_stopped_says_so(recorded):
    """The old run asked for three trials: repeating it without the limit made one."""
    project, old = recorded.project, recorded.old
    assert old.parameters["training"]["n_trials"] == 3
    assert client_of(project).get_run(old.mlflow_run_id).data.metrics["trials_run"] == 1


def test_later_runs_do_not_continue_from_a_reproduction(recorded):
    """After a reproduction the newest manifest and production are what they were."""
    project, new = recorded.project, recorded.new
    assert (project.path / "data" / ENV / "manifests" / "reproduction.json").exists()
    assert project.load("manifest", env=ENV).run_id == new.run_id
    later = project.run("model_registry", env=ENV)
    assert later.datasets["fitted_rows"].version == new.run_id
    assert later.datasets["fitted_rows"].sha256 == new.datasets["fitted_rows"].sha256
    store, registry = production_of(project)
    known = {recorded.old.mlflow_run_id, new.mlflow_run_id}
    assert {registry.run_of(version) for version in registry.versions()} <= known
    assert {entry.run_id for entry in store.ledger()} <= {recorded.old.run_id, new.run_id}


def test_an_unknown_run_is_an_error(recorded):
    """Few lines that name it and say where ids are shown; exit code 1."""
    result = recorded.project.command("reproduce", "nothing", "--env", ENV)
    assert result.exit_code == 1
    assert "There is no run 'nothing'" in result.stderr
    assert len(lines_of_error(result.stderr)) <= 5
    assert "Traceback" not in result.output


def with_manifest(project, run_id: str, change) -> str:
    """What reproduce says of a run whose manifest in MLflow was changed, with its exit code."""
    client = client_of(project)
    path = client.download_artifacts(run_id, "manifest.json")
    file = Path(path)
    before = file.read_text(encoding="utf-8")
    tree = json.loads(before)
    change(tree)
    file.write_text(json.dumps(tree), encoding="utf-8")
    try:
        client.log_artifact(run_id, str(file))
        result = project.command("reproduce", run_id, "--env", ENV)
    finally:
        file.write_text(before, encoding="utf-8")
        client.log_artifact(run_id, str(file))
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.stderr


def test_a_manifest_that_names_code_is_refused(recorded, tmp_path):
    """Whoever may write into the experiment cannot run a class or an environment of theirs."""
    project, old, marker = recorded.project, recorded.old, tmp_path / "marker"
    runs = runs_of(project)

    def name_a_class(tree):
        fixed = {"args": ["touch", str(marker)]}
        evil = {"class": "subprocess.Popen", "dense": True, "fixed": fixed, "space": {}}
        tree["parameters"]["training"]["candidates"]["binary"] = {"evil": evil}

    (tmp_path / "evil").mkdir()
    evil = os.path.relpath(tmp_path / "evil", project.path / "conf")
    text = with_manifest(project, old.mlflow_run_id, name_a_class)
    assert "names the class subprocess.Popen, which is none of the candidates" in text
    text = with_manifest(project, old.mlflow_run_id, lambda tree: tree.update(env=evil))
    assert "There is no environment" in text
    assert not marker.exists()
    assert runs_of(project) == runs


def test_a_run_without_metrics_is_an_error(recorded):
    """What ran a part of the loop only has nothing to compare."""
    part = recorded.project.run("data_collection", env=ENV)
    result = recorded.project.command("reproduce", part.run_id, "--env", ENV)
    assert result.exit_code == 1
    assert "no metrics of its own" in result.stderr


def test_changed_raw_data_are_named(recorded):
    """The results differ, and the message says which of the causes explains it; exit code 2."""
    project, new = recorded.project, recorded.new
    file = project.path / new.datasets["raw_data"].path
    content = file.read_bytes()
    table = pd.read_parquet(file)
    table["shift"] = table["shift"].to_numpy()[::-1]
    table.to_parquet(file)
    try:
        result = project.command("reproduce", new.run_id, "--env", ENV)
    finally:
        file.write_bytes(content)
    assert result.exit_code == 2, result.output
    assert "these differ" in result.output
    assert "test_metrics" in result.output
    assert "the raw data were changed since" in result.output


def test_raw_data_that_are_gone_are_an_error(recorded):
    """The missing path is named, and no run begins."""
    project, old = recorded.project, recorded.old
    file = project.path / old.datasets["raw_data"].path
    hidden = file.parent.rename(file.parent.with_name("hidden"))
    runs = runs_of(project)
    try:
        result = project.command("reproduce", old.run_id, "--env", ENV)
    finally:
        hidden.rename(file.parent)
    assert result.exit_code == 1
    assert "are gone" in result.stderr
    assert old.datasets["raw_data"].path in result.stderr
    assert "Traceback" not in result.output
    assert runs_of(project) == runs
