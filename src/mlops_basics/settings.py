"""Kedro's project settings."""

import logging
import os
from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project

from mlops_basics.hooks import MlflowRunHooks, RunRecordHooks

# Before MLflow is imported: its own notes of a first run, and a warning that kedro-mlflow's import
# triggers in every command, are nothing that a user could act on. `--verbose` shows them.
logging.captureWarnings(True)
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")


def in_project(path: str) -> str:
    """An absolute path inside the project, for settings that would follow the working folder.

    What is absolute already, or an address such as s3://bucket/prefix, stays as it is.
    """
    if "://" in path or Path(path).is_absolute():
        return path
    return ((find_kedro_project(Path.cwd()) or Path.cwd()) / path).as_posix()


_record = RunRecordHooks()
HOOKS = (MlflowRunHooks(_record), _record)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"in_project": in_project},
    # Key by key: with Kedro's default, `--params training.n_trials=5` would throw away the rest of
    # the base's training section as soon as conf/<env> has any parameters file.
    "merge_strategy": {"parameters": "soft"},
}
