"""Two-sided confidence intervals of the metrics of one model on one set of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mlops_basics.stats.intervals.result import Interval
from mlops_basics.stats.paired.auc import compare_auc, rank_scores
from mlops_basics.stats.paired.cell_sums import sums_for
from mlops_basics.stats.paired.confusion_metrics import Metric
from mlops_basics.stats.paired.groups import standard_error

Floats = npt.NDArray[np.float64]
ONE_GROUP = "all rows are of one group, which tells nothing about others"
_NUMBERS = 1 << 21  # that a few draws take at a time
NO_VARIATION = "no variation on these rows to estimate an interval from; see the accuracy's"


def share(successes: int, rows: int, confidence: float = 0.95) -> Interval:
    """A share of rows, with Wilson's interval.

    Args:
        successes, rows: 0 <= successes <= rows, rows >= 1.
        confidence: Of the two-sided interval, in (0, 1).

    References:
        E. B. Wilson (1927), JASA 22, 209-212; recommended by Brown, Cai and DasGupta (2001),
        Statistical Science 16, 101-133, for its coverage at small n.

    Example:
        >>> accuracy = share(27, 30)
        >>> round(accuracy.low, 3), round(accuracy.high, 3)
        (0.744, 0.965)

        27 of 30 right: the accuracy on many rows lies between 74 and 97 %.
    """
    _check_confidence(confidence)
    found = stats.binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    return Interval(successes / rows, float(found.low), float(found.high))


def mean(
    values: npt.ArrayLike,
    confidence: float = 0.95,
    at_least: float | None = None,
    groups: npt.ArrayLike | None = None,
    at_most: float | None = None,
) -> Interval:
    """The mean, with Student's interval.

    Args:
        values: Shape (n,), n >= 2.
        confidence: Of the two-sided interval, in (0, 1).
        at_least: A value that the mean cannot fall below; the lower limit does not either.
        at_most: The same for the upper limit.
        groups: The group of each value, where groups are independent and values are not, shape
            (n,).

    Returns:
        Where all values are equal, the interval is the mean itself; of a single group it has no
        limits.

    Example:
        >>> loss = mean([1.0, 2.0, 3.0, 4.0])
        >>> loss.value, round(loss.low, 3), round(loss.high, 3)
        (2.5, 0.446, 4.554)
    """
    array = _check_values(values)
    _check_confidence(confidence)
    centre = float(array.mean())
    return around(centre, (array - centre) / len(array), confidence, groups, at_least, at_most)


def around(
    value: float,
    influence: Floats,
    confidence: float,
    groups: npt.ArrayLike | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Interval:
    """Student's interval of an estimate, from what each row adds to it.

    Args:
        value: The estimate.
        influence: What each row adds to it, to first order, shape (n,), n >= 2.
        confidence: Of the two-sided interval, in (0, 1).
        groups: The group of each row, where groups are independent and rows are not, shape (n,).
        at_least, at_most: The range of the estimate, which the limits do not leave.

    Returns:
        Without limits where all rows are of one group.
    """
    error, units = standard_error(influence, groups)
    if units < 2:
        return Interval(value, None, None, ONE_GROUP)
    return student(value, error, units, confidence, at_least, at_most)


def student(
    value: float,
    error: float,
    units: int,
    confidence: float,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Interval:
    """Student's interval of an estimate with this standard error, known from so many units (>= 2).

    The limits do not leave the range from ``at_least`` to ``at_most``.
    """
    _check_confidence(confidence)
    half = float(stats.t.ppf((1 + confidence) / 2, units - 1)) * error
    low = value - half if at_least is None else max(float(at_least), value - half)
    high = value + half if at_most is None else min(float(at_most), value + half)
    return Interval(value, low, high, note)


def root_mean_square(
    errors: npt.ArrayLike, confidence: float = 0.95, groups: npt.ArrayLike | None = None
) -> Interval:
    """Root mean squared error; the interval is the root of that of the mean square.

    Args:
        errors: Shape (n,), n >= 2.
        confidence: Of the two-sided interval, in (0, 1).
        groups: As in ``mean``, shape (n,).

    Returns:
        The lower limit is at least 0.

    Example:
        >>> round(root_mean_square([3.0, -4.0, 5.0, -4.0]).value, 3)
        4.062
    """
    square = mean(_check_values(errors) ** 2, confidence, at_least=0, groups=groups)
    value, low, high = (
        None if limit is None else float(np.sqrt(limit))
        for limit in (square.value, square.low, square.high)
    )
    return Interval(value, low, high, square.note)


def r_squared(
    y: npt.ArrayLike,
    errors: npt.ArrayLike,
    confidence: float = 0.95,
    groups: npt.ArrayLike | None = None,
) -> Interval:
    """Share of the target's variance that a regression explains, by the delta method.

    Args:
        y, errors: Targets, and targets minus predictions, shape (n,), n >= 2.
        confidence: Of the two-sided interval, in (0, 1).
        groups: As in ``mean``, shape (n,).

    Returns:
        Not defined (None) where the target does not vary.

    Note:
        With e the errors, M their mean square and V the mean square of y about its mean, R2 = 1 - M
        / V; row i's influence on it is -(e_i^2 - M) / V + M ((y_i - mean)^2 - V) / V^2, whose
        standard error gives the interval (van der Vaart 1998, Asymptotic Statistics, ch. 20).

    Example:
        >>> round(r_squared([1.0, 2.0, 3.0, 4.0], [0.5, -0.5, 0.5, -0.5]).value, 3)
        0.8
    """
    target, error = _check_values(y), _check_values(errors)
    if target.shape != error.shape:
        raise ValueError(f"errors must be of shape {target.shape!r}, got {error.shape!r}")
    spread = (target - target.mean()) ** 2
    variance, square = float(spread.mean()), float((error**2).mean())
    if variance == 0:
        return Interval(None, None, None, "the target does not vary on these rows")
    value = 1 - square / variance
    influence = -(error**2 - square) / variance + square * (spread - variance) / variance**2
    return around(value, influence / len(target), confidence, groups, at_most=1.0)


def roc_auc(y: npt.ArrayLike, probabilities: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Area under the ROC curve (macro average of one against the rest), by DeLong.

    Args:
        y: Class codes 0 ... K-1. Shape (n,).
        probabilities: Shape (n, K).
        confidence: Of the two-sided interval, in (0, 1).

    Returns:
        Not defined (None) where fewer than two classes occur. On the logit scale, so that it stays
        within (0, 1); without limits where the ranking is perfect, as then the rows show no
        variance to build on.

    Note:
        The comparison with a constant score, whose AUC is 1/2 without error.

    References:
        DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845.

    Example:
        >>> p = [[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]]
        >>> roc_auc([0, 0, 1, 1], p).value
        0.75
    """
    _check_confidence(confidence)
    scores = rank_scores(probabilities)
    compared = compare_auc(y, np.zeros_like(scores), scores)
    if compared.effect is None:
        return Interval(None, None, None, compared.reason)
    width = float(stats.norm.ppf((1 + confidence) / 2)) * (compared.standard_error or 0.0)
    return logit_interval(compared.effect + 0.5, width)


def logit_interval(value: float, half: float, note: str = "") -> Interval:
    """An interval that stays within (0, 1): of half this width before it is bent.

    Returns:
        Without limits at 0, at 1, and where there is no width.
    """
    if not 0 < value < 1 or half == 0:
        return Interval(value, None, None, NO_VARIATION)
    logit = np.log(value / (1 - value))
    half /= value * (1 - value)
    low, high = (float(1 / (1 + np.exp(-limit))) for limit in (logit - half, logit + half))
    return Interval(value, low, high, note)


def confusion_metric(
    counts: npt.ArrayLike,
    metric: Metric,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Any metric of the confusion matrix, with the percentile interval of the row bootstrap.

    Args:
        counts: Rows are the true classes, columns the predicted ones, shape (K, K).
        metric: From counts of shape (R, K, K) to values of shape (R,).
        confidence: Of the two-sided interval, in (0, 1).
        resamples: Draws, at least 1.
        rng: Source of the draws.

    Returns:
        Without limits where every draw gives the same value: a classifier without an error on these
        rows is not known to be perfect, and the interval of the accuracy says how far.

    Note:
        Resampling rows and counting them is exactly a multinomial draw over the cells, so that the
        cost does not depend on the number of rows.

    References:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.
    """
    _check_confidence(confidence)
    table = np.asarray(counts, dtype=np.int64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.sum() < 1:
        raise ValueError(f"counts must be of shape (K, K) with a row, got {table.shape!r}")
    value = float(metric(table[None].astype(np.float64))[0])
    values = _resampled(table, metric, resamples, rng)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    if low == high:
        return Interval(value, None, None, NO_VARIATION)
    return Interval(value, float(low), float(high))


def _resampled(
    table: npt.NDArray[np.int64], metric: Metric, resamples: int, rng: np.random.Generator
) -> Floats:
    """The metric on resampled rows; few draws at a time, of the cells that are not empty."""
    cells = np.argwhere(table)
    counts = table[tuple(cells.T)]
    sums = sums_for([metric], cells, len(table))
    size = max(1, _NUMBERS // (3 * len(cells) + sums.numbers))
    draws = [min(size, resamples - done) for done in range(0, resamples, size)]
    shares = counts / counts.sum()
    return np.concatenate(
        [metric(sums(rng.multinomial(counts.sum(), shares, size=draw))) for draw in draws]
    )


def _check_values(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"values must be of shape (n,) with n >= 2, got {array.shape!r}")
    return array


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence!r}")
