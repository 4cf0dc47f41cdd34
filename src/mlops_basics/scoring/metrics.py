"""The metrics of one model on one set of rows, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mlops_basics.schemas import ClassCount, Constant, Estimate, Metrics, MetricSpec
from mlops_basics.schemas.metrics import kind_of_task, reported_metrics
from mlops_basics.scoring.scores import Scores, confusion_counts, row_losses
from mlops_basics.stats.intervals import grouped_metrics as by_group
from mlops_basics.stats.intervals import metrics as intervals
from mlops_basics.stats.intervals.result import Interval
from mlops_basics.stats.paired.groups import groups_of_the_rarest
from mlops_basics.table.row_groups import NO_GROUPS, Codes, RowGroups


def compute_metrics(
    scores: Scores,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
    groups: RowGroups = NO_GROUPS,
) -> Metrics:
    """The metrics that fit the task, each with its interval; the first one leads.

    Args:
        scores: At least two rows.
        confidence: Of the two-sided intervals.
        resamples: Draws of the bootstrap intervals.
        rng: Source of these draws.
        groups: The groups of the rows, which the intervals take as independent.
    """
    rows = _Rows(scores, groups.codes, confidence, resamples, rng)
    return Metrics(
        rows=len(scores.y),
        groups=groups.number,
        grouped_by=groups.name,
        grouping_note=groups.note,
        confidence=confidence,
        metrics={
            spec.name: Estimate(
                **vars(rows.interval(spec)), greater_is_better=spec.greater_is_better
            )
            for spec in reported_metrics(kind_of_task(scores.task))
        },
    )


def with_constant(
    metrics: Metrics, scores: Scores, constant: Scores, classes: Sequence[str]
) -> Metrics:
    """Put beside metrics what a constant prediction has, and which classes the model finds.

    Args:
        metrics: Of ``scores``.
        scores: The model's, of n rows.
        constant: The constant's, of the same rows: ``baseline_scores``.
        classes: Names of the classes, by code; empty for a regression.
    """
    prediction: str | float = ""
    counted: tuple[ClassCount, ...] = ()
    if not classes:
        prediction = float(constant.predicted[0])
    else:
        prediction = classes[int(constant.predicted[0])]
        counts = confusion_counts(scores)
        each = zip(classes, counts.sum(axis=1), counts.sum(axis=0), counts.diagonal(), strict=True)
        counted = tuple(
            ClassCount(name=name, rows=int(rows), predicted=int(predicted), found=int(found))
            for name, rows, predicted, found in each
        )
    values = {
        spec.name: _value(spec, constant) for spec in reported_metrics(kind_of_task(scores.task))
    }
    update = {"constant": Constant(prediction=prediction, metrics=values), "classes": counted}
    return metrics.model_copy(update=update)


def _value(spec: MetricSpec, constant: Scores) -> float | None:
    """The metric of a constant prediction, without an interval."""
    if spec.name == "roc_auc":  # all rows are ranked alike
        return 0.5 if len(np.unique(constant.y)) > 1 else None
    if spec.of_confusion is not None:
        return float(spec.of_confusion(confusion_counts(constant).astype(np.float64)))
    if spec.row_loss is not None:
        return float(row_losses(constant, spec.name).mean())
    square = float(((constant.y - constant.predicted) ** 2).mean())
    if spec.name == "rmse":
        return math.sqrt(square)
    variance = float(np.var(constant.y))
    return 1 - square / variance if variance else None


@dataclass(frozen=True)
class _Rows:
    """The rows that metrics are computed on; what several of them need is computed once."""

    scores: Scores
    groups: Codes | None
    confidence: float
    resamples: int
    rng: np.random.Generator

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        return confusion_counts(self.scores)

    @cached_property
    def groups_of_the_rarest(self) -> int:
        assert self.groups is not None  # noqa: S101 (asked for where there are groups)
        return groups_of_the_rarest(self.scores.y, self.groups)

    def interval(self, spec: MetricSpec) -> Interval:
        if spec.name in _OWN_INTERVALS:
            return _OWN_INTERVALS[spec.name](self)
        low, high = spec.limits
        if spec.of_confusion is None:
            losses = row_losses(self.scores, spec.name)
            return intervals.mean(losses, self.confidence, low, self.groups, at_most=high)
        if self.groups is None:
            return intervals.confusion_metric(
                self.counts, spec.of_confusion, self.confidence, self.resamples, self.rng
            )
        return by_group.confusion_metric_of_groups(
            spec.of_confusion,
            self.scores.y,
            self.scores.predicted,
            self.groups,
            self.scores.probabilities.shape[1],
            self.confidence,
            at_least=low,
            rarest=self.groups_of_the_rarest,
        )


def _accuracy(rows: _Rows) -> Interval:
    if rows.groups is None:
        correct = int(np.trace(rows.counts))
        return intervals.share(correct, len(rows.scores.y), rows.confidence)
    right = rows.scores.predicted == rows.scores.y
    return by_group.share_of_groups(right, rows.groups, rows.confidence)


def _roc_auc(rows: _Rows) -> Interval:
    y, probabilities = rows.scores.y, rows.scores.probabilities
    if rows.groups is None:
        return intervals.roc_auc(y, probabilities, rows.confidence)
    return by_group.auc_of_groups(
        y, probabilities, rows.groups, rows.confidence, rows.groups_of_the_rarest
    )


def _r_squared(rows: _Rows) -> Interval:
    errors = rows.scores.y - rows.scores.predicted
    return intervals.r_squared(rows.scores.y, errors, rows.confidence, rows.groups)


def _rmse(rows: _Rows) -> Interval:
    errors = rows.scores.y - rows.scores.predicted
    return intervals.root_mean_square(errors, rows.confidence, rows.groups)


#: Of metrics that are no mean of a loss, or for which there is a better interval.
_OWN_INTERVALS: dict[str, Callable[[_Rows], Interval]] = {
    "accuracy": _accuracy,
    "roc_auc": _roc_auc,
    "r2": _r_squared,
    "rmse": _rmse,
}
