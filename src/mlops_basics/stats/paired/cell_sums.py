"""From the counts of a confusion matrix's cells to what a metric asks, for many replicates."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlops_basics.stats.paired.confusion_metrics import BY_MARGINS, Margins, Metric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class MatrixSums:
    """Whole confusion matrices, of shape (R, K, K).

    Attributes:
        numbers: That a replicate takes, with what a metric makes of them.
    """

    def __init__(self, cells: Ints, k: int) -> None:
        self.k, self.numbers = k, 4 * k * k
        self.sums = _Sums(cells[:, 0] * k + cells[:, 1], k * k)

    def __call__(self, counts: Ints) -> Floats:
        """The matrices of counts of shape (R, m)."""
        return self.sums(counts).reshape(-1, self.k, self.k)


class MarginSums:
    """Hits, true and predicted totals, of shape (R, K) each.

    Attributes:
        numbers: As of ``MatrixSums``.
    """

    def __init__(self, cells: Ints, k: int) -> None:
        true, predicted = cells.T
        self.numbers = 12 * k
        self.right = np.flatnonzero(true == predicted)
        self.hits = _Sums(true[self.right], k)
        self.true, self.predicted = _Sums(true, k), _Sums(predicted, k)

    def __call__(self, counts: Ints) -> Margins:
        """The margins of counts of shape (R, m)."""
        return Margins(self.hits(counts[:, self.right]), self.true(counts), self.predicted(counts))


def sums_for(metrics: Iterable[Metric], cells: Ints, k: int) -> MatrixSums | MarginSums:
    """What all of these metrics take, from as few numbers as they need.

    Args:
        metrics: Of ``confusion_metrics``, or any other.
        cells: True and predicted class of each cell, shape (m, 2).
        k: Number of classes, K.

    Returns:
        A function from counts of shape (R, m).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.cell_sums import sums_for
        >>> from mlops_basics.stats.paired.confusion_metrics import accuracy
        >>> cells = np.array([[0, 0], [1, 1], [1, 0]])
        >>> sums = sums_for([accuracy], cells, 2)
        >>> accuracy(sums(np.array([[3, 4, 1], [4, 4, 0]]))).tolist()
        [0.875, 1.0]
    """
    by_margins = all(metric in BY_MARGINS for metric in metrics)
    return MarginSums(cells, k) if by_margins else MatrixSums(cells, k)


class _Sums:
    """Sums of columns by their target."""

    def __init__(self, targets: Ints, size: int) -> None:
        self.size = size
        self.order = np.argsort(targets, kind="stable")
        self.targets, self.starts = np.unique(targets[self.order], return_index=True)

    def __call__(self, counts: Ints) -> Floats:
        totals = np.zeros((len(counts), self.size))
        if len(self.targets):
            sums = np.add.reduceat(counts[:, self.order], self.starts, axis=1)
            totals[:, self.targets] = sums
        return totals
