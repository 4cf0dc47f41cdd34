"""How much of a target a single column tells: what tells nearly all of it may be a leak."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from mlops_basics.stats import _check

MOST_BINS = 32
ROWS_OF_BIN = 10  # at least, so that a bin's mean is more than noise
_PRIOR = 1.0  # rows of the mean of all that each group's mean is drawn to

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def binned(values: ArrayLike) -> Codes:
    """Numbers as bins of about equally many rows; what is missing is a bin of its own.

    Args:
        values: Shape (n,); NaN is missing, infinite values lie at the ends.

    Returns:
        A number a bin, from 0; shape (n,).
    """
    numbers = np.asarray(values, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return np.zeros(len(numbers), dtype=np.int64)
    bins = int(np.clip(known.size // ROWS_OF_BIN, 2, MOST_BINS))
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner, method="lower"))
    codes: Codes = np.searchsorted(edges, numbers, side="left").astype(np.int64)
    codes[np.isnan(numbers)] = len(edges) + 1
    return codes


def share_explained(codes: Codes, target: ArrayLike) -> float:
    r"""Share of a target's variance that a column explains alone, on rows that it was not seen on.

    Args:
        codes: The column's value of each row, as numbers from 0; shape (n,).
        target: Values of a quantity, shape (n,), or a column a class that is 1 in its rows, else 0,
            shape (n, classes); finite.

    Returns:
        At most 1; 0 or less where the column tells nothing.

    Raises:
        ValueError: If the lengths differ.

    Note:
        The rows of each value are divided into two halves by turns. Each row is predicted by the
        mean of those rows of the other half that have its value, drawn to the mean of all by one
        row; a value that the other half lacks is predicted by the mean of all. So a column with
        another value in every row explains nothing. With classes,

        .. math:: 1 - \frac{\sum_i \lVert y_i - \hat y_i \rVert^2}{\sum_i \lVert y_i - \bar y
                  \rVert^2}

        is the Brier skill score.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.one_column import share_explained
        >>> colour = np.tile([0, 1, 2, 2], 100)
        >>> sold = (colour == 2).astype(float)
        >>> round(share_explained(colour, sold), 2)
        1.0
        >>> share_explained(np.arange(400), sold) <= 0
        True

        The colour alone tells what was sold; a number of the row tells nothing.
    """
    y = np.asarray(target, dtype=np.float64)
    y = y[:, None] if y.ndim == 1 else y
    _check.same_length("target", len(y), len(codes))
    if len(y) < 2:
        return 0.0
    odd = np.zeros(len(y), dtype=bool)
    odd[np.argsort(codes, kind="stable")[1::2]] = True
    left = total = 0.0
    for seen in (odd, ~odd):
        mean = y[seen].mean(axis=0)
        sums = _sums(codes[seen], y[seen] - mean, int(codes.max()) + 1)
        counts = np.bincount(codes[seen], minlength=len(sums))
        predicted = mean + (sums / (counts + _PRIOR)[:, None])[codes[~seen]]
        left += float(((y[~seen] - predicted) ** 2).sum())
        total += float(((y[~seen] - mean) ** 2).sum())
    return 1 - left / total if total > 0 else 0.0


def _sums(codes: Codes, values: Floats, length: int) -> Floats:
    return np.stack([np.bincount(codes, column, length) for column in values.T], axis=1)
