"""A separate project for a test, in which it runs pipelines and calls commands."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from mlops_basics.schemas import Parts

ROOT = Path(__file__).resolve().parents[2]


class Catalogs:
    """Keeps the catalog of a session's run."""

    catalog: DataCatalog

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog) -> None:
        """Called by Kedro."""
        self.catalog = catalog


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
        own = Catalogs()
        with self.session(env, **params) as session:
            session._hook_manager.register(own)
            session.run(pipeline_names=[pipeline], load_versions=load_versions)
        return own.catalog.load("manifest")  # another session would read all of conf once more

    @contextlib.contextmanager
    def session(self, env: str | None = None, **params: Any) -> Iterator[Any]:
        """A Kedro session of this project, with the project as the working folder."""
        from kedro.framework.session import KedroSession

        with contextlib.chdir(self.path):
            bootstrap(self.path)
            with KedroSession.create(self.path, env=env, runtime_params=nested(params)) as session:
                yield session

    def load(self, name: str, env: str | None = None, **params: Any) -> Any:
        """Load the latest version of a data set; a table in parts whole."""
        with self.session(env, **params) as session:
            found = session.load_context().catalog.load(name)
        return found.read() if isinstance(found, Parts) else found

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
def lines_of_error(text: str) -> list[str]:
    """The lines of an error stream, without those that a long run says while it goes on."""
    return [
        line for line in text.splitlines() if not re.match(r"\d+ s: step |search: |folds: ", line)
    ]


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
    # Compiled, where they are, for its commands; not the files that Python is just writing.
    half_written = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(ROOT / "src", folder / "src", ignore=half_written)
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


def moved(template: Project, folder: Path) -> Project:
    """A copy of a project in which something was trained, at another place, also for MLflow."""
    shutil.copytree(template.path, folder)
    database = sqlite3.connect(folder / "data" / "mlflow" / "mlflow.db")
    places = {
        "experiments": "artifact_location",
        "runs": "artifact_uri",
        "logged_models": "artifact_location",
        "model_versions": "storage_location",
    }
    for table, column in places.items():
        statement = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608
        database.execute(statement, (str(template.path), str(folder)))
    database.commit()
    database.close()
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # it remembers by run where artifacts were
    return Project(folder)
