"""Losses per row: what the paired comparison and the monitoring work on.

Every function returns one float per row; smaller is better. All but the 0/1 loss and the Huber
loss are strictly proper or consistent scores: they see what accuracy cannot.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.stats import _check

_SUM_TOLERANCE = 1e-3  # float32 probabilities of many classes


def _probabilities(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(f"p must be of shape (n, K) with K >= 2, got {p.shape!r}")
    y = _check.codes(y, "y", p.shape[1])
    _check.same_length("y", len(y), len(p))
    if p.size:
        low, high = float(p.min()), float(p.max())  # NaN fails both comparisons
        if not (low >= 0 and high <= 1 + _SUM_TOLERANCE):
            bad = high if low >= 0 else low
            raise ValueError(f"p must be probabilities in [0, 1], got {bad!r}")
        sums = p.sum(axis=1)
        worst = float(sums[np.abs(sums - 1).argmax()])
        if abs(worst - 1) > _SUM_TOLERANCE:
            raise ValueError(f"p must be rows that sum to 1, got {worst!r}")
    return y, p


def log_loss_rows(y: ArrayLike, p: ArrayLike, *, smoothing: float = 0.01) -> NDArray[np.float64]:
    r"""Log loss, bounded by smoothing, and still strictly proper.

    Args:
        y: True class codes 0 ... K-1. Shape (n,).
        p: Predicted probabilities; rows sum to 1. Shape (n, K).
        smoothing: Share e of the uniform distribution mixed into prediction and truth, in (0, 1).

    Returns:
        Cross entropy, in nats, of the smoothed prediction (1 - e) p + e / K against the equally
        smoothed truth (1 - e) 1{y = k} + e / K; below -log(e / K). Shape (n,).

    Raises:
        ValueError: If shapes, codes, probabilities or smoothing are out of range.

    Note:
        One confident mistake must not cost infinitely much, or one row decides. Clipping p is not
        proper: with 100 classes of probability 0.002 it rewards a model that overstates them. Nor
        is smoothing the prediction alone: -log((1 - e) p_y + e / K) is smallest in expectation at p
        = (q - e / K) / (1 - e), which is sharper than the true q, so on many rows it promotes a
        challenger for being overconfident. With the truth smoothed as well the expected loss is

        .. math:: -\sum_k [(1 - e) q_k + e / K] \log [(1 - e) p_k + e / K],

        a cross entropy of two distributions, smallest where they agree: at p = q only.

    References:
        [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and
            estimation", Journal of the American Statistical Association 102, 359-378 (2007).

    Example:
        >>> from mlops_basics.stats.paired.losses import log_loss_rows
        >>> log_loss_rows([0, 0, 0], [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]).round(3).tolist()
        [0.031, 0.693, 5.272]

        Sure and right costs nearly nothing, undecided log 2, sure and wrong 5.3 nats: much, but
        finite.
    """
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must be between 0 and 1, got {smoothing!r}")
    y, p = _probabilities(y, p)
    logs = np.log((1 - smoothing) * p + smoothing / p.shape[1])
    true = logs[np.arange(len(y)), y]
    losses: NDArray[np.float64] = -(1 - smoothing) * true - smoothing * logs.mean(axis=1)
    return losses


def brier_rows(y: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """Brier score: squared distance of the predicted probabilities from the truth.

    Args:
        y: True class codes 0 ... K-1. Shape (n,).
        p: Predicted probabilities; rows sum to 1. Shape (n, K).

    Returns:
        sum_k (p_k - 1{y = k})^2, in [0, 2] (twice the one-column form for two classes), shape (n,).

    Raises:
        ValueError: If shapes, codes or probabilities are out of range.

    References:
        [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
            Weather Review 78, 1-3 (1950).

    Example:
        >>> from mlops_basics.stats.paired.losses import brier_rows
        >>> brier_rows([0, 0, 0], [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
        array([0. , 0.5, 2. ])

        From sure and right (0) over undecided (0.5) to sure and wrong (2).
    """
    y, p = _probabilities(y, p)
    true = p[np.arange(len(y)), y]
    losses: NDArray[np.float64] = np.maximum(np.einsum("ij,ij->i", p, p) - 2 * true + 1, 0.0)
    return losses


def _residuals(y: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    y, predicted = _check.vector(y, "y"), _check.vector(predicted, "predicted")
    _check.same_length("predicted", len(predicted), len(y))
    return predicted - y


def squared_rows(y: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Squared error, in squared units of the target; consistent for the mean.

    Args:
        y, predicted: Target and prediction, finite, shape (n,).

    Returns:
        Shape (n,).

    Raises:
        ValueError: If shapes differ or a value is not finite.

    Example:
        >>> from mlops_basics.stats.paired.losses import squared_rows
        >>> squared_rows([1.0, 2.0], [1.5, 5.0])
        array([0.25, 9.  ])

        The second row counts 36 times as much as the first.
    """
    residuals = _residuals(y, predicted)
    return residuals * residuals


def absolute_rows(y: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Absolute error, in units of the target; consistent for the median, not for the mean.

    Args:
        y, predicted: Target and prediction, finite, shape (n,).

    Returns:
        Shape (n,).

    Raises:
        ValueError: If shapes differ or a value is not finite.

    Example:
        >>> from mlops_basics.stats.paired.losses import absolute_rows
        >>> absolute_rows([1.0, 2.0], [1.5, 5.0])
        array([0.5, 3. ])

        The second row counts six times as much as the first.
    """
    return np.abs(_residuals(y, predicted))


def huber_rows(y: ArrayLike, predicted: ArrayLike, delta: float) -> NDArray[np.float64]:
    """Huber loss: squared for small errors, linear beyond delta.

    Args:
        y, predicted: Target and prediction, finite, shape (n,).
        delta: Where the loss becomes linear, in units of the target; see ``huber_delta``. Positive.

    Returns:
        r^2 / 2 for \\|r\\| <= delta, else delta (\\|r\\| - delta / 2), shape (n,).

    Raises:
        ValueError: If shapes differ, a value is not finite, or delta is not positive.

    References:
        [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
            Statistics 35, 73-101 (1964).

    Example:
        >>> from mlops_basics.stats.paired.losses import huber_rows
        >>> huber_rows([1.0, 2.0], [1.5, 5.0], delta=1.0)
        array([0.125, 2.5  ])

        The outlier costs 2.5, not the 4.5 of half its square.
    """
    if not (np.isfinite(delta) and delta > 0):
        raise ValueError(f"delta must be positive and finite, got {delta!r}")
    r = np.abs(_residuals(y, predicted))
    inside = np.minimum(r, delta)
    losses: NDArray[np.float64] = inside * (r - 0.5 * inside)  # r^2 / 2, its tangent beyond delta
    return losses


def huber_delta(y: ArrayLike, predicted: ArrayLike, *, quantile: float = 0.95) -> float:
    """The Huber loss's delta: a quantile of the champion's absolute residuals.

    Args:
        y, predicted: Target and the *champion's* prediction: the challenger must not choose its own
            measure. Shape (n,).
        quantile: Share of the champion's errors that is treated as squared error, in (0, 1).

    Returns:
        A positive delta. When the quantile is 0 (the champion is exact on most rows) the largest
        absolute residual, and 1 when every residual is 0 (or there is no row).

    Raises:
        ValueError: If shapes differ, a value is not finite, or quantile is out of range.

    Example:
        >>> from mlops_basics.stats.paired.losses import huber_delta
        >>> round(huber_delta([0.0] * 101, list(range(101))), 1)
        95.0

        95 % of the champion's errors are at most 95: beyond, the loss grows linearly.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1, got {quantile!r}")
    r = np.abs(_residuals(y, predicted))
    if r.size == 0:
        return 1.0
    delta = float(np.quantile(r, quantile))
    return delta if delta > 0 else float(r.max()) or 1.0
