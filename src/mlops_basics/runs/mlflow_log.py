"""Writes a finished run into MLflow: few requests, each artifact once."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlops_basics.runs.run_text import (
    data_table,
    of_type,
    run_name,
    run_note,
    run_tags,
    shown_parameters,
)
from mlops_basics.safe_text import with_environment
from mlops_basics.schemas import (
    Artifact,
    Manifest,
    Metrics,
    OverfitCheck,
    Recipe,
    SearchReport,
    Verdict,
)

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

MODEL = "model"
MAX_TEXT = 5_000  # characters of a tag's or a parameter's value that MLflow stores
_MOST_ATTEMPTS = 8  # to log data sets while others log the same ones


def log_run(
    run_id: str,
    manifest: Manifest,
    artifacts: Mapping[str, Artifact],
    trials: pd.DataFrame | None,
    files: Mapping[str, tuple[Any, str]],
    *,
    sections: Collection[str],
    rename: bool,
    pages: Mapping[str, str],
) -> None:
    """Log parameters, metrics, tags, data sets and files of a run.

    Args:
        run_id: The MLflow run, which exists.
        manifest: The run's manifest.
        artifacts: Small results by catalog name, whose numbers become metrics.
        trials: A row a trial, which become a metric with a history.
        files: File system and path of each data set to upload, by catalog name.
        sections: Names of the parameter sections that the run's nodes take.
        rename: Whether the run's name shall say which model it has made.
        pages: Texts to upload beside them, by file name.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient()
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in _metrics(artifacts).items()]
    if trials is not None:
        numbers = zip(trials["trial"], trials["valid_loss"], strict=True)
        metrics += [Metric("trial_valid_loss", float(loss), now, int(n)) for n, loss in numbers]
    shown = shown_parameters(manifest, artifacts, sections)
    parameters = [Param(name, value[:MAX_TEXT]) for name, value in shown.items()]
    texts = run_tags(manifest, artifacts)
    if note := run_note(artifacts):
        texts["mlflow.note.content"] = with_environment(note, manifest.env)
    if rename:
        recipe = of_type(artifacts, Recipe)
        texts["mlflow.runName"] = run_name(manifest.model_name, manifest.pipelines, recipe)
    tags = [RunTag(name, value[:MAX_TEXT]) for name, value in texts.items()]
    for start in range(0, max(len(metrics), len(parameters), 1), 100):  # MLflow takes 100 at once
        client.log_batch(
            run_id,
            metrics=metrics[start : start + 100],
            params=parameters[start : start + 100],
            tags=tags if start == 0 else [],
        )
    _log_inputs(client, run_id, manifest)
    _log_files(client, run_id, manifest, files, pages)


def log_model(run_id: str, filesystem: Any, path: str) -> None:
    """Log a saved model folder as it is; ``mlflow.sklearn.log_model`` would save it again.

    Args:
        run_id: The MLflow run that fitted the model.
        filesystem: Where the folder lies.
        path: The folder, with an ``MLmodel`` file in it.
    """
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModelOutput

    client = MlflowClient()
    experiment = client.get_run(run_id).info.experiment_id
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / MODEL
        filesystem.get(path, str(folder), recursive=True)
        logged = client.create_logged_model(experiment, name=MODEL, source_run_id=run_id)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _metrics(artifacts: Mapping[str, Artifact]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, artifact in artifacts.items():
        if isinstance(artifact, Metrics):
            prefix = name.removesuffix("_metrics")
            for metric, estimate in artifact.metrics.items():
                limits = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
                metrics |= {
                    f"{prefix}_{metric}{suffix}": value
                    for suffix, value in limits.items()
                    if value is not None
                }
        elif isinstance(artifact, OverfitCheck):
            metrics |= {
                "overfit_gap": artifact.gap,
                "overfitted": float(artifact.overfitted),
            }
            if artifact.low is not None:
                metrics["overfit_gap_low"] = artifact.low
        elif isinstance(artifact, SearchReport):
            metrics["trials_run"] = float(artifact.trials_run)
        elif isinstance(artifact, Verdict):
            metrics |= _monitoring_metrics(artifact)
    return metrics


def _monitoring_metrics(verdict: Verdict) -> dict[str, float]:
    concept, batches = verdict.concept, [watched.batch for watched in verdict.batches]
    metrics = {
        "monitoring_retrain": float(verdict.retrain),
        "monitoring_batches": float(len(batches)),
        "monitoring_drifted_columns": float(len({c for b in batches for c in b.drifted})),
        "monitoring_labelled_rows": float(verdict.labelled_rows),
        "monitoring_wealth": concept.wealth,
        "monitoring_tolerated": concept.tolerated * concept.scale,
        "monitoring_reference": concept.reference * concept.scale,
    }
    if concept.observed is not None:
        metrics["monitoring_observed"] = concept.observed * concept.scale
    for batch in batches:
        if batch.expected_error is not None:
            metrics["monitoring_expected"] = batch.expected_error
    return metrics


def _log_inputs(client: MlflowClient, run_id: str, manifest: Manifest) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                name=name,
                digest=version.sha256[:36],  # the length of MLflow's column
                source_type="kedro",
                source=json.dumps({"path": version.path, "version": version.version}),
                profile=json.dumps({"rows": version.rows, "sha256": version.sha256}),
            ),
            [InputTag("mlflow.data.context", version.access)],
        )
        for name, version in manifest.datasets.items()
        if version.rows is not None and version.access != "kept"
    ]
    if inputs:
        _log_once_more(client, run_id, inputs)


def _log_once_more(client: MlflowClient, run_id: str, inputs: list[DatasetInput]) -> None:
    """Log inputs, again if another run logs one of the same content at the same moment.

    MLflow looks whether it knows a data set and then inserts it: of two at once the slower one
    fails as a whole, and finds it the next time.
    """
    from mlflow.exceptions import MlflowException

    for left in reversed(range(_MOST_ATTEMPTS)):
        try:
            client.log_inputs(run_id, inputs)
            return
        except MlflowException as error:
            # sqlite3.IntegrityError: UNIQUE constraint failed; psycopg2.errors.UniqueViolation
            if not left or "unique" not in str(error).lower():
                raise


def _log_files(
    client: MlflowClient,
    run_id: str,
    manifest: Manifest,
    files: Mapping[str, tuple[Any, str]],
    pages: Mapping[str, str],
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for filesystem, path in files.values():
            filesystem.get(path, str(folder / PurePosixPath(path).name))
        own = {
            "manifest.json": manifest.model_dump_json(indent=2),
            "data_versions.csv": data_table(manifest),
        }
        for name, text in {**own, **pages}.items():
            (folder / name).write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, str(folder))
