"""Student's t with Hall's correction for skewness: the core of the paired tests.

Everything is expressed by the studentised effect T (effect over its standard error), the
skewness of the *mean* gamma (for n rows of skewness g: g / sqrt(n)) and degrees of freedom, so
that one mean (losses) and a sum of means of several strata (AUC) share the same code.
"""

import numpy as np
from numpy.typing import ArrayLike

from mlops_basics.stats._special import Floats, t_isf, t_sf

_HUGE = 1e50  # a studentised effect beyond: p is 0 or 1, and the cube must not overflow


def hall_p_value(t: ArrayLike, gamma: ArrayLike, df: ArrayLike) -> Floats:
    r"""One-sided p-value: the larger of Student's and of Hall's transformed statistic.

    Args:
        t: Studentised effect; large values speak against the null hypothesis "effect <= 0".
        gamma: Skewness of the mean, finite.
        df: Degrees of freedom, positive.

    Returns:
        p-values in [0, 1], of the broadcast shape.

    Note:
        With skewed rows T is itself skewed by -2 gamma: after a left tail that the sample happens
        not to show, both the mean looks too good and the standard error too small. Hall's cubic

        .. math:: H = T + \gamma T^2 / 3 + \gamma^2 T^3 / 27 + \gamma / 6

        is monotone in T and removes that skewness to first order. Where the sample's skewness is
        positive, H errs on the liberal side and T on the conservative: the maximum is taken.

    References:
        [1] P. Hall, "On the removal of skewness by transformation", Journal of the Royal
            Statistical Society B 54, 221-228 (1992).

    Example:
        >>> from mlops_basics.stats.paired.hall import hall_p_value
        >>> round(float(hall_p_value(2.0, 0.0, 99)), 4)
        0.0241
        >>> round(float(hall_p_value(2.0, -0.3, 99)), 4)
        0.059

        The same T = 2 is no longer significant at 5 % when the rows are skewed to the left.
    """
    t = np.clip(np.asarray(t, dtype=np.float64), -_HUGE, _HUGE)
    gamma = np.asarray(gamma, dtype=np.float64)
    h = t + gamma * t**2 / 3 + gamma**2 * t**3 / 27 + gamma / 6
    return np.maximum(t_sf(t, df), t_sf(h, df))


def hall_critical(alpha: ArrayLike, gamma: ArrayLike, df: ArrayLike) -> Floats:
    """The T beyond which ``hall_p_value`` is below alpha: the test turned into an interval.

    Args:
        alpha: Level in (0, 0.5).
        gamma, df: As in ``hall_p_value``.

    Returns:
        Critical values: ``effect - critical * standard_error`` is the lower confidence limit.

    Note:
        H > q is (1 + gamma T / 3)^3 > 1 + gamma a with a = q - gamma / 6, hence T > (3 / gamma)
        (cbrt(1 + gamma a) - 1), which tends to a as gamma tends to 0.

    Example:
        >>> from mlops_basics.stats.paired.hall import hall_critical
        >>> hall_critical(0.05, [0.0, -0.3], 99).round(3).tolist()
        [1.66, 2.133]

        Skewness to the left raises the hurdle from 1.66 to 2.13 standard errors.
    """
    q = t_isf(alpha, df)
    gamma = np.asarray(gamma, dtype=np.float64)
    a = q - gamma / 6
    small = np.abs(gamma * a) < 1e-7  # below: cbrt(1 + x) - 1 = x/3 to working precision
    safe = np.where(small, 1.0, gamma)
    h = np.where(small, a, 3 / safe * (np.cbrt(1 + safe * a) - 1))
    return np.maximum(q, h)
