"""Paired losses of two models, and what tests compare of their summaries."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlops_basics.stats.paired.sums import PairedSums


def moments(sums: PairedSums) -> list[float]:
    """What the paired test uses of a summary."""
    return [sums.n, sums.champion, sums.gain, sums.m2, sums.m3, sums.scale]


@st.composite
def pairs(draw, least=0):
    """Losses of both models on the same rows."""
    n = draw(st.integers(least, 60))
    values = arrays.arrays(np.float64, (2, n), elements=st.floats(0, 10, allow_subnormal=False))
    return draw(values)


def skewed(seed, n=200):
    """Losses of a champion, and of a challenger that is a little better and sometimes very bad."""
    rng = np.random.default_rng(seed)
    champion = rng.exponential(1, n)
    return champion, champion - rng.normal(0.1, 0.3, n) + 2 * (rng.random(n) < 0.03)
