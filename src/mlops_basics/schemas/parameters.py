"""The sections of the parameters. Kedro builds them by the type hints of the nodes.

What users edit is ``conf/base/parameters_*.yml``: every key stands there, with its unit and its
default. None has another default here; the thresholds of drift are the statistics' own type, whose
defaults a test compares with the YAML.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from mlops_basics.stats.data_drift.result import DriftThresholds

from .base import Section
from .metrics import TestedMetric
from .model import Refit
from .monitoring import EvidenceKind
from .table import GROUP_PREFIX, Task


class CollectionParams(Section):
    """How much of the source is collected."""

    num_instances: Annotated[int, Field(ge=1)] | None
    seed: int
    target: str | None
    exclude: tuple[str, ...]
    key_columns: tuple[str, ...]
    skip: tuple[str, ...]


class SplitParams(Section):
    """How rows are divided into train, valid and test."""

    valid_fraction: Annotated[float, Field(gt=0, lt=1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    salt: str
    time_column: str | None
    period: Literal["D", "W", "M", "Q", "Y"]
    min_rows: Annotated[int, Field(ge=2)]

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
    task: Literal["auto", "binary", "multiclass", "regression"]
    positive_above: float | None
    exclude: tuple[str, ...]
    text_columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    group_by: Annotated[str, Field(min_length=1)]
    rare_class_rows: Annotated[int, Field(ge=1)]
    split: SplitParams

    @property
    def group_columns(self) -> tuple[str, ...]:
        """The column that ``group_by`` names, if it names one."""
        return () if self.group_by in ("auto", "none") else (self.group_by,)

    @property
    def group_column(self) -> str | None:
        """The column that preprocessing adds for it."""
        return f"{GROUP_PREFIX}{self.group_by}" if self.group_columns else None


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


def _without_null(candidates: Any) -> Any:
    """Leave out candidates that are null: how an environment removes one of conf/base."""
    if not isinstance(candidates, dict):
        return candidates
    return {
        task: {name: one for name, one in named.items() if one is not None}
        if isinstance(named, dict)
        else named
        for task, named in candidates.items()
    }


#: Estimators that the search may choose, by task and name.
Candidates = Annotated[dict[Task, dict[str, Candidate]], BeforeValidator(_without_null)]


class TrainingParams(Section):
    """The search, the check against overfitting, and the rows of the fit that is released."""

    n_trials: Annotated[int, Field(ge=1)]
    seed: int
    gap_tolerance: Annotated[float, Field(gt=0)]
    gap_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    gap_rows: Annotated[int, Field(ge=100)]
    max_rows: Annotated[int, Field(ge=1_000)] | None
    refit: Refit
    features: tuple[str, ...]
    vectorizer: dict[str, Any]
    candidates: Candidates


class EvaluationParams(Section):
    """How sure the reported metrics have to be, and what the explanations may cost."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    importance_rows: Annotated[int, Field(ge=10)]
    reference_rows: Annotated[int, Field(ge=100)]
    importance_repeats: Annotated[int, Field(ge=1)]
    metrics: tuple[str, ...]
    seed: int


class ErrorCosts(Section):
    """What a wrong prediction costs, in any unit; a right one costs nothing."""

    false_negative: Annotated[float, Field(gt=0)]
    false_positive: Annotated[float, Field(gt=0)]


class ThresholdCost(Section):
    """A threshold by which the mean cost of a row is lowest."""

    cost: ErrorCosts

    @property
    def words(self) -> str:
        """The costs, as a recipe holds them."""
        return (
            f"cost (false_negative {self.cost.false_negative:g}, "
            f"false_positive {self.cost.false_positive:g})"
        )


class DecisionParams(Section):
    """When a challenger deserves to become the champion."""

    metric: TestedMetric
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    rule: Literal["superiority", "non_inferiority"]
    min_gain: Annotated[float, Field(ge=0)]
    margin: Annotated[float, Field(gt=0)]
    min_rows: Annotated[int, Field(ge=20)]
    min_fresh_rows: Annotated[int, Field(ge=20)]
    # YAML reads a plain ``off`` as false.
    folds: Annotated[
        Literal["auto", 0] | Annotated[int, Field(ge=2, le=20)],
        BeforeValidator(lambda value: 0 if value in (False, "off") else value),
    ]
    guards: tuple[TestedMetric, ...]
    guard_alpha: Annotated[float, Field(gt=0, lt=0.5)]
    quality_floor: dict[str, float]
    threshold: ThresholdCost | str | None
    seed: int


class MonitoringParams(Section):
    """What a release is watched for, and when its drift leads to a retraining."""

    data_alpha: Annotated[float, Field(gt=0, lt=0.5)]
    thresholds: DriftThresholds
    ignore_columns: tuple[str, ...]
    classifier_rows: Annotated[int, Field(ge=0)]
    loss: Literal["auto", "error", "brier", "absolute_error"]
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    concept_alpha: Annotated[float, Field(gt=0, lt=0.5)]
    min_coverage: Annotated[float, Field(gt=0, le=1)]
    patience: Annotated[int, Field(ge=1)]
    strict: bool
    retrain_on: tuple[EvidenceKind, ...]
    # YAML reads a plain ``off`` as false.
    adapt: Annotated[
        Literal["policy", "release", "off"],
        BeforeValidator(lambda value: "off" if value is False else value),
    ]
    policy_alpha: Annotated[float, Field(gt=0, lt=0.5)]
    min_rows: Annotated[int, Field(ge=1)]
    cool_down: Annotated[int, Field(ge=1)]
    seed: int


#: Every key that ``parameters*.yml`` may hold, with its type (None: a plain value).
PARAMETER_SECTIONS: dict[str, type[Section] | None] = {
    "model_name": None,
    "num_instances": None,
    "reproduces": None,
    "source": None,
    "labels": None,
    "collection": CollectionParams,
    "preprocessing": PreprocessingParams,
    "training": TrainingParams,
    "evaluation": EvaluationParams,
    "decision": DecisionParams,
    "monitoring": MonitoringParams,
    "plan": None,
}
