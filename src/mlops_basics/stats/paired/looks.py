"""Looks: evidence that adds up over several tests of the same thing, each of which spends alpha."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from mlops_basics.stats import _check
from mlops_basics.stats._special import Floats

#: A look counts as having at least this share of new evidence: less makes the integral narrow.
_LEAST_NEW = 0.02
_LOWEST, _NODES, _HALVINGS = -8.0, 240, 60


def level_of_last(information: Sequence[float], spent: Sequence[float]) -> float:
    r"""The nominal level of the last of several looks at evidence that adds up.

    Args:
        information: What each look knows, in any unit, positive: for sums of independent gains
            their variance. Later looks hold the evidence of those before. Shape (looks,).
        spent: The probability of a first false rejection at each look, in (0, 0.5); of sum below
            0.5. Shape (looks,).

    Returns:
        The level at which the one-sided p-value of all evidence so far may be tested. That of a
        single look is what it spends; that of a later one is more, since what would be wrong has
        mostly been found wrong before.

    Raises:
        ValueError: If shapes differ or a value is out of range.

    Note:
        Under the null hypothesis the standardised sums are jointly normal with correlations
        sqrt(information_j / information_k) [1]. The limit c_k of each look solves

        .. math:: P(Z_1 < c_1, ..., Z_{k-1} < c_{k-1}, Z_k \ge c_k) = spent_k

        by numerical integration from look to look [2]; levels are spent as they come, so that
        neither the number of looks nor their times have to be known beforehand [1]. Where a look
        adds less than 2 % to what is known, 2 % are assumed: that lowers the correlations, with
        which the probability of any rejection rises [3], so that the level is still kept.

    References:
        [1] K. K. G. Lan and D. L. DeMets, "Discrete sequential boundaries for clinical trials",
            Biometrika 70, 659-663 (1983).
        [2] P. Armitage, C. K. McPherson and B. C. Rowe, "Repeated significance tests on
            accumulating data", Journal of the Royal Statistical Society A 132, 235-244 (1969).
        [3] D. Slepian, "The one-sided barrier problem for Gaussian noise", Bell System Technical
            Journal 41, 463-501 (1962).

    Example:
        >>> from mlops_basics.stats.paired.looks import level_of_last
        >>> round(level_of_last([100], [0.01]), 4)
        0.01
        >>> round(level_of_last([100, 200], [0.01, 0.01]), 4)
        0.0132
        >>> round(level_of_last([100, 101], [0.01, 0.01]), 4)
        0.0199

        Twice the rows: 1.3 % instead of 1 %. The same rows again, nearly: all that may be spent by
        now.
    """
    known = _check.vector(information, "information")
    shares = _check.vector(spent, "spent")
    _check.same_length("spent", len(shares), len(known))
    if not len(known) or known.min() <= 0:
        raise ValueError(f"information must be positive, of one look at least, got {known!r}")
    if shares.min() <= 0 or shares.sum() >= 0.5:
        raise ValueError(f"spent must be positive and of a sum below 0.5, got {shares!r}")
    ratios = np.minimum(known[:-1] / known[1:], 1 - _LEAST_NEW)
    limit = -float(ndtri(shares[0]))
    z, mass = _nodes(limit)
    mass = mass * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    for ratio, share in zip(ratios, shares[1:], strict=True):
        means, sd = np.sqrt(ratio) * z, np.sqrt(1 - ratio)
        limit = _limit(means, sd, mass, share)
        z, weights = _nodes(limit)
        distance = (z[:, None] - means) / sd
        density = np.exp(-(distance**2) / 2) @ mass / (sd * np.sqrt(2 * np.pi))
        mass = weights * density
    return float(ndtr(-limit))


def _limit(means: Floats, sd: float, mass: Floats, share: float) -> float:
    """Where the probability of a first crossing is what this look spends."""
    low, high = _LOWEST, -float(ndtri(share))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if ndtr((means - middle) / sd) @ mass > share:
            low = middle
        else:
            high = middle
    return high


def _nodes(limit: float) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss and Legendre below a limit."""
    x, weights = _standard_nodes()
    half = (limit - _LOWEST) / 2
    return _LOWEST + half * (x + 1), half * weights


@cache
def _standard_nodes() -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(_NODES)
