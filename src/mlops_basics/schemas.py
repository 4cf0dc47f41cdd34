"""Types of the parameter sections and of the small JSON artifacts that nodes exchange.

Parameter sections forbid unknown keys: a misspelt parameter is an error, never a silent default.
Kedro builds them from ``params:`` by the type hints of the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Columns that the project adds to a table; a source may not use these names.
BATCH_COLUMN = "__batch__"
ROW_HASH_COLUMN = "__row_hash__"
RESERVED_COLUMNS = (BATCH_COLUMN, ROW_HASH_COLUMN)

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
    importance_repeats: Annotated[int, Field(ge=1)] = 5
    seed: int = 0


#: Every key that ``parameters*.yml`` may hold, with its type (None: a plain value).
PARAMETER_SECTIONS: dict[str, type[Section] | None] = {
    "model_name": None,
    "num_instances": None,
    "collection": CollectionParams,
    "preprocessing": PreprocessingParams,
    "training": TrainingParams,
    "evaluation": EvaluationParams,
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
