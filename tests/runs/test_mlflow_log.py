"""Tests of what a run writes into MLflow."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import fsspec
import pandas as pd
import pytest

from mlops_basics.runs.mlflow_log import MAX_TEXT, log_run
from mlops_basics.schemas import Estimate, SearchReport
from tests.support.artifacts import (
    make_manifest,
    make_metrics,
    make_overfit_check,
    make_recipe,
)


@pytest.fixture
def client(mlflow_store, tmp_path):
    """A client of an empty store, which is the tracking address."""
    import shutil

    import mlflow

    database = shutil.copy(mlflow_store, tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    return mlflow.MlflowClient()


@pytest.fixture
def run_id(client, tmp_path):
    """A fresh MLflow run."""
    experiment = client.create_experiment("m", artifact_location=f"{tmp_path.as_uri()}/artifacts")
    return client.create_run(experiment).info.run_id


def test_a_run_is_logged_whole(client, run_id, tmp_path):
    """Parameters, metrics with limits, the trials' history, tags, data sets and files."""
    (tmp_path / "report.html").write_text("<p>report</p>")
    metrics = make_metrics(
        rows=3,
        accuracy=Estimate(value=0.5, low=0.25, high=0.75, greater_is_better=True),
        roc_auc=None,
    )
    check = make_overfit_check(
        gap=0.1, low=0.0, high=0.2, train_loss=1, valid_loss=1.1, baseline_loss=1, reason=""
    )
    search = SearchReport(
        best_candidate="linear",
        best_params={},
        best_valid_loss=1,
        loss="log_loss",
        trials_requested=2,
        trials_run=2,
    )
    trials = pd.DataFrame({"trial": [0, 1], "valid_loss": [1.5, 1.0]})
    log_run(
        run_id,
        make_manifest(run_id, training={"n_trials": 2}, text="x" * (MAX_TEXT + 1)),
        {"test_metrics": metrics, "overfit_check": check, "search_report": search},
        trials,
        {"report": (fsspec.filesystem("file"), str(tmp_path / "report.html"))},
        sections={"training"},
        rename=True,
        pages={"a_plot.svg": "<svg/>"},
    )
    run = client.get_run(run_id)
    assert run.data.params == {"training.n_trials": "2", "text": "x" * MAX_TEXT}
    assert run.data.metrics == {
        "test_accuracy": 0.5,
        "test_accuracy_low": 0.25,
        "test_accuracy_high": 0.75,
        "overfit_gap": 0.1,
        "overfit_gap_low": 0.0,
        "overfitted": 0.0,
        "trials_run": 2.0,
        "trial_valid_loss": 1.0,
    }
    history = client.get_metric_history(run_id, "trial_valid_loss")
    assert [(item.step, item.value) for item in history] == [(0, 1.5), (1, 1.0)]
    tags = {"mlflow.source.git.commit": "abc", "git_dirty": "True", "lock_sha256": "def"}
    assert tags.items() <= run.data.tags.items()
    [logged] = run.inputs.dataset_inputs
    assert (logged.dataset.name, json.loads(logged.dataset.profile)["rows"]) == ("train", 3)
    files = {item.path for item in client.list_artifacts(run_id)}
    assert files == {"manifest.json", "data_versions.csv", "report.html", "a_plot.svg"}


@pytest.mark.parametrize("rename", [True, False])
def test_a_run_is_renamed_by_the_model_that_it_has_made(client, run_id, rename):
    """Its name in MLflow's list changes, unless the user has given it one."""
    recipe = make_recipe(task="binary", candidate="linear")
    before = client.get_run(run_id).info.run_name
    log_run(
        run_id,
        make_manifest(run_id),
        {"recipe": recipe},
        None,
        {},
        sections=(),
        rename=rename,
        pages={},
    )
    assert client.get_run(run_id).info.run_name == ("m binary linear" if rename else before)


def log_bare(run_id, manifest):
    """Log a run that has a manifest alone."""
    log_run(run_id, manifest, {}, None, {}, sections=(), rename=False, pages={})


def test_many_parameters_are_logged_in_parts(client, run_id):
    """MLflow takes a hundred at once."""
    many = {f"p{number}": number for number in range(250)}
    log_bare(run_id, make_manifest(run_id, **many))
    assert len(client.get_run(run_id).data.params) == 250


@pytest.mark.slow
def test_runs_that_end_at_once_all_log_the_same_data(client, run_id):
    """MLflow looks for a data set and then inserts it, which only one of many can."""
    experiment = client.get_run(run_id).info.experiment_id
    runs = [client.create_run(experiment).info.run_id for _ in range(8)]
    together = Barrier(len(runs))

    def log(own):
        together.wait()
        log_bare(own, make_manifest(own))

    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(log, runs))
    logged = [client.get_run(own).inputs.dataset_inputs for own in runs]
    assert [[item.dataset.name for item in own] for own in logged] == [["train"]] * len(runs)
