"""The intervals of ``metrics`` where groups of rows are independent, and rows are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mlops_basics.stats.paired.auc import auc_influence, rank_scores
from mlops_basics.stats.paired.confusion_metrics import Metric
from mlops_basics.stats.paired.groups import groups_of_the_rarest, standard_error
from mlops_basics.stats.paired.influence import metric_influence
from mlops_basics.stats.paired.result import MIN_ROWS

from .metrics import NO_VARIATION, ONE_GROUP, logit_interval, roc_auc, student
from .result import Interval

CLASS_IN_ONE_GROUP = "a class lies in a single group, which tells nothing about others"
_NOISE = 1e-7  # of an error: what numerical derivatives leave of none


def share_of_groups(hits: npt.ArrayLike, groups: npt.ArrayLike, confidence: float) -> Interval:
    """A share of rows, with Wilson's interval of as many rows as the groups are worth.

    Args:
        hits: Shape (n,), n >= 1.
        groups: The group of each row: any values that can be sorted. Shape (n,).
        confidence: Of the two-sided interval, in (0, 1).

    Returns:
        Without limits where all rows are of one group.

    Raises:
        ValueError: If the shapes differ.

    Note:
        With p the share and v the variance of p by groups, the rows are worth n* = p (1 - p) / v
        independent ones [1], at most n. Student's quantile takes the place of the normal one, with
        one degree of freedom less than there are groups with hits, or with misses if these are
        fewer: only they tell how hits and misses are spread. Where these are fewer than two, v
        tells nothing, and n* is the number of groups, G, with G - 1 degrees of freedom. That
        Wilson's interval suits grouped rows is shown in [2], for shares that are not extreme.

    References:
        [1] E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected
            number of positive counts estimated from survey data", Survey Methodology 24, 193-201
            (1998).
        [2] N. Dean and M. Pagano, "Evaluating confidence interval methods for binomial proportions
            in clustered surveys", Journal of Survey Statistics and Methodology 3, 484-503 (2015).

    Example:
        >>> hits = [row % 100 >= 10 for row in range(300)]
        >>> alone = share_of_groups(hits, range(300), 0.95)
        >>> tens = share_of_groups(hits, [row // 10 for row in range(300)], 0.95)
        >>> round(alone.low, 2), round(tens.low, 2)
        (0.86, 0.5)

        The 30 errors fill three of thirty groups: that is worth much less than 300 rows.
    """
    right = np.asarray(hits, dtype=np.float64)
    rows, p = len(right), float(right.mean())
    error, units = standard_error((right - p) / rows, groups)
    if units < 2:
        return Interval(p, None, None, ONE_GROUP)
    worth, telling = float(units), groups_of_the_rarest(right, groups)
    if error == 0 or telling < 2:
        telling = units
    else:
        worth = min(p * (1 - p) / error**2, float(rows))
    z2 = float(stats.t.ppf((1 + confidence) / 2, telling - 1)) ** 2 / worth
    centre = (p + z2 / 2) / (1 + z2)
    half = float(np.sqrt(z2 * (p * (1 - p) + z2 / 4))) / (1 + z2)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def auc_of_groups(
    y: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    groups: npt.ArrayLike,
    confidence: float,
    rarest: int | None = None,
) -> Interval:
    """``metrics.roc_auc`` with groups as the units.

    Args:
        y, probabilities, confidence: As in ``metrics.roc_auc``.
        groups: The group of each row, shape (n,).
        rarest: What ``groups_of_the_rarest`` says, where it is known.

    Returns:
        Without limits, too, where a class lies in one group only; with a note where one lies in
        fewer than 20.

    Note:
        Student's quantile has one degree of freedom less than there are groups with the rarest
        class: only these tell how it varies.

    References:
        N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53,
        567-578 (1997).
    """
    if len(np.unique(y)) < 2:
        return roc_auc(y, probabilities, confidence)  # not defined, whatever the groups
    scores = rank_scores(probabilities)
    auc = auc_influence(y, np.zeros_like(scores), scores)
    rarest = groups_of_the_rarest(y, groups) if rarest is None else rarest
    if rarest < 2:
        return Interval(auc.challenger, None, None, CLASS_IN_ONE_GROUP)
    error, _ = standard_error(auc.influence, groups)
    width = float(stats.t.ppf((1 + confidence) / 2, rarest - 1)) * error
    return logit_interval(auc.challenger, width, _few_groups_note(rarest))


def confusion_metric_of_groups(
    metric: Metric,
    y: npt.ArrayLike,
    predicted: npt.ArrayLike,
    groups: npt.ArrayLike,
    n_classes: int,
    confidence: float,
    at_least: float = 0.0,
    rarest: int | None = None,
) -> Interval:
    """Any metric of the confusion matrix, by the delta method with groups as the units.

    Args:
        metric: From counts of shape (..., K, K) to values of shape (...), at most 1.
        y, predicted: Codes 0 ... K-1. Shape (n,).
        groups: The group of each row, shape (n,).
        n_classes: K.
        confidence: Of the two-sided interval, in (0, 1).
        at_least: What the metric cannot fall below.
        rarest: As in ``auc_of_groups``, and so are the degrees of freedom and the note.

    Returns:
        Without limits where no row errs, and where a class lies in one group only.

    References:
        A. W. van der Vaart, "Asymptotic Statistics", ch. 20 (1998).
    """
    value, influence = metric_influence(metric, y, predicted, n_classes=n_classes)
    rarest = groups_of_the_rarest(y, groups) if rarest is None else rarest
    if rarest < 2:
        return Interval(value, None, None, CLASS_IN_ONE_GROUP)
    error, _ = standard_error(influence, groups)
    if error < _NOISE:
        return Interval(value, None, None, NO_VARIATION)
    return student(value, error, rarest, confidence, at_least, 1.0, _few_groups_note(rarest))


def _few_groups_note(rarest: int) -> str:
    if rarest >= MIN_ROWS:
        return ""
    return f"limits approximate: the rarest class lies in only {rarest} groups"
