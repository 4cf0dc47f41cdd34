"""The losses by which policies are compared: bounded by construction."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import Model, Part, Parts, TableInfo
from mlops_basics.scoring.scores import (
    Scores,
    class_codes,
    class_probabilities,
    predicted_codes,
    threads_for,
)
from mlops_basics.table.engine import map_parts

Floats = npt.NDArray[np.float64]

#: A share of every forecast that is spread evenly over the classes: it bounds the log loss.
SMOOTHING = 0.02
#: The absolute error that counts as 1 in the next batch is what this share of the rows stay below.
LIMIT_QUANTILE = 0.95
LOSS_NAMES = {
    "binary": "log loss",
    "multiclass": "log loss",
    "regression": "mean absolute error",
}


def score_target(
    model: Model, features: pd.DataFrame, target: npt.NDArray[np.generic], table: TableInfo
) -> Scores:
    """A model's predictions of rows whose target is known.

    Args:
        model: Fitted.
        features: Shape (rows, features).
        target: Values, or names of classes; one that the table does not know gets the code -1.
        table: The task, and the codes of the classes.
    """
    if table.task == "regression":
        with threads_for(features):
            predicted = np.asarray(model.predict(features), dtype=np.float64)
        return Scores(table.task, target.astype(np.float64), predicted, np.empty((len(target), 0)))
    y = _codes_of(target, table)
    p = class_probabilities(model, features, table)
    return Scores(table.task, y, predicted_codes(model, p, table), p)


def _codes_of(target: npt.NDArray[np.generic], table: TableInfo) -> npt.NDArray[np.int64]:
    codes = class_codes(table)
    of_row, names = pd.factorize(target)
    return np.array([*(codes.get(str(name), -1) for name in names), -1], dtype=np.int64)[of_row]


def losses_in_parts(
    model: Model, features: Parts, target: npt.NDArray[np.generic], table: TableInfo
) -> Floats:
    """``policy_losses`` of a model on a table that memory need not hold, shape (rows,).

    Args:
        model: As for ``score_target``.
        features: As there, in parts.
        target: As there, of all rows.
        table: As there.
    """
    of_each = [target[rows] for rows in features.slices]
    parts = list(zip(features.parts, of_each, strict=True))
    return np.concatenate(list(map_parts(partial(_losses_of_part, model, table), parts)))


def _losses_of_part(
    model: Model, table: TableInfo, part: tuple[Part, npt.NDArray[np.generic]]
) -> Floats:
    rows, target = part
    return policy_losses(score_target(model, rows.read(None), target, table))


def policy_losses(scores: Scores) -> Floats:
    """The loss of each row in its unit: smoothed log loss in nats, or absolute error.

    The log loss is that of (1 - e) p + e / K, with e = 0.02 and K classes: finite for any forecast,
    and at most ln(K / e) for a class that the model does not know.
    """
    losses: Floats
    if scores.task == "regression":
        losses = np.abs(scores.y - scores.predicted)
        return losses
    classes = scores.probabilities.shape[1]
    is_known = scores.y >= 0
    of_truth = scores.probabilities[np.arange(len(scores.y)), np.where(is_known, scores.y, 0)]
    smoothed = (1 - SMOOTHING) * np.where(is_known, of_truth, 0.0) + SMOOTHING / classes
    losses = -np.log(smoothed)
    return losses


def in_unit_interval(losses: Floats, table: TableInfo, limit: float | None) -> Floats:
    """Losses of ``policy_losses`` in [0, 1], without a look at the rows' own spread.

    Args:
        losses: Shape (rows,).
        table: The task, and the classes.
        limit: The absolute error that counts as 1, fixed before the batch came (regression).
    """
    if table.task == "regression":
        if not limit:  # no error was ever seen: any error counts fully
            return (losses > 0).astype(np.float64)
        shares: Floats = np.minimum(losses / limit, 1.0)
        return shares
    classes = len(table.classes)
    least, most = -np.log(1 - SMOOTHING + SMOOTHING / classes), -np.log(SMOOTHING / classes)
    scaled: Floats = np.clip((losses - least) / (most - least), 0.0, 1.0)
    return scaled


def next_limit(losses: Floats, limit: float | None) -> float:
    """The absolute error that counts as 1 in the batch after this one.

    It follows the errors down at most by half a batch: one calm batch must not make large errors of
    the next look alike.

    Args:
        losses: Absolute errors of the current policy, shape (rows,), at least one.
        limit: What it was for these.
    """
    seen = float(np.quantile(losses, LIMIT_QUANTILE))
    return max(seen, (limit or 0.0) / 2)


def constant_losses(
    learned: npt.NDArray[np.generic], target: npt.NDArray[np.generic], table: TableInfo
) -> Floats:
    """``policy_losses`` of a constant prediction: the median, or the class shares, of some rows.

    Args:
        learned: Target of the rows that it is of.
        target: Of the rows that it predicts, shape (rows,).
        table: As for ``score_target``.
    """
    if table.task == "regression":
        errors: Floats = np.abs(
            target.astype(np.float64) - float(np.median(learned.astype(np.float64)))
        )
        return errors
    counts = np.bincount(_codes_of(learned, table) + 1, minlength=len(table.classes) + 1)[1:]
    shares = counts / max(counts.sum(), 1)
    every = np.arange(-1, len(table.classes))  # also a class that the table does not know
    p = np.tile(shares, (len(every), 1))
    return policy_losses(Scores(table.task, every, p.argmax(axis=1), p))[
        _codes_of(target, table) + 1
    ]
