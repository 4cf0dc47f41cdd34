"""The benchmark of out-of-fold rows, on one small table: more is found, and nothing worse."""

from __future__ import annotations

import pytest
from benchmarks.fold_level import CASES, Case, p_values
from benchmarks.folds import MOST_WORSE, contests, found, mistaken
from scipy.stats import binom

from mlops_basics.stats.paired.spending import alpha_at


@pytest.mark.slow
def test_more_of_the_better_challengers_are_found_and_hardly_a_worse_one():
    """Iris, five divisions, six families: exact binomial bounds at one in a thousand of at most
    3 % mistakes, and of three in four found."""
    made = contests("iris", splits=5)
    better = sum(each.gain > 0 for each in made)
    before, after = found(made, alpha_at(1))
    assert after.value * better >= binom.ppf(1e-3, better, 0.75)
    assert after.value > before.value
    promoted = sum(each.after <= alpha_at(1) for each in made)
    wrong = round(mistaken(made, alpha_at(1))[1].value * promoted)
    assert wrong <= binom.isf(1e-3, promoted, MOST_WORSE)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[1:3], ids=lambda case: case.name)
def test_an_equally_good_recipe_passes_at_most_as_often_as_promised(case: Case):
    """4,000 tables whose folds share rows: at 5 %, by an exact binomial bound at one in a million
    around 6.5 %, which least squares on 40 columns and 130 rows may come to."""
    passed = int((p_values(case, 4_000) <= 0.05).sum())
    assert passed <= binom.isf(1e-6, 4_000, 0.065 if case.columns == 40 else 0.05)
