"""Whole runs on a Dask cluster with TLS: the same as in one process, whatever is killed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pandas as pd
import pytest
import yaml

from mlops_basics.datasets import parts as parts_dataset
from mlops_basics.schemas import parts as parts_schema
from tests.support.dask_cluster import DaskCluster, write_and_kill
from tests.support.project import Project, lines_of_error
from tests.support.small_table import make_table, set_up

pytestmark = pytest.mark.slow  # processes of a cluster, whole runs

ENV = "clustered"
BRONZE, SILVER = ("raw_data",), ("labelled_data", "preprocessed_data")
GOLDEN = ("train_data", "valid_data", "test_data")
SETTINGS = """
evaluation: {resamples: 100, importance_repeats: 1}
training: {n_trials: 1}
monitoring: {min_rows: 300, classifier_rows: 300}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[DaskCluster]:
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
    monkeypatch.setattr(parts_schema, "HELD_CELLS", 0)
    monkeypatch.setattr(parts_schema, "PART_ROWS", 600)


@pytest.fixture(scope="module")
def clustered(shared_project, cluster):
    """A project whose environment has the cluster's dask.yml."""
    add_table(shared_project, ENV)
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


def add_table(project: Project, env: str) -> None:
    """Three batches."""
    folder = set_up(project, env)
    for seed, name in enumerate(("b", "c"), 1):
        make_table(500, seed).to_csv(folder / f"{name}.csv", index=False)
    (project.path / "conf" / env / "parameters.yml").write_text(SETTINGS, encoding="utf-8")


def table(project: Project, name: str, env: str) -> pd.DataFrame:
    """All rows of a table."""
    found = project.load(name, env=env)
    return found if isinstance(found, pd.DataFrame) else found.read()


def told(project: Project, env: str) -> tuple[int, str]:
    """What ``kedro ct`` says, without names and times of the run."""
    result = project.command("ct", "--env", env)
    assert result.exit_code in (0, 3), result.output
    said = result.stdout.replace(env, "ENV")
    return result.exit_code, re.sub(r"[0-9a-f]{32}|20\d\d-\S+Z|\d+\.?\d* s\b", "", said)


def versions(project: Project) -> set[str]:
    """What the table as collected is kept under."""
    folder = project.path / "data" / ENV / "bronze" / "raw_data.parquet"
    return {str(file.relative_to(folder)) for file in folder.rglob("*.parquet") if file.is_file()}


def test_the_cluster_gives_what_one_process_gives(clustered, monkeypatch):
    """Each table, the model by its predictions, and what `kedro ct` decides."""
    add_table(clustered, "alone")
    decided = {}
    for env in ("alone", ENV):
        first = told(clustered, env)
        clustered.run("batch_inference", env=env)
        make_table(400, 3).to_csv(clustered.path / "data" / "source" / env / "d.csv", index=False)
        decided[env] = [first, told(clustered, env)]
    assert decided[ENV] == decided["alone"]
    for name in (*BRONZE, *SILVER, *GOLDEN, "predictions"):
        alone = table(clustered, name, "alone")
        assert len(alone) > 0
        pd.testing.assert_frame_equal(table(clustered, name, ENV), alone)
    assert len(versions(clustered)) > 1


@pytest.mark.parametrize("victim", ["worker", "node"])
def test_a_worker_that_is_killed_changes_nothing(clustered, killing, victim):
    """Another one, or the same one anew, works on its part: kill -9, in the middle of a save."""
    killing.plan(victim)
    clustered.run("data_collection", env=ENV)
    assert killing.is_done
    expected = [make_table(), make_table(500, 1), make_table(500, 2)]
    found = table(clustered, "raw_data", ENV)
    assert found["left"].tolist()[:2500] == pd.concat(expected)["left"].tolist()


def test_a_part_that_kills_workers_is_given_up(clustered, killing):
    """An error names the part, nothing is left of the table, and the next run finishes."""
    before = versions(clustered)
    killing.plan("always")
    result = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 1
    (error, _) = lines_of_error(result.stderr)
    assert re.match(
        r"Error: The cluster has given up part \d of \d: 3 workers died of it, the last one at "
        r"tls://127.0.0.1:\d+\. See the logs of the workers",
        error,
    )
    assert versions(clustered) == before
    killing.plan("worker")
    clustered.run("data_collection", env=ENV)


def test_a_scheduler_that_is_killed_is_one_error(clustered, killing, monkeypatch):
    """Nothing is left of the run's table; with a scheduler, the next run finishes."""
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    before, manifest = versions(clustered), clustered.load("manifest", env=ENV)
    killing.plan("scheduler")
    result = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 1
    assert killing.is_done
    (error, _) = lines_of_error(result.stderr)
    assert error.startswith(f"Error: The connection to the Dask scheduler {killing.address} is lo")
    assert versions(clustered) == before
    assert clustered.load("manifest", env=ENV) == manifest
    again = clustered.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert "cannot be reached" in again.stderr
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT")
    killing.stop()  # its workers end by themselves, after a while
    killing.start()
    clustered.run("data_collection", env=ENV)
