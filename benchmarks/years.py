"""A year of weekly retraining: 52 challengers on the same rows, by rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate import (
    THRESHOLD,
    draw,
    log_losses,
    loss_p_values,
    mcnemar_p,
    noise_of,
    rows_ahead,
)
from mlops_basics.stats.paired.spending import alpha_at

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEEKS = 52


@dataclass(frozen=True)
class Rows:
    """What all models of one year do on the gate's rows; model 0 is the first champion."""

    losses: Floats  # (models, rows)
    right: Bools  # (models, rows)

    def counts(self, champion: int, later: slice) -> tuple[NDArray[np.int64], ...]:
        """Rows gained and lost against the champion by each later model."""
        old, new = self.right[champion], self.right[later]
        return np.count_nonzero(new & ~old, axis=1), np.count_nonzero(old & ~new, axis=1)


#: Which of the models after the champion (a slice) the rule promotes, each at its level.
Rule = Callable[[Rows, int, slice, Floats], Bools]


def _by_loss(rows: Rows, champion: int, later: slice, levels: Floats) -> Bools:
    return loss_p_values(rows.losses[champion], rows.losses[later]) <= levels


def _by_accuracy(rows: Rows, champion: int, later: slice, levels: Floats) -> Bools:
    return mcnemar_p(*rows.counts(champion, later)) <= levels


def _mcnemar(rows: Rows, champion: int, later: slice, _levels: Floats) -> Bools:
    return mcnemar_p(*rows.counts(champion, later)) <= 0.05


def _new_at_least_old(rows: Rows, champion: int, later: slice, _levels: Floats) -> Bools:
    gained, lost = rows.counts(champion, later)
    return gained >= lost


def _step(rows: Rows, champion: int, later: slice, _levels: Floats) -> Bools:
    gained, lost = rows.counts(champion, later)
    return gained - lost >= rows_ahead(rows.right.shape[1])


def _threshold(rows: Rows, _champion: int, later: slice, _levels: Floats) -> Bools:
    return rows.right[later].mean(axis=1) >= THRESHOLD - 1e-12


RULES: dict[str, Rule] = {
    "gate": _by_loss,
    "gate by accuracy": _by_accuracy,
    "new >= old": _new_at_least_old,
    "champion + 0.005": _step,
    "accuracy >= 0.80": _threshold,
    "McNemar at 5 %": _mcnemar,
}


def promotions(rule: Rule, rows: Rows) -> int:
    """Promotions in one year; each promoted model becomes the next one's champion."""
    models, champion, count = len(rows.losses), 0, 0
    levels = np.array([alpha_at(k) for k in range(1, models)])
    while champion < models - 1:
        passed = rule(rows, champion, slice(champion + 1, None), levels[: models - 1 - champion])
        if not passed.any():
            break
        # a new champion's life begins: its first challenge is tested at the first level
        champion, count = champion + 1 + int(passed.argmax()), count + 1
    return count


def simulate_years(
    gain: float, n: int, years: int, rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Promotions per year and rule, of challengers with this true gain over the first champion.

    All 53 models of a year are equally correlated with each other; all face the same n rows.
    """
    noises = np.full(1 + WEEKS, noise_of(gain))
    noises[0] = noise_of(0.0)
    counts = {name: np.zeros(years, dtype=np.int64) for name in RULES}
    for year in range(years):
        y, p = draw(rng, noises, n)
        rows = Rows(log_losses(y, p), (p > 0.5) == y)
        for name, rule in RULES.items():
            counts[name][year] = promotions(rule, rows)
    return counts
