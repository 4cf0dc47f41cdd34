"""Kolmogorov-Smirnov distance and its margin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mlops_basics.stats.data_drift.ks import ks_distance, ks_margin
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from tests.support.profiles import rank_error

columns = st.lists(st.integers(-20, 20).map(lambda v: v / 4), min_size=1, max_size=50)


def _distance(a, b, **keywords):
    return ks_distance(
        NumericProfile.from_values(a, **keywords), NumericProfile.from_values(b, **keywords)
    )


@given(columns, columns)
def test_distance_is_scipys(a, b):
    """The same as ks_2samp's statistic, ties included."""
    with np.errstate(divide="ignore"):  # scipy's p-value, which is not used
        expected = stats.ks_2samp(a, b, method="asymp").statistic
    assert _distance(a, b).distance == pytest.approx(expected, abs=1e-12)


@given(columns, columns)
def test_distance_ignores_monotone_maps_of_both_sides(a, b):
    """Another unit, or a logarithm, changes nothing; a falling map neither."""
    plain = _distance(a, b).distance
    assert _distance(np.exp(a), np.exp(b)).distance == pytest.approx(plain, abs=1e-12)
    assert _distance(-np.array(a), -np.array(b)).distance == pytest.approx(plain, abs=1e-12)


@given(columns, columns)
def test_sides_are_treated_alike(a, b):
    """Exchanging reference and batch leaves the distance."""
    assert _distance(a, b).distance == pytest.approx(_distance(b, a).distance, abs=1e-12)


@given(columns, columns, st.integers(2, 10))
def test_compressed_profiles_never_exaggerate(a, b, size):
    """What is certain from compressed profiles is at most the distance, and not far below."""
    whole, small = _distance(a, b).distance, _distance(a, b, max_points=size).distance
    assert small <= whole + 1e-12
    errors = [rank_error(NumericProfile.from_values(x, max_points=size)) for x in (a, b)]
    assert small >= whole - sum(errors) - 1e-12


def test_compression_costs_next_to_nothing():
    """With the default bound 100,000 values give the distance to a few ten-thousandths."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 100_000), rng.normal(0.3, 1, 100_000)
    truth = stats.ks_2samp(a, b, method="asymp").statistic
    assert 0 <= truth - _distance(a, b).distance <= 3e-4


def test_margin_solves_the_convolution():
    """Twice the tail of the sum of two Rayleigh variables, integrated numerically, is alpha."""
    for n, m, alpha in ((50, 50, 0.05), (500, 20_000, 1e-4), (7, 3, 0.2), (1_000_000, 500, 1e-5)):
        t = ks_margin(n, m, alpha)
        inside, _ = integrate.quad(
            lambda x, n=n, m=m, t=t: 4 * n * x * np.exp(-2 * n * x * x - 2 * m * (t - x) ** 2),
            0,
            t,
            points=[t * m / (n + m)],
            epsabs=0,
            epsrel=1e-10,
        )
        assert 2 * (inside + np.exp(-2 * n * t * t)) == pytest.approx(alpha, rel=1e-6)


def test_margin_becomes_massarts_when_the_reference_is_endless():
    """With a known reference the margin is that of the one-sample inequality."""
    t = ks_margin(10**12, 1000, 1e-3)
    assert t == pytest.approx(np.sqrt(np.log(2 / 1e-3) / 2 / 1000), rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 50, 500, 5000])
def test_one_sided_inequality_holds_everywhere(n):
    """Smirnov's exact tail is below exp(-2 n x^2) for every x: what the margin is built on."""
    x = np.linspace(1e-4, 1 if n < 5 else 2.5 / np.sqrt(n), 2000 if n < 500 else 40)
    x = x[x < 1]
    assert (special.smirnov(n, x) <= np.exp(-2 * n * x * x)).all()


def _exceeds(n, m, t):
    """P(D > t) for two samples of one continuous distribution, by counting lattice paths."""
    paths = np.zeros((n + 1, m + 1))
    for i in range(n + 1):
        for j in range(m + 1):
            before = (paths[i - 1, j] if i else 0.0) + (paths[i, j - 1] if j else 0.0)
            inside = abs(i / n - j / m) <= t + 1e-12
            paths[i, j] = (1.0 if i + j == 0 else before) * inside
    return 1 - paths[n, m] / special.binom(n + m, n)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_margin_is_valid_for_equal_distributions_by_exact_probabilities(n):
    """For small samples the exact probability of exceeding the margin is at most alpha."""
    for m in (n, n + 1, 3 * n + 1):
        for alpha in (0.4, 0.1, 0.01):
            assert _exceeds(n, m, ks_margin(n, m, alpha)) <= alpha


def test_the_short_formula_is_not_valid_for_small_samples():
    """Why the longer one: at some equal sizes the usual two-sample bound errs more than alpha."""
    excess = []
    for n in range(2, 40):
        for k in range(1, n):
            t = k / n - 1e-9  # just below a possible distance
            excess.append(_exceeds(n, n, t) / (2 * np.exp(-n * t * t)))
    assert max(excess) > 1.01


@pytest.mark.parametrize(
    ("n", "m", "message"),
    [
        (0, 1, "n must be an integer not less than 1, got 0"),
        (1, 0, "m must be an integer not less than 1, got 0"),
    ],
)
def test_bad_arguments_are_named(n, m, message):
    """Sizes out of range are refused."""
    with pytest.raises(ValueError, match=message):
        ks_margin(n, m, 0.05)
