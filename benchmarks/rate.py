"""A probability in words: exact, or counted with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A probability: computed exactly, or counted in simulated lives."""

    value: float
    lives: int | None = None

    @property
    def error(self) -> float:
        """Standard error; 0 where exact."""
        return 0.0 if self.lives is None else math.sqrt(self.value * (1 - self.value) / self.lives)

    def __str__(self) -> str:
        if self.lives is None:
            return percent(self.value)
        if self.value in (0, 1):
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
