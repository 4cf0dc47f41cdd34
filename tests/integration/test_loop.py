"""The whole loop on iris, and each pipeline alone."""

from __future__ import annotations

import hashlib
import json
import shutil

import pandas as pd
import pytest

from mlops_basics.errors import LineageError
from mlops_basics.schemas import ROW_HASH_COLUMN, Recipe

pytestmark = pytest.mark.slow

TRIALS = 3
LAYERS = {
    "bronze": {"raw_data", "collection_report"},
    "silver": {"labelled_data", "target_info", "preprocessed_data", "table_info"},
    "golden": {"train_data", "valid_data", "test_data", "split_report"},
    "models": {
        "recipe",
        "model",
        "refit_report",
        "model_record",
        "fitted_rows",
        "trials",
        "search_report",
        "overfit_check",
        "train_metrics",
        "valid_metrics",
    },
    "reporting": {
        "order_check",
        "test_metrics",
        "scores",
        "confusion_matrix",
        "importance",
        "confusion_plot",
        "performance_plot",
        "calibration_plot",
        "importance_plot",
        "search_plot",
        "fold_scores",
        "gate_scores",
        "challenge_request",
        "challenge",
        "decision",
        "reference",
        "reference_profile",
        "reference_losses",
        "monitoring_reference",
        "report",
    },
    "production": {"registered_version", "release"},
}
#: What differs between two runs that are alike: times, ids of MLflow, and the second one meets the
#: champion that the first one became.
OF_ITS_OWN_RUN = {
    "model",
    "model_record",
    "gate_scores",
    "challenge_request",
    "challenge",
    "decision",
    "report",
    "registered_version",
    "release",
}


@pytest.fixture(scope="module")
def run(shared_project):
    """A project and the manifest of its first whole run."""
    return shared_project, shared_project.run(training__n_trials=TRIALS)


@pytest.fixture(scope="module")
def mlflow_run(run):
    """MLflow's client and its record of the first run."""
    project, manifest = run
    return client_of(project), client_of(project).get_run(manifest.mlflow_run_id)


def client_of(project):
    """A client of the project's MLflow store."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.path}/data/mlflow/mlflow.db")


def test_every_artifact_is_versioned_in_its_layer(run):
    """Each data set of the manifest lies where its layer says, under the run's version."""
    project, manifest = run
    for layer, names in LAYERS.items():
        for name in names:
            item = manifest.datasets[name]
            assert item.version == manifest.run_id
            assert item.path.startswith(f"data/iris/{layer}/{name}")
            assert (project.path / item.path).exists()
    assert set(manifest.datasets) == set().union(*LAYERS.values())


def test_the_manifest_names_the_content(run):
    """The SHA-256 and the rows are those of the file."""
    project, manifest = run
    item = manifest.datasets["train_data"]
    content = (project.path / item.path).read_bytes()
    assert item.sha256 == hashlib.sha256(content).hexdigest()
    assert item.rows == len(pd.read_parquet(project.path / item.path))


def test_the_rows_are_divided_without_overlap(run):
    """Every row is on one side, and equal rows are on the same."""
    project, _ = run
    parts = [set(project.load(f"{side}_data")[ROW_HASH_COLUMN]) for side in SIDES]
    assert sum(len(project.load(f"{side}_data")) for side in SIDES) == 150
    assert len(set().union(*parts)) == sum(len(part) for part in parts)
    fitted = set(project.load("fitted_rows")[ROW_HASH_COLUMN])
    assert fitted == parts[0] | parts[1]


def test_mlflow_has_parameters_metrics_and_tags(run, mlflow_run):
    """The numbers are those of the artifacts; versions, commit and lock are tags."""
    project, manifest = run
    _, record = mlflow_run
    metrics = project.load("test_metrics")
    assert record.data.metrics["test_accuracy"] == metrics.metrics["accuracy"].value
    assert record.data.metrics["test_log_loss_high"] == metrics.metrics["log_loss"].high
    assert record.data.params["preprocessing.target"] == "species"
    assert record.data.params["training.n_trials"] == str(TRIALS)
    assert record.data.params["recipe.candidate"] == project.load("recipe").candidate
    assert not [name for name in record.data.params if name.startswith(("monitoring", "params"))]
    assert record.data.tags["data_version"] == manifest.run_id
    assert record.data.tags["lock_sha256"] == manifest.code.lock_sha256
    assert record.data.tags.get("mlflow.source.git.commit") == manifest.code.git_commit
    assert not {"project_path", "runner", "run_id"} & set(record.data.tags)
    assert record.info.run_name == f"iris multiclass {project.load('recipe').candidate}"
    assert record.info.status == "FINISHED"


def test_mlflow_has_every_report_and_the_data_sets(mlflow_run):
    """Small artifacts are uploaded; tables are named with version and hash."""
    client, record = mlflow_run
    files = {item.path for item in client.list_artifacts(record.info.run_id)}
    assert {
        "manifest.json",
        "data_versions.csv",
        "report.html",
        "test_metrics.json",
        "confusion_matrix.csv",
        "scores.parquet",
        "performance_plot.json",
        "overfit_check.json",
    } <= files
    inputs = {item.dataset.name: item.dataset for item in record.inputs.dataset_inputs}
    assert {"raw_data", "train_data", "test_data"} <= set(inputs)
    assert json.loads(inputs["train_data"].profile)["rows"] == 90


def test_the_logged_model_loads_with_signature_and_example(run, mlflow_run):
    """mlflow.pyfunc predicts what the catalog's model predicts."""
    import mlflow

    project, manifest = run
    client, _ = mlflow_run
    mlflow.set_tracking_uri(client.tracking_uri)
    loaded = mlflow.pyfunc.load_model(f"runs:/{manifest.mlflow_run_id}/model")
    assert loaded.metadata.signature.inputs.input_names() == list(
        project.load("table_info").features
    )
    assert {kind.name for kind in loaded.metadata.signature.inputs.input_types()} == {"double"}
    assert len(loaded.input_example) == 5
    rows = project.load("test_data")
    own = project.load("model").predict(rows[list(project.load("table_info").features)])
    assert (loaded.predict(rows) == own).all()


def test_the_report_is_one_page_that_needs_no_network(run):
    """The page names the model and loads nothing."""
    project, _ = run
    page = project.load("report")
    assert "iris" in page
    head = page[: page.index("<script")]
    assert "default-src 'none'" in head
    assert "<img" not in head
    assert "<link" not in head


def test_a_second_run_is_identical(run):
    """Same inputs, same seed: the same content of every artifact that is not of its own run."""
    project, first = run
    second = project.run(training__n_trials=TRIALS)
    assert second.run_id > first.run_id
    assert second.mlflow_run_id != first.mlflow_run_id
    differing = {
        name for name, item in second.datasets.items() if item.sha256 != first.datasets[name].sha256
    }
    assert differing <= OF_ITS_OWN_RUN
    assert project.load("decision").outcome == "identical"
    name = "model.skops"
    one, other = (project.path / m.datasets["model"].path / name for m in (first, second))
    assert one.read_bytes() == other.read_bytes()


def test_another_seed_is_another_search(run):
    """Another seed gives other trials on the same split."""
    project, first = run
    project.configure("seeded", seed=1)
    second = project.run(env="seeded", training__n_trials=TRIALS)
    assert second.datasets["trials"].sha256 != first.datasets["trials"].sha256
    assert second.datasets["train_data"].sha256 == first.datasets["train_data"].sha256


def test_each_pipeline_alone_continues_the_newest_run(project):
    """Alone, one after another, they make one coherent set of versions."""
    made = {
        "data_collection": "raw_data",
        "data_preprocessing": "train_data",
        "model_training": "model",
        "model_evaluation": "report",
        "model_registry": "registered_version",
        "model_publishing": "release",
    }
    manifests = {name: project.run(name, training__n_trials=TRIALS) for name in made}
    last = manifests["model_publishing"].datasets
    for name, manifest in manifests.items():
        assert last[made[name]].version == manifest.run_id
    assert last["release"].access == "written"
    assert last["registered_version"].access == "read"
    assert last["raw_data"].access == "kept"
    assert project.load("release").version == "1"
    release = project.path / "data" / "production" / "iris" / "releases" / "1"
    recipe = project.load("recipe")
    assert Recipe.model_validate_json((release / "recipe.json").read_bytes()) == recipe
    assert project.load("refit_report").rows == 119


def test_a_model_of_all_rows_is_judged_without_the_test_rows(project):
    """Test metrics are those of the fit on train and valid rows, also when evaluated once more."""
    own = project.run(training__n_trials=1, model_name="own")
    every = project.run(training__n_trials=1, training__refit="all", model_name="every")
    again = project.run("model_evaluation", training__refit="all", model_name="every")
    metrics = {run.datasets["test_metrics"].sha256 for run in (own, every, again)}
    assert len(metrics) == 1
    assert own.datasets["model"].sha256 != every.datasets["model"].sha256
    assert project.load("refit_report", model_name="every").rows == 150
    test = set(project.load("test_data", model_name="every")[ROW_HASH_COLUMN])
    assert test <= set(project.load("fitted_rows", model_name="every")[ROW_HASH_COLUMN])
    assert "fitted on all 150 rows" in project.load("report", model_name="every")


def test_versions_that_do_not_belong_together_are_refused(project):
    """After new golden data, the old model is out of date, and the message says how to mend it."""
    project.run(training__n_trials=TRIALS)
    project.run("data_preprocessing")
    with pytest.raises(LineageError, match="kedro run --pipeline model_training"):
        project.run("model_evaluation")
    project.run("model_training", training__n_trials=TRIALS)
    manifest = project.run("model_evaluation")
    assert manifest.datasets["test_data"].version < manifest.datasets["model"].version


def test_a_version_that_is_asked_for_is_loaded(run):
    """--load-versions wins over the newest run."""
    project, first = run
    project.run(training__n_trials=TRIALS)
    chosen = {"raw_data": first.datasets["raw_data"].version}
    manifest = project.run("data_preprocessing", load_versions=chosen)
    assert manifest.datasets["raw_data"].version == first.run_id


def test_a_version_that_was_deleted_is_named(project):
    """A missing file is an error that names it, not another version in silence."""
    manifest = project.run("data_collection")
    shutil.rmtree(project.path / "data/iris/bronze/raw_data.parquet" / manifest.run_id)
    with pytest.raises(LineageError, match="is gone"):
        project.run("data_preprocessing")


def test_num_instances_and_model_name_at_run_time(project):
    """A sample of so many rows, under another name."""
    manifest = project.run("data_collection", num_instances=100, model_name="small")
    assert manifest.datasets["raw_data"].rows == 100
    assert manifest.datasets["raw_data"].path.startswith("data/small/bronze")
    report = project.load("collection_report", model_name="small")
    assert (report.rows_in_source, report.rows) == (150, 100)


def test_the_original_command_line_is_the_same_run(project):
    """python src/main.py --model_name NAME --num_instances N."""
    import subprocess
    import sys

    command = [sys.executable, "src/main.py", "--model_name", "old", "--num_instances", "120"]
    command += ["--pipeline", "data_collection"]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    same = project.run("data_collection", num_instances=120, model_name="new")
    old = project.load("manifest", model_name="old")
    assert old.datasets["raw_data"].sha256 == same.datasets["raw_data"].sha256


SIDES = ("train", "valid", "test")
