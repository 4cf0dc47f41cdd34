"""What the drift results are worth, measured: error rates and power, simulated."""

import numpy as np
import pytest
from benchmarks.drift_rates import PLANTED, detections, undrifted_lives
from scipy import special

from mlops_basics.stats._special import binom_lower, binom_upper
from mlops_basics.stats.data_drift.columns import judge_numeric
from mlops_basics.stats.data_drift.joint import JointMoments, judge_correlations
from mlops_basics.stats.data_drift.ks import ks_margin
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.spending import drift_alpha_at

pytestmark = pytest.mark.slow

ENTRIES = 22  # 20 columns and two joint entries
profile = NumericProfile.from_values


def _tolerance(alpha, runs):
    return alpha + 2 * np.sqrt(alpha * (1 - alpha) / runs)


def _level(j):
    return drift_alpha_at(j) / ENTRIES / 2


@pytest.mark.parametrize(("rows", "lives"), [(500, 20), (5_000, 4)])
def test_lives_without_drift(rows, lives):
    """No life of 50 batches of 20 columns (ties, skews, nulls, categories) has an alarm."""
    ever, alarms = undrifted_lives(lives, rows, 5_000)
    assert (ever, alarms) == (0, 0)


def test_planted_changes_are_found():
    """Each of the four changes is found in 95 % of runs at 5,000 rows, late in the life."""
    runs = 60
    counts = detections(runs)
    assert [*counts] == [*PLANTED]
    for what, (found, others) in counts.items():
        assert found / runs >= 0.95, what
        assert others == 0, what


# F(t) and G(t) of pairs of distributions on [0, 1], as quantile functions of a uniform u
PAIRS = {
    "equal": (lambda u: u, lambda u: u, 0.0),
    "shifted": (lambda u: u, lambda u: np.maximum(u - 0.1, u * 0.8), 0.1),
    "one side steep where the other is flat": (
        lambda u: np.where(u < 0.5, u, u + 1),
        lambda u: 0.5 + u,
        0.5,
    ),
    "tied": (lambda u: np.floor(u * 4), lambda u: np.floor(u * 4), 0.0),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("n", "m"), [(30, 30), (100, 400), (400, 60)])
def test_ks_bound_covers(pair, n, m):
    """The observed distance exceeds the true one by more than the margin in at most alpha."""
    f, g, truth = PAIRS[pair]
    if pair == "shifted":
        grid = np.linspace(0, 1, 100_001)
        # largest distance of G(x) from F(x) = x, by G's quantile function
        truth = float(np.abs(grid - g(grid)).max())
    rng, runs, over = np.random.default_rng(0), 4_000, {0.2: 0, 0.05: 0}
    margins = {alpha: ks_margin(n, m, alpha) for alpha in over}
    for _ in range(runs):
        a, b = np.sort(f(rng.random(n))), np.sort(g(rng.random(m)))
        x = np.concatenate([a, b])
        distance = np.abs(
            np.searchsorted(a, x, side="right") / n - np.searchsorted(b, x, side="right") / m
        ).max()
        for alpha, margin in margins.items():
            over[alpha] += distance - margin > truth + 1e-12
    for alpha, count in over.items():
        assert count / runs <= _tolerance(alpha, runs)


@pytest.mark.parametrize(("rows", "lives"), [(5_000, 100), (50_000, 10)])
def test_a_constant_harmless_difference_does_not_alarm(rows, lives):
    """A KS distance of 0.04 under a threshold of 0.05 alarms in at most 5 % of lives."""
    shift = 2 * special.ndtri(0.52)
    rng, ever = np.random.default_rng(0), 0
    for _ in range(lives):
        reference = profile(rng.normal(size=rows))
        ever += any(
            judge_numeric("x", reference, profile(rng.normal(shift, 1, rows)), _level(j)).drifted
            for j in range(1, 51)
        )
    assert ever / lives <= 0.05


def test_significant_and_large_would_alarm_on_it():
    """The reason for the bound: 'p < 0.05 and effect > threshold' alarms in most such lives."""
    shift, rng, ever = 2 * special.ndtri(0.52), np.random.default_rng(0), 0
    for _ in range(40):
        reference = profile(rng.normal(size=5_000))
        ever += any(
            judge_numeric("x", reference, profile(rng.normal(shift, 1, 5_000)), 0.01).effect > 0.05
            for _ in range(50)
        )
    assert ever / 40 >= 0.9


def test_a_hundredth_of_a_standard_deviation_does_not_alarm():
    """A shift of 0.01 sd at 500,000 rows is significant, and is not drift at any level."""
    rng = np.random.default_rng(0)
    reference = profile(rng.normal(size=500_000))
    for _ in range(20):
        result = judge_numeric("x", reference, profile(rng.normal(0.01, 1, 500_000)), 0.4)
        assert not result.drifted
        assert result.lower < 0.01


@pytest.mark.parametrize("kind", ["normal", "mixture", "heavy tails", "tied", "missing"])
@pytest.mark.parametrize("rows", [300, 3_000])
def test_correlation_bound_covers(kind, rows):
    """Without drift a pair's bound is above 0 in at most the level, normal or far from it."""
    rng, runs = np.random.default_rng(0), 1_000
    over = {0.2: 0, 0.01: 0}

    def side():
        a, b = rng.normal(size=(2, rows))
        if kind == "mixture":
            b = np.where(rng.random(rows) < 0.5, a, -a) + 0.2 * b
        elif kind == "heavy tails":
            a, b = (0.7 * a + b) / rng.gamma(1, size=rows), (a - b) / rng.gamma(1, size=rows)
        elif kind == "tied":
            a, b = np.maximum(a, 0), np.round(a + b)
        elif kind == "missing":
            b = np.where(rng.random(rows) < special.expit(a), np.nan, a + b)
        else:
            b = b + 0.5 * a
        return JointMoments.from_columns({"a": a, "b": b})

    for _ in range(runs):
        first, second = side(), side()
        for level in over:
            over[level] += judge_correlations(first, second, level, threshold=0.0).drifted
    for level, count in over.items():
        assert count / runs <= _tolerance(level, runs)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (50, 2_000)])
def test_share_limits_cover(n, m):
    """The distance of the limits that face each other exceeds the true change in at most alpha."""
    rng, runs, alpha = np.random.default_rng(0), 100_000, 0.1
    for p, q in ((0.1, 0.1), (0.02, 0.05), (0.5, 0.4), (0.0, 0.01)):
        r, c = rng.binomial(n, p, runs), rng.binomial(m, q, runs)
        each = alpha / 4
        rise = binom_lower(c, m, each) - binom_upper(r, n, each)
        fall = binom_lower(r, n, each) - binom_upper(c, m, each)
        over = np.maximum(rise, fall) > abs(p - q) + 1e-12
        assert over.mean() <= alpha
