"""From which probability on the second of two classes is predicted, chosen on validation rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import METRICS, TableInfo, ThresholdChoice, ThresholdCost
from mlops_basics.scoring.scores import class_probabilities

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

DIGITS = 4  # of a threshold: what is shown is what is used
Wish = ThresholdCost | str | None


def require_possible(wish: Wish, info: TableInfo) -> None:
    """Refuse a threshold that cannot be chosen, before anything is searched.

    Args:
        wish: ``decision.threshold``.
        info: The task.

    Raises:
        ConfigurationError: If there are not two classes, or the metric has none to judge.
    """
    if wish is None:
        return
    if info.task != "binary":
        raise ConfigurationError(
            f"decision.threshold is for two classes, and this is a {info.task} table. Set it to "
            "null."
        )
    known = [name for name, spec in METRICS.items() if spec.of_confusion is not None]
    if isinstance(wish, str) and wish not in known:
        raise ConfigurationError(
            f"decision.threshold is {wish!r}: it has to be null, one of {', '.join(known)}, or "
            "{cost: {false_negative: 10, false_positive: 1}}."
        )


def choose_threshold(
    model: Pipeline, valid: pd.DataFrame, info: TableInfo, wish: Wish
) -> ThresholdChoice | None:
    """Choose the threshold that is best on rows that the model was not fitted on.

    Every one that divides the rows in another way is tried, rounded to four digits, and 0.5; of
    equally good ones the nearest to 0.5 is taken.

    Args:
        model: Fitted on other rows; the second of its classes is the positive one.
        valid: Preprocessed rows with their target.
        info: The task.
        wish: What is to be best: the mean cost of a row, or a metric; None: no threshold.

    Returns:
        The threshold, and what it is worth beside 0.5.

    Raises:
        DataError: If the rows are of one class only.
    """
    if wish is None:
        return None
    positive = str(model.classes_[1])
    p = class_probabilities(model, valid[list(info.features)], info)[
        :, info.classes.index(positive)
    ]
    is_positive = valid[info.target].map(str).to_numpy() == positive
    if is_positive.all() or not is_positive.any():
        raise DataError(
            f"decision.threshold needs validation rows of both classes, and all {len(valid)} "
            "are of one. Collect more rows, or set it to null."
        )
    values = np.unique(p)
    between = np.round((values[1:] + values[:-1]) / 2, DIGITS)
    tried = np.unique([*between[(between > 0) & (between < 1)], 0.5])
    worth, greater_is_better = _worth(wish)
    results = np.array([worth(cells) for cells in _counts(p, is_positive, tried)])
    best = results.max() if greater_is_better else results.min()
    equal = tried[np.isclose(results, best, rtol=1e-12, atol=0)]
    value = float(equal[np.abs(equal - 0.5).argmin()])
    return ThresholdChoice(
        value=value,
        chosen_by=wish if isinstance(wish, str) else wish.words,
        positive=positive,
        rows=len(valid),
        result=float(best),
        at_half=float(results[np.searchsorted(tried, 0.5)]),
    )


def with_threshold(estimator: Any, value: float) -> Any:
    """A fitted classifier of two classes that predicts the second one from a probability on."""
    from sklearn.model_selection import FixedThresholdClassifier

    wrapped = FixedThresholdClassifier(estimator, threshold=value, response_method="predict_proba")
    wrapped.estimator_ = estimator  # it is fitted already: nothing is fitted twice
    return wrapped


def pipeline_with_threshold(model: Pipeline, value: float) -> Pipeline:
    """A fitted pipeline whose last step predicts the second class from a probability on."""
    from sklearn.pipeline import Pipeline

    *steps, (name, estimator) = model.steps
    return Pipeline([*steps, (name, with_threshold(estimator, value))])


def _counts(
    p: npt.NDArray[np.float64], is_positive: npt.NDArray[np.bool_], tried: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Confusion matrices, shape (thresholds, 2, 2): true classes down, predicted across."""
    below = [np.searchsorted(np.sort(p[rows]), tried) for rows in (~is_positive, is_positive)]
    sizes = [(~is_positive).sum(), is_positive.sum()]
    rows = [
        np.stack([count, size - count], axis=1) for count, size in zip(below, sizes, strict=True)
    ]
    return np.stack(rows, axis=1).astype(np.float64)


def _worth(wish: ThresholdCost | str) -> tuple[Callable[[npt.NDArray[np.float64]], float], bool]:
    """What a confusion matrix is worth, and whether more is better."""
    if isinstance(wish, str):
        of_confusion = METRICS[wish].of_confusion
        assert of_confusion is not None  # noqa: S101 (as required before)
        return lambda cells: float(of_confusion(cells)), METRICS[wish].greater_is_better
    cost = wish.cost
    weights = np.array([[0.0, cost.false_positive], [cost.false_negative, 0.0]])
    return lambda cells: float((cells * weights).sum() / cells.sum()), False
