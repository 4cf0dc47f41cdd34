"""Scores rows with a fitted model, and turns scores into losses and metrics with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import ThreadpoolController

from mlops_basics.schemas import METRICS, TableInfo, WatchedLoss

Floats = npt.NDArray[np.float64]

#: The loss that the search minimises and the overfit check compares, by task.
LOSS_NAMES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "squared_error"}
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

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """Scores of several parts, at least one, as those of one table."""
        return cls(
            task=parts[0].task,
            y=np.concatenate([part.y for part in parts]),
            predicted=np.concatenate([part.predicted for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
        )

    def of(self, rows: npt.NDArray[np.intp]) -> Scores:
        """Scores of some of the rows, by their positions."""
        return Scores(self.task, self.y[rows], self.predicted[rows], self.probabilities[rows])


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
    y = table[info.target].map(str).map(class_codes(info)).to_numpy(dtype=np.int64)
    return Scores(info.task, y, predicted_codes(model, probabilities, info), probabilities)


def predicted_codes(model: Any, probabilities: Floats, info: TableInfo) -> npt.NDArray[np.int64]:
    """The classes that a model predicts, as its own ``predict`` does; shape (rows,).

    Args:
        model: Fitted.
        probabilities: What it gives the classes, shape (rows, K): ``class_probabilities``.
        info: Its classes give the codes.
    """
    from sklearn.model_selection import FixedThresholdClassifier

    last = model.steps[-1][1] if hasattr(model, "steps") else model
    likeliest: npt.NDArray[np.int64] = probabilities.argmax(axis=1)
    if not isinstance(last, FixedThresholdClassifier):
        return likeliest
    codes = class_codes(info)
    no, yes = (codes[str(name)] for name in last.classes_)
    above: npt.NDArray[np.bool_] = probabilities[:, yes] >= last.threshold
    return np.where(above, yes, no).astype(np.int64)


def class_probabilities(model: Any, features: pd.DataFrame, info: TableInfo) -> Floats:
    """Shape (rows, K), in the order of ``info.classes``; 0 for classes without a train row."""
    with threads_for(features):
        of_known_classes = model.predict_proba(features)
    probabilities = np.zeros((len(features), len(info.classes)))
    codes = class_codes(info)
    probabilities[:, [codes[str(name)] for name in model.classes_]] = of_known_classes
    return probabilities


def class_codes(info: TableInfo) -> dict[str, int]:
    """The code of each class, by its name."""
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
    return row_losses(scores, LOSS_NAMES.get(scores.task, "log_loss"))


def row_losses(scores: Scores, metric: str, huber_delta: float = 1.0) -> Floats:
    """The loss of each row by a metric that is the mean of one, shape (rows,).

    Raises:
        ValueError: If the metric is none.
    """
    row_loss = METRICS[metric].row_loss
    if row_loss is None:
        raise ValueError(f"metric must be the mean of a loss of each row, got {metric!r}")
    forecast = scores.predicted if scores.task == "regression" else scores.probabilities
    return row_loss(scores.y, forecast, huber_delta)


def watched_losses(scores: Scores, clip: float | None) -> dict[WatchedLoss, Floats]:
    """Losses in [0, 1] that a model in production can be watched by, each of shape (rows,).

    Args:
        scores: Class code -1 stands for a class that the model does not know: never right.
        clip: The absolute error that counts as 1 (regression).
    """
    if scores.task == "regression":
        errors = np.abs(scores.y - scores.predicted)
        return {"absolute_error": np.minimum(errors / clip, 1.0) if clip else (errors > 0) * 1.0}
    p, is_known_class = scores.probabilities, scores.y >= 0
    of_truth = np.where(
        is_known_class, p[np.arange(len(p)), np.where(is_known_class, scores.y, 0)], 0.0
    )
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


def expected_losses(
    probabilities: Floats, predicted: npt.NDArray[Any], loss: WatchedLoss
) -> Floats | None:
    """The loss of each row if the model's own probabilities are right; None where it gives none.

    Args:
        probabilities: Shape (rows, K).
        predicted: The predicted codes, shape (rows,).
        loss: Which one.
    """
    if loss == "absolute_error" or not len(probabilities):
        return None
    if loss == "error":
        sure: Floats = probabilities[np.arange(len(predicted)), predicted]
        return 1 - sure
    return np.asarray((1 - (probabilities**2).sum(axis=1)) / 2)


def baseline_losses(train: pd.DataFrame, table: pd.DataFrame, info: TableInfo) -> Floats:
    """Loss on each row of ``table`` of the best constant prediction of the train rows."""
    return losses(baseline_scores(train, table, info))


def baseline_scores(train: pd.DataFrame, table: pd.DataFrame, info: TableInfo) -> Scores:
    """Scores of the constant prediction: the train rows' class shares, or their mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    dummy = DummyRegressor() if info.task == "regression" else DummyClassifier(strategy="prior")
    dummy.fit(np.zeros((len(train), 1)), train[info.target].to_numpy())
    return score_rows(dummy, pd.DataFrame(np.zeros((len(table), 1))), table, info)


def confusion_counts(scores: Scores) -> npt.NDArray[np.int64]:
    """Shape (K, K): rows are the true classes, columns the predicted ones."""
    classes = scores.probabilities.shape[1]
    cells = np.bincount(scores.y * classes + scores.predicted, minlength=classes**2)
    return cells.reshape(classes, classes)
