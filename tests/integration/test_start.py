"""What a run needs is asked at its start; what it does not need is not asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mlops_basics.errors import ConfigurationError
from tests.support.project import make_project

pytestmark = pytest.mark.slow

#: As in a container that was started with --user 1234, and nothing of its own to write to.
NOBODY = """
import atexit, pwd, sys
atexit.register(lambda: print("of a cluster:", "distributed" in sys.modules))
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
from kedro.framework.cli.cli import main
sys.argv = ["kedro", "run", "--env", "small"]
main()
"""


def small(project, **values):
    """An environment of one trial."""
    project.configure("small", model_name="iris", **values)
    text = "training: {n_trials: 1}\nevaluation: {resamples: 100, importance_repeats: 1}\n"
    (project.path / "conf" / "small" / "parameters.yml").write_text(text, encoding="utf-8")


def test_a_user_without_a_name_and_without_a_home_can_publish(project):
    """The whole loop; the ledger has the user's number. Nothing of a cluster is imported."""
    small(project)
    names = ("LOGNAME", "USER", "LNAME", "USERNAME", "SKB_DATA_DIRECTORY", "SKRUB_DATA_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        cwd=project.path,
        env=kept | {"HOME": "/proc/none", "PYTHONPATH": str(project.path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first release" in done.stdout
    assert done.stdout.splitlines()[-1] == "of a cluster: False"
    (entry,) = (project.path / "data/production/iris/ledger").iterdir()
    assert f'"by":"user {os.getuid()}"' in entry.read_text(encoding="utf-8").replace(": ", ":")


def test_a_path_that_mlflow_cannot_use_is_told_at_once(tmp_path, mlflow_store):
    """Not after two minutes, and with what to do."""
    made = make_project(tmp_path / "per%cent", mlflow_store)
    begin = time.monotonic()
    done = made.command("run")
    assert done.exit_code == 1
    assert "takes '%' and '?' in a path for signs of an address. Move or rename" in done.output
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize(
    ("closed", "pipeline", "words"),
    [
        ("data/mlflow/mlflow.db", "data_collection", "MLflow's database would be written"),
        ("data/iris", "data_collection", "'collection_report' would be written"),
        ("data/production", "__default__", "A release would be written"),
    ],
)
def test_what_is_read_only_is_told_before_anything_runs(
    project, monkeypatch, closed, pipeline, words
):
    """The place is named; a pipeline that publishes nothing asks for no production."""
    small(project)
    place, allowed = project.path / closed, os.access
    if not place.exists():
        place.mkdir()

    def access(path, mode, **options):
        within = place in (project.path / path, *(project.path / path).parents)
        return allowed(path, mode, **options) and not (mode & os.W_OK and within)

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(ConfigurationError, match=words):
        project.run(pipeline, env="small")
    assert project.produced() == []
    if closed == "data/production":
        project.run("data_collection", env="small")
        assert project.produced() != []
