"""Types of the parameter sections and of the small JSON artifacts that nodes exchange.

Parameter sections forbid unknown keys: a misspelt parameter is an error, never a silent default.
Kedro builds them from ``params:`` by the type hints of the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Columns that the project adds to a table; a source may not use these names.
BATCH_COLUMN = "__batch__"
ROW_HASH_COLUMN = "__row_hash__"
RESERVED_COLUMNS = (BATCH_COLUMN, ROW_HASH_COLUMN)

Hashes = npt.NDArray[np.uint64]
Task = Literal["binary", "multiclass", "regression"]
ESTIMATOR_STEP = "estimator"


class Section(BaseModel):
    """A section of the parameters: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class CollectionParams(Section):
    """How much of the source is collected."""

    num_instances: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0


class SplitParams(Section):
    """How rows are divided into train, valid and test."""

    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    salt: str = "mlops-basics"
    time_column: str | None = None
    period: Literal["D", "W", "M", "Q", "Y"] = "M"
    min_rows: Annotated[int, Field(ge=2)] = 10

    @model_validator(mode="after")
    def _leaves_rows_to_train(self) -> SplitParams:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError(
                "valid_fraction + test_fraction must be below 1, "
                f"got {self.valid_fraction + self.test_fraction!r}"
            )
        return self


class PreprocessingParams(Section):
    """What the table means: target, task, and the columns a model may see."""

    target: str
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive_above: float | None = None
    exclude: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()
    rare_class_rows: Annotated[int, Field(ge=1)] = 10
    split: SplitParams = SplitParams()


class SearchRange(Section):
    """The values of one hyper-parameter that the search may try."""

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> SearchRange:
        if self.type == "categorical":
            if not self.choices:
                raise ValueError("a categorical range must name its choices, got none")
        elif self.low is None or self.high is None or not self.low <= self.high:
            raise ValueError(
                f"a {self.type} range must have low <= high, got {self.low!r}..{self.high!r}"
            )
        elif self.log and self.low <= 0:
            raise ValueError(f"a range with log: true must have low > 0, got {self.low!r}")
        return self


class Candidate(Section):
    """An estimator the search may choose, with its search space."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=()
    )

    class_path: str = Field(alias="class")
    dense: bool  # True: impute, scale, one-hot; False: missing values and categories as they are
    fixed: dict[str, Any] = {}
    space: dict[str, SearchRange] = {}


class TrainingParams(Section):
    """The search and the check against overfitting."""

    n_trials: Annotated[int, Field(ge=1)] = 20
    seed: int = 0
    gap_tolerance: Annotated[float, Field(gt=0)] = 0.25
    gap_confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    gap_rows: Annotated[int, Field(ge=100)] = 20_000
    vectorizer: dict[str, Any] = {}
    candidates: dict[Task, dict[str, Candidate]]


class EvaluationParams(Section):
    """How sure the reported metrics have to be, and what the explanations may cost."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=100)] = 2_000
    importance_rows: Annotated[int, Field(ge=10)] = 1_000
    reference_rows: Annotated[int, Field(ge=100)] = 50_000
    importance_repeats: Annotated[int, Field(ge=1)] = 5
    seed: int = 0


TestedMetric = Literal[
    "auto",
    "log_loss",
    "brier",
    "huber",
    "squared_error",
    "absolute_error",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "mcc",
    "roc_auc",
]


class DecisionParams(Section):
    """When a challenger deserves to become the champion."""

    metric: TestedMetric = "auto"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    rule: Literal["superiority", "non_inferiority"] = "superiority"
    min_gain: Annotated[float, Field(ge=0)] = 0.0
    margin: Annotated[float, Field(gt=0)] = 0.01
    min_rows: Annotated[int, Field(ge=20)] = 20
    min_fresh_rows: Annotated[int, Field(ge=20)] = 200
    guards: tuple[TestedMetric, ...] = ()
    guard_alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    quality_floor: dict[str, float] = {}
    seed: int = 0


#: Every key that ``parameters*.yml`` may hold, with its type (None: a plain value).
PARAMETER_SECTIONS: dict[str, type[Section] | None] = {
    "model_name": None,
    "num_instances": None,
    "reproduces": None,
    "collection": CollectionParams,
    "preprocessing": PreprocessingParams,
    "training": TrainingParams,
    "evaluation": EvaluationParams,
    "decision": DecisionParams,
}


class Artifact(BaseModel):
    """A small JSON artifact: what a node found, in a form that people and programs read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Batch:
    """One file of the source as read: its name, the SHA-256 of its bytes, its table."""

    name: str
    sha256: str
    table: pd.DataFrame


class Model(Protocol):
    """A fitted scikit-learn pipeline, as nodes see it (importing scikit-learn costs seconds)."""

    def predict(self, features: pd.DataFrame) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class FittedModel:
    """A fitted scikit-learn pipeline and a few rows of features that show its input."""

    pipeline: Model
    example: pd.DataFrame


class BatchRecord(Artifact):
    """One file of the source."""

    name: str
    sha256: str
    rows: int


class CollectionReport(Artifact):
    """What was collected from where."""

    batches: tuple[BatchRecord, ...]
    rows_in_source: int
    rows: int
    columns: int
    warnings: tuple[str, ...] = ()


class TableInfo(Artifact):
    """What the table is: task, target, classes (sorted, as text) and feature columns."""

    task: Task
    target: str
    classes: tuple[str, ...] = ()
    features: tuple[str, ...]
    numeric: tuple[str, ...]
    key_columns: tuple[str, ...]
    positive_above: float | None = None
    rows: int
    duplicate_rows: int
    missing_target_rows: int
    dropped_columns: dict[str, str]
    warnings: tuple[str, ...] = ()


class SplitReport(Artifact):
    """How the rows were divided; ``boundaries`` are ISO times of a split by time."""

    method: Literal["hash", "time"]
    rows: dict[str, int]
    boundaries: dict[str, str] = {}
    class_shares: dict[str, dict[str, float]] = {}
    warnings: tuple[str, ...] = ()


class Estimate(Artifact):
    """A metric with its two-sided confidence interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    greater_is_better: bool
    note: str = ""


class Metrics(Artifact):
    """Metrics of one model on one set of rows."""

    rows: int
    confidence: float
    metrics: dict[str, Estimate]


class SearchReport(Artifact):
    """What the search tried, and why it ended."""

    best_candidate: str
    best_params: dict[str, Any]
    best_valid_loss: float
    loss: str
    trials_requested: int
    trials_run: int
    stopped_early: str = ""


class OverfitCheck(Artifact):
    """Validation loss minus training loss, as a share of the loss of a constant prediction."""

    gap: float
    low: float
    high: float
    confidence: float
    tolerance: float
    train_loss: float
    valid_loss: float
    baseline_loss: float
    overfitted: bool
    reason: str


class DataVersion(Artifact):
    """One data set of a run: which version, where, and the SHA-256 of its content."""

    version: str
    path: str
    sha256: str
    rows: int | None = None
    access: Literal["read", "written", "kept"]


class Code(Artifact):
    """What the run was made with."""

    git_commit: str | None
    git_dirty: bool | None
    lock_sha256: str | None
    python: str
    libraries: dict[str, str]


class Manifest(Artifact):
    """A run: the one set of versions that belong together, and how they came about."""

    run_id: str
    mlflow_run_id: str | None
    env: str
    model_name: str
    pipelines: tuple[str, ...]
    code: Code
    parameters: dict[str, Any]
    datasets: dict[str, DataVersion]


class RunContext(Artifact):
    """What a run knows of itself while it runs."""

    run_id: str
    mlflow_run_id: str | None
    env: str
    model_name: str
    code: Code
    data_versions: dict[str, str]


class ModelRecord(Artifact):
    """Which run fitted a model, and from which data versions and code."""

    candidate: str
    run_id: str
    mlflow_run_id: str | None
    data_versions: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None


NO_CHAMPION = "none"


@dataclass(frozen=True)
class Champion:
    """The model in production, and what is known of its training.

    ``model`` is None where there is no champion yet (``version`` is ``NO_CHAMPION``), or where it
    cannot be used; then ``unusable`` says why.
    """

    version: str
    model: Model | None = None
    table: TableInfo | None = None
    fitted_rows: Hashes | None = None
    batches: tuple[str, ...] = ()
    unusable: str = ""


class ChallengeRequest(Artifact):
    """A comparison that is about to be made: on which rows, and whether it can be."""

    champion_version: str
    status: Literal["comparable", "identical", "overfitted", "too_few_rows", "champion_unusable"]
    rows: int
    rows_hash: str
    predictions_hash: str
    which_rows: str
    classes: tuple[str, ...]
    huber_delta: float | None = None
    reason: str = ""


class Challenge(Artifact):
    """A challenge as it was written down: the ``number``-th of the champion's life (0: none)."""

    champion_version: str
    number: int
    challenge_id: str
    repeated: bool
    mlflow_run_id: str | None


class GuardResult(Artifact):
    """Whether a metric was shown to be worse."""

    metric: str
    effect: float | None
    low: float | None
    high: float | None
    p_worse: float
    shown_worse: bool
    reason: str


class Decision(Artifact):
    """Whether the challenger becomes the champion, and everything that speaks for or against."""

    promote: bool
    outcome: Literal[
        "first_release",
        "promoted",
        "kept",
        "identical",
        "overfitted",
        "guard_veto",
        "below_floor",
        "not_better_than_baseline",
        "too_few_rows",
        "champion_unusable",
    ]
    reasons: tuple[str, ...]
    champion_version: str
    challenge: Challenge
    metric: str
    unit: str
    rows: int
    which_rows: str
    champion_value: float | None = None
    challenger_value: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    alpha: float | None = None
    total_alpha: float
    rule: str
    min_gain: float
    smallest_gain: float | None = None
    level_note: str = ""
    guards: tuple[GuardResult, ...] = ()


@dataclass(frozen=True)
class Registration:
    """A decided challenger, with the files that its release needs beside the model.

    ``files`` maps names to an ``Artifact`` (saved as JSON) or a table (saved as Parquet).
    """

    decision: Decision
    record: ModelRecord
    files: dict[str, Any]


class RegisteredVersion(Artifact):
    """What the registry holds after a decision; ``version`` is its champion, if any."""

    model_name: str
    version: str | None
    previous: str | None
    promoted: bool
    reason: str


class FileRecord(Artifact):
    """One file of a release."""

    sha256: str
    size: int


class ReleaseManifest(Artifact):
    """What a release holds, and where it came from. ``files`` are relative paths."""

    model_name: str
    version: str
    run_id: str
    mlflow_run_id: str | None
    data_versions: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    decision: Decision
    files: dict[str, FileRecord]


class Pointer(Artifact):
    """Which release is in production; the only file that ever changes."""

    version: str
    manifest_sha256: str
    at: str


class LedgerEntry(Artifact):
    """One line of the production's history."""

    at: str
    action: Literal["release", "rollback", "refused"]
    version: str
    replaced: str | None
    by: str
    reason: str
    run_id: str | None = None
    mlflow_run_id: str | None = None
    data_versions: dict[str, str] = {}
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None


class ReleaseState(Artifact):
    """What production holds after publishing."""

    version: str | None
    changed: bool
    reason: str
    path: str


@dataclass(frozen=True)
class Release:
    """A release that was verified, as scorers use it."""

    manifest: ReleaseManifest
    model: Model
    table: TableInfo
