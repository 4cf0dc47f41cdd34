"""Tests of the overfit gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.gap import loss_gap

RNG = np.random.default_rng(0)
TRAIN, VALID = RNG.gamma(2, 1, 200), RNG.gamma(2.5, 1, 80)
ONES = np.ones(200), np.ones(80)


def test_interval_is_welchs():
    """With a constant baseline it is the two-sample t interval of scipy."""
    result = loss_gap(TRAIN, VALID, *ONES)
    expected = stats.ttest_ind(VALID, TRAIN, equal_var=False).confidence_interval(0.95)
    assert result.low == pytest.approx(expected.low)
    assert result.high == pytest.approx(expected.high)
    assert result.gap == pytest.approx(VALID.mean() - TRAIN.mean())


@given(st.floats(0.1, 1e3))
def test_the_unit_of_the_loss_does_not_matter(factor):
    """Losses in other units give the same gap."""
    one = loss_gap(TRAIN, VALID, *ONES)
    other = loss_gap(factor * TRAIN, factor * VALID, factor * ONES[0], factor * ONES[1])
    assert other.gap == pytest.approx(one.gap)
    assert other.low == pytest.approx(one.low)


def test_a_harder_period_is_no_overfitting():
    """When model and baseline both lose as much on later rows, the gap stays."""
    shift = loss_gap(TRAIN, VALID + 3, ONES[0], ONES[1] + 3)
    assert shift.gap * shift.baseline_loss == pytest.approx(VALID.mean() - TRAIN.mean())


def test_equal_losses_have_no_width():
    """Constant differences: the interval is the gap itself, without NaN."""
    result = loss_gap([0.5, 0.5], [0.5, 0.5], [1, 1], [1, 1])
    assert (result.gap, result.low, result.high) == (0, 0, 0)


@pytest.mark.slow
def test_a_model_that_does_not_overfit_is_rarely_called_overfitted():
    """The lower limit exceeds a true gap of zero in about 2.5 % of samples."""
    rng = np.random.default_rng(1)
    lives = 2_000
    wrong = sum(
        loss_gap(rng.gamma(2, 1, 100), rng.gamma(2, 1, 60), np.ones(100), np.ones(60)).low > 0
        for _ in range(lives)
    )
    assert stats.binomtest(wrong, lives, 0.025, alternative="greater").pvalue > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], VALID, [1.0], ONES[1]), "train_losses must be of shape"),
        ((TRAIN, VALID, ONES[0], ONES[0]), "valid_baseline must be of shape"),
        ((TRAIN, [np.nan, 1.0], ONES[0], [1, 1]), "valid_losses must be finite, got nan"),
        ((TRAIN, VALID, ONES[0], 0 * ONES[1]), "valid_baseline must have a mean above 0"),
        ((TRAIN, VALID, *ONES, 1.0), r"confidence must be in \(0, 1\), got 1.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    """Each message gives name, rule and value."""
    with pytest.raises(ValueError, match=message):
        loss_gap(*arguments)
