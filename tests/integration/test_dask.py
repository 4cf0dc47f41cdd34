"""Whole runs on a Dask cluster with TLS, all data on S3: as in one process, whatever is killed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_basics.commands.services.s3 import S3Server
from mlops_basics.datasets import parts as parts_dataset
from mlops_basics.runs.cluster import open_cluster
from mlops_basics.schemas import parts as parts_schema
from tests.support.dask_cluster import DaskCluster, wait_for, write_and_kill
from tests.support.pages import run_shown, shown_files
from tests.support.project import ROOT, Project, lines_of_error
from tests.support.services import use_environment
from tests.support.small_table import make_table

pytestmark = pytest.mark.slow  # processes of a cluster, whole runs

ENV = "clustered"
BRONZE, SILVER = ("raw_data",), ("labelled_data", "preprocessed_data")
GOLDEN = ("train_data", "valid_data", "test_data")
SETTINGS = """
evaluation: {resamples: 100, importance_repeats: 1}
training: {n_trials: 1}
monitoring: {min_rows: 300, classifier_rows: 300}
"""


#: A run of its own process, whose parts are written as ``killing`` has them.
RUN = """
import sys
from pathlib import Path
from kedro.framework.startup import bootstrap_project
bootstrap_project(Path.cwd())
from mlops_basics.datasets import parts
from mlops_basics.runs.session import run_session
from mlops_basics.schemas import parts as table
from tests.support.dask_cluster import write_and_kill
parts._write, table.HELD_BYTES = write_and_kill, 30_000
run_session(Path.cwd(), sys.argv[1], {}, pipeline_names=["data_collection"])
"""


@dataclass(frozen=True)
class Bucket:
    """Where all data of this module lie; its key is in the variables alone."""

    name: str
    server: S3Server

    def put(self, key: str, table: pd.DataFrame) -> None:
        """Write a table as CSV."""
        body = table.to_csv(index=False).encode()
        self.server.client().put_object(Bucket=self.name, Key=key, Body=body)

    def parts(self) -> set[str]:
        """The parts of all versions of the table as collected."""
        pages = self.server.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.name, Prefix=f"data/{ENV}/bronze/raw_data.parquet/")
        return {item["Key"] for page in found for item in page.get("Contents", [])}


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> Iterator[Bucket]:
    """A bucket, and the variables that name its server and its key: workers inherit them."""
    made = Bucket(f"dask-{secrets.token_hex(4)}", s3_server)
    s3_server.create_bucket(made.name)
    with pytest.MonkeyPatch.context() as patch:
        yield from use_environment(patch, s3_server.environment(), made)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, bucket) -> Iterator[DaskCluster]:
    """A scheduler and two nodes."""
    made = DaskCluster(tmp_path_factory.mktemp("dask"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def several_parts(monkeypatch):
    """Small tables are in parts, as large ones are."""
    monkeypatch.setattr(parts_schema, "HELD_BYTES", 30_000)


@pytest.fixture(scope="module")
def clustered(shared_project, cluster, bucket):
    """A project whose environment has the cluster's dask.yml."""
    add_table(shared_project, ENV, bucket)
    path = shared_project.path / "conf" / ENV / "dask.yml"
    path.write_text(yaml.safe_dump(cluster.configuration), encoding="utf-8")
    shutil.copytree(cluster.folder / ".secrets", shared_project.path / ".secrets")
    return shared_project


@pytest.fixture
def killing(cluster, monkeypatch):
    """The cluster, which loses what a test plans to lose; afterwards it is whole again."""
    cluster.start()
    monkeypatch.setattr(parts_dataset, "_write", write_and_kill)
    yield cluster
    (cluster.folder / "plan").unlink(missing_ok=True)
    cluster.go_on()


def add_table(project: Project, env: str, bucket: Bucket) -> None:
    """Three batches, and everything else on S3."""
    for seed, (name, rows) in enumerate({"a": 1500, "b": 500, "c": 500}.items()):
        bucket.put(f"source/{env}/{name}.csv", make_table(rows, seed))
    root = f"s3://{bucket.name}"
    places = {"storage": f"{root}/data", "production": f"{root}/production"}
    project.configure(env, model_name=env, source=f"{root}/source/{env}", target="kind", **places)
    (project.path / "conf" / env / "parameters.yml").write_text(SETTINGS, encoding="utf-8")


def table(project: Project, name: str, env: str) -> pd.DataFrame:
    """All rows of a table."""
    found = project.load(name, env=env)
    return found if isinstance(found, pd.DataFrame) else found.read()


def run_statuses(project: Project) -> list[str]:
    """How each MLflow run of the environment ended, the oldest first."""
    from mlflow import MlflowClient

    with project.session(ENV) as session:
        session.load_context()
    client = MlflowClient()
    experiment = client.get_experiment_by_name(ENV)
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    return [run.info.status for run in runs]


def told(project: Project, env: str) -> tuple[int, str]:
    """What ``kedro ct`` says, without names and times of the run."""
    result = project.command("ct", "--env", env)
    assert result.exit_code in (0, 3), result.output
    said = result.stdout.replace(env, "ENV")
    return result.exit_code, re.sub(r"[0-9a-f]{32}|20\d\d-\S+Z|\d+\.?\d* s\b", "", said)


def test_the_cluster_gives_what_one_process_gives(clustered, bucket):
    """Each table, the model by its predictions, and what `kedro ct` decides."""
    add_table(clustered, "alone", bucket)
    decided = {}
    for env in ("alone", ENV):
        first = told(clustered, env)
        clustered.run("batch_inference", env=env)
        bucket.put(f"source/{env}/d.csv", make_table(400, 3))
        decided[env] = [first, told(clustered, env)]
    assert decided[ENV] == decided["alone"]
    for name in (*BRONZE, *SILVER, *GOLDEN, "predictions"):
        alone = table(clustered, name, "alone")
        assert len(alone) > 0
        pd.testing.assert_frame_equal(table(clustered, name, ENV), alone)
    assert len(bucket.parts()) > 1
    assert not clustered.produced()


def test_the_docs_model_learns_on_all_workers(cluster, clustered, monkeypatch):
    """LightGBM's trees of all rows: each time no worse than of one process."""
    files = shown_files("docs/how-to/own-steps.md", "docs/how-to/dask.md")
    trees, cluster_trees = run_shown(files, ["trees", "cluster_trees"], monkeypatch)
    alone, on_dask = trees.Light, cluster_trees.LightOnDask
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 5)).astype(np.float32)
    target = np.where(rows[:, 0] * rows[:, 1] + rows[:, 2] > 0, "yes", "no")
    with open_cluster(cluster.configuration, clustered.path):
        models = [on_dask(n_estimators=30).fit(rows[:2000], target[:2000]) for _ in range(2)]
    logs = [(cluster.folder / f"node-{n}.log").read_text("utf-8") for n in (1, 2)]
    assert all("LightGBM" in log for log in logs)
    right = (alone(n_estimators=30).fit(rows[:2000], target[:2000]).predict(rows) == target)[2000:]
    for model in models:
        found = (model.predict(rows) == target)[2000:]
        assert found.mean() == pytest.approx(right.mean(), abs=0.03)


@pytest.mark.parametrize("victim", ["worker", "node"])
def test_a_worker_that_is_killed_changes_nothing(clustered, killing, victim):
    """Another one, or the same one anew, works on its part: kill -9, in the middle of a save."""
    killing.plan(victim)
    clustered.run("data_collection", env=ENV)
    assert killing.is_done
    expected = [make_table(), make_table(500, 1), make_table(500, 2)]
    found = table(clustered, "raw_data", ENV)
    assert found["left"].tolist()[:2500] == pd.concat(expected)["left"].tolist()


def test_a_part_that_kills_workers_is_given_up(clustered, killing, bucket):
    """An error names the part, nothing is left of the table, and the next run finishes."""
    before = bucket.parts()
    killing.plan("always")
    result = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 1
    (error, _) = lines_of_error(result.stderr)
    assert re.match(
        r"Error: The cluster has given up part \d of \d: 3 workers died of it, the last one at "
        r"tls://127.0.0.1:\d+\. See the logs of the workers",
        error,
    )
    assert bucket.parts() == before
    killing.plan("worker")
    clustered.run("data_collection", env=ENV)


def test_ctrl_c_is_no_run(clustered, killing, bucket):
    """It ends at once, as killed; a part that a worker writes afterwards is no table."""
    manifest, before = clustered.run("data_collection", env=ENV), bucket.parts()
    killing.plan("wait")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, ENV],
        cwd=clustered.path,
        env={**os.environ, "PYTHONPATH": f"{clustered.path / 'src'}:{ROOT}"},
    )
    wait_for(lambda: killing.waits)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert bucket.parts() == before
    killing.go_on()
    wait_for(lambda: bucket.parts() != before)
    with pytest.raises(Exception, match="some parts of a table whose save has failed"):
        clustered.load("raw_data", env=ENV)
    assert clustered.load("manifest", env=ENV) == manifest
    assert run_statuses(clustered)[-1] == "KILLED"
    (killing.folder / "plan").unlink()
    clustered.run("data_collection", env=ENV)
    assert len(table(clustered, "raw_data", ENV)) > 0


def test_a_scheduler_that_is_killed_is_one_error(clustered, killing, bucket, monkeypatch):
    """Nothing is left of the run's table; with a scheduler, the next run finishes."""
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    manifest, before = clustered.run("data_collection", env=ENV), bucket.parts()
    killing.plan("scheduler")
    result = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 1
    assert killing.is_done
    (error, _) = lines_of_error(result.stderr)
    assert error.startswith(f"Error: The connection to the Dask scheduler {killing.address} is lo")
    assert bucket.parts() == before
    assert clustered.load("manifest", env=ENV) == manifest
    again = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert "cannot be reached" in again.stderr
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT")
    killing.stop()  # its workers end by themselves, after a while
    killing.start()
    clustered.run("data_collection", env=ENV)
