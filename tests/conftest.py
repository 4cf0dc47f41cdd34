"""Fixtures for all tests: a separate project, with MLflow's state reset around each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.project import ROOT, Project, make_mlflow_store, make_project
from tests.support.services import *  # noqa: F403 (fixtures, and pytest's hooks around them)

# Two test processes share two cores: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, so that a failure in CI can be repeated anywhere.
settings.register_profile("suite", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("suite")

# Commands that tests start find the package too where only `pytest` was called, not `make test`.
os.environ.setdefault("PYTHONPATH", str(ROOT / "src"))


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, so that it is made once."""
    return make_mlflow_store(tmp_path_factory.mktemp("mlflow") / "mlflow.db")


@pytest.fixture
def project(tmp_path: Path, mlflow_store: Path) -> Project:
    """A fresh project for one test."""
    return make_project(tmp_path, mlflow_store)


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> Project:
    """A project for all tests of a module, which must not depend on each other's runs."""
    return make_project(tmp_path_factory.mktemp("project"), mlflow_store)


@pytest.fixture(autouse=True)
def mlflow_state() -> Iterator[None]:
    """Leave no MLflow run, tracking or registry address behind."""
    # MLflow keeps its address in this variable: a run overwrites it, and None removes it.
    address = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    import sys

    if "mlflow" in sys.modules:
        import mlflow

        while mlflow.active_run():
            mlflow.end_run()
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        if address is not None:
            os.environ["MLFLOW_TRACKING_URI"] = address
