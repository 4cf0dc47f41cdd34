"""Copied rows are no evidence: the same decision on a table and on ten copies of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import simulate
from benchmarks.bars import Bar
from benchmarks.rate import Rate
from benchmarks.years import WEEKS
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums
from mlops_basics.table.copies import copy_sets

Floats = NDArray[np.float64]

SEED, ROWS, LIVES, YEARS = 23, 300, 1_000, 100


def p_values(champion: Floats, challenger: Floats, times: int) -> tuple[float, float]:
    """On so many copies of a table: rows as independent ones, and copies of a row as one.

    Args:
        champion, challenger: Loss of each row of the table, shape (rows,).
        times: How often it was concatenated.
    """
    old, new = np.tile(champion, times), np.tile(challenger, times)
    by_row = compare_losses(PairedSums.from_losses(old, new)).p_value
    sets = copy_sets(pd.DataFrame({"a": old, "b": new}), pd.Series(np.zeros(len(old))))
    by_set = by_row if sets is None else compare_losses(group_sums(old, new, sets)).p_value
    return by_row, by_set


def differing(lives: int = LIVES, times: int = 10) -> tuple[Rate, Rate]:
    """First challenges by a challenger two points better that copies decide otherwise."""
    rng, level = np.random.default_rng([SEED, 1]), alpha_at(1)
    noises = np.array([simulate.noise_of(0.0), simulate.noise_of(0.02)])
    changed = np.zeros(2)
    for _ in range(lives):
        losses = simulate.log_losses(*simulate.draw(rng, noises, ROWS))
        once = p_values(*losses, 1)[1] <= level
        changed += [(p <= level) != once for p in p_values(*losses, times)]
    before, now = (Rate(float(share), lives) for share in changed / lives)
    return before, now


def years(times: int, count: int = YEARS) -> tuple[Rate, Rate]:
    """Years in which any of 52 equal challengers passes on so many copies of the same rows."""
    rng = np.random.default_rng([SEED, 2, times])
    noises = np.full(1 + WEEKS, simulate.noise_of(0.0))
    passed = np.zeros(2)
    for _ in range(count):
        champion, *challengers = simulate.log_losses(*simulate.draw(rng, noises, ROWS))
        tested = [p_values(champion, each, times) for each in challengers]
        levels = [alpha_at(k) for k in range(1, 1 + WEEKS)]
        passed += (np.array(tested) <= np.array(levels)[:, None]).any(axis=0)
    before, now = (Rate(float(share), count) for share in passed / count)
    return before, now


def rows() -> list[Bar]:
    """Every case."""
    return [
        Bar(f"{ROWS} rows and ten copies of them are decided differently", *differing(), 0.0),
        *(
            Bar(
                f"{times} copies of {ROWS} rows: a year of {WEEKS} equal challengers promotes",
                *years(times),
                0.05,
            )
            for times in (3, 10)
        ),
    ]
