"""What out-of-fold rows add on small real tables: how many better challengers are found, and worse.

A table is divided anew for each case: 10 % taught the champion, 30 % came after it and taught the
challenger, too, 20 % are test rows, and the other 40 % tell which of the two is truly better. All
challengers are of the champion's own family, as a retraining with more rows is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import bars, fold_level
from benchmarks.bars import Bar
from benchmarks.proof_page import Paragraph, Part, Table
from benchmarks.rate import Rate, percent
from mlops_basics.fitting.folds import divide
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Fit = Callable[[Rows], Any]

FOLDS, SPLITS = 5, 100
TABLES: dict[str, Callable[..., Any]] = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
}
#: Of truly better challengers, at the level of a first challenge; and promotions that are mistakes.
GOALS = {"iris": 0.75, "wine": 0.70, "breast cancer": 0.45}
MOST_WORSE = 0.03

FAMILIES: dict[str, Callable[[], Any]] = {
    **{
        f"logistic regression, C = {c:g}": partial(
            lambda c: make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1_000)), c
        )
        for c in (0.3, 1, 100)
    },
    "boosting": partial(
        HistGradientBoostingClassifier, max_iter=20, early_stopping=False, random_state=0
    ),
    "forest": partial(RandomForestClassifier, n_estimators=30, random_state=0),
    "nearest neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()),
}


@dataclass(frozen=True)
class Contest:
    """One challenger: its p-values, and its true gain in nats.

    Attributes:
        split: Which division of the table it is of.
        before: p-value on the test rows alone.
        after: p-value with those that came after the champion, out of fold.
        gain: Mean gain of the released model on the rows that nobody has seen.
    """

    split: int
    before: float
    after: float
    gain: float


def contests(name: str, splits: int = SPLITS, seed: int = 0) -> list[Contest]:
    """All families on a table, divided so many times."""
    x, y = TABLES[name](return_X_y=True)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for split in range(splits):
            rng = np.random.default_rng([seed, split])
            order = rng.permutation(len(y))
            sizes = np.cumsum([round(share * len(y)) for share in (0.1, 0.3, 0.2)])
            old, new, test, rest = np.split(order, sizes)
            for make in FAMILIES.values():
                made = _contest(make, x, y, old, new, test, rest)
                found.append(Contest(split, *made))
    return found


def _contest(
    make: Callable[[], Any], x: Floats, y: Rows, old: Rows, new: Rows, test: Rows, rest: Rows
) -> tuple[float, float, float]:
    """P-values before and after, and the true gain."""

    def losses(learned: Rows, rows: Rows) -> Floats:
        model = make().fit(x[learned], y[learned])
        p = np.zeros((len(rows), int(y.max()) + 1))
        p[:, model.classes_] = model.predict_proba(x[rows])
        return log_loss_rows(y[rows], p)

    everything = np.arange(len(y))
    champion = losses(old, everything)
    learned = np.concatenate([old, new])
    challenger = losses(learned, everything)
    folds = divide(new.astype(np.uint64), FOLDS)
    out_of_fold = challenger.copy()
    for fold in range(1, FOLDS + 1):
        held = new[folds == fold]
        out_of_fold[held] = losses(np.concatenate([old, new[folds != fold]]), held)

    def p_value(of_challenger: Floats, rows: Rows) -> float:
        sums = PairedSums.from_losses(champion[rows], of_challenger[rows])
        return compare_losses(sums).p_value

    before = p_value(challenger, test)
    after = p_value(out_of_fold, np.concatenate([test, new]))
    return before, after, float((champion - challenger)[rest].mean())


def _share(of: list[Contest], hits: list[bool]) -> Rate:
    """Of some challengers; those of one division of a table are not independent."""
    splits = [each.split for each in of]
    return Rate.of_clusters(np.bincount(splits, hits), np.bincount(splits))


def found(contests: list[Contest], level: float) -> tuple[Rate, Rate]:
    """Shares of the truly better challengers that are promoted, before and after."""
    better = [each for each in contests if each.gain > 0]
    before = _share(better, [each.before <= level for each in better])
    return before, _share(better, [each.after <= level for each in better])


def mistaken(contests: list[Contest], level: float) -> tuple[Rate, Rate]:
    """Shares of all promotions that are of truly worse challengers, before and after."""
    shares = []
    for name in ("before", "after"):
        promoted = [each for each in contests if getattr(each, name) <= level]
        shares.append(_share(promoted, [each.gain <= 0 for each in promoted]))
    return shares[0], shares[1]


def rows(splits: int = SPLITS) -> list[Bar]:
    """How many better ones are found, and how many promotions are mistakes."""
    measured, level = [], alpha_at(1)
    for name, goal in GOALS.items():
        of_table = contests(name, splits)
        case = f"{name}: better challengers found"
        measured.append(Bar(case, *found(of_table, level), goal, least=True))
        case = f"{name}: promotions of worse challengers"
        measured.append(Bar(case, *mistaken(of_table, level), MOST_WORSE))
    return measured


#: Lives of each case of ``levels``.
LIVES = 6_000


def levels(lives: int = LIVES) -> list[tuple[str, Rate, Rate]]:
    """Case, and how often an exactly equal recipe passes at 5 % and at a first challenge."""
    passed = []
    for case in fold_level.CASES:
        p_values = fold_level.p_values(case, lives)
        at_5, at_first = (
            Rate(float(np.mean(p_values <= level)), lives) for level in (0.05, alpha_at(1))
        )
        passed.append((case.name, at_5, at_first))
    return passed


def part(measured: list[Bar], passed: list[tuple[str, Rate, Rate]]) -> Part:
    """The section of the proof: what is gained, what is claimed, and under which condition.

    Args:
        measured: What ``rows`` returned.
        passed: What ``levels`` returned.
    """
    return Part(
        "More power from the same rows",
        (
            bars.table(
                f"A first challenge, at 0.58 %: six model families, each table divided {SPLITS} "
                "times; before: test rows alone, now: with out-of-fold rows",
                measured,
            ),
            Table(
                "Chance that a recipe of exactly equal mean loss passes, "
                f"{LIVES:,} tables each: 100 rows out of fold and 30 test rows",
                ("recipe", "promised 5 %", f"promised {percent(alpha_at(1))}"),
                tuple((case, *map(str, shares)) for case, *shares in passed),
            ),
            Paragraph(
                "Rows that came after the champion, and that the challenger learns from, speak out "
                "of fold: each is predicted by one of five further fits of the challenger's recipe "
                "that has not seen it, nor anything of its group (`decision.folds`). What is "
                "tested then is the recipe, not one set of weights: that fits of it, on the rows "
                "that there are, do better than the champion. Rows on which the recipe was chosen "
                "do not speak, nor does any in a split by time, where a fit without a day knows "
                "the days after it. The folds' models share most of their rows. Their losses are "
                "taken as independent all the same. The second table says what that costs: nothing "
                "for most recipes; those that follow single rows most (as many columns as a third "
                "of the rows; one neighbour) pass a little more often than promised. The mistakes "
                "of the first table were counted for what is released, judged on 40 % of a table "
                "that nobody has seen."
            ),
            Paragraph(
                "The same recipe may challenge the same champion again when rows have come. Its "
                "evidence adds up: rows that spoke before keep what they said, new ones are judged "
                "by the fits of today, and all of them are tested at a group-sequential level, "
                "which knows what was spent before (stats/paired/looks.py). The promise of 5 % "
                "holds over all looks and all recipes, for the recipe's mean gain over its looks, "
                "as it was fitted at each; it needs rows that stand for themselves, and is "
                "asymptotic as each test of this page is. Where rows were removed or changed, or "
                "belong together, a challenge begins anew, at what is left to be spent."
            ),
        ),
    )
