"""A probability in words: exact, or counted with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Rate:
    """A probability: computed exactly, or counted in simulated lives."""

    value: float
    lives: int | None = None
    spread: float | None = None  # standard error, where lives depend on each other

    @classmethod
    def of_clusters(cls, hits: ArrayLike, lives: ArrayLike) -> Rate:
        """A rate whose lives are independent between clusters only.

        Args:
            hits: In each cluster, shape (clusters,).
            lives: In each cluster, shape (clusters,).
        """
        hits, lives = np.asarray(hits, dtype=float), np.asarray(lives, dtype=float)
        total, count = float(lives.sum()), len(lives)
        if not total:
            return cls(0.0, 0)
        value = float(hits.sum()) / total
        squares = float(((hits - value * lives) ** 2).sum())
        return cls(value, round(total), math.sqrt(squares * count / max(count - 1, 1)) / total)

    @property
    def error(self) -> float:
        """Standard error; 0 where exact."""
        if self.spread is not None:
            return self.spread
        return 0.0 if self.lives is None else math.sqrt(self.value * (1 - self.value) / self.lives)

    def __str__(self) -> str:
        if self.lives is None:
            return percent(self.value)
        if self.value in (0, 1) or not self.lives:
            return f"{self.value * self.lives:,.0f} of {self.lives:,}"
        places = sum(self.error < bound for bound in (1, 0.002, 0.0002, 0.000005))
        return f"{100 * self.value:.{places}f} ± {100 * self.error:.{places}f} %"


def percent(value: float) -> str:
    """An exact probability."""
    if value < 0.000005:
        return "< 0.001 %"
    if value >= 0.9995:
        return "> 99.9 %"
    places = 3 if value < 0.001 else 2 if value < 0.01 else 1
    return f"{100 * value:.{places}f} %"
