"""Scores rows with a fitted model, and turns scores into losses and metrics with intervals."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import ThreadpoolController

from mlops_basics.row_groups import NO_GROUPS, Codes, RowGroups
from mlops_basics.schemas import Estimate, Metrics, TableInfo, WatchedLoss
from mlops_basics.stats import grouped_metrics as by_group
from mlops_basics.stats import metrics as intervals
from mlops_basics.stats.confusion_metrics import Metric, balanced_accuracy, macro_f1, mcc
from mlops_basics.stats.groups import groups_of_the_rarest
from mlops_basics.stats.losses import brier_rows, log_loss_rows, squared_rows

Floats = npt.NDArray[np.float64]

#: The loss that the search minimises and the overfit check compares, by task.
LOSS_NAMES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "squared_error"}
OF_CONFUSION: dict[str, Metric] = {
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
}
THREADS_FROM_ROWS = 20_000


@dataclass(frozen=True)
class Scores:
    """Targets and predictions of the same rows.

    Attributes:
        task: The task they pose.
        y: Class codes 0..K-1 (int64), or the target's values (float64); shape (rows,).
        predicted: The predicted codes or values; shape (rows,).
        probabilities: Shape (rows, K); (rows, 0) for regression.
    """

    task: str
    y: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probabilities: Floats


def score_rows(model: Any, features: pd.DataFrame, table: pd.DataFrame, info: TableInfo) -> Scores:
    """Predict ``features`` and pair the predictions with the targets in ``table``.

    Args:
        model: A fitted scikit-learn estimator or pipeline.
        features: What the model takes, shape (rows, columns).
        table: The same rows, with the target column.
        info: The task; its classes give the codes, also those the model has never seen.
    """
    if info.task == "regression":
        y = table[info.target].to_numpy(dtype=np.float64)
        with threads_for(features):
            predicted = np.asarray(model.predict(features), dtype=np.float64)
        return Scores(info.task, y, predicted, np.empty((len(y), 0)))
    probabilities = class_probabilities(model, features, info)
    y = table[info.target].map(str).map(_class_codes(info)).to_numpy(dtype=np.int64)
    return Scores(info.task, y, probabilities.argmax(axis=1), probabilities)


def class_probabilities(model: Any, features: pd.DataFrame, info: TableInfo) -> Floats:
    """Shape (rows, K), in the order of ``info.classes``; 0 for classes without a train row."""
    with threads_for(features):
        known = model.predict_proba(features)
    probabilities = np.zeros((len(features), len(info.classes)))
    codes = _class_codes(info)
    probabilities[:, [codes[str(name)] for name in model.classes_]] = known
    return probabilities


def _class_codes(info: TableInfo) -> dict[str, int]:
    return {name: code for code, name in enumerate(info.classes)}


def threads_for(table: pd.DataFrame) -> Any:
    """A context in which a small table is worked on by one thread: more would only wait."""
    if len(table) >= THREADS_FROM_ROWS:
        return nullcontext()
    return _thread_pools().limit(limits=1)


@cache
def _thread_pools() -> ThreadpoolController:
    """The pools of the libraries loaded at the first use; looking for them takes a while."""
    return ThreadpoolController()


def losses(scores: Scores) -> Floats:
    """The loss of ``LOSS_NAMES`` for each row, shape (rows,)."""
    if scores.task == "regression":
        return squared_rows(scores.y, scores.predicted)
    return log_loss_rows(scores.y, scores.probabilities)


def watched_losses(scores: Scores, clip: float | None) -> dict[WatchedLoss, Floats]:
    """Losses in [0, 1] that a model in production can be watched by, each of shape (rows,).

    Args:
        scores: Class code -1 stands for a class that the model does not know: never right.
        clip: The absolute error that counts as 1 (regression).
    """
    if scores.task == "regression":
        errors = np.abs(scores.y - scores.predicted)
        return {"absolute_error": np.minimum(errors / clip, 1.0) if clip else (errors > 0) * 1.0}
    p, known = scores.probabilities, scores.y >= 0
    of_truth = np.where(known, p[np.arange(len(p)), np.where(known, scores.y, 0)], 0.0)
    brier = (1 - 2 * of_truth + (p**2).sum(axis=1)) / 2  # halved: Brier's score is at most 2
    return {
        "error": (scores.y != scores.predicted).astype(np.float64),
        "brier": np.clip(brier, 0.0, 1.0),
    }


def error_clip(scores: Scores, quantile: float = 0.99) -> float | None:
    """The absolute error that counts as a loss of 1: that which few rows exceed (regression)."""
    if scores.task != "regression":
        return None
    return float(np.quantile(np.abs(scores.y - scores.predicted), quantile))


def expected_loss(probabilities: Floats, loss: WatchedLoss) -> float | None:
    """The mean loss if the model's own probabilities are right; None where it gives none."""
    if loss == "absolute_error" or not len(probabilities):
        return None
    if loss == "error":
        return float((1 - probabilities.max(axis=1)).mean())
    return float((1 - (probabilities**2).sum(axis=1)).mean() / 2)


def baseline_losses(train: pd.DataFrame, table: pd.DataFrame, info: TableInfo) -> Floats:
    """Loss on each row of ``table`` of the best constant prediction of the train rows."""
    return losses(baseline_scores(train, table, info))


def baseline_scores(train: pd.DataFrame, table: pd.DataFrame, info: TableInfo) -> Scores:
    """Scores of the constant prediction: the train rows' class shares, or their mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    dummy = DummyRegressor() if info.task == "regression" else DummyClassifier(strategy="prior")
    dummy.fit(np.zeros((len(train), 1)), train[info.target].to_numpy())
    return score_rows(dummy, pd.DataFrame(np.zeros((len(table), 1))), table, info)


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


def confusion_counts(scores: Scores) -> npt.NDArray[np.int64]:
    """Shape (K, K): rows are the true classes, columns the predicted ones."""
    classes = scores.probabilities.shape[1]
    cells = np.bincount(scores.y * classes + scores.predicted, minlength=classes**2)
    return cells.reshape(classes, classes)


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
