"""Kedro's project settings."""

import logging
import os
import tempfile
from collections.abc import Iterator

from mlops_basics.config.layers import LayeredConfigLoader
from mlops_basics.config.resolvers import env, in_project, joined

# Before MLflow is imported: its own notes of a first run, and a warning that kedro-mlflow's import
# triggers in every command, are nothing that a user could act on. `--verbose` shows them.
logging.captureWarnings(True)
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # what it logs as an error, it raises
# A request that fails is repeated after 0, 4, 8 and 16 seconds; MLflow's own 7 times would be four
# minutes a request, of which a failed run makes several.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")


# skrub makes a folder for data sets, of which we use none, in the user's home as soon as it is
# imported: a home that cannot be written to would end a run in the middle. This one is there.
os.environ.setdefault("SKB_DATA_DIRECTORY", tempfile.gettempdir())


class ProjectHooks:
    """The hooks of ``hooks.py``, imported when a session begins: `kedro --help` needs none."""

    def __iter__(self) -> Iterator[object]:
        from mlops_basics import hooks

        return iter(hooks.HOOKS)


HOOKS = ProjectHooks()
# kedro-mlflow's hook is called by MlflowRunHooks.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro_mlflow")
CONFIG_LOADER_CLASS = LayeredConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        "mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"],  # as kedro-mlflow does
        "dask": ["dask.yml"],
    },
    "custom_resolvers": {"in_project": in_project, "env": env, "joined": joined},
    # Key by key: with Kedro's default, `--params training.n_trials=5` would throw away the rest of
    # the base's training section as soon as conf/<env> has any parameters file. kedro-mlflow reads
    # mlflow.yml by the same loader: an environment states only what differs.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft", "dask": "soft"},
}
