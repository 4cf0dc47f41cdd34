"""A world whose truth is known: models of exactly known accuracy, and what rules do with them.

A row's true log-odds z are normal. A model sees z plus its own noise: the noisier, the worse. Its
probabilities are (nearly) calibrated. The noises of two models are correlated, because retrained
models are mostly right and wrong on the same rows. Accuracies and disagreement are integrals, so
"one point better" and "no better" hold exactly, not on average over draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from benchmarks.power import mcnemar_power
from mlops_basics.stats.paired.compare import compare_losses, skewness_of_mean
from mlops_basics.stats.paired.hall import hall_p_value
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.sums import PairedSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPREAD = 4.0  # standard deviation of the true log-odds: the best possible accuracy is 0.871
ACCURACY = 0.82  # true accuracy of the champion
DISAGREEMENT = 0.08  # rows that exactly one of champion and an equally good challenger gets right
THRESHOLD, STEP = 0.80, 0.005  # of the rules with fixed numbers

_GRID = special.ndtri((np.arange(1_000) + 0.5) / 1_000)
_POOL = 1 << 18  # rows of a population that level simulations draw from
_ROWS = 1 << 20  # rows simulated at a time


def true_accuracy(noise: float) -> float:
    """Accuracy of a model with this noise, an integral over the true log-odds."""
    z = SPREAD * _GRID
    p, hit = special.expit(z), special.ndtr(z / noise)
    return float(np.mean(p * hit + (1 - p) * (1 - hit)))


@cache
def noise_of(gain: float) -> float:
    """The noise of a model whose true accuracy is the champion's plus ``gain``."""
    return float(optimize.brentq(lambda s: true_accuracy(s) - ACCURACY - gain, 0.1, 20))


def true_disagreement(first: float, second: float, correlation: float) -> float:
    """Share of rows on which models with these noises predict different classes, an integral."""
    h, k = SPREAD * _GRID[:, None] / first, SPREAD * _GRID[:, None] / second
    rest = math.sqrt(1 - correlation**2)
    share = (np.arange(200) + 0.5) / 200
    apart = 0.0
    for sign in (1, -1):  # the first model says 1 and the second 0; and, turned over, 0 and 1
        below = special.ndtr(-sign * h)
        t = np.minimum(special.ndtri(below + (1 - below) * share), 9.0)  # infinite at weight 0
        apart += float(np.mean((1 - below) * special.ndtr((-sign * k - correlation * t) / rest)))
    return apart


@cache
def correlation() -> float:
    """The correlation of two models' noises that makes equally good ones disagree as stated."""
    noise = noise_of(0.0)
    return float(
        optimize.brentq(lambda r: true_disagreement(noise, noise, r) - DISAGREEMENT, 0, 0.9999)
    )


@cache
def disagreement_with(gain: float) -> float:
    """Share of rows that exactly one of the champion and such a challenger gets right."""
    return true_disagreement(noise_of(0.0), noise_of(gain), correlation())


@dataclass(frozen=True)
class Days:
    """Days of equally many rows, on each of which all log-odds are shifted: no model sees by what.

    Attributes:
        number: How many days.
        size: Rows of a day.
        spread: Standard deviation of the shift, which is normal about 0.
    """

    number: int
    size: int
    spread: float

    @property
    def rows(self) -> int:
        """Of all days."""
        return self.number * self.size

    def shifts(self, rng: np.random.Generator) -> Floats:
        """The shift of each row, shape (rows,)."""
        return np.repeat(self.spread * rng.standard_normal(self.number), self.size)

    def means(self, values: Floats) -> Floats:
        """The mean of each day, shape (..., number)."""
        by_day: Floats = values.reshape(*values.shape[:-1], self.number, self.size).mean(axis=-1)
        return by_day


def draw(rng: np.random.Generator, noises: Floats, rows: int) -> tuple[Ints, Floats]:
    """True classes, shape (rows,), and each model's probability of class 1, (models, rows)."""
    z = SPREAD * rng.standard_normal(rows)
    y = (rng.random(rows) < special.expit(z)).astype(np.int64)
    return y, special.expit(_seen(rng, noises, z))


def draw_days(
    rng: np.random.Generator, noises: Floats, leanings: Floats, days: Days
) -> tuple[Ints, Floats]:
    """The same for days; each model adds its leaning to all of its log-odds, shape (models,)."""
    z = SPREAD * rng.standard_normal(days.rows)
    y = (rng.random(days.rows) < special.expit(z + days.shifts(rng))).astype(np.int64)
    return y, special.expit(_seen(rng, noises, z) + leanings[:, None])


def _seen(rng: np.random.Generator, noises: Floats, z: Floats) -> Floats:
    """Each model's log-odds of class 1, nearly calibrated, (models, rows)."""
    common, r = rng.standard_normal(len(z)), correlation()
    of_model = rng.standard_normal((len(noises), len(z)))
    noise = noises[:, None] * (math.sqrt(r) * common + math.sqrt(1 - r) * of_model)
    kept = SPREAD**2 / (SPREAD**2 + noises[:, None] ** 2)
    # the mean of expit(z) given what the model sees, by the usual approximation
    flatter = np.sqrt(1 + math.pi / 8 * kept * noises[:, None] ** 2)
    seen: Floats = kept * (z + noise) / flatter
    return seen


def log_losses(y: Ints, p: Floats) -> Floats:
    """The project's log loss of each model and row, shape of ``p``."""
    flat = p.ravel()
    losses = log_loss_rows(np.tile(y, len(p)), np.stack([1 - flat, flat], axis=1))
    return losses.reshape(p.shape)


@dataclass(frozen=True)
class Challenges:
    """Independent challenges of one true gain: what the gate's default test said of each."""

    p_values: Floats
    gain: float  # mean gain in log loss, nats

    def share(self, alpha: float) -> float:
        """Share that the test promotes at a level."""
        return float(np.mean(self.p_values <= alpha))


def challenge(gain: float, n: int, lives: int, rng: np.random.Generator) -> Challenges:
    """Challenges by a challenger with this true gain in accuracy on n fresh rows each."""
    noises = np.array([noise_of(0.0), noise_of(gain)])
    p_values, gains = [], []
    for size in _portions(lives, n):
        losses = log_losses(*draw(rng, noises, size * n)).reshape(2, size, n)
        for champion, challenger in zip(*losses, strict=True):
            result = compare_losses(PairedSums.from_losses(champion, challenger))
            p_values.append(result.p_value)
            gains.append(result.sums.gain)
    return Challenges(np.array(p_values), float(np.mean(gains)))


def _portions(lives: int, n: int) -> Iterator[int]:
    size = max(1, _ROWS // n)
    for start in range(0, lives, size):
        yield min(size, lives - start)


def at_least(n: int, gain: float, ahead: int) -> float:
    """P(challenger has at least ``ahead`` more right rows than the champion), exactly."""
    rate = disagreement_with(gain)
    m = np.arange(n + 1)
    needed = np.ceil((m + ahead) / 2)
    chances = stats.binom.pmf(m, n, rate) * stats.binom.sf(needed - 1, m, (1 + gain / rate) / 2)
    return float(chances.sum())


def new_at_least_old(n: int, gain: float) -> float:
    """Chance that ``new >= old`` in accuracy promotes."""
    return at_least(n, gain, 0)


def ahead_by_step(n: int, gain: float) -> float:
    """Chance that "at least the champion's accuracy + 0.005" promotes."""
    return at_least(n, gain, rows_ahead(n))


def rows_ahead(n: int) -> int:
    """The step of that rule in rows."""
    return math.ceil(STEP * n - 1e-9)


def over_threshold(n: int, gain: float) -> float:
    """Chance that "accuracy at least 0.80" promotes."""
    return float(stats.binom.sf(math.ceil(THRESHOLD * n - 1e-9) - 1, n, ACCURACY + gain))


def mcnemar_at(n: int, gain: float, alpha: float) -> float:
    """Chance that the exact test of McNemar promotes at this level."""
    return mcnemar_power(n, disagreement=disagreement_with(gain), gain=gain, alpha=alpha)


def mcnemar_p(gained: Ints, lost: Ints) -> Floats:
    """p-values of the exact test of McNemar, those of ``mcnemar``, for many counts at once."""
    p: Floats = stats.binom.sf(gained - 1, gained + lost, 0.5)
    return p


def loss_p_values(champion: Floats, challengers: Floats) -> Floats:
    """p-values of ``compare_losses`` for challengers (rows of a matrix) against one champion."""
    d = champion - challengers
    n = d.shape[1]
    mean = d.mean(axis=1)
    d = d - mean[:, None]
    squares = d * d
    m2, m3 = squares.sum(axis=1), np.einsum("ij,ij->i", squares, d)
    gamma = skewness_of_mean(math.sqrt(n) * m3 / m2**1.5, n)
    return hall_p_value(mean / np.sqrt(m2 / (n - 1) / n), gamma, n - 1)


def no_better_pool(rng: np.random.Generator) -> Floats:
    """Differences in loss of many rows between two equally good models; their mean is 0."""
    noise = noise_of(0.0)
    first, second = log_losses(*draw(rng, np.array([noise, noise]), _POOL))
    d = first - second
    return d - d.mean()


def overconfident_pool() -> Floats:
    """The same for an overconfident challenger of equal mean loss: the test's hardest case.

    The champion understates the log-odds by 0.6, the challenger overstates them so far that both
    have the same mean loss. It gains a little on nearly all rows and loses much on few.
    """
    z = 3 * special.ndtri((np.arange(400) + 0.5) / 400)
    p = special.expit(z)

    def losses(factor: float) -> Floats:
        q = special.expit(factor * z)
        both = [log_losses(np.full(len(q), y), q[None])[0] for y in (1, 0)]
        return np.concatenate(both)

    weights = np.concatenate([p, 1 - p])
    target = weights @ losses(0.6)
    over = optimize.brentq(lambda factor: weights @ losses(factor) - target, 1, 60)
    shares = np.cumsum(weights) / weights.sum()
    kind = np.searchsorted(shares, (np.arange(_POOL) + 0.5) / _POOL)
    d = (losses(0.6) - losses(over))[kind]
    return d - d.mean()


def level_p_values(pool: Floats, n: int, lives: int, rng: np.random.Generator) -> Floats:
    """p-values of no better challengers whose differences are drawn from a pool of mean 0."""
    p_values = []
    for size in _portions(lives, n):
        d = pool[rng.integers(0, len(pool), (size, n), dtype=np.int32)]
        p_values.append(loss_p_values(np.zeros(n), -d))
    return np.concatenate(p_values)
