"""A model, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from .base import Artifact

ESTIMATOR_STEP = "estimator"


class Model(Protocol):
    """A fitted scikit-learn pipeline, as nodes see it (importing scikit-learn costs seconds)."""

    def predict(self, features: pd.DataFrame) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class FittedModel:
    """A fitted scikit-learn pipeline and a few rows of features that show its input."""

    pipeline: Model
    example: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An ``Interval`` of the statistics, and which way the metric is better.

    Not a subclass: runs are compared by their bytes, and those hold the fields in this order.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    greater_is_better: bool
    note: str = ""


class Metrics(Artifact):
    """Metrics of one model on one set of rows.

    ``groups`` counts the groups of rows that may err together (``grouped_by`` says what they are),
    None where each row stands for itself; ``grouping_note`` says what does not suit them.
    """

    rows: int
    groups: int | None = None
    grouped_by: str = ""
    grouping_note: str = ""
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
    """Validation loss minus training loss, as a share of the loss of a constant prediction.

    Without limits where the rows of one set are all of one group.
    """

    gap: float
    low: float | None
    high: float | None
    confidence: float
    tolerance: float
    train_loss: float
    valid_loss: float
    baseline_loss: float
    overfitted: bool
    reason: str
