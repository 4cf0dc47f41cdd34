"""Exact paired comparison of accuracy."""

import dataclasses
import itertools

import numpy as np
import pytest
from benchmarks.power import mcnemar_power
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.spending import alpha_at

counts = st.tuples(*[st.integers(0, 60)] * 4).map(
    lambda c: PairedCounts(n=sum(c), both_right=c[0], gained=c[1], lost=c[2])
)


def _tables(n):
    """All (gained, lost) of n rows."""
    return [(g, lost) for g, lost in itertools.product(range(n + 1), repeat=2) if g + lost <= n]


def _probabilities(tables, n, better, worse):
    """Trinomial probabilities of the tables when rows are gained and lost at given rates."""
    cells = np.array([(g, lost, n - g - lost) for g, lost in tables])
    return stats.multinomial.pmf(cells, n, [better, worse, 1 - better - worse])


@settings(deadline=None, max_examples=40)
@given(counts)
def test_p_values_are_scipys_binomial_test(c):
    """Both one-sided p-values are those of binomtest on the rows that one model got right."""
    result = mcnemar(c)
    m = c.gained + c.lost
    for p, k in ((result.p_value, c.gained), (result.p_worse, c.lost)):
        expected = stats.binomtest(k, m, alternative="greater").pvalue if m else 1.0
        assert p == pytest.approx(expected, rel=1e-9)


def test_published_example_of_fay():
    """mcnemar.exact(matrix(c(21, 9, 2, 12), 2, 2)) of exact2x2 has the two-sided p 0.06543."""
    result = mcnemar(PairedCounts(n=44, both_right=21, gained=9, lost=2))
    assert round(2 * result.p_value, 5) == 0.06543


def test_published_example_of_agresti():
    """Agresti's approval ratings (150 against 86 of 1,600) have chi-squared 17.36, p = 3.1e-05."""
    result = mcnemar(PairedCounts(n=1600, both_right=794, gained=150, lost=86))
    assert pytest.approx(17.36, abs=0.005) == (150 - 86) ** 2 / (150 + 86)
    assert 2 * result.p_value == pytest.approx(3.1e-05, rel=0.25)  # exact, not asymptotic
    assert result.effect == 0.04


@settings(deadline=None, max_examples=40)
@given(counts, st.sampled_from([-0.1, 0.0, 0.05]))
def test_no_result_holds_nan_or_infinity(c, min_gain):
    """Every number of every result is finite or None, also with few or no rows."""
    result = mcnemar(c, min_gain=min_gain)
    numbers = [v for v in dataclasses.asdict(result).values() if isinstance(v, float)]
    assert np.isfinite([*numbers, *(result.interval or ())]).all()
    assert (result.effect is None) == (c.n == 0)


@settings(deadline=None, max_examples=40)
@given(counts)
def test_swapping_the_models_mirrors_the_result(c):
    """With champion and challenger exchanged effect and interval change sign."""
    swapped = dataclasses.replace(c, gained=c.lost, lost=c.gained)
    a, b = mcnemar(c), mcnemar(swapped)
    assert (a.p_value, a.p_worse) == (b.p_worse, b.p_value)
    if c.n:
        assert a.interval == pytest.approx((-b.interval[1], -b.interval[0]), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(counts, st.floats(-0.3, 0.3), st.sampled_from([0.05, 0.005]))
def test_interval_and_test_agree(c, min_gain, alpha):
    """The lower limit exceeds min_gain only if the test is significant, and reaches it then."""
    result = mcnemar(c, alpha=alpha, min_gain=min_gain)
    if result.interval is None:
        assert not result.significant
    elif result.interval[0] > min_gain + 1e-9:
        assert result.significant
    elif result.significant and min_gain == 0:
        assert result.interval[0] >= 0
    if result.interval is not None:
        assert result.interval[0] <= result.effect <= result.interval[1]


@pytest.mark.slow
@pytest.mark.parametrize("n", [15, 30])
@pytest.mark.parametrize("min_gain", [-0.1, 0.0, 0.1])
def test_level_is_exact(n, min_gain):
    """Enumerated: at no rate of disagreement is a null gain found with more than alpha."""
    tables = _tables(n)
    found = np.array(
        [mcnemar(PairedCounts(n, 0, g, lost), min_gain=min_gain).significant for g, lost in tables]
    )
    assert found.any()
    for lost_rate in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4):
        gained_rate = lost_rate + min_gain
        if gained_rate >= 0:
            assert _probabilities(tables, n, gained_rate, lost_rate) @ found <= 0.05 + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("n", [15, 30])
def test_interval_covers(n):
    """Enumerated: either end of the interval misses the true gain with at most about alpha."""
    tables = _tables(n)
    limits = np.array([mcnemar(PairedCounts(n, 0, g, lost)).interval for g, lost in tables])
    for better, worse in itertools.product((0.0, 0.02, 0.1, 0.3, 0.5), repeat=2):
        weights = _probabilities(tables, n, better, worse)
        assert weights @ (limits[:, 0] > better - worse + 1e-12) <= 0.0525
        assert weights @ (limits[:, 1] < better - worse - 1e-12) <= 0.0525


@pytest.mark.slow
@pytest.mark.parametrize("min_gain", [-0.05, 0.0, 0.05])
def test_power_is_the_enumerated_one(min_gain):
    """The power equals the total probability of the significant tables."""
    n, tables = 40, _tables(40)
    found = [mcnemar(PairedCounts(n, 0, g, k), min_gain=min_gain).significant for g, k in tables]
    expected = _probabilities(tables, n, 0.25, 0.05) @ found
    power = mcnemar_power(n, disagreement=0.3, gain=0.2, min_gain=min_gain)
    assert power == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("n", "gained", "lost", "min_gain"),
    [
        (500, 30, 25, 0.0),
        (500, 3, 2, 0.0),
        (2000, 90, 80, 0.01),
        (2000, 90, 80, -0.02),
        (100, 0, 0, 0),
    ],
)
def test_smallest_gain_is_found_with_80_percent(n, gained, lost, min_gain):
    """At the smallest gain the exact power is 80 %, a tenth closer to min_gain it is less."""
    result = mcnemar(PairedCounts(n, 0, gained, lost), min_gain=min_gain)
    rate, smallest = (gained + lost) / n, result.smallest_gain
    less = min_gain + 0.9 * (smallest - min_gain)
    power = [
        mcnemar_power(n, disagreement=max(rate, abs(g)), gain=g, min_gain=min_gain)
        for g in (smallest, less)
    ]
    assert power[0] == pytest.approx(0.8, abs=0.03)
    assert power[1] < power[0]
    assert power[1] < 0.8


def test_too_few_rows_can_show_no_gain():
    """Four rows cannot be significant at 5 %: no smallest gain."""
    assert mcnemar(PairedCounts(n=4, gained=4)).smallest_gain is None
    assert mcnemar(PairedCounts(n=5, gained=5)).significant


@pytest.mark.parametrize(("k", "power"), [(1, 0.80), (26, 0.52), (60, 0.45)])
def test_one_point_is_found_over_a_champions_life(k, power):
    """At 10,000 rows and 8 % disagreement the k-th challenger, one point better, often passes."""
    found = mcnemar_power(10_000, disagreement=0.08, gain=0.01, alpha=alpha_at(k, 0.05))
    assert found >= power


@pytest.mark.parametrize(
    ("n", "gain", "power"),
    [(1_000, 0.01, 0.260), (1_000, 0.02, 0.688), (10_000, 0.01, 0.969), (10_000, 0.02, 1.0)],
)
def test_stated_power_at_five_percent(n, gain, power):
    """The power for one and two points at 8 % disagreement is the one the documents state."""
    found = mcnemar_power(n, disagreement=0.08, gain=gain)
    assert found == pytest.approx(power, abs=0.0006)


@settings(deadline=None, max_examples=40)
@given(st.lists(counts, min_size=3, max_size=3))
def test_merging_adds_rows(parts):
    """Merging in any order gives the counts of all rows; no rows change nothing."""
    a, b, c = parts
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == c.merge(b).merge(a)
    assert a.merge(PairedCounts()) == a


def test_counts_of_predictions():
    """Counting on halves and merging equals counting at once, and the naive counts."""
    rng = np.random.default_rng(0)
    y, a, b = rng.integers(0, 3, (3, 200))
    whole = PairedCounts.from_predictions(y, a, b)
    halves = [PairedCounts.from_predictions(y[i], a[i], b[i]) for i in (slice(90), slice(90, None))]
    assert halves[0].merge(halves[1]) == whole
    assert whole.gained == sum(p != t and q == t for t, p, q in zip(y, a, b, strict=True))
    assert whole.lost == sum(p == t and q != t for t, p, q in zip(y, a, b, strict=True))
    assert whole.both_right == sum(p == t == q for t, p, q in zip(y, a, b, strict=True))


def test_identical_models_say_so():
    """Without disagreement nothing is claimed, and the reason says it."""
    result = mcnemar(PairedCounts(n=100, both_right=90))
    assert (result.effect, result.p_value, result.significant) == (0.0, 1.0, False)
    assert "right on the same rows" in result.reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: PairedCounts(n=1, gained=2),
            r"n must be at least both_right \+ gained \+ lost, got 1",
        ),
        (lambda: PairedCounts(n=-1), "n must be an integer not less than 0, got -1"),
        (lambda: mcnemar(PairedCounts(), alpha=0.5), r"alpha must be between 0 and 0\.5, got 0\.5"),
        (lambda: mcnemar(PairedCounts(), min_gain=1), "min_gain must be between -1 and 1, got 1"),
        (
            lambda: PairedCounts.from_predictions([0], [0, 1], [0]),
            r"champion must be of shape \(1,\)",
        ),
        (lambda: PairedCounts.from_predictions([[0]], [0], [0]), "y must be one-dimensional"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each bad argument is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()
