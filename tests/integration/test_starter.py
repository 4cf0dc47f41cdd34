"""A project of one's own, from the starter: made, tested, run, and upgraded with this package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT

pytestmark = pytest.mark.slow

STARTER = ROOT / "starter" / "{{ cookiecutter.repo_name }}"


def make(folder: Path) -> Path:
    """Answer the starter's questions; returns the new project, with its table."""
    from click.testing import CliRunner
    from kedro.framework.cli.starters import new

    answers = {
        "project_name": "Iris Blooms",
        "source": "data/source/iris.csv",
        "target": "species",
        "output_dir": str(folder),
    }
    file = folder / "answers.yml"
    file.write_text(yaml.safe_dump(answers), encoding="utf-8")
    options = ["--starter", str(ROOT), "--directory", "starter", "--config", str(file)]
    result = CliRunner().invoke(new, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    project = folder / "iris-blooms"
    shutil.copy(ROOT / "data" / "source" / "iris.csv", project / "data" / "source")
    return project


def install(source: Path, site: Path) -> None:
    """Build this package from a copy and install it, without an index."""
    uv = Path(sys.prefix) / "bin" / "uv"
    options = ["--quiet", "--offline", "--no-deps", "--no-build-isolation", "--upgrade"]
    place = ["--python", sys.executable, "--target", site]
    subprocess.run([uv, "pip", "install", *options, *place, source], check=True)


def newer(source: Path) -> None:
    """Make of the copy the version after it, with another default."""
    for name, old, new in (
        ("pyproject.toml", '\nversion = "', '\nversion = "9.'),
        ("conf/base/parameters_model_training.yml", "n_trials: 20 ", "n_trials: 2 "),
    ):
        text = (source / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (source / name).write_text(text.replace(old, new), encoding="utf-8")


def call(project: Path, site: Path, *command: str) -> str:
    """What a program says in the project, where this package is found only as it was installed."""
    given = {"PYTHONPATH": str(site), "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=os.environ | given,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def manifest(project: Path) -> dict[str, Any]:
    """That of the newest run."""
    files = sorted((project / "data" / "iris_blooms").glob("**/manifest.json/*/manifest.json"))
    return json.loads(files[-1].read_text(encoding="utf-8"))


def test_a_project_of_ones_own_is_made_run_and_upgraded(tmp_path):
    """Its tests pass, its run ends with a release, and it takes what a newer version brings."""
    project, source, site = make(tmp_path), tmp_path / "source", tmp_path / "site"
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    install(source, site)
    assert "3 passed" in call(project, site, "pytest", "-q", "-p", "no:cacheprovider")
    assert "first release" in call(project, site, "kedro", "run", "--params", "training.n_trials=1")
    first = manifest(project)
    assert first["parameters"]["training"]["features"] == [
        "iris_blooms_steps.features.count_missing"
    ]
    assert set(first["code"]["own_code"]) == {"iris_blooms", "iris_blooms_steps"}

    newer(source)
    install(source, site)
    call(project, site, "kedro", "run", "--pipeline", "data_collection")
    second = manifest(project)
    assert second["parameters"]["training"]["n_trials"] == 2
    versions = [each["code"]["libraries"]["mlops-basics"] for each in (first, second)]
    assert versions[1] == f"9.{versions[0]}"


def test_the_starter_is_as_quiet_as_this_project():
    """Kedro reads both files from the project itself: they are copies."""
    for name in ("conf/logging.yml", ".telemetry"):
        assert (STARTER / name).read_text("utf-8") == (ROOT / name).read_text("utf-8"), name
