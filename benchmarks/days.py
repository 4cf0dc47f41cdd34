"""Rows of a day that err together: what the decision makes of them, and what other rules do.

On each day all log-odds are shifted, which no model sees, and every model leans a little to one of
the classes: on a day of many of these it seems the better one. Leanings are of equal size, so that
by symmetry models of equal noise are equally good: over many days, not over the thirty at hand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.proof_page import Paragraph, Part, Table
from benchmarks.rate import Rate, percent
from benchmarks.simulate import (
    SPREAD,
    Days,
    draw_days,
    log_losses,
    loss_p_values,
    mcnemar_p,
    noise_of,
)
from benchmarks.years import RULES, WEEKS, Rows, promotions
from mlops_basics.stats.paired.spending import alpha_at

Floats = NDArray[np.float64]

DAYS, SIZE = 30, 100
SPREADS = (0.0, 1.0, 2.0)  # of the days' shifts, in log-odds
LEANING = 0.2  # of each model, in log-odds, to one class or to the other
GAINS = (0.0, 0.01, 0.02)
LIVES, YEARS = 4_000, 1_000
_GRID = special.ndtri((np.arange(400) + 0.5) / 400)

BY_DAYS = "this gate: days count (`group_by: auto`)"
BY_ROWS = "the same test, rows taken as independent (`group_by: none`)"
MCNEMAR = "McNemar at 5 % every time"
NAIVE = "`new >= old` in accuracy"


def p_values(days: Days, gain: float, rng: np.random.Generator, lives: int) -> dict[str, Floats]:
    """One challenge a life by a challenger with this true gain: the p-values of three tests."""
    noises, leanings = np.array([noise_of(0.0), noise_of(gain)]), np.array([LEANING, -LEANING])
    p_values = {name: np.empty(lives) for name in (BY_DAYS, BY_ROWS, MCNEMAR)}
    for life in range(lives):
        y, p = draw_days(rng, noises, leanings, days)
        losses, right = log_losses(y, p), (p > 0.5) == y
        by_day = days.means(losses)
        p_values[BY_DAYS][life] = loss_p_values(by_day[0], by_day[1:])[0]
        p_values[BY_ROWS][life] = loss_p_values(losses[0], losses[1:])[0]
        gained, lost = (right[1] & ~right[0]).sum(), (right[0] & ~right[1]).sum()
        p_values[MCNEMAR][life] = mcnemar_p(gained, lost)
    return p_values


def years_with_a_promotion(days: Days, rng: np.random.Generator, years: int) -> dict[str, Rate]:
    """Share of years in which one of 52 equal challengers is promoted, by rule."""
    noises = np.full(1 + WEEKS, noise_of(0.0))
    ever = dict.fromkeys((BY_DAYS, BY_ROWS, MCNEMAR, NAIVE), 0)
    for _ in range(years):
        leanings = LEANING * rng.choice([-1.0, 1.0], 1 + WEEKS)
        y, p = draw_days(rng, noises, leanings, days)
        rows = Rows(log_losses(y, p), (p > 0.5) == y)
        by_day = Rows(days.means(rows.losses), rows.right)
        ever[BY_DAYS] += promotions(RULES["gate"], by_day) > 0
        ever[BY_ROWS] += promotions(RULES["gate"], rows) > 0
        ever[MCNEMAR] += promotions(RULES["McNemar at 5 %"], rows) > 0
        ever[NAIVE] += promotions(RULES["new >= old"], rows) > 0
    return {name: Rate(count / years, years) for name, count in ever.items()}


def class_share_spread(spread: float) -> float:
    """Standard deviation of the share of class 1 among the days, an integral."""
    shares = [special.expit(SPREAD * _GRID + spread * shift).mean() for shift in _GRID]
    return float(np.std(shares))


def level_rows(by_spread: list[dict[str, Floats]]) -> list[tuple[str, ...]]:
    """How often an equally good challenger passes, by test and level; a column a spread."""
    rows = []
    for name in (BY_DAYS, BY_ROWS, MCNEMAR):
        for level in (0.05, alpha_at(1)) if name != MCNEMAR else (0.05,):
            rates = [_passed(p[name], level) for p in by_spread]
            test = name if name == MCNEMAR else f"{name}, at {percent(level)}"
            rows.append((test, *map(str, rates)))
    return rows


def _passed(p: Floats, level: float) -> Rate:
    return Rate(float(np.mean(p <= level)), len(p))


def simulate_spread(
    number: int, generator: Callable[[int], np.random.Generator], lives: int = LIVES
) -> list[dict[str, Floats]]:
    """The challenges of one spread, for each gain."""
    days = Days(DAYS, SIZE, SPREADS[number])
    parts = (generator(10 * number + k) for k in range(len(GAINS)))
    return [p_values(days, gain, rng, lives) for gain, rng in zip(GAINS, parts, strict=True)]


def part(generator: Callable[[int], np.random.Generator]) -> Part:
    """The section of the page.

    Args:
        generator: The random numbers of each part of it.
    """
    by_spread = [simulate_spread(number, generator) for number in range(len(SPREADS))]
    ever = [
        years_with_a_promotion(Days(DAYS, SIZE, spread), generator(100 + number), YEARS)
        for number, spread in enumerate(SPREADS)
    ]
    columns = tuple(
        f"days: {spread:g} (class 1: 50 ± {100 * class_share_spread(spread):.0f} %)"
        for spread in SPREADS
    )
    better = ((1, "1 point better"), (2, "2 points better"))
    power = [
        (name, challenger, *(str(_passed(each[k][name], alpha_at(1))) for each in by_spread))
        for name in (BY_DAYS, BY_ROWS)
        for k, challenger in better
    ]
    return Part(
        "Rows that err together",
        (
            Table(
                f"Chance that an equally good challenger passes one test on {DAYS} days of {SIZE} "
                "rows, by how far days are shifted",
                ("test", *columns),
                level_rows([each[0] for each in by_spread]),
            ),
            Table(
                f"Years in which one of {WEEKS} equal challengers is promoted, the same "
                f"{DAYS * SIZE:,} rows",
                ("rule", *columns),
                [(name, *(str(each[name]) for each in ever)) for name in ever[0]],
            ),
            Table(
                "Chance that a better challenger is promoted at its first challenge",
                ("test", "challenger", *columns),
                power,
            ),
            Paragraph(
                "What it means. Weather, a price list or a failing sensor meets all rows of a day. "
                "Here it shifts the log-odds of a whole day, which no model sees, and each model "
                f"leans by {LEANING:g} to one of the classes: on days of that class it seems "
                "better. All models are equally good all the same; 3,000 rows say little more of "
                "them than 30 days. A test that takes each row for a witness of its own finds "
                f"proof in such luck: {ever[2][BY_ROWS]} of the years end with a needless "
                f"promotion where days differ most, {ever[2][MCNEMAR]} by McNemar every time. With "
                f"days as witnesses the promise holds ({ever[2][BY_DAYS]}); the price is that a "
                "small gain needs more days, not more rows of a day. Without a time column "
                "nothing tells which rows belong together but a column that is named: a customer, "
                "a machine, a site (`group_by`)."
            ),
            Paragraph(
                "These tables take days for independent of each other, which they are here. The "
                "gate does not know it: days may persist, and it takes them for fewer, the more "
                "so the fewer they are. So it promotes still less often without need than the "
                "tables say, and finds less on 30 days than they say: the next section counts both."
            ),
            Paragraph(
                f"{LIVES:,} challenges and {YEARS:,} years for each column. In a challenge both "
                "models lean to different classes; in a year each model's class is drawn. Points "
                "better are those of models on days without shift."
            ),
        ),
    )
