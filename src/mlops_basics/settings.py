"""Kedro's project settings."""

import logging
import os
from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project

from mlops_basics.errors import ConfigurationError
from mlops_basics.hooks import MlflowRunHooks, RunRecordHooks
from mlops_basics.local_credentials import export_credentials

# Before MLflow is imported: its own notes of a first run, and a warning that kedro-mlflow's import
# triggers in every command, are nothing that a user could act on. `--verbose` shows them.
logging.captureWarnings(True)
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # what it logs as an error, it raises
# A request that fails is repeated after 0, 4, 8 and 16 seconds; MLflow's own 7 times would be four
# minutes a request, of which a failed run makes several.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")


def in_project(path: str) -> str:
    """An absolute path inside the project, for settings that would follow the working folder.

    What is absolute already, or an address such as s3://bucket/prefix, stays as it is.
    """
    if "://" in path or Path(path).is_absolute():
        return path
    return ((find_kedro_project(Path.cwd()) or Path.cwd()) / path).as_posix()


def env(name: str) -> str:
    """An environment variable, for what differs between machines; never for a secret.

    Kedro resolves globals.yml before any hook: what conf/local/credentials.yml says is set here.

    Raises:
        ConfigurationError: If it is not set.
    """
    if not os.environ.get(name):
        export_credentials(find_kedro_project(Path.cwd()) or Path.cwd())
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(
            f"The environment variable {name} is not set, which this environment's configuration "
            "needs. Set it in the shell or in conf/local/credentials.yml (see conf/s3/README.md); "
            "on this machine, `make services` starts the servers and writes that file."
        )
    return value


_record = RunRecordHooks()
HOOKS = (MlflowRunHooks(_record), _record)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"in_project": in_project, "env": env},
    # Key by key: with Kedro's default, `--params training.n_trials=5` would throw away the rest of
    # the base's training section as soon as conf/<env> has any parameters file.
    "merge_strategy": {"parameters": "soft"},
}
