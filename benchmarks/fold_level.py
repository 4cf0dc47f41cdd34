"""How often a recipe that is exactly as good as the champion passes, when its folds share rows.

The champion has fixed weights; the recipe's expected loss over the fits of its folds equals the
champion's. The fits share most of their rows, so that the losses of different folds depend on each
other; the test takes them as independent. Least squares on many columns and one nearest neighbour
are the recipes that depend most on single rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.sums import PairedSums

Floats = NDArray[np.float64]
#: Predicts rows from a fit on other rows: (learned x, learned y, predicted x).
Fit = Callable[[Floats, Floats, Floats], Floats]

FOLDS, SEED = 5, 11


def least_squares(x: Floats, y: Floats, rows: Floats) -> Floats:
    """Ordinary least squares without a constant."""
    solved: Floats = rows @ np.linalg.solve(x.T @ x, x.T @ y)
    return solved


def ridge(x: Floats, y: Floats, rows: Floats) -> Floats:
    """Ridge regression with a penalty of 10."""
    solved: Floats = rows @ np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)
    return solved


def nearest(x: Floats, y: Floats, rows: Floats, neighbours: int = 1) -> Floats:
    """Mean target of the nearest rows."""
    distances = ((rows[:, None, :] - x[None]) ** 2).sum(-1)
    found = np.argpartition(distances, neighbours - 1, axis=1)[:, :neighbours]
    means: Floats = y[found].mean(1)
    return means


def five_nearest(x: Floats, y: Floats, rows: Floats) -> Floats:
    """Mean target of the five nearest rows."""
    return nearest(x, y, rows, 5)


@dataclass(frozen=True)
class Case:
    """A table and a recipe: rows that speak out of fold, test rows, rows that only teach, columns.

    Attributes:
        name: Of the recipe.
        fit: The recipe.
        columns: Of the table; the first one alone matters.
        speaking: Train rows, each predicted by the fit of the other folds.
        taught: Rows that every fit learns from, and that do not speak (valid rows).
        tested: Test rows, predicted by the fit on all others.
    """

    name: str
    fit: Fit
    columns: int
    speaking: int = 100
    taught: int = 30
    tested: int = 30


CASES = (
    Case("least squares, 5 columns", least_squares, 5),
    Case("least squares, 20 columns", least_squares, 20),
    Case("least squares, 40 columns", least_squares, 40),
    Case("least squares, 20 columns, three times the rows", least_squares, 20, 300, 100, 100),
    Case("ridge, 20 columns", ridge, 20),
    Case("five nearest neighbours", five_nearest, 3),
    Case("one nearest neighbour", nearest, 3),
)


def _life(case: Case, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Rows that speak, their targets, and what the recipe's fits say of them."""
    n = case.speaking + case.taught + case.tested
    x = rng.standard_normal((n, case.columns))
    y = x[:, 0] + rng.standard_normal(n)
    learned = n - case.tested
    fold = np.where(np.arange(n) < case.speaking, np.arange(n) % FOLDS, -1)
    said = np.full(n, np.nan)
    for each in range(FOLDS):
        rest = (fold != each) & (np.arange(n) < learned)
        said[fold == each] = case.fit(x[rest], y[rest], x[fold == each])
    said[learned:] = case.fit(x[:learned], y[:learned], x[learned:])
    speak = ~np.isnan(said)
    return x[speak], y[speak], said[speak]


def p_values(case: Case, lives: int, seed: int = SEED) -> Floats:
    """P-values of challengers that are exactly as good as their champion.

    The recipe's expected loss is found by as many tables more, since it has no closed form.

    Args:
        case: Table and recipe.
        lives: How many tables.
        seed: Of the draws.

    Returns:
        One a life, shape (lives,).
    """
    rng = np.random.default_rng([seed, case.columns, case.speaking])
    excess = 0.0
    for _ in range(lives):
        x, _, said = _life(case, rng)
        excess += float(np.mean((said - x[:, 0]) ** 2)) / lives
    found = np.empty(lives)
    for life in range(lives):
        x, y, said = _life(case, rng)
        champion = (y - x[:, 0] - np.sqrt(excess) * x[:, -1]) ** 2  # a fixed error of that size
        found[life] = compare_losses(PairedSums.from_losses(champion, (y - said) ** 2)).p_value
    return found
