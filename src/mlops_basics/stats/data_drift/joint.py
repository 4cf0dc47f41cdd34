"""Joint changes: correlations of all pairs of columns, and a classifier that tells sides apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped, unused-ignore]

from mlops_basics.stats import _check
from mlops_basics.stats._special import normal_isf, t_isf
from mlops_basics.stats.data_drift.alike import NOTHING_ALIKE, Likeness, evenly_spaced
from mlops_basics.stats.data_drift.result import (
    DriftResult,
    DriftThresholds,
    describe,
    drift_result,
)
from mlops_basics.stats.paired.auc import auc_influence, compare_auc, midranks
from mlops_basics.stats.paired.groups import groups_of_the_rarest, standard_error
from mlops_basics.stats.paired.result import MIN_ROWS, POWER_Z

Floats = NDArray[np.float64]

MAX_ROWS = 20_000  # rows that the correlations are computed from
MAX_COLUMNS = 100  # whose pairs are compared; their moments take 0.7 MB
_LARGEST_R = 0.99  # beyond, Fisher's z measures rounding and single rows
_POWERS = ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1), (3, 1), (2, 2))
_HUGE = 1e300  # stands for infinity among the values that are ranked


@dataclass(frozen=True, eq=False, kw_only=True)
class JointMoments:
    """Mixed moments, up to the fourth, of the normal scores of each pair of columns: mergeable.

    Attributes:
        names: The columns.
        sums: Sums of x_i^p x_j^q over the rows that have both, (p, q) = (0, 0), (1, 0), (2, 0), (3,
            0), (4, 0), (1, 1), (2, 1), (3, 1), (2, 2), shape (9, k, k).

    Note:
        A normal score is the normal quantile of (rank - 1/2) / n, ties sharing the mean rank: what
        a column's own distribution is has no influence, so that these moments see joint changes
        only. Merging adds sums: the scores are those within each part.
    """

    names: tuple[str, ...]
    sums: Floats

    @classmethod
    def from_columns(cls, columns: Mapping[str, ArrayLike], *, max_rows: int = MAX_ROWS) -> Self:
        """Summarise the joint distribution of numeric columns.

        Args:
            columns: Numeric columns of the same rows; NaN is missing. Of more than ``MAX_COLUMNS``
                the first ones are taken: time and memory grow with the pairs. Shape (n,).
            max_rows: Of more rows as many are taken, evenly spaced over all. This bounds time and
                memory (two matrices of max_rows x columns); 20,000 rows on each side measure every
                Fisher's z to 0.05, at the level of 20 columns. At least 1.

        Raises:
            ValueError: If a column is not one-dimensional or the lengths differ.
        """
        max_rows = _check.count(max_rows, "max_rows", at_least=1)
        names = tuple(columns)[:MAX_COLUMNS]
        n = -1
        scores: list[Floats] = []
        for name in names:
            column = np.asarray(columns[name])
            if column.ndim != 1:
                raise ValueError(f"{name} must be one-dimensional, got {column.shape!r}")
            n = len(column) if n < 0 else n
            _check.same_length(name, len(column), n)
            thinned = column[evenly_spaced(n, max_rows)]
            scores.append(_normal_scores(thinned.astype(np.float64)))
        k = len(names)
        if k == 0 or n <= 0:
            return cls(names=names, sums=np.zeros((len(_POWERS), k, k)))
        x = np.column_stack(scores)
        powers = [(~np.isnan(x)).astype(np.float64)]
        powers.append(np.nan_to_num(x, copy=False, nan=0.0))
        for _ in range(3):
            powers.append(powers[-1] * x)
        return cls(names=names, sums=np.stack([powers[p].T @ powers[q] for p, q in _POWERS]))

    def merge(self, other: "JointMoments") -> Self:
        """The moments of the rows of both, each scored within its part.

        Args:
            other: Moments of other rows of the same columns.

        Raises:
            ValueError: If the columns differ.
        """
        if other.names != self.names:
            raise ValueError(f"columns must be {self.names!r}, got {other.names!r}")
        return type(self)(names=self.names, sums=self.sums + other.sums)

    def select(self, names: Sequence[str]) -> Self:
        """The moments of some of the columns.

        Args:
            names: Columns to keep, in this order.
        """
        at = [self.names.index(name) for name in names]
        return type(self)(names=tuple(names), sums=self.sums[:, at][:, :, at])

    def correlations(self) -> tuple[Floats, Floats, Floats]:
        """Correlation of each pair, n times the variance of its Fisher's z, and n.

        Returns:
            r, variance, n: The variance is the distribution-free one (delta method, fourth
            moments), at least 1, what it is under normality. r is clipped at 0.99; 0 where a column
            is constant. Shape (k, k).
        """
        n = self.sums[0]
        e10, e20, e30, e40, e11, e21, e31, e22 = self.sums[1:] / np.maximum(n, 1)
        mx, my = e10, e10.T
        vx = np.maximum(e20 - mx**2, 0.0)
        m11 = e11 - mx * my
        m40 = e40 - 4 * mx * e30 + 6 * mx**2 * e20 - 3 * mx**4
        m31 = e31 - my * e30 - 3 * mx * e21 + 3 * mx * my * e20
        m31 += 3 * mx**2 * e11 - 3 * mx**3 * my
        m22 = e22 - 2 * my * e21 + my**2 * e20 - 2 * mx * e21.T + 4 * mx * my * e11
        m22 += mx**2 * e20.T - 3 * mx**2 * my**2
        varies = (vx > 1e-12) & (vx.T > 1e-12)
        vx = np.where(varies, vx, 1.0)
        vy = vx.T
        r = np.where(varies, m11 / np.sqrt(vx * vy), 0.0)
        r = np.clip(r, -_LARGEST_R, _LARGEST_R)
        kurtosis, m31 = m40 / vx**2, m31 / np.sqrt(vx**3 * vy)
        m22 = m22 / (vx * vy)
        # influence of a row on r: x y - r (x^2 + y^2) / 2
        variance = m22 + r**2 / 4 * (kurtosis + 2 * m22 + kurtosis.T) - r * (m31 + m31.T)
        return r, np.maximum(variance / (1 - r**2) ** 2, 1.0), np.where(varies, n, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Arrays, for ``numpy.savez``, Parquet, or (as lists) JSON."""
        return {"names": np.array(self.names, dtype=np.str_), "sums": self.sums}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The moments that ``to_dict`` described; lists in place of arrays are fine.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        names = tuple(str(name) for name in state["names"])
        sums = np.asarray(state["sums"], dtype=np.float64)
        return cls(names=names, sums=sums.reshape(len(_POWERS), len(names), len(names)))


def _normal_scores(x: Floats) -> Floats:
    """Normal quantiles of the midranks; NaN stays NaN."""
    there = ~np.isnan(x)
    values = np.clip(x[there], -_HUGE, _HUGE)
    scores = np.full(len(x), np.nan)
    scores[there] = special.ndtri((midranks(values) - 0.5) / max(len(values), 1))
    return scores


def judge_correlations(
    reference: JointMoments,
    current: JointMoments,
    level: float,
    threshold: float = DriftThresholds.correlation,
    alike: tuple[Likeness, Likeness] = (NOTHING_ALIKE, NOTHING_ALIKE),
) -> DriftResult:
    r"""Has the dependence of any two columns changed by more than the threshold?

    Args:
        reference, current: Both sides; columns that only one of them has are left out.
        level: Probability of a false alarm, split over the pairs, in (0, 0.5).
        threshold: Difference of Fisher's z that does not matter.
        alike: How alike rows of one group are: both sides' sizes, the reference's correlations.

    Returns:
        About the pair with the largest lower bound. Not drifted when no pair can be judged (less
        than 20 common rows, or a constant column).

    Raises:
        ValueError: If level is out of range.

    Note:
        Fisher's z = atanh(r) of the normal-score correlation r has variance 1 / (n - 3) when the
        scores are jointly normal. They need not be: for a mixture of a rising and a falling pair of
        columns it is 3 / n. Therefore the distribution-free variance from fourth moments is used
        where it is larger [1]. Drifted when for some of the P pairs

        .. math:: |z_1 - z_2| - z_{1 - a/(2P)} \sqrt{v_1/(n_1-3) + v_2/(n_2-3)} > threshold.

        This is a normal approximation, unlike the exact bounds of single columns. Where rows of one
        group are alike in both columns, v is multiplied by the design effect of the smaller of
        their intraclass correlations (of two normal columns the product would do).

    References:
        [1] J. H. Steiger and A. R. Hakstian, "The asymptotic distribution of elements of a
            correlation matrix: theory and application", British Journal of Mathematical and
            Statistical Psychology 35, 208-215 (1982).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.joint import JointMoments, judge_correlations
        >>> rng = np.random.default_rng(0)
        >>> z = rng.normal(size=(3, 5000))
        >>> def pair(sign):
        ...     return JointMoments.from_columns({"a": z[0], "b": sign * z[0] + 1.7 * z[1]})
        >>> result = judge_correlations(pair(1), pair(-1), 1e-4)
        >>> result.drifted, result.where, round(result.effect, 1), round(result.lower, 1)
        (True, 'a, b', 1.1, 1.0)

        The correlation turned from 0.5 to -0.5, while neither column has changed by itself.
    """
    level = _check.level(level, "level")
    names = [name for name in reference.names if name in current.names]
    r1, v1, n1 = reference.select(names).correlations()
    r2, v2, n2 = current.select(names).correlations()
    i, j = np.triu_indices(len(names), 1)
    pairs = len(i)
    usable = np.flatnonzero(np.minimum(n1[i, j], n2[i, j]) >= MIN_ROWS)
    column = "all pairs of columns"
    if len(usable) == 0:
        reason = "correlations: not judged, no two numeric columns vary on enough common rows"
        return drift_result("correlation", column, level, threshold, (0, 0), reason)
    at = (i[usable], j[usable])
    distance = np.abs(np.arctanh(r1[at]) - np.arctanh(r2[at]))
    of_column = np.array([alike[0].values.get(name, 0.0) for name in names])
    both = np.minimum(of_column[at[0]], of_column[at[1]])
    d1, d2 = (
        of_side.copies + (max(of_side.size, of_side.copies) - of_side.copies) * both
        for of_side in alike
    )
    error = np.sqrt(d1 * v1[at] / (n1[at] - 3) + d2 * v2[at] / (n2[at] - 3))
    critical = normal_isf(level / (2 * pairs))
    lowers = distance - critical * error
    best = int(lowers.argmax())
    effect, lower = float(distance[best]), max(float(lowers[best]), 0.0)
    smallest = threshold + float(error[best]) * (critical + POWER_Z)
    a, b = int(at[0][best]), int(at[1][best])
    where = f"{names[a]}, {names[b]}"
    change = f"went from {r1[a, b]:.2f} to {r2[a, b]:.2f}, by {effect:.3g} of Fisher's z"
    return drift_result(
        "correlation",
        column,
        level,
        threshold,
        (int(n1[a, b]), int(n2[a, b])),
        describe(f"the correlation of {where}", change, lower, threshold, smallest),
        where=where,
        effect=effect,
        lower=lower,
        smallest=smallest,
    )


def judge_classifier(
    labels: ArrayLike,
    scores: ArrayLike,
    level: float,
    threshold: float = DriftThresholds.auc,
    groups: ArrayLike | None = None,
) -> DriftResult:
    """Can a classifier tell current rows from reference rows better than does not matter?

    Args:
        labels: 0 for a reference row, 1 for a current row, shape (n,).
        scores: What one classifier, fitted on *other* rows of both sides, gives each row: higher
            for "current". Shape (n,).
        level: Probability of a false alarm, in (0, 0.5).
        threshold: AUC that does not matter.
        groups: The group of each row, where rows of one group are alike: none of them may have
            rows among those that the classifier was fitted on. Shape (n,).

    Returns:
        Not drifted when a side has no rows or there are less than 20.

    Raises:
        ValueError: If shapes or values are out of range.

    Note:
        A classifier two-sample test [1] with the AUC as the effect: 0.5 for equal distributions,
        and the lower bound of ``compare_auc`` (DeLong, with Hall's correction for skewness). Scores
        of several models must not be pooled: fit once, score the held-out rows. With groups, these
        are the units: Student's quantile has one degree of freedom less than the side with the
        fewer of them.

    References:
        [1] D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", International
            Conference on Learning Representations (2017).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.joint import judge_classifier
        >>> rng = np.random.default_rng(0)
        >>> labels = np.repeat([0, 1], 2000)
        >>> result = judge_classifier(labels, rng.normal(0.5 * labels, 1), 1e-4)
        >>> result.drifted, round(result.effect, 2), round(result.lower, 2)
        (True, 0.64, 0.61)

        The current row has the higher score in 64 % of the pairs, surely in more than 61 %.
    """
    level = _check.level(level, "level")
    scores = _check.vector(scores, "scores")
    labels = _check.codes(labels, "labels", 2)
    result = compare_auc(
        labels, np.zeros(len(scores)), scores, alpha=level, min_gain=threshold - 0.5
    )
    n, m = result.class_counts
    if groups is not None:
        return _classifier_of_groups(labels, scores, np.asarray(groups), level, threshold)
    effect, lower, smallest = result.challenger, 0.5, None
    if result.interval is not None and effect is not None:
        lower = max(0.5 + result.interval[0], 0.5)
        if result.smallest_gain is not None and result.smallest_gain <= 0.5:
            smallest = 0.5 + result.smallest_gain
        change = f"tells batch from reference rows with AUC {effect:.3f}"
        reason = describe("a classifier", change, lower, threshold, smallest)
    elif effect is not None and effect > 1 - 1e-12:
        # no variance to estimate, but evidence: min(n, m) independent pairs are all in order
        lower = max(level ** (1 / min(n, m)), 0.5)
        reason = describe("a classifier", "tells all rows apart", lower, threshold, None)
    else:
        reason = f"classifier: {result.reason}"
    return drift_result(
        "classifier",
        "all columns",
        level,
        threshold,
        (n, m),
        reason,
        effect=effect,
        lower=lower,
        smallest=smallest,
    )


def _classifier_of_groups(
    labels: NDArray[np.integer[Any]],
    scores: Floats,
    groups: NDArray[Any],
    level: float,
    threshold: float,
) -> DriftResult:
    rows = (int((labels == 0).sum()), int((labels == 1).sum()))
    side = np.unique(np.column_stack([labels, np.unique(groups, return_inverse=True)[1]]), axis=0)
    fewest = min(int((side[:, 0] == k).sum()) for k in (0, 1))
    what = ("classifier", "all columns", level, threshold, rows)
    if min(rows) == 0 or fewest < 2:
        reason = "classifier: not judged, a side has fewer than two groups that it has not seen"
        return drift_result(*what, reason)
    auc = auc_influence(labels, np.zeros(len(scores)), scores)
    error, _ = standard_error(auc.influence, groups)
    fewest = min(fewest, groups_of_the_rarest(labels, groups))
    critical = float(t_isf(level, fewest - 1))
    lower = max(auc.challenger - critical * error, 0.5)
    smallest = threshold + error * (critical + POWER_Z)
    change = (
        f"tells batch from reference rows of groups it has not seen with AUC {auc.challenger:.3f}"
    )
    smallest_found = smallest if smallest <= 1 else None
    return drift_result(
        *what,
        describe("a classifier", change, lower, threshold, smallest_found),
        effect=auc.challenger,
        lower=lower,
        smallest=smallest_found,
    )
