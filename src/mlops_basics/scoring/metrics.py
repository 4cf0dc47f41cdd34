"""The metrics of one model on one set of rows, each with its interval."""

from __future__ import annotations

import numpy as np

from mlops_basics.schemas import Estimate, Metrics
from mlops_basics.scoring.scores import Scores, confusion_counts, losses
from mlops_basics.stats.intervals import grouped_metrics as by_group
from mlops_basics.stats.intervals import metrics as intervals
from mlops_basics.stats.paired.confusion_metrics import Metric, balanced_accuracy, macro_f1, mcc
from mlops_basics.stats.paired.groups import groups_of_the_rarest
from mlops_basics.stats.paired.losses import brier_rows
from mlops_basics.table.row_groups import NO_GROUPS, Codes, RowGroups

OF_CONFUSION: dict[str, Metric] = {
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
}


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
    if scores.task == "regression":
        found = _regression_metrics(scores, confidence, groups.codes)
    elif groups.codes is None:
        found = _classification_metrics(scores, confidence, resamples, rng)
    else:
        found = _grouped_metrics(scores, confidence, groups.codes)
    return Metrics(
        rows=len(scores.y),
        groups=groups.number,
        grouped_by=groups.name,
        grouping_note=groups.note,
        confidence=confidence,
        metrics=found,
    )


def _estimate(interval: intervals.Interval, greater_is_better: bool) -> Estimate:
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        greater_is_better=greater_is_better,
        note=interval.note,
    )


def _classification_metrics(
    scores: Scores, confidence: float, resamples: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    counts = confusion_counts(scores)
    correct, rows = int(np.trace(counts)), len(scores.y)
    found = {"accuracy": _estimate(intervals.share(correct, rows, confidence), True)}
    for name, metric in OF_CONFUSION.items():
        interval = intervals.confusion_metric(counts, metric, confidence, resamples, rng)
        found[name] = _estimate(interval, True)
    auc = intervals.roc_auc(scores.y, scores.probabilities, confidence)
    found["roc_auc"] = _estimate(auc, True)
    return found | _proper_scores(scores, confidence, None)


def _grouped_metrics(scores: Scores, confidence: float, groups: Codes) -> dict[str, Estimate]:
    right, rarest = scores.predicted == scores.y, groups_of_the_rarest(scores.y, groups)
    found = {"accuracy": _estimate(by_group.share_of_groups(right, groups, confidence), True)}
    for name, metric in OF_CONFUSION.items():
        interval = by_group.confusion_metric_of_groups(
            metric,
            scores.y,
            scores.predicted,
            groups,
            scores.probabilities.shape[1],
            confidence,
            at_least=-1.0 if metric is mcc else 0.0,
            rarest=rarest,
        )
        found[name] = _estimate(interval, True)
    auc = by_group.auc_of_groups(scores.y, scores.probabilities, groups, confidence, rarest)
    found["roc_auc"] = _estimate(auc, True)
    return found | _proper_scores(scores, confidence, groups)


def _proper_scores(scores: Scores, confidence: float, groups: Codes | None) -> dict[str, Estimate]:
    log_loss = intervals.mean(losses(scores), confidence, 0, groups)
    brier = brier_rows(scores.y, scores.probabilities)
    return {
        "log_loss": _estimate(log_loss, False),
        "brier": _estimate(intervals.mean(brier, confidence, 0, groups, at_most=2), False),
    }


def _regression_metrics(
    scores: Scores, confidence: float, groups: Codes | None
) -> dict[str, Estimate]:
    errors = scores.y - scores.predicted
    return {
        "r2": _estimate(intervals.r_squared(scores.y, errors, confidence, groups), True),
        "rmse": _estimate(intervals.root_mean_square(errors, confidence, groups), False),
        "mae": _estimate(intervals.mean(np.abs(errors), confidence, 0, groups), False),
    }
