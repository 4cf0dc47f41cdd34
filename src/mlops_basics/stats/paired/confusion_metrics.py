"""Metrics of confusion matrices, vectorised over a stack of matrices.

Each metric maps counts of shape (..., K, K), rows the true class and columns the predicted one,
to values of shape (...). Conventions are scikit-learn's, and no metric is ever NaN: a ratio 0 / 0
is 0, and a class that a macro average cannot judge is left out of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Margins:
    """What the metrics here ask of a confusion matrix: 3 K numbers instead of K^2.

    Attributes:
        hits: Rows of each class that were predicted as that, shape (..., K).
        true: Rows of each class, shape (..., K).
        predicted: Rows predicted as each class, shape (..., K).
    """

    hits: Floats
    true: Floats
    predicted: Floats


Metric = Callable[..., Floats]
"""Any function from counts of shape (..., K, K) to values of shape (...).

Those of ``BY_MARGINS`` take ``Margins`` as well.
"""


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _margins(counts: Floats | Margins) -> tuple[Floats, Floats, Floats]:
    """Hits, true and predicted totals of each class."""
    if isinstance(counts, Margins):
        return counts.hits, counts.true, counts.predicted
    hits = np.einsum("...kk->...k", counts).astype(np.float64)
    return hits, counts.sum(axis=-1, dtype=np.float64), counts.sum(axis=-2, dtype=np.float64)


def _mean_of(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    total = np.where(counted, values, 0.0).sum(axis=-1)
    return _ratio(total, counted.sum(axis=-1).astype(np.float64))


def accuracy(counts: Floats | Margins) -> Floats:
    """Share of right predictions; 0 without rows.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.confusion_metrics import accuracy
        >>> float(accuracy(np.array([[3.0, 1.0], [0.0, 4.0]])))
        0.875

        Seven of eight are right.
    """
    hits, true, _ = _margins(counts)
    return _ratio(hits.sum(axis=-1), true.sum(axis=-1))


def balanced_accuracy(counts: Floats | Margins) -> Floats:
    """Mean recall of the classes that occur.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.confusion_metrics import balanced_accuracy
        >>> float(balanced_accuracy(np.array([[90.0, 0.0], [10.0, 0.0]])))
        0.5

        Always predicting the frequent class is right in 90 %, and worth nothing here.
    """
    hits, true, _ = _margins(counts)
    return _mean_of(_ratio(hits, true), true > 0)


def macro_f1(counts: Floats | Margins) -> Floats:
    """Mean F1 score of the classes that occur or are predicted.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.confusion_metrics import macro_f1
        >>> round(float(macro_f1(np.array([[90.0, 0.0], [10.0, 0.0]]))), 3)
        0.474

        The class that is never found contributes an F1 of 0.
    """
    hits, true, predicted = _margins(counts)
    total = true + predicted
    return _mean_of(_ratio(2 * hits, total), total > 0)


def mcc(counts: Floats | Margins) -> Floats:
    """Matthews correlation for K classes (Gorodkin's R_K); 0 when a side is constant.

    References:
        [1] J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
            coefficient", Computational Biology and Chemistry 28, 367-374 (2004).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.confusion_metrics import mcc
        >>> float(mcc(np.array([[90.0, 0.0], [10.0, 0.0]])))
        0.0

        Always predicting one class correlates with nothing.
    """
    hits, true, predicted = _margins(counts)
    n = true.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (true * predicted).sum(axis=-1)
    spread = (n * n - (true**2).sum(axis=-1)) * (n * n - (predicted**2).sum(axis=-1))
    return _ratio(covariance, np.sqrt(spread))


#: Metrics of hits, true and predicted totals alone.
BY_MARGINS = frozenset({accuracy, balanced_accuracy, macro_f1, mcc})
