"""Simulations that stop when their answer is certain."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import special

ERROR = 1e-3  # probability to stop with "at most" where the true share is above the bound
_BETS = np.array([0.0, 0.25, 0.5, 0.75])  # shares, of the bound, that the test bets on


def surely_at_most(bound: float, outcomes: Iterable[NDArray[np.bool_]]) -> bool:
    """Whether something happens in at most this share of independent lives.

    Stops at the first group of lives that makes it certain; if none does, what was counted in all
    of them decides, as it would without stopping. Of a share above the bound each likelihood ratio
    of a smaller one is a supermartingale, and so is their mean: it ever reaches 1 / ERROR with
    probability at most ERROR (Ville).

    Args:
        bound: Share, in (0, 1).
        outcomes: Whether it happened, life by life, in groups; drawn as they are asked for.

    Returns:
        Whether it does; False without a single life.
    """
    happened = lives = 0
    for group in outcomes:
        happened, lives = happened + int(np.count_nonzero(group)), lives + len(group)
        ratios = special.xlogy(happened, _BETS)
        ratios = ratios + (lives - happened) * np.log((1 - _BETS * bound) / (1 - bound))
        if special.logsumexp(ratios) - np.log(len(_BETS)) >= -np.log(ERROR):
            return True
    return lives > 0 and happened <= bound * lives
