"""Days that persist: what they are worth, who cannot influence it, and the level it gives."""

import numpy as np
import pytest
from benchmarks.dependent_days import days_in_a_row, gate_lives, unequal_lives
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.persistence import independent_days

series = arrays.arrays(np.float64, st.integers(3, 80), elements=st.integers(-50, 50))


@given(series, st.integers(-20, 20), st.sampled_from([-3.0, -1.0, 1e-30, 2.5]))
def test_who_is_ahead_has_no_influence(days, constant, factor):
    """The worth is the same for any unit, any sign and any mean gain, and lies between 1 and G."""
    worth = independent_days(days)
    assert 1 <= worth <= len(days)
    assert independent_days((days + constant) * factor) == pytest.approx(worth, rel=1e-6)
    backwards = independent_days(days[::-1])
    assert backwards == pytest.approx(worth, rel=1e-6)


def test_many_series_at_once_are_judged_as_each_alone():
    """A matrix of series gives the worth of each of its rows."""
    rng = np.random.default_rng(0)
    table = np.array([days_in_a_row(rng, 90, rho, 0.2) for rho in (0.0, 0.5, 0.8)])
    assert independent_days(table) == pytest.approx([float(independent_days(x)) for x in table])


def test_degenerate_days_are_taken_as_they_are():
    """Two days, or days that do not vary, tell nothing of what persists."""
    assert independent_days([1.0, 2.0]) == 2
    assert independent_days([3.0] * 30) == 30
    assert independent_days(np.empty((2, 0))).tolist() == [0, 0]


def test_the_worth_approaches_the_true_one():
    """Of very many days: all of them if independent, a ninth if all persists by 0.8 a day."""
    rng = np.random.default_rng(1)
    independent, persisting = rng.normal(size=20_000), days_in_a_row(rng, 20_000, 0.8, 0.0)
    assert independent_days(independent) == pytest.approx(20_000, rel=0.01)
    assert independent_days(persisting) == pytest.approx(20_000 / 9, rel=0.1)
    half = days_in_a_row(rng, 20_000, 0.8, 0.5)
    assert independent_days(half) == pytest.approx(20_000 / 5, rel=0.1)


def test_a_result_tells_what_its_days_are_worth():
    """Persisting days widen the interval, and the note says what they tell."""
    rng = np.random.default_rng(2)
    d = days_in_a_row(rng, 120, 0.8, 0.0) + 0.2
    zero, codes = np.zeros(120), np.arange(120)
    alone = compare_losses(group_sums(d, zero, codes))
    in_order = compare_losses(group_sums(d, zero, codes, in_order=True))
    assert alone.significant
    assert not in_order.significant
    assert in_order.effect == alone.effect
    assert in_order.smallest_gain > 2 * alone.smallest_gain
    worth = round(float(independent_days(d)))
    told = f"days may persist: these 120 tell as much as {worth} independent ones"
    assert in_order.level_note == told
    assert alone.level_note == ""


def test_groups_of_one_size_keep_their_degrees_of_freedom():
    """As many groups of one size; two giants among small groups count as two."""
    zero = np.zeros(300)
    d = np.random.default_rng(3).normal(size=300)
    even = group_sums(d, zero, np.repeat(np.arange(30), 10))
    assert (even.worth, even.freedom) == (30, pytest.approx(29))
    giants = group_sums(d, zero, np.concatenate([np.repeat([0, 1], 140), np.arange(2, 22)]))
    assert (giants.worth, round(giants.freedom, 1)) == (22, 1.3)


def most_errors(lives, share, tail=1e-4):
    """How many errors in so many lives a true share exceeds with this probability at most."""
    return int(stats.binom.isf(tail, lives, share))


@pytest.mark.slow
@pytest.mark.parametrize("days", [60, 360])
@pytest.mark.parametrize(("autocorrelation", "noise"), [(0.0, 0.0), (0.5, 0.5), (0.8, 0.5)])
def test_the_level_holds_where_days_persist(days, autocorrelation, noise):
    """At most twice the nominal 0.58 %, where days taken as independent err in 3 to 13 %."""
    lives = 1500
    before, after = gate_lives(lives, days, autocorrelation, noise, seed=8)
    assert after <= most_errors(lives, 2 * 0.0058)
    if autocorrelation:
        assert before > most_errors(lives, 2 * 0.0058)


@pytest.mark.slow
def test_the_level_holds_where_groups_are_very_unequal():
    """Sizes of Pareto's law, index 1.2: below the nominal level, which G - 1 degrees exceed."""
    before, after = unequal_lives(2000, 30, 0.3, seed=8)
    assert after <= most_errors(2000, 0.0058)
    assert before > after
