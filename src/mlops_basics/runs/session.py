"""The project's sessions: a run of its own, or the context alone, to look at the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.framework.project import PACKAGE_NAME, settings
from kedro.framework.session import KedroSession

from mlops_basics.config.checks import check_environment, check_globals
from mlops_basics.config.credentials import export_credentials
from mlops_basics.runs.versions import with_free_version


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
        """A fresh catalog without hooks: to find that there is nothing to do takes no MLflow."""
        return bare_context(self.project_path, self.env, self.params | more).catalog

    def configuration(self) -> dict[str, Any]:
        """What the configuration says of the source: globals, parameters, the catalog's entry."""
        loader = _loader(self.project_path, self.env, self.params)
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
    session: Any = KedroSession.create(project_path, env=env, runtime_params=runtime_params)
    context: KedroContext = session.load_context()
    return context


def bare_context(
    project_path: Path, env: str | None, runtime_params: dict[str, Any]
) -> KedroContext:
    """The context without any hook: MLflow is not touched, which saves opening its database.

    Args:
        project_path: Root of the project.
        env: A folder of conf/.
        runtime_params: As in ``kedro run --params``.

    Raises:
        ConfigurationError: If the environment, or an option of its globals.yml, is unknown.
    """
    loader = _loader(project_path, env, runtime_params)
    no_hooks: Any = _NullPluginManager()
    more: Any = runtime_params
    return KedroContext(
        project_path=project_path,
        config_loader=loader,
        env=env,
        package_name=PACKAGE_NAME or "mlops_basics",
        hook_manager=no_hooks,
        runtime_params=more,
    )


def _loader(project_path: Path, env: str | None, runtime_params: dict[str, Any]) -> Any:
    export_credentials(project_path)
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(project_path / settings.CONF_SOURCE),
        env=env,
        runtime_params=runtime_params,
        **settings.CONFIG_LOADER_ARGS,
    )
    check_environment(env or "local", loader)
    check_globals(env or "local", loader)
    return loader
