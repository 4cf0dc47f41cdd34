"""Values of a column with their exact ranks, without sorting the whole of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BUCKETS = 1 << 18  # their counts (2 MB) stay in the cache, and few values share one
_SAMPLE = 1000  # values that the buckets' range is chosen from
_TAILS = (0.01, 0.99)  # beyond, values share the first or the last bucket


@dataclass(frozen=True, eq=False, kw_only=True)
class RankedPoints:
    """Some values of a column and their ranks.

    Attributes
    ----------
    points : ndarray of float, shape (k,)
        Distinct values, ascending.
    at_most, below : ndarray of int, shape (k,)
        Number of values <= each, and < each.
    exact : bool
        Whether `points` are all distinct values.
    """

    points: Floats
    at_most: Ints
    below: Ints
    exact: bool


def rank_by_buckets(values: Floats, size: int) -> RankedPoints | None:
    """All distinct values when there are at most `size`, else those at evenly spaced ranks.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        In any order, without NaN (not checked).
    size : int, at least 2
        Largest number of points.

    Returns
    -------
    RankedPoints or None
        Exactly what a sort gives. None when buckets do not help: then sort.

    Notes
    -----
    Values are counted in buckets of equal width; a bucket's number never falls when the value
    rises, also after rounding. The counts say in which buckets the wanted ranks lie, and only
    the values in those are sorted: 11 % of a million normal values for 8,192 ranks. Where few
    buckets are filled, those with one distinct value need no sort. The sample that the range is
    chosen from decides how long it takes, never what comes out.

    Examples
    --------
    >>> import numpy as np
    >>> from mlops_basics.stats.data_drift.order_statistics import rank_by_buckets
    >>> ranked = rank_by_buckets(np.arange(1e6)[::-1], 3)
    >>> ranked.points.tolist(), ranked.at_most.tolist(), ranked.exact
    ([0.0, 499999.0, 999999.0], [1, 500000, 1000000], False)
    """
    buckets = _buckets(values)
    if buckets is None:
        return None
    counts = np.bincount(buckets, minlength=_BUCKETS)
    # as many distinct values at least as filled buckets
    if np.count_nonzero(counts) > size:
        return _evenly_spaced(values, buckets, counts, size)
    return _all_distinct(values, buckets, counts, size)


def _buckets(values: Floats) -> Ints | None:
    """The bucket of each value; None when the middle of the values has no width."""
    n = len(values)
    if n == 0:
        return None
    first, last = np.quantile(values[:: max(n // _SAMPLE, 1)], _TAILS, method="lower")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (_BUCKETS - 1) / (last - first)
        if not (np.isfinite(scale) and scale > 0):
            return None
        places = values - first
        places *= scale
    np.clip(places, 0, _BUCKETS - 1, out=places)
    # rounds to a whole number and leaves it in the low bits: no cast, no second array
    places += 2.0**52
    buckets: Ints = places.view(np.int64)
    buckets &= _BUCKETS - 1
    return buckets


def _evenly_spaced(values: Floats, buckets: Ints, counts: Ints, size: int) -> RankedPoints:
    ranks = np.linspace(0, len(values) - 1, size).astype(np.intp)
    at = np.searchsorted(np.cumsum(counts), ranks, side="right")
    wanted = np.zeros(_BUCKETS, dtype=bool)
    wanted[at] = True
    kept = values[wanted[buckets]]
    kept.sort()
    left_out = np.cumsum(np.where(wanted, 0, counts))[at]
    points = kept[ranks - left_out]
    new = np.concatenate([[True], points[1:] != points[:-1]])
    points, left_out = points[new], left_out[new]
    return RankedPoints(
        points=points,
        at_most=(np.searchsorted(kept, points, side="right") + left_out).astype(np.int64),
        below=(np.searchsorted(kept, points, side="left") + left_out).astype(np.int64),
        exact=False,
    )


def _all_distinct(values: Floats, buckets: Ints, counts: Ints, size: int) -> RankedPoints | None:
    one_of = np.empty(_BUCKETS)
    one_of[buckets] = values
    mixed = np.zeros(_BUCKETS, dtype=bool)
    mixed[buckets[one_of[buckets] != values]] = True
    kept = values[mixed[buckets]]
    kept.sort()
    pure = np.flatnonzero((counts > 0) & ~mixed)
    alone = one_of[pure]
    points = np.union1d(alone, kept)
    if len(points) > size:
        return None
    before = np.concatenate([[0], np.cumsum(counts[pure])])
    at_most = before[np.searchsorted(alone, points, side="right")]
    at_most = (at_most + np.searchsorted(kept, points, side="right")).astype(np.int64)
    below = np.concatenate([[0], at_most[:-1]]).astype(np.int64)
    return RankedPoints(points=points, at_most=at_most, below=below, exact=True)
