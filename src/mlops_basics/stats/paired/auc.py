"""Paired comparison of the area under the ROC curve: DeLong's test, with midranks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.safe_text import plural
from mlops_basics.stats import _check
from mlops_basics.stats.paired.hall import hall_critical, hall_p_value
from mlops_basics.stats.paired.influence import PairedMetric
from mlops_basics.stats.paired.result import (
    FIRM_ROWS,
    MIN_ROWS,
    POWER_Z,
    PairedResult,
    outcome,
    rough_level,
)

Floats = NDArray[np.float64]

_MIN_CLASS = 20  # rows of the rarest class below which the level is marked as approximate
_ROUNDING = 1e-12  # standard errors below this are rounding: an AUC is between 0 and 1


@dataclass(frozen=True, kw_only=True)
class AucResult(PairedResult):
    """``PairedResult`` of ROC AUC.

    Attributes:
        standard_error: DeLong's standard error of the gain; effect / standard_error is the z of the
            literature.
        class_counts: Rows of each class. Classes without rows are left out of a macro average.
    """

    standard_error: float | None
    class_counts: tuple[int, ...]


def midranks(x: ArrayLike) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs.

    Args:
        x: Values, finite, shape (n,).

    Returns:
        Shape (n,).

    Raises:
        ValueError: If x is not one-dimensional and finite.

    Example:
        >>> from mlops_basics.stats.paired.auc import midranks
        >>> midranks([0.3, 0.1, 0.3])
        array([2.5, 1. , 2.5])

        The two largest values share the ranks 2 and 3.
    """
    return _midranks(_check.vector(x, "x"))


def _midranks(x: Floats) -> Floats:
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(x) else order
    last = np.r_[first[1:], len(x)]
    ranks = np.empty(len(x))
    ranks[order] = np.repeat((first + last + 1) / 2, last - first)
    return ranks


def _placements(positive: NDArray[np.bool_], score: Floats) -> Floats:
    """For each row the share of rows of the other side that it beats, ties counting half.

    A positive row beats what scores lower, a negative one what scores higher. The mean over
    either side is the AUC (Sun and Xu's form of DeLong's structural components).
    """
    order = np.argsort(score)
    ordered = score[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(first, append=len(score))
    positives = np.add.reduceat(positive[order].astype(np.int64), first)
    negatives = sizes - positives
    m, n = int(positives.sum()), int(negatives.sum())
    # of each value: what scores lower on the other side, and half of what scores the same
    above = np.repeat(np.cumsum(negatives) - negatives / 2, sizes) / n
    below = 1 - np.repeat(np.cumsum(positives) - positives / 2, sizes) / m
    placement = np.empty(len(score))
    placement[order] = np.where(positive[order], above, below)
    return placement


def compare_auc(
    y: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    alpha: float = 0.05,
    min_gain: float = 0.0,
) -> AucResult:
    r"""Is the challenger's ROC AUC higher by more than ``min_gain``?

    Args:
        y: Class codes: 0 and 1 for one-dimensional scores, 0 ... K-1 otherwise. Shape (n,).
        champion, challenger: Scores of class 1, or of every class: then the macro average over the
            classes of the AUC of each class against the rest is compared. Only the order of the
            scores of one class matters. Shape (n,) or (n, K).
        alpha: One-sided level, in (0, 0.5).
        min_gain: Gain that has to be exceeded; -margin for non-inferiority. In (-1, 1).

    Returns:
        With ``effect`` None and p-values of 1 when less than two classes occur.

    Raises:
        ValueError: If shapes, codes or values are out of range.

    Note:
        An AUC is a mean, over the rows of either class, of the share of the other class that a row
        beats (its placement). DeLong's covariance follows from the placements, which midranks give
        in O(n log n) [2].

        Several classes. The AUC of class c against the rest is a U-statistic of K samples, and so
        is the macro average. To first order it is a sum of one mean per class: the component of a
        row of class k is its placement among the others in the AUC of k, plus, for each c != k, its
        placement as a negative in the AUC of c times n_k / (n - n_c), all divided by K. The gain's
        variance is the sum over the classes of the variance of the differences of these components
        divided by n_k, which contains all covariances between classes and models. For K = 2 it is
        DeLong's. Like DeLong's it is conditional on the numbers of rows per class.

        Against normal theory two things are added: Welch's degrees of freedom, and Hall's
        correction for the skewness of the sum of means (``hall_p_value``), as in
        ``compare_losses``.

        Fewer than 20 rows, or less than two rows of a class that occurs: no claim. Fewer than 100
        rows, or than 20 of some class: the level is marked as approximate.

    References:
        [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or
            more correlated receiver operating characteristic curves: a nonparametric approach",
            Biometrics 44, 837-845 (1988).
        [2] X. Sun and W. Xu, "Fast implementation of DeLong's algorithm for comparing the areas
            under correlated receiver operating characteristic curves", IEEE Signal Processing
            Letters 21, 1389-1393 (2014).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.auc import compare_auc
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 1000)
        >>> signal = y + rng.normal(0, 1, 1000)
        >>> result = compare_auc(y, signal + rng.normal(0, 1, 1000), signal)
        >>> round(result.champion, 2), round(result.challenger, 2)
        (0.72, 0.79)
        >>> [round(limit, 2) for limit in result.interval], result.significant
        ([0.05, 0.09], True)

        Without the extra noise the AUC is higher by at least 0.05 with 95 % confidence.
    """
    alpha, min_gain = _check.level(alpha), _check.gain_in_shares(min_gain)
    y, old, new, per_class = _inputs(y, champion, challenger)
    n = len(y)
    metric = "roc_auc" if old.shape[1] == 1 else "roc_auc_ovr"
    present = np.flatnonzero(per_class)
    smallest_class = int(per_class[present].min()) if len(present) else 0

    first = second = effect = error = interval = smallest = None
    p_value = p_worse = 1.0
    note = ""
    if len(present) < 2:
        reason = "not computable: less than two classes occur in these rows"
    else:
        components_old, first = _components(y, old, per_class, present)
        components_new, second = _components(y, new, per_class, present)
        effect = second - first
        difference = components_new - components_old
        if n < MIN_ROWS:
            reason = f"refused: {plural(n, 'row')}, at least {MIN_ROWS} are needed for a claim"
        elif smallest_class < 2:
            reason = "refused: a class has a single row, so its variance cannot be estimated"
        else:
            error, gamma, df = _error(difference, y, per_class, present)
            if error <= _ROUNDING:
                error = 0.0
                reason = "refused: the gain has no variance on these rows (equal rankings)"
            else:
                p_value = float(hall_p_value((effect - min_gain) / error, gamma, df))
                p_worse = float(hall_p_value(-effect / error, -gamma, df))
                critical = float(hall_critical(alpha, gamma, df))
                interval = (
                    max(-1.0, effect - error * critical),
                    min(1.0, effect + error * float(hall_critical(alpha, -gamma, df))),
                )
                smallest = min_gain + error * (critical + POWER_Z)
                reason = outcome(p_value <= alpha, p_value, alpha, min_gain, "AUC")
            if n < FIRM_ROWS:
                note = rough_level(f"{plural(n, 'row')} are few for a normal approximation")
            elif smallest_class < _MIN_CLASS:
                note = rough_level(f"the rarest class has only {plural(smallest_class, 'row')}")
    return AucResult(
        metric=metric,
        method="DeLong, Hall-corrected",
        n=n,
        champion=first,
        challenger=second,
        effect=effect,
        interval=interval,
        p_value=p_value,
        p_worse=p_worse,
        alpha=alpha,
        min_gain=min_gain,
        smallest_gain=smallest,
        level_note=note,
        reason=reason,
        standard_error=error,
        class_counts=tuple(int(c) for c in per_class),
    )


def rank_scores(probabilities: ArrayLike) -> Floats:
    """What an AUC ranks by: the probability of the second of two classes, or of each class.

    Args:
        probabilities: Shape (n, K).

    Returns:
        Shape (n,) for two classes, else (n, K).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    return p[:, 1] if p.shape[1] == 2 else p


def auc_influence(y: ArrayLike, champion: ArrayLike, challenger: ArrayLike) -> PairedMetric:
    """ROC AUC of both models, with the influence of each row.

    Args:
        y, champion, challenger: As in ``compare_auc``.

    Raises:
        ValueError: If shapes, codes or values are out of range, or less than two classes occur.

    Note:
        The influence of a row on the AUC of class c against the rest is the deviation of its
        placement from that AUC, over n_c or, for the others, n - n_c; the macro average is their
        mean. For two classes the sum of the squares is DeLong's variance up to n_k / (n_k - 1).
        Summed over groups of rows the influences give the variance for groups [1]. Unlike DeLong's
        this one is not conditional on the numbers of rows per class, which change when groups are
        drawn anew.

    References:
        [1] N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53,
            567-578 (1997).

    Example:
        >>> from mlops_basics.stats.paired.auc import auc_influence
        >>> paired = auc_influence([0, 1, 1, 0], [0.1, 0.8, 0.2, 0.3], [0.1, 0.8, 0.4, 0.3])
        >>> paired.champion, paired.challenger, paired.influence.tolist()
        (0.75, 1.0, [-0.125, -0.125, 0.125, 0.125])

        The last two rows, which the challenger puts into the right order, are the gain.
    """
    y, old, new, per_class = _inputs(y, champion, challenger)
    present = np.flatnonzero(per_class)
    if len(present) < 2:
        raise ValueError(f"y must have at least two classes, got {len(present)}")
    positives = _positives(old, present)
    influence, values = np.zeros(len(y)), [0.0, 0.0]
    for column, c in positives:
        positive = y == c
        sizes = np.where(positive, per_class[c], len(y) - per_class[c])
        for at, (scores, sign) in enumerate(((old, -1), (new, 1))):
            placement = _placements(positive, scores[:, column])
            auc = float(placement[positive].mean())
            values[at] += auc
            influence += sign * (placement - auc) / sizes
    count = len(positives)
    return PairedMetric(values[0] / count, values[1] / count, influence / count)


def _inputs(
    y: ArrayLike, champion: ArrayLike, challenger: ArrayLike
) -> tuple[NDArray[np.integer], Floats, Floats, NDArray[np.intp]]:
    """Codes, both models' scores of shape (n, 1) or (n, K), and the rows of each class, checked."""
    old, new = _scores(champion, "champion"), _scores(challenger, "challenger")
    if old.shape != new.shape:
        raise ValueError(f"challenger must be of shape {old.shape}, got {new.shape!r}")
    k = max(2, old.shape[1])
    codes = _check.codes(y, "y", k)
    _check.same_length("y", len(codes), len(old))
    return codes, old, new, np.bincount(codes, minlength=k)


def _scores(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] < 2):
        raise ValueError(f"{name} must be of shape (n,) or (n, K) with K >= 2, got {array.shape!r}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {float(array[~np.isfinite(array)][0])!r}")
    return array if array.ndim == 2 else array[:, None]


def _components(
    y: NDArray[np.integer], scores: Floats, per_class: NDArray[np.intp], present: NDArray[np.intp]
) -> tuple[Floats, float]:
    """Each row's component of the (macro) AUC, and the AUC itself."""
    n = len(y)
    component, total = np.zeros(n), 0.0
    class_sizes, positives = per_class[y], _positives(scores, present)
    for column, c in positives:
        positive = y == c
        placement = _placements(positive, scores[:, column])
        total += float(placement[positive].mean())
        weight = np.where(positive, 1.0, class_sizes / (n - per_class[c]))
        component += placement * weight
    return component / len(positives), total / len(positives)


def _positives(scores: Floats, present: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Column of the scores and class of each AUC that is averaged: class 1, or each against all."""
    return [(0, 1)] if scores.shape[1] == 1 else [(int(c), int(c)) for c in present]


def _error(
    difference: Floats,
    y: NDArray[np.integer],
    per_class: NDArray[np.intp],
    present: NDArray[np.intp],
) -> tuple[float, float, float]:
    """Standard error, skewness and Welch's degrees of freedom of a sum of one mean per class."""
    variance = third = spread = 0.0
    for c in present:
        size = int(per_class[c])
        d = difference[y == c]
        d = d - d.mean()
        share = float(np.dot(d, d)) / (size - 1) / size
        variance += share
        spread += share**2 / (size - 1)
        third += float(np.dot(d * d, d)) / size / size**2 * (1 + 12 / size)
    error = math.sqrt(variance)
    if error <= _ROUNDING:
        return 0.0, 0.0, 1.0
    return error, third / error**3, variance**2 / spread
