"""A MLflow server in memory, and a way to be killed at any step that changes something.

It is handed in where ``Tracking`` stands for a real server: everything above is the real code.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST

from mlops_basics.runs.tracking import Tracking
from tests.support.killed import Killed


@dataclass
class Killer:
    """Counts the steps of an operation, and kills it at one of them; the dead change nothing."""

    kind: str = ""
    left: int = 0
    dead: bool = False

    @contextmanager
    def armed(self, at: tuple[str, int] | None) -> Iterator[None]:
        """Kill what happens inside at the given step: its kind and number; None: never."""
        self.kind, self.left = at or ("", 0)
        try:
            yield
        finally:
            self.kind, self.dead = "", False

    def step(self, kind: str) -> None:
        """One moment at which a process may die."""
        if self.dead:  # also in a handler: a dead process has none
            raise Killed
        if kind == self.kind:
            self.left -= 1
            if self.left == 0:
                self.dead = True
                raise Killed

    def around(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """Let a call that changes something be killed before and after it."""

        @wraps(change)
        def call(*arguments: Any, **options: Any) -> Any:
            self.step(change.__name__)
            result = change(*arguments, **options)
            self.step(change.__name__)
            return result

        return call


@dataclass
class MemoryServer(Tracking):
    """What a MLflow server remembers, of one registered model and any runs."""

    killer: Killer
    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __deepcopy__(self, _memo: Any) -> MemoryServer:
        """Kedro copies the configuration of a data set; there is one server all the same."""
        return self

    def client(self) -> MemoryClient:
        """The part of ``MlflowClient`` that the project uses."""
        return MemoryClient(self)

    def log_model(self, run_id: str, files: dict[str, bytes]) -> None:
        """What the hooks do with the model of a run: make it, fill it, finish it."""
        self.killer.step("log_model")
        model_id = f"m-{next(self.numbers):06d}"
        made = SimpleNamespace(
            model_id=model_id,
            run_id=run_id,
            status=LoggedModelStatus.PENDING,
            creation_timestamp=int(model_id[2:]),
        )
        self.models[model_id] = made
        self.killer.step("log_model")
        self.artifacts[model_id] = files
        self.killer.step("log_model")
        made.status = LoggedModelStatus.READY
        self.killer.step("log_model")

    def log_text(self, run_id: str, name: str, text: str) -> None:
        """An artifact of a run."""
        self.killer.step("log_text")
        self.artifacts.setdefault(run_id, {})[name] = text.encode()
        self.killer.step("log_text")

    def load_text(self, uri: str) -> str:
        """An artifact of a run."""
        owner, _, name = uri.partition(":/")[2].strip("/").partition("/")
        kept = self.artifacts.get(owner, {})
        if name not in kept:
            raise MlflowException(f"There is no {uri}", error_code=RESOURCE_DOES_NOT_EXIST)
        return kept[name].decode()

    def download(self, uri: str, folder: Path) -> Path:
        """A model's folder, or one of a run's."""
        owner, _, part = uri.partition(":/")[2].strip("/").partition("/")
        kept = self.artifacts.get(owner, {})
        found = {name: c for name, c in kept.items() if not part or name.startswith(f"{part}/")}
        if not found:
            raise MlflowException(f"There is no {uri}", error_code=RESOURCE_DOES_NOT_EXIST)
        for name, content in found.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return folder / part if part else folder


class Page(list[Any]):
    """A page of results; there is no other."""

    token = None


class MemoryClient:
    """The calls that the project makes; each that changes something may be killed."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        changes = name.startswith(("create_", "set_", "log_", "delete_"))
        return self._server.killer.around(found) if changes else found

    def get_experiment_by_name(self, name: str) -> Any:
        """As MLflow\'s."""
        known = self._server.experiments.get(name)
        return SimpleNamespace(experiment_id=known) if known else None

    def get_experiment(self, experiment_id: str) -> Any:
        """As MLflow\'s."""
        known = {number: name for name, number in self._server.experiments.items()}
        return SimpleNamespace(experiment_id=experiment_id, name=known[experiment_id])

    def create_experiment(self, name: str) -> str:
        """As MLflow\'s."""
        return self._server.experiments.setdefault(name, str(len(self._server.experiments) + 1))

    def create_run(self, experiment_id: str, tags: Any = None, **_: Any) -> Any:
        """As MLflow\'s."""
        number = next(self._server.numbers)
        info = SimpleNamespace(
            run_id=f"{number:032x}",
            experiment_id=experiment_id,
            start_time=number,
            lifecycle_stage="active",
        )
        run = SimpleNamespace(info=info, data=SimpleNamespace(tags=dict(tags or {})))
        self._server.runs[info.run_id] = run
        return run

    def get_run(self, run_id: str) -> Any:
        """As MLflow\'s."""
        if run_id not in self._server.runs:
            raise MlflowException(f"No run {run_id}", error_code=RESOURCE_DOES_NOT_EXIST)
        return self._server.runs[run_id]

    def set_terminated(self, run_id: str) -> None:
        """As MLflow\'s."""
        self.get_run(run_id)

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """As MLflow\'s."""
        self.get_run(run_id).data.tags[key] = value

    def search_runs(self, experiment_ids: list[str], filter_string: str = "", **_: Any) -> Page:
        """As MLflow\'s."""
        wanted = re.findall(r"tags\.`([^`]+)` = '([^']*)'", filter_string)
        return Page(
            run
            for run in self._server.runs.values()
            if run.info.experiment_id in experiment_ids
            and all(run.data.tags.get(key) == value for key, value in wanted)
        )

    def search_logged_models(self, filter_string: str, **_: Any) -> list[Any]:
        """As MLflow\'s."""
        run_id = re.search(r"'([^']*)'", filter_string)[1]
        return [model for model in self._server.models.values() if model.run_id == run_id]

    def list_artifacts(self, run_id: str) -> list[Any]:
        """As MLflow\'s."""
        names = {name.split("/")[0] for name in self._server.artifacts.get(run_id, {})}
        return [SimpleNamespace(path=name) for name in sorted(names)]

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str = "") -> None:
        """As MLflow\'s."""
        kept = self._server.artifacts.setdefault(run_id, {})
        for file in sorted(Path(local_dir).rglob("*")):
            if file.is_file():
                kept[f"{artifact_path}/{file.relative_to(local_dir)}"] = file.read_bytes()
                self._server.killer.step("log_artifacts")

    def create_registered_model(self, name: str, **_: Any) -> None:
        """As MLflow\'s."""
        if name in self._server.names:
            raise MlflowException(f"{name} exists", error_code=RESOURCE_ALREADY_EXISTS)
        self._server.names.add(name)

    def create_model_version(self, name: str, **values: Any) -> Any:
        """As MLflow\'s."""
        assert name in self._server.names
        version = str(max(map(int, self._server.versions), default=0) + 1)
        tags = dict(values.pop("tags", None) or {})
        made = SimpleNamespace(name=name, version=version, tags=tags, aliases=[], **values)
        self._server.versions[version] = made
        return made

    def search_model_versions(self, filter_string: str) -> list[Any]:
        """As MLflow\'s."""
        assert any(name in filter_string for name in self._server.names) or not self._server.names
        return list(self._server.versions.values())

    def get_model_version(self, name: str, version: str) -> Any:
        """As MLflow\'s."""
        if version not in self._server.versions:
            raise MlflowException(f"No {name} {version}", error_code=RESOURCE_DOES_NOT_EXIST)
        return self._server.versions[version]

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        """As MLflow\'s."""
        if alias not in self._server.aliases:
            raise MlflowException(f"No {alias} of {name}", error_code=RESOURCE_DOES_NOT_EXIST)
        return self._server.versions[self._server.aliases[alias]]

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """As MLflow\'s."""
        self.get_model_version(name, version).tags[key] = value

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        """As MLflow\'s; nothing reads it back."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """As MLflow\'s."""
        self.get_model_version(name, version)
        self._server.aliases[alias] = version
