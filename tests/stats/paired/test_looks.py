"""Tests of evidence that adds up over several looks: the level of the last one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.paired.looks import level_of_last
from mlops_basics.stats.paired.spending import alpha_at


def test_a_single_look_spends_its_level():
    """Nothing has been found before."""
    assert level_of_last([17.0], [0.0058]) == pytest.approx(0.0058, rel=1e-12)


def test_two_looks_agree_with_the_bivariate_normal():
    """An independent integral: what neither finds, by the distribution of both."""
    spent = (0.004, 0.01)
    for ratio in (0.1, 0.5, 0.9):
        level = level_of_last([ratio, 1.0], spent)
        limits = stats.norm.isf([spent[0], level])
        both = stats.multivariate_normal(cov=[[1, ratio**0.5], [ratio**0.5, 1]])
        assert 1 - both.cdf(limits) == pytest.approx(sum(spent), abs=2e-5)


def _spent_by(limits):
    """What a design with these limits spends at each of equally spaced looks."""
    spent = []
    for k, limit in enumerate(limits, start=1):
        low, high = 1e-9, 0.05
        for _ in range(30):
            middle = (low + high) / 2
            level = level_of_last(range(1, k + 1), [*spent, middle])
            low, high = (middle, high) if level < stats.norm.sf(limit) else (low, middle)
        spent.append(high)
    return spent


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits",
    [np.full(5, 2.413), 2.040 * np.sqrt(5 / np.arange(1, 6))],
    ids=["Pocock", "O'Brien and Fleming"],
)
def test_published_designs_spend_what_they_promise(limits):
    """Five looks, two-sided 5 %: the constants of Jennison and Turnbull, "Group Sequential Methods"
    (2000), tables 2.1 and 2.3; one side spends half of it."""
    assert sum(_spent_by(limits)) == pytest.approx(0.025, abs=2e-5)


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.floats(0.001, 100), min_size=1, max_size=8),
    shares=st.lists(st.floats(1e-5, 0.01), min_size=8, max_size=8),
)
def test_a_level_lies_between_what_is_spent_now_and_all_that_is_spent(steps, shares):
    """Never less than a fresh start, never more than the sum of all looks."""
    shares = shares[: len(steps)]
    level = level_of_last(np.cumsum(steps), shares)
    assert shares[-1] * (1 - 1e-9) <= level <= sum(shares) * (1 + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("every", [40, 1])
def test_a_year_of_looks_keeps_what_is_promised_and_finds_more(every):
    """52 weekly looks at a recipe that is no better reject in no more than they spend (a binomial
    bound at one in a million), also where rows hardly grow; one that is better is found more often
    than by fresh starts."""
    rng, lives = np.random.default_rng(5), 20_000
    rows = 1_000 * (every == 1) + every * np.arange(1, 53)
    spent = [alpha_at(k) for k in range(1, 53)]
    levels = np.array([level_of_last(rows[:k], spent[:k]) for k in range(1, 53)])
    steps = np.sqrt(np.diff(rows, prepend=0)) * rng.standard_normal((lives, 52))
    for gain, most in ((0.0, True), (0.07, False)):
        z = (steps.cumsum(axis=1) + gain * rows) / np.sqrt(rows)
        found = (z >= stats.norm.isf(levels)).any(axis=1).sum()
        if most:
            assert found <= stats.binom.isf(1e-6, lives, sum(spent))
        else:
            afresh = (z >= stats.norm.isf(spent)).any(axis=1).sum()
            assert found > afresh + (0.15 * lives if every == 40 else 0)


@pytest.mark.parametrize(
    ("information", "spent", "message"),
    [
        ([], [], "information must be positive"),
        ([1.0, 0.0], [0.01, 0.01], "information must be positive"),
        ([1.0], [0.01, 0.01], "spent must be of length 1"),
        ([1.0], [0.0], "spent must be positive"),
        ([1.0, 2.0], [0.3, 0.3], "spent must be positive and of a sum below 0.5"),
        ([np.nan], [0.1], "information must be finite"),
    ],
)
def test_what_is_no_look_is_refused(information, spent, message):
    """Each error names the argument."""
    with pytest.raises(ValueError, match=message):
        level_of_last(information, spent)
