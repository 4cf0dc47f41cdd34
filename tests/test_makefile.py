"""Tests of the Makefile's commands that touch files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import ROOT

#: What a user may have that git ignores, and that nothing can make again.
OWN = (
    "data/source/customers.csv",
    "data/source/months/2024-01.csv",
    "data/production/churn/releases/1/manifest.json",
    "data/churn/bronze/raw_data.parquet/2026-01-01T00.00.00.000Z/raw_data.parquet",
    "data/mlflow/mlflow.db",
    "data/services/s3/bucket",
    ".dvc/cache/files/md5/00/11",
    ".dvc/config.local",
    ".secrets/signing_key.pem",
    "conf/local/credentials.yml",
    "conf/mine/credentials.yml",
    "notebooks/.ipynb_checkpoints/mine-checkpoint.ipynb",
    "dist/mlops_basics-0.1.0-py3-none-any.whl",
    "sessions/store/shelf",
    "mlruns/0/meta.yaml",
)
MADE = (
    ".venv/bin/python",
    ".venv/pyvenv.cfg",
    ".pytest_cache/README.md",
    ".mypy_cache/3.11/a.json",
    ".ruff_cache/0.1/a",
    ".hypothesis/examples/a",
    ".import_linter_cache/a",
    ".coverage",
    "src/mlops_basics.egg-info/PKG-INFO",
    "src/mlops_basics/__pycache__/cli.cpython-312.pyc",
    "tests/support/__pycache__/a.pyc",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository in which a user has worked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for name in (*OWN, *MADE):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def clean(folder: Path, *options: str) -> None:
    """Call `make clean`."""
    subprocess.run(["make", "clean", *options], cwd=folder, check=True, capture_output=True)


def test_make_clean_removes_the_environment_and_caches_alone(checkout: Path) -> None:
    """What cannot be made again stays: tables, releases, databases, keys, settings."""
    clean(checkout)
    assert [name for name in OWN if not (checkout / name).is_file()] == []
    assert [name for name in MADE if (checkout / name).exists()] == []


def test_make_clean_again_is_no_error(checkout: Path) -> None:
    """With nothing left to remove it succeeds."""
    clean(checkout)
    clean(checkout)
    assert (checkout / OWN[0]).is_file()


def test_make_clean_removes_no_folder_that_is_no_environment(checkout: Path) -> None:
    """A VENV that names another folder by mistake costs nothing."""
    clean(checkout, "VENV=data")
    assert (checkout / OWN[0]).is_file()


def test_make_clean_follows_no_link(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An environment that is shared by a link loses the link alone."""
    shared = tmp_path_factory.mktemp("shared")
    (shared / "pyvenv.cfg").touch()
    shutil.rmtree(checkout / ".venv")
    (checkout / ".venv").symlink_to(shared)
    clean(checkout)
    assert not (checkout / ".venv").is_symlink()
    assert (shared / "pyvenv.cfg").is_file()


def test_a_moved_project_makes_its_environment_anew(tmp_path):
    """The programs of an environment name its place; one that stands where it was made stays."""
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", venv / "installed.txt")
    make = ["make", "venv", "PYTHON=no-such-python"]

    (venv / "place.txt").write_text(f"{venv.resolve()}\n", encoding="utf-8")
    assert subprocess.run(make, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    (venv / "place.txt").write_text("/where/it/was/.venv\n", encoding="utf-8")
    moved = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "The project was moved" in moved.stdout
    assert "Python 3.11, 3.12 or 3.13 is needed" in moved.stdout  # what would make it anew
    assert moved.returncode != 0
