"""Challengers as a run leaves them: an MLflow run with a small real model, and a decision."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

from mlops_basics.production.publish import register
from mlops_basics.production.registry import RELEASE_FOLDER, ModelRegistry
from mlops_basics.production.release_check import sha256
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs.mlflow_log import log_model
from mlops_basics.schemas import (
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    BatchRecord,
    CollectionReport,
    Decision,
    FittedModel,
    ModelRecord,
    RegisteredVersion,
    Registration,
    TableInfo,
)
from tests.support.artifacts import make_challenge, make_decision
from tests.support.fitted import TRUSTED

ROWS = pd.DataFrame({"length": [0.5, np.nan, 1.5, 2.5, 3.5, 4.5], "count": [1.0, 2, 3, 1, 2, 3]})
INFO = TableInfo(
    task="binary",
    target="answer",
    classes=("no", "yes"),
    features=("length", "count"),
    numeric=("length", "count"),
    key_columns=("length", "count"),
    rows=6,
    duplicate_rows=0,
    missing_target_rows=0,
    dropped_columns={},
)
FITTED_ROWS = np.array([3, 2**64 - 1], dtype=np.uint64)


@cache
def _model_files() -> dict[str, bytes]:
    """The two files that a model cannot do without; made once, for saving takes a second."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from mlops_basics.datasets.model import SklearnModelDataset

    pipeline = make_pipeline(SimpleImputer(), LogisticRegression())
    pipeline.fit(ROWS, ["no", "no", "no", "yes", "yes", "yes"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        dataset = SklearnModelDataset(filepath=str(folder), trusted_types=TRUSTED)
        dataset.save(FittedModel(pipeline=pipeline, example=ROWS.head(2)))
        return {name: (folder / name).read_bytes() for name in ("MLmodel", "model.skops")}


@dataclass(frozen=True)
class Workshop:
    """Makes challengers of one model in the MLflow store that is set."""

    name: str
    folder: Path
    production: str

    @property
    def store(self) -> ReleaseStore:
        """Where its releases go."""
        return ReleaseStore(self.production, self.name, TRUSTED)

    @property
    def registry(self) -> ModelRegistry:
        """The registry of this model."""
        return ModelRegistry(self.name)

    def run(self) -> str:
        """A run without a model."""
        from mlflow import MlflowClient

        client = MlflowClient()
        known = client.get_experiment_by_name(self.name)
        experiment = (
            known.experiment_id
            if known
            else client.create_experiment(self.name, artifact_location=str(self.folder / "runs"))
        )
        return str(client.create_run(experiment).info.run_id)

    def train(self) -> str:
        """A run with a model, logged as the project does."""
        run_id = self.run()
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in _model_files().items():
                (Path(scratch) / name).write_bytes(content)
            log_model(run_id, fsspec.filesystem("file"), scratch)
        return run_id

    def challenger(self, champion=None, challenge_id=None, run_id=None, **values) -> Registration:
        """A decided challenger: by default promoted, of a new run, with its own challenge.

        Args:
            champion: The version it was compared with.
            challenge_id: Its challenge.
            run_id: Its run; "" for one without MLflow.
            values: Of the decision.
        """
        run_id = self.train() if run_id is None else run_id
        decision = decision_of(champion or NO_CHAMPION, challenge_id or f"by-{run_id}", **values)
        record = ModelRecord(
            candidate="linear",
            run_id="2026-01-01T00.00.00.000Z",
            mlflow_run_id=run_id or None,
            data_versions={"raw_data": "2026-01-01T00.00.00.000Z"},
            git_commit="c0ffee",
            git_dirty=False,
        )
        batch = BatchRecord(name="old.csv", sha256="ab", rows=6)
        files = {
            "decision": decision,
            "model_record": record,
            "table_info": INFO,
            "collection_report": CollectionReport(
                batches=(batch,), rows_in_source=6, rows=6, columns=3
            ),
            "fitted_rows": pd.DataFrame({ROW_HASH_COLUMN: FITTED_ROWS}),
            "reference": ROWS,
        }
        hashes = {name: sha256(content) for name, content in _model_files().items()}
        return Registration(decision=decision, record=record, files=files, model_files=hashes)

    def register(self, registration: Registration) -> str:
        """Register a challenger, as a run does; returns its version."""
        return register(self.store, self.registry, registration)

    def save_model(self, registration: Registration, models: Path) -> None:
        """Save the challenger's model where a run saves it."""
        folder = models / registration.record.run_id / models.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in _model_files().items():
            (folder / name).write_bytes(content)

    def swap(self, version: str, how: str) -> None:
        """What whoever may write into the experiment can do to a version's run or model."""
        from mlflow import MlflowClient

        client, made = MlflowClient(), MlflowClient().get_model_version(self.name, version)
        with tempfile.TemporaryDirectory() as scratch:
            other = Path(scratch) / "model"
            other.mkdir()
            for name, content in _model_files().items():
                (other / name).write_bytes(content + b"\n")
            if how == "same":
                client.log_model_artifacts(made.source.removeprefix("models:/"), str(other))
            else:
                (Path(scratch) / how).write_text("{}", encoding="utf-8")
                client.log_artifact(made.run_id, str(Path(scratch) / how), RELEASE_FOLDER)

    def log_another(self, registration: Registration) -> None:
        """Log a second model for a challenger's run, as whoever may write there can."""
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in _model_files().items():
                (Path(scratch) / name).write_bytes(content + b"\n")
            log_model(registration.record.mlflow_run_id, fsspec.filesystem("file"), scratch)

    def promote(self, **values) -> str:
        """Make a new challenger the champion; returns its version.

        Args:
            values: Of the decision.
        """
        now = self.registry.champion()
        version = self.register(self.challenger(now, **values))
        self.move(version, now)
        return version

    def move(self, version: str, before: str | None) -> None:
        """Make a version the champion, as a promotion or a rollback does."""
        self.store.begin_move()
        self.registry.move_champion(version, before)


@pytest.fixture(scope="module")
def database(mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an MLflow store for a module's tests; each has its own model name."""
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(mlflow_store, folder / "mlflow.db")
    return folder


@pytest.fixture
def workshop(database: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Workshop:
    """Challengers of a model that no other test knows."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{database / 'mlflow.db'}")
    name = re.sub(r"\W", "_", request.node.name)
    return Workshop(name, database / name, str(tmp_path / "production"))


@pytest.fixture
def store(workshop: Workshop) -> ReleaseStore:
    """Where its releases go."""
    return workshop.store


def registered(workshop: Workshop, reason: str = "as the registry has it") -> RegisteredVersion:
    """What the registry holds."""
    return workshop.registry.state(reason, promoted=False)


def decision_of(champion: str, challenge_id: str, **values) -> Decision:
    """A decision for a challenger by default."""
    fields = {
        "challenge": make_challenge(champion, 4, challenge_id),
        "reasons": ("It is shown to be better (p = 0.001).", "accuracy: not shown to be worse."),
        "rows": 120,
        "gain": 0.25,
        "low": 0.125,
        "high": 0.375,
        "p_value": 0.001,
        "alpha": 0.0058,
    }
    return make_decision(champion, **fields | values)


def refused(**values):
    """The values of a decision that keeps the champion."""
    reasons = ("It is not shown to be better.", "Version 1 stays in production.")
    return {"promote": False, "outcome": "kept", "reasons": reasons} | values
