"""Releases with a reference, and batches that came after them, for the tests of the monitor."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.pipelines.model_evaluation.reference import describe_reference
from mlops_basics.pipelines.monitoring.nodes import watch_batches
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    BatchRecord,
    Code,
    CollectionParams,
    Findings,
    MonitoringParams,
    MonitoringState,
    PreprocessingParams,
    Release,
    ReleaseReference,
    RunContext,
    Watch,
)
from tests.support.parameters import configured
from tests.support.releases import make_manifest
from tests.support.tables import raw_table

PREPROCESSING = configured(PreprocessingParams, target="kind", exclude=("day",))
OF_SIZE = configured(PreprocessingParams, target="size", exclude=("day", "kind"))
PARAMS = configured(MonitoringParams, min_rows=50, classifier_rows=0)


def make_release(parts: Any, model: Any, preprocessing: PreprocessingParams, version="1", **values):
    """A release as production holds it, which was trained on ``a.csv`` and ``b.csv``."""
    profile, losses, info = describe_reference(
        model, parts.test, parts.info, parts.split, preprocessing
    )
    defaults: dict[str, Any] = {
        "manifest": make_manifest(version),
        "model": model,
        "table": parts.info,
        "reference": ReleaseReference(info, profile, losses, parts.test),
        "batches": tuple(
            BatchRecord(name=batch.name, sha256=batch.sha256, rows=150, labelled=150)
            for batch in trained_batches()
        ),
    }
    return Release(**(defaults | values))


def file_of(name: str, table: pd.DataFrame) -> Batch:
    """A file with this content, whose SHA-256 follows from it; an empty table is a fault."""
    content = table.to_csv(index=False).encode()
    digest = hashlib.sha256(content).hexdigest()
    fault = f"The file '{name}' is empty." if table.empty else ""
    return Batch.of(name, digest, table.reset_index(drop=True), fault)


def rows_of(rows=60, seed=5, *, labelled=True, **columns) -> pd.DataFrame:
    """New rows that follow the old relation."""
    table = raw_table(rows, seed).drop(columns=BATCH_COLUMN).assign(**columns)
    return table if labelled else table.drop(columns="kind")


def trained_batches() -> list[Batch]:
    """The files that every release here was trained on."""
    table = raw_table(300)
    return [
        file_of(str(name), rows.drop(columns=BATCH_COLUMN))
        for name, rows in table.groupby(BATCH_COLUMN)
    ]


def turned(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows under the opposite relation."""
    return table.assign(kind=np.where(table["kind"] == "tall", "short", "tall"))


def look(
    release: Release,
    batches: list[Batch],
    state: MonitoringState | None = None,
    labels: list[Batch] | None = None,
    preprocessing: PreprocessingParams = PREPROCESSING,
    run_id: str = "run",
    skip: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
    **params,
) -> Findings:
    """One look at a source beside the files that the release was trained on, but those gone."""
    names = {batch.name for batch in batches} | set(gone)
    source = [*(old for old in trained_batches() if old.name not in names), *batches]
    return watch_batches(
        sorted(source, key=lambda batch: batch.name),
        sorted(labels or [], key=lambda batch: batch.name),
        release,
        state or MonitoringState(),
        run_context(run_id),
        PARAMS.model_copy(update=params),
        preprocessing,
        configured(CollectionParams, skip=skip),
    )


def run_context(run_id: str = "run") -> RunContext:
    """The context of the run that looks."""
    code = Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={})
    return RunContext(
        run_id=run_id, mlflow_run_id=None, env="mine", model_name="m", code=code, data_versions={}
    )


def watch_of(findings: Findings, version: str = "1") -> Watch:
    """What is remembered of a release."""
    return findings.state.watches[version]


def records_of(findings: Findings, version: str = "1") -> dict[str, Any]:
    """What is remembered of each batch, by name."""
    return {record.name: record for record in watch_of(findings, version).batches}


def renamed(batch: Batch, name: str) -> Batch:
    """The same content under another name."""
    return replace(batch, name=name)
