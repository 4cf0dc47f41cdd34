"""Student's t with Hall's correction for skewness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.paired.hall import hall_critical, hall_p_value

gammas = st.floats(-5, 5)


@given(t=st.floats(-50, 50), df=st.integers(1, 10_000))
def test_without_skewness_it_is_students_t(t, df):
    """With gamma = 0 the p-value is scipy's one-sided t tail."""
    assert hall_p_value(t, 0.0, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9, abs=1e-300)


@given(t=st.floats(-50, 50), gamma=gammas, df=st.integers(5, 10_000))
def test_it_is_the_larger_of_both_tails(t, gamma, df):
    """The p-value equals the maximum of the tails written out with scipy."""
    h = t + gamma * t**2 / 3 + gamma**2 * t**3 / 27 + gamma / 6
    expected = max(stats.t.sf(t, df), stats.t.sf(h, df))
    assert hall_p_value(t, gamma, df) == pytest.approx(expected, rel=1e-6, abs=1e-300)


@given(alpha=st.floats(1e-6, 0.49), gamma=gammas, df=st.integers(5, 10_000))
def test_the_critical_value_inverts_the_p_value(alpha, gamma, df):
    """Just above the critical value p is below alpha, just below it is above."""
    critical = float(hall_critical(alpha, gamma, df))
    step = 1e-5 * max(1, abs(critical))
    assert hall_p_value(critical + step, gamma, df) <= alpha * (1 + 1e-9)
    assert hall_p_value(critical - step, gamma, df) >= alpha * (1 - 1e-9)


@given(gamma=gammas, a=st.floats(-1e3, 1e3), b=st.floats(-1e3, 1e3))
def test_a_larger_effect_never_has_a_larger_p_value(gamma, a, b):
    """The p-value falls with the studentised effect."""
    low, high = hall_p_value([min(a, b), max(a, b)], gamma, 99)
    assert high <= low + 1e-12


@pytest.mark.parametrize("gamma", [0.0, 1e-12, -1e-12, 1e-8, -1e-8])
def test_vanishing_skewness_is_continuous(gamma):
    """Tiny skewness, where the formula is 0 / 0, gives Student's quantile."""
    assert hall_critical(0.001, gamma, 99) == pytest.approx(stats.t.isf(0.001, 99), abs=1e-6)


def test_huge_effects_have_no_nan():
    """Effects whose cube overflows give p-values of 0 or 1."""
    p = hall_p_value([1e300, -1e300, np.inf, -np.inf], [-3.0, 3.0, -3.0, 3.0], 50)
    np.testing.assert_allclose(p, [0, 1, 0, 1], atol=1e-30)
