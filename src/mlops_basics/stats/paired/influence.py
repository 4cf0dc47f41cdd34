"""What each row does to a metric that is no mean over the rows: its influence on the gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.stats import _check
from mlops_basics.stats.paired.confusion_metrics import Metric

Floats = NDArray[np.float64]

_STEP = 0.01  # rows: small beside one, and far above the rounding of a share of many rows


@dataclass(frozen=True)
class PairedMetric:
    """A metric of both models on the same rows, larger being better.

    Attributes:
        champion, challenger: Its values.
        influence: To first order, what each row adds to the gain: of sum 0, and the gain's variance
            is that of the sum of the influences of rows drawn anew [1]. Shape (n,).

    References:
        [1] F. R. Hampel, "The influence curve and its role in robust estimation", Journal of the
            American Statistical Association 69, 383-393 (1974).
    """

    champion: float
    challenger: float
    influence: Floats


def confusion_influence(
    metric: Metric, y: ArrayLike, champion: ArrayLike, challenger: ArrayLike, *, n_classes: int
) -> PairedMetric:
    """A metric of the confusion matrix, with the influence of each row.

    Args:
        metric: Maps counts of shape (..., K, K) to values of shape (...); see
            ``confusion_metrics``. It must not depend on the scale of the counts.
        y, champion, challenger: Codes 0 ... K-1 of the true class and of both predictions. Shape
            (n,).
        n_classes: K.

    Raises:
        ValueError: If shapes or codes are out of range.

    Note:
        A row of cell (true, predicted) moves the metric by the derivative by that cell's count,
        taken by central differences: K^2 evaluations at most, whatever n. Where the metric has a
        kink (the last row of a class) this knows one side only.

    Example:
        >>> from mlops_basics.stats.paired.confusion_metrics import accuracy
        >>> from mlops_basics.stats.paired.influence import confusion_influence
        >>> y, champion, challenger = [0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0]
        >>> paired = confusion_influence(accuracy, y, champion, challenger, n_classes=2)
        >>> paired.champion, paired.challenger, paired.influence.round(4).tolist()
        (0.75, 1.0, [-0.0625, 0.1875, -0.0625, -0.0625])

        The second row, which only the challenger gets right, is the gain.
    """
    y = _check.codes(y, "y", n_classes)
    old, before = _of_one(metric, y, champion, "champion", n_classes)
    new, after = _of_one(metric, y, challenger, "challenger", n_classes)
    return PairedMetric(old, new, np.asarray(after - before, dtype=np.float64))


def metric_influence(
    metric: Metric, y: ArrayLike, predicted: ArrayLike, *, n_classes: int
) -> tuple[float, Floats]:
    """A metric of one model's confusion matrix, with the influence of each row.

    Args:
        metric: As in ``confusion_influence``.
        y, predicted: Codes 0 ... K-1 of the true and the predicted class. Shape (n,).
        n_classes: K.

    Raises:
        ValueError: If shapes or codes are out of range.

    Example:
        >>> from mlops_basics.stats.paired.confusion_metrics import accuracy
        >>> from mlops_basics.stats.paired.influence import metric_influence
        >>> value, influence = metric_influence(accuracy, [0, 1, 1, 0], [0, 0, 1, 0], n_classes=2)
        >>> value, influence.round(4).tolist()
        (0.75, [0.0625, -0.1875, 0.0625, 0.0625])
    """
    return _of_one(metric, _check.codes(y, "y", n_classes), predicted, "predicted", n_classes)


def _of_one(
    metric: Metric, y: NDArray[np.integer], predicted: ArrayLike, name: str, n_classes: int
) -> tuple[float, Floats]:
    codes = _check.codes(predicted, name, n_classes)
    _check.same_length(name, len(codes), len(y))
    cells = y * n_classes + codes
    shape = (n_classes, n_classes)
    counts = np.bincount(cells, minlength=n_classes**2).astype(np.float64).reshape(shape)
    slopes = np.zeros(n_classes**2)
    for cell in np.flatnonzero(counts):  # one by one: all at once would take K^4 numbers
        step = np.zeros(shape)
        step.flat[cell] = _STEP
        more, less = metric(np.stack([counts + step, counts - step]))
        slopes[cell] = (more - less) / (2 * _STEP)
    return float(metric(counts)), slopes[cells]
