"""The few distribution functions of scipy.special that stats needs, with types; bisection.

scipy ships no types, and importing scipy.stats costs a second: this module is the one place
where both are dealt with.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped, unused-ignore]

Floats = NDArray[np.float64]


def _floats(values: object) -> Floats:
    return np.asarray(values, dtype=np.float64)


def t_sf(t: ArrayLike, df: ArrayLike) -> Floats:
    """P(T > t) of Student's t."""
    return _floats(special.stdtr(df, -np.asarray(t, dtype=np.float64)))


def t_isf(alpha: ArrayLike, df: ArrayLike) -> Floats:
    """The point that Student's t exceeds with probability alpha."""
    return _floats(-special.stdtrit(df, np.asarray(alpha, dtype=np.float64)))


def normal_isf(alpha: float) -> float:
    """The point that a standard normal exceeds with probability alpha."""
    return float(-special.ndtri(alpha))


def binom_cdf(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Floats:
    """P(X <= k) of a binomial; 0 for k < 0, 1 for k >= n."""
    whole, size = np.floor(_floats(k)), _floats(n)
    inner = np.clip(whole, 0, np.maximum(size - 1, 0))
    inside = special.betainc(np.maximum(size - inner, 1), inner + 1, 1 - _floats(p))
    return _floats(np.where(whole < 0, 0.0, np.where(whole >= size, 1.0, inside)))


def binom_sf(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Floats:
    """P(X > k) of a binomial; 1 for k < 0, 0 for k >= n."""
    n = np.asarray(n, dtype=np.float64)
    return binom_cdf(n - np.asarray(k, dtype=np.float64) - 1, n, 1 - np.asarray(p))


def binom_pmf(k: ArrayLike, n: float, p: float) -> Floats:
    """P(X = k) of a binomial with 0 <= k <= n."""
    k = np.asarray(k, dtype=np.float64)
    log_choose = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return _floats(np.exp(log_choose + special.xlogy(k, p) + special.xlog1py(n - k, -p)))


def binom_lower(k: ArrayLike, n: ArrayLike, alpha: float) -> Floats:
    """Clopper and Pearson's lower limit of a share at one-sided level alpha."""
    k, n = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    limit = special.betaincinv(np.where(k > 0, k, 1.0), n - k + 1, alpha)
    return _floats(np.where(k > 0, limit, 0.0))


def binom_upper(k: ArrayLike, n: ArrayLike, alpha: float) -> Floats:
    """Clopper and Pearson's upper limit of a share at one-sided level alpha."""
    return 1 - binom_lower(np.asarray(n) - np.asarray(k), n, alpha)


def binom_ppf(alpha: ArrayLike, n: ArrayLike, p: ArrayLike) -> Floats:
    """The largest k with P(X <= k) <= alpha, -1 when there is none."""
    alpha, n = np.asarray(alpha, dtype=np.float64), np.asarray(n, dtype=np.float64)
    # bdtrik inverts the continuous extension and may miss by one: start above, step down.
    start = np.ceil(np.nan_to_num(_floats(special.bdtrik(alpha, n, p)), nan=0.0)) + 1
    k = np.minimum(start, n)
    while True:
        too_high = (k >= 0) & (binom_cdf(k, n, p) > alpha)
        if not too_high.any():
            return _floats(k)
        k = np.where(too_high, k - 1, k)


def smallest_where(
    holds: Callable[[float], bool], low: float, high: float, halvings: int = 50
) -> float:
    """The smallest x between low and high from which on something holds, by bisection.

    It holds at high; the returned x is one at which it does.
    """
    for _ in range(halvings):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
