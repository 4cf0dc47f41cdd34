"""Every MLflow run ends as what it was, also where its process was told to stop, or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.small_table import production_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

#: A run that waits in its first node until it is told to stop.
WAITING = """
import time
from pathlib import Path
from kedro.framework.startup import bootstrap_project
bootstrap_project(Path.cwd())
from mlops_basics.datasets.source import SourceDataset
from mlops_basics.runs.session import run_session
def wait(_self):
    Path("waits").touch()
    while not Path("go").exists():
        time.sleep(0.05)
    raise ValueError("the source cannot be read")
SourceDataset.load = wait
run_session(Path.cwd(), None, {}, pipeline_names=["data_collection"])
"""


def start(project) -> subprocess.Popen[bytes]:
    """Start such a run, and wait until it is in its first node."""
    marker = project.path / "waits"
    marker.unlink(missing_ok=True)
    command = [sys.executable, "-c", WAITING]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=project.path, **quiet)
    deadline = time.monotonic() + 120
    while not marker.exists():
        assert process.poll() is None, "it ended before its first node"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def statuses(project) -> list[str]:
    """The status of each run, the oldest first."""
    from mlflow import MlflowClient

    production_of(project, None)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("iris")
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    return [run.info.status for run in runs]


def claims(project) -> list[Path]:
    """The claims that are not let go of."""
    return sorted((project.path / "data" / "iris" / "manifests" / "running").glob("*.json"))


@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGTERM, "KILLED"), (signal.SIGINT, "KILLED"), (None, "FAILED")],
    ids=["SIGTERM", "Ctrl-C", "an error"],
)
def test_a_run_that_is_stopped_says_so_at_once(project, sent, status):
    """It is neither running for ever nor finished without a manifest; its claim is gone."""
    process = start(project)
    assert statuses(project) == ["RUNNING"]
    if sent is not None:
        process.send_signal(sent)
    if sent != signal.SIGTERM:  # Kedro waits for the node that works
        time.sleep(2)  # the signal comes first, on a busy machine too
        (project.path / "go").touch()
    code = process.wait(timeout=60)
    assert code == (-signal.SIGTERM if sent == signal.SIGTERM else code)
    assert code != 0
    assert statuses(project) == [status]
    assert claims(project) == []


def test_a_run_that_was_killed_is_ended_by_the_next(project):
    """No claim piles up; one of a process that works, or of another machine, is left alone."""
    process = start(project)
    process.kill()
    process.wait(timeout=60)
    assert statuses(project) == ["RUNNING"]
    [dead] = claims(project)
    other = dead.with_name("2099-01-01T00.00.00.000Z.json")
    other.write_text(json.dumps({"machine": "another", "process": 1}), encoding="utf-8")
    alive = dead.with_name("2020-01-01T00.00.00.000Z.json")
    who = {**json.loads(dead.read_text(encoding="utf-8")), "process": os.getppid()}
    alive.write_text(json.dumps({**who, "mlflow_run_id": None}), encoding="utf-8")
    old = dead.with_name("2020-01-01T00.00.00.001Z.json")
    old.write_text(json.dumps({"machine": "another", "process": 1}), encoding="utf-8")
    project.run("data_collection")
    assert statuses(project) == ["KILLED", "FINISHED"]
    assert claims(project) == [alive, other]
