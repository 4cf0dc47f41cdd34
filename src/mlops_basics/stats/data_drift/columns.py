"""Has a column changed by more than what matters? Results from confidence bounds of effects."""

import math

import numpy as np
from numpy.typing import NDArray

from mlops_basics.stats import _check
from mlops_basics.stats._special import binom_lower, binom_ppf, binom_upper
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.ks import ks_distance, ks_margin
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import (
    DriftResult,
    DriftThresholds,
    describe,
    drift_result,
)
from mlops_basics.stats.paired.result import POWER_Z

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MIN_JOINT = 10  # levels with fewer rows on both sides together are pooled
_FIRST = 32  # cells whose limits are computed first, the most changed ones
_POWER = 0.8  # probability to find the smallest effect


def judge_numeric(
    column: str,
    reference: NumericProfile,
    current: NumericProfile,
    level: float,
    threshold: float = DriftThresholds.numeric,
    design: tuple[float, float] = (1.0, 1.0),
) -> DriftResult:
    r"""Has the distribution of the values moved by more than the threshold?

    Args:
        column: Its name.
        reference, current: Both sides.
        level: Probability of a false alarm, in (0, 0.5).
        threshold: KS distance that does not matter.
        design: Design effect of each side: so many of its rows say no more than one would.

    Returns:
        Of the values that are not missing (``judge_missing`` judges those). Not drifted when a side
        has no values.

    Raises:
        ValueError: If level is out of range.

    Note:
        Drifted when D - margin > threshold, D the two-sample KS distance and the margin of
        ``ks_margin``, which holds for any distributions and sizes. A monotone change of unit on
        both sides and the order of the rows change nothing. Whether a *difference* is significant
        is not asked: at 500,000 rows a shift of 0.01 standard deviations is.

        The smallest effect is threshold + margin + 0.84 standard deviations of D, which is at most
        half the square root of 1/n + 1/m.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.columns import judge_numeric
        >>> from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
        >>> rng = np.random.default_rng(0)
        >>> reference, moved, same = rng.normal(0, 1, 5000), rng.normal(0.5, 1, 5000), rng.normal(
        ...     0, 1, 5000
        ... )
        >>> profile = NumericProfile.from_values
        >>> result = judge_numeric("x", profile(reference), profile(moved), 1e-4)
        >>> result.drifted, round(result.effect, 2), round(result.lower, 2)
        (True, 0.22, 0.17)
        >>> judge_numeric("x", profile(reference), profile(same), 1e-4).drifted
        False

        The moved column's distribution differs by 0.17 at least, where 0.05 would not matter.
    """
    level = _check.level(level, "level")
    n, m = reference.n, current.n
    if n == 0 or m == 0:
        reason = f"{column}: not judged, the {'batch' if n else 'reference'} has no values"
        return drift_result("numeric", column, level, threshold, (n, m), reason)
    ks = ks_distance(reference, current)
    worth, worth_now = (max(int(rows / each), 1) for rows, each in zip((n, m), design, strict=True))
    margin = ks_margin(worth, worth_now, level)
    lower = max(ks.distance - margin, 0.0)
    needed = threshold + margin + POWER_Z * 0.5 * math.sqrt(1 / worth + 1 / worth_now)
    smallest = needed if needed <= 1 else None
    where = f"{ks.at:.4g}"
    change = f"has {ks.current:.1%} of its values at or below {where}, it had {ks.reference:.1%}"
    return drift_result(
        "numeric",
        column,
        level,
        threshold,
        (n, m),
        describe(column, change, lower, threshold, smallest),
        where=where,
        effect=ks.distance,
        lower=lower,
        smallest=smallest,
    )


def judge_missing(
    column: str,
    reference: NumericProfile,
    current: NumericProfile,
    level: float,
    threshold: float = DriftThresholds.share,
    design: tuple[float, float] = (1.0, 1.0),
) -> DriftResult:
    """Has the share of missing values changed by more than the threshold?

    Args:
        column: Its name.
        reference, current: Both sides.
        level: Probability of a false alarm, in (0, 0.5).
        threshold: Change of the share that does not matter.
        design: As in ``judge_numeric``.

    Returns:
        Not drifted when a side has no rows.

    Raises:
        ValueError: If level is out of range.

    Note:
        See ``judge_categorical``: one cell.

    Example:
        >>> from mlops_basics.stats.data_drift.columns import judge_missing
        >>> from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
        >>> full = NumericProfile.from_values([1.0] * 5000)
        >>> holes = NumericProfile.from_values([1.0] * 4500 + [float("nan")] * 500)
        >>> result = judge_missing("x", full, holes, 1e-4)
        >>> result.drifted, result.effect, round(result.lower, 3)
        (True, 0.1, 0.081)

        A tenth of the values has gone missing, surely more than 8 %.
    """
    return _shares(
        column,
        "missing",
        ["missing values"],
        np.array([reference.missing], dtype=np.int64),
        np.array([current.missing], dtype=np.int64),
        (reference.rows, current.rows),
        _check.level(level, "level"),
        threshold,
        design,
    )


def judge_categorical(
    column: str,
    reference: CategoricalProfile,
    current: CategoricalProfile,
    level: float,
    threshold: float = DriftThresholds.share,
    design: tuple[float, float] = (1.0, 1.0),
) -> DriftResult:
    r"""Has the share of any level, missing being one, changed by more than the threshold?

    Args:
        column: Its name.
        reference, current: Both sides.
        level: Probability of a false alarm, in (0, 0.5).
        threshold: Change of one share that does not matter.
        design: As in ``judge_numeric``.

    Returns:
        Not drifted when a side has no rows.

    Raises:
        ValueError: If level is out of range.

    Note:
        The effect is the largest change of one share. Its lower bound is the largest distance
        between the Clopper-Pearson limits [1] of both sides, each of the 4 limits of each of the K
        cells at level a / (4 K): by the union bound all hold together with probability 1 - a, and
        then the true largest change is at least that distance. Only limits that could matter are
        computed: a cell's bound is below its observed change.

        Levels with fewer than 10 rows on both sides *together* form one cell: which levels are
        pooled does not depend on the side they came from, so that without drift the pooled rows are
        split over the sides by chance alone. A cell "not in the reference" would alarm by itself: a
        reference sample never holds all rare levels.

    References:
        [1] C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated
            in the case of the binomial", Biometrika 26, 404-413 (1934).

    Example:
        >>> from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
        >>> from mlops_basics.stats.data_drift.columns import judge_categorical
        >>> before = CategoricalProfile(counts={"JFK": 2500, "LGA": 2500})
        >>> after = CategoricalProfile(counts={"JFK": 2375, "LGA": 2375, "SWF": 250})
        >>> result = judge_categorical("origin", before, after, 1e-4)
        >>> result.drifted, result.where, result.effect, round(result.lower, 3)
        (True, 'SWF', 0.05, 0.035)

        The new airport has 5 % of the rows, 3.5 % at least: more than the 2 % that would not
        matter.
    """
    level = _check.level(level, "level")
    cells, r, c = _cells(reference, current, threshold)
    rows = (reference.rows, current.rows)
    return _shares(column, "categorical", cells, r, c, rows, level, threshold, design)


def _cells(
    reference: CategoricalProfile, current: CategoricalProfile, threshold: float
) -> tuple[list[str], Ints, Ints]:
    """Names and counts of the cells: levels, missing values, and the rare levels in one."""
    least: float = _MIN_JOINT
    if reference.other or current.other:
        # a side has kept its most frequent levels only: what may be cut off there is pooled
        least = max(least, threshold / 4 * (reference.rows + current.rows))
    names, r, c = ["missing values"], [reference.missing], [current.missing]
    rare, rare_r, rare_c = 0, reference.other, current.other
    for name in reference.counts | current.counts:
        a, b = reference.counts.get(name, 0), current.counts.get(name, 0)
        if a + b >= least:
            names.append(name)
            r.append(a)
            c.append(b)
        else:
            rare, rare_r, rare_c = rare + 1, rare_r + a, rare_c + b
    if rare_r + rare_c:
        names.append(f"{rare} rare levels")
        r.append(rare_r)
        c.append(rare_c)
    return names, np.array(r, dtype=np.int64), np.array(c, dtype=np.int64)


def _shares(
    column: str,
    kind: str,
    cells: list[str],
    r: Ints,
    c: Ints,
    rows: tuple[int, int],
    level: float,
    threshold: float,
    design: tuple[float, float],
) -> DriftResult:
    n, m = rows
    if n == 0 or m == 0:
        reason = f"{column}: not judged, the {'batch' if n else 'reference'} has no rows"
        return drift_result(kind, column, level, threshold, rows, reason)
    limit_level = level / (4 * len(cells))
    change = np.abs(c / m - r / n)
    order = np.argsort(-change, kind="stable")
    worth, worth_now = n / design[0], m / design[1]  # of independent rows, and of a cell's below

    def lower_bounds(at: NDArray[np.intp]) -> Floats:
        return _lower(r[at] / design[0], worth, c[at] / design[1], worth_now, limit_level)

    lowers = lower_bounds(order[:_FIRST])
    rest = order[_FIRST:][change[order[_FIRST:]] > lowers.max()]
    lowers = np.concatenate([lowers, lower_bounds(rest)])
    judged = np.concatenate([order[:_FIRST], rest])
    # the cell whose bound is largest; without any, the one that changed most
    best = int(judged[lowers.argmax()]) if lowers.max() > 0 else int(order[0])
    where, lower = cells[best], float(lowers.max())
    fewer, fewer_now = max(int(worth), 1), max(int(worth_now), 1)
    of_cell = min(round(r[best] / design[0]), fewer)
    smallest = _smallest(of_cell, fewer, fewer_now, limit_level, threshold)
    what = f"{column}: the share of {where if kind == 'missing' else repr(where)}"
    shift = f"went from {r[best] / n:.1%} to {c[best] / m:.1%}"
    return drift_result(
        kind,
        column,
        level,
        threshold,
        rows,
        describe(what, shift, lower, threshold, smallest),
        where=where,
        effect=float(change[order[0]]),
        lower=lower,
        smallest=smallest,
    )


def _lower(r: Floats, n: float, c: Floats, m: float, alpha: float) -> Floats:
    """Lower bound of each cell's change: the distance of the limits that face each other."""
    rise = binom_lower(c, m, alpha) - binom_upper(r, n, alpha)
    fall = binom_lower(r, n, alpha) - binom_upper(c, m, alpha)
    return np.maximum(np.maximum(rise, fall), 0.0)


def _smallest(r: int, n: int, m: int, alpha: float, threshold: float) -> float | None:
    """Smallest change of this cell, up or down, that is found four times in five."""
    before = np.array([r, n - r])  # a fall is a rise of all others
    bar = threshold + binom_upper(before, n, alpha)
    # fewest rows k in the batch that prove it: P(X >= k) <= alpha for X binomial (m, bar)
    k = m - binom_ppf(alpha, m, 1 - np.minimum(bar, 1 - 1e-12))
    change = binom_lower(np.minimum(k, m), m, _POWER) - before / n
    provable = change[(bar < 1) & (k <= m)]
    return float(provable.max()) if provable.size else None
