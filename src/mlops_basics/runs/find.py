"""A recorded run, as MLflow keeps it: found by any of its names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import Artifact, Manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

A = TypeVar("A", bound=Artifact)

VERSION_TAG = "run_version"
_MANIFEST = "manifest.json"
_VERSION = re.compile(r"[0-9TZ.-]+")
_SHORT = re.compile(r"[0-9a-f]{6,31}")


def find_run(model_name: str, run_id: str, server: Tracking = MLFLOW) -> Run:
    """A run of a model by its MLflow id, the beginning of it, or its version (its time).

    Args:
        model_name: Its runs are those of the experiment of this name.
        run_id: The name; MLflow must point at the project's server.
        server: Where the run was recorded.

    Raises:
        ConfigurationError: If there is no such run, it is of another experiment, or several
            begin so.
    """
    from mlflow.exceptions import MlflowException

    client = server.client()
    try:
        return _own(client, client.get_run(run_id), model_name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    runs: list[Run] = []
    if _VERSION.fullmatch(run_id):
        runs = list(_runs(client, model_name, f"tags.{VERSION_TAG} = '{run_id}'"))
    if not runs and _SHORT.fullmatch(run_id):
        runs = [run for run in _runs(client, model_name) if run.info.run_id.startswith(run_id)]
    if len(runs) == 1:
        return runs[0]
    if runs:
        raise ConfigurationError(
            f"{len(runs)} runs of '{model_name}' are named '{run_id}'. Name one by its whole "
            f"MLflow run id: {', '.join(run.info.run_id for run in runs[:5])}"
        )
    raise ConfigurationError(
        f"There is no run {run_id[:80]!r} of '{model_name}' in MLflow. Name an MLflow run id, its "
        "first 6 characters or more, or a run version, as `kedro releases` and the "
        "end of each run show them."
    )


def manifest_of(run: Run, model_name: str, server: Tracking = MLFLOW) -> Manifest:
    """The manifest that a run wrote at its end.

    Args:
        run: The run.
        model_name: Whose run it has to be.
        server: Where it was recorded.

    Raises:
        ConfigurationError: If the run did not finish, or its manifest is not one of this run and
            model.
    """
    run_id = run.info.run_id
    manifest = artifact_of(run_id, _MANIFEST, Manifest, server)
    if manifest is None:
        raise ConfigurationError(
            f"The run {run_id} did not finish: it has no manifest, which would tell what it made. "
            "Make it again: kedro run"
        )
    named = run.data.tags.get(VERSION_TAG, manifest.run_id)
    if named != manifest.run_id:  # it may have been found by this name
        raise ConfigurationError(
            f"The run {run_id} in MLflow was changed: its tag '{VERSION_TAG}' says "
            f"'{named[:60]}', and its manifest {manifest.run_id}. Restore it."
        )
    if (manifest.model_name, manifest.mlflow_run_id) != (model_name, run_id):
        raise ConfigurationError(
            f"The manifest of the run {run_id} in MLflow was changed: it is of the run "
            f"{manifest.mlflow_run_id} of the model '{manifest.model_name}'. Restore it."
        )
    return manifest


def artifact_of(run_id: str, name: str, kind: type[A], server: Tracking = MLFLOW) -> A | None:
    """A small JSON artifact that an MLflow run has, None if it has none of this file name.

    Raises:
        ConfigurationError: If it is not one that a run has written.
    """
    if name not in {file.path for file in server.client().list_artifacts(run_id)}:
        return None
    try:
        return kind.model_validate_json(server.load_text(f"runs:/{run_id}/{name}"))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise ConfigurationError(
            f"'{name}' of the run {run_id} in MLflow was changed, or is of another version of "
            f"this project ({'.'.join(map(str, fault['loc']))}: {fault['msg']}). Restore it."
        ) from error


def _own(client: MlflowClient, run: Run, model_name: str) -> Run:
    """The run, if it is of the model's experiment."""
    experiment = client.get_experiment_by_name(model_name)
    if experiment is None or run.info.experiment_id != experiment.experiment_id:
        other = client.get_experiment(run.info.experiment_id).name
        raise ConfigurationError(
            f"The run {run.info.run_id} is of the experiment '{other}', not of the model "
            f"'{model_name}'. Name its environment (--env), or its model (--model-name) where the "
            "command has that option."
        )
    return run


def _runs(client: MlflowClient, model_name: str, condition: str = "") -> Iterator[Run]:
    experiment = client.get_experiment_by_name(model_name)
    token: str | None = ""
    while experiment is not None and token is not None:
        page = client.search_runs(
            [experiment.experiment_id], condition, page_token=token or None, max_results=1000
        )
        yield from page
        token = page.token or None
