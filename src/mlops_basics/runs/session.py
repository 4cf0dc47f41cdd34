"""The project's sessions: a run of its own, or the catalog alone, to look at what is there.

Every command imports this, and few of them run anything: what a run needs is imported by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.project import settings

from mlops_basics.safe_text import DEFAULT_ENVIRONMENT

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext


@dataclass(frozen=True)
class Place:
    """Which model, in which project: what a command is about.

    Attributes:
        project_path: Root of the project.
        env: A folder of conf/; None: Kedro's default.
        params: As in ``kedro run --params``.
    """

    project_path: Path
    env: str | None
    params: dict[str, Any]

    def catalog(self, **more: Any) -> Any:
        """A fresh catalog, which sees what other processes have written."""
        return load_context(self.project_path, self.env, self.params | more).catalog

    def bare_catalog(self, **more: Any) -> Any:
        """A fresh catalog without hooks: to find that there is nothing to do takes no MLflow.

        Nor does it take a pipeline: parameters are in it as they are written.
        """
        loader = self.loader(**more)
        catalog = self._datasets(loader)
        for name, value in loader["parameters"].items():
            catalog[f"params:{name}"] = value
        return catalog

    def datasets(self) -> Any:
        """A fresh catalog of the data sets alone."""
        return self._datasets(self.loader())

    def _datasets(self, loader: Any) -> Any:
        from kedro.io import DataCatalog

        entries = {name: self._anchored(entry) for name, entry in loader["catalog"].items()}
        return DataCatalog.from_config(entries, _credentials(loader))

    def loader(self, **more: Any) -> Any:
        """The configuration, of an environment and with options that exist.

        Raises:
            ConfigurationError: If the environment, or an option of its globals.yml, is unknown.
        """
        from mlops_basics.config.checks import check_environment, check_globals
        from mlops_basics.config.credentials import export_credentials

        export_credentials(self.project_path)
        loader: Any = settings.CONFIG_LOADER_CLASS(
            conf_source=str(self.project_path / settings.CONF_SOURCE),
            env=self.env,
            runtime_params=self.params | more,
            **settings.CONFIG_LOADER_ARGS,
        )
        env = self.env or DEFAULT_ENVIRONMENT
        check_environment(env, loader)
        check_globals(env, loader)
        return loader

    def anchored(self, path: str) -> str:
        """A path of the configuration, which starts at the project, not at the working folder."""
        return path if "://" in path else (self.project_path / path).as_posix()

    def _anchored(self, entry: dict[str, Any]) -> dict[str, Any]:
        paths = {key: self.anchored(entry[key]) for key in ("path", "filepath") if entry.get(key)}
        return entry | paths

    def configuration(self) -> dict[str, Any]:
        """What the configuration says of the source: globals, parameters, the catalog's entry."""
        loader = self.loader()
        source = dict(loader["catalog"]["source"])
        source.pop("type", None)
        if isinstance(name := source.get("credentials"), str):
            source["credentials"] = loader["credentials"][name]
        return {
            "globals": dict(loader["globals"]),
            "parameters": loader["parameters"],
            "source": source,
        }

    def run(self, pipeline: str, **more: Any) -> str:
        """Run a pipeline as ``kedro run`` does; returns the run's version."""
        params = self.params | more
        return run_session(self.project_path, self.env, params, pipeline_names=[pipeline])

    def store(self) -> Any:
        """The releases, as the catalog configures them; MLflow is not touched."""
        return self.datasets().get("release").store

    def production(self) -> tuple[Any, Any]:
        """The release store and the registry, as the catalog configures them."""
        release = self.catalog().get("release")
        return release.store, release.registry


def run_session(
    project_path: Path, env: str | None, runtime_params: dict[str, Any], **options: Any
) -> str:
    """Run a pipeline as ``kedro run`` does, under a version that no other run has.

    Args:
        project_path: Root of the project.
        env: A folder of conf/.
        runtime_params: As in ``kedro run --params``.
        options: Of ``KedroSession.run``.

    Returns:
        The run's version.

    Raises:
        VersionTakenError: If another run had the version each time.
    """
    from kedro.framework.session import KedroSession

    from mlops_basics.runs.versions import with_free_version

    def run() -> str:
        session: Any = KedroSession.create(project_path, env=env, runtime_params=runtime_params)
        with session:
            session.run(**options)
        return str(session.session_id)

    return with_free_version(run)


def load_context(
    project_path: Path | None, env: str | None, runtime_params: dict[str, Any]
) -> KedroContext:
    """Load the context, which also points MLflow at the configured server.

    Args:
        project_path: Root of the project; None: found from the working folder.
        env: A folder of conf/.
        runtime_params: As in ``kedro run --params``.
    """
    from kedro.framework.session import KedroSession

    session: Any = KedroSession.create(project_path, env=env, runtime_params=runtime_params)
    context: KedroContext = session.load_context()
    return context


def _credentials(loader: Any) -> dict[str, Any]:
    from kedro.config import MissingConfigException

    try:
        return dict(loader["credentials"])
    except MissingConfigException:
        return {}
