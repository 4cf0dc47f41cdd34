"""Fixtures for all tests: a project of one's own, with MLflow's state reset around each test."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

from tests.support.services import *  # noqa: F403 (fixtures, and pytest's hooks around them)

# Two test processes share two cores: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time: a failure in CI is one that everybody can repeat.
settings.register_profile("suite", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("suite")

ROOT = Path(__file__).resolve().parents[1]
# Commands that tests start find the package too where only `pytest` was called, not `make test`.
os.environ.setdefault("PYTHONPATH", str(ROOT / "src"))


@dataclass(frozen=True)
class Project:
    """A copy of the project without its data, in which tests run pipelines."""

    path: Path

    def configure(self, env: str, **values: Any) -> None:
        """Write conf/<env>/globals.yml, as a user would."""
        folder = self.path / "conf" / env
        folder.mkdir(exist_ok=True)
        (folder / "globals.yml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def run(
        self,
        pipeline: str = "__default__",
        env: str | None = None,
        load_versions: dict[str, str] | None = None,
        **params: Any,
    ) -> Any:
        """Run a pipeline in this process; returns the manifest of the run."""
        with self.session(env, **params) as session:
            session.run(pipeline_names=[pipeline], load_versions=load_versions)
        return self.load("manifest", env=env, **params)

    @contextlib.contextmanager
    def session(self, env: str | None = None, **params: Any) -> Iterator[Any]:
        """A Kedro session of this project, with the project as the working folder."""
        from kedro.framework.session import KedroSession

        with contextlib.chdir(self.path):
            bootstrap(self.path)
            with KedroSession.create(self.path, env=env, runtime_params=nested(params)) as session:
                yield session

    def load(self, name: str, env: str | None = None, **params: Any) -> Any:
        """Load the latest version of a data set."""
        with self.session(env, **params) as session:
            return session.load_context().catalog.load(name)

    def command(self, *arguments: str) -> Any:
        """Call one of the project's commands in this process; returns click's result."""
        from click.testing import CliRunner

        with contextlib.chdir(self.path):
            bootstrap(self.path)
            from mlops_basics.cli import cli

            return CliRunner().invoke(cli, list(arguments))

    def produced(self) -> list[Path]:
        """Every file under data/ but the sources and MLflow's."""
        data = self.path / "data"
        files = (file for file in data.rglob("*") if file.is_file())
        return sorted(f for f in files if f.relative_to(data).parts[0] not in ("source", "mlflow"))


@functools.lru_cache(maxsize=1)
def bootstrap(path: Path) -> None:
    """Make a project Kedro's current one, unless it is; doing so takes a tenth of a second."""
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(path)


def nested(params: dict[str, Any]) -> dict[str, Any]:
    """``{"training__n_trials": 3}`` as Kedro wants it: ``{"training": {"n_trials": 3}}``."""
    tree: dict[str, Any] = {}
    for key, value in params.items():
        *sections, last = key.split("__")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[last] = value
    return tree


def make_project(folder: Path, mlflow_store: Path) -> Project:
    """Copy what a clone holds, and a MLflow store that is migrated already."""
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / ".telemetry", folder)
    shutil.copy(ROOT / "requirements.txt", folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data" / "source").mkdir(parents=True)
    (folder / "data" / "mlflow").mkdir()
    shutil.copy(ROOT / "data" / "source" / "iris.csv", folder / "data" / "source")
    shutil.copy(mlflow_store, folder / "data" / "mlflow" / "mlflow.db")
    return Project(folder)


def make_mlflow_store(path: Path) -> Path:
    """Create an empty, migrated MLflow database."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(f"sqlite:///{path}")
    _initialize_tables(engine)
    engine.dispose()
    return path


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
