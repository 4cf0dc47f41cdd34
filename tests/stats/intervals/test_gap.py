"""Tests of the overfit gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.intervals.gap import loss_gap

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


@given(st.integers(0, 1000))
def test_groups_of_one_row_are_the_rows(seed):
    """Groups of one row each give the interval of the rows, with any labels."""
    rng = np.random.default_rng(seed)
    names = [f"train {i}" for i in rng.permutation(200)], [f"valid {i}" for i in range(80)]
    alone = loss_gap(TRAIN, VALID, *ONES)
    grouped = loss_gap(TRAIN, VALID, *ONES, 0.95, *names)
    assert [grouped.gap, grouped.low, grouped.high] == pytest.approx(
        [alone.gap, alone.low, alone.high]
    )


def test_rows_that_are_repeated_say_no_more():
    """Ten copies of each row are one group."""
    alone = loss_gap(TRAIN, VALID, *ONES)
    copies = [np.repeat(values, 10) for values in (TRAIN, VALID, *ONES)]
    names = [np.repeat(np.arange(n) + n, 10) for n in (200, 80)]
    grouped = loss_gap(*copies, 0.95, *names)
    assert [grouped.gap, grouped.low, grouped.high] == pytest.approx(
        [alone.gap, alone.low, alone.high]
    )


def test_a_single_group_has_no_limits():
    """A single group on either side gives no limits."""
    for names in ((np.zeros(200), np.arange(80)), (np.arange(200), np.zeros(80))):
        result = loss_gap(TRAIN, VALID, *ONES, 0.95, *names)
        assert (result.low, result.high) == (None, None)
        assert result.gap == pytest.approx(VALID.mean() - TRAIN.mean())


def test_what_a_group_has_in_both_sets_cancels():
    """Equal sites with as many rows in both: the interval is that of their paired differences."""
    site, rng = np.repeat(np.arange(12), 20), np.random.default_rng(4)
    effects = rng.normal(0, 5, 12)[site]
    train, valid = effects + rng.normal(0, 1, 240), effects + 0.1 + rng.normal(0, 1, 240)
    result = loss_gap(train, valid, np.ones(240), np.ones(240), 0.95, site, site)
    means = (valid - train).reshape(12, 20).mean(axis=1)
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert [result.low, result.high] == pytest.approx([expected.low, expected.high])
    apart = loss_gap(train, valid, np.ones(240), np.ones(240), 0.95, site, site + 12)
    assert apart.high - apart.low > 5 * (result.high - result.low)


@pytest.mark.slow
@pytest.mark.parametrize(("sites", "power"), [(10, 0.6), (30, 0.7)])
def test_sites_in_both_sets_hide_no_overfitting(sites, power):
    """Rows of each site on both sides: 95 % coverage, and a gap of twice the tolerance is seen."""
    rng, lives, covered, seen = np.random.default_rng(5), 600, 0, 0
    for _ in range(lives):
        sides = [rng.integers(0, sites, n) for n in (600, 300)]
        effects = rng.normal(0, 0.8, sites)
        losses = [1 + effects[side] + rng.normal(0, 1, len(side)) for side in sides]
        result = loss_gap(losses[0], losses[1] + 0.5, np.ones(600), np.ones(300), 0.95, *sides)
        covered += result.low * result.baseline_loss <= 0.5 <= result.high * result.baseline_loss
        seen += result.low > 0.25
    assert 0.925 < covered / lives < 0.98
    assert seen / lives > power


@pytest.mark.slow
def test_days_that_err_together_rarely_look_like_overfitting():
    """60 train and 30 valid days of 50 rows: about 2.5 %; rows as independent say it in a fifth."""
    rng, lives, wrong = np.random.default_rng(2), 1_000, [0, 0]
    days = [np.repeat(np.arange(60), 50), np.repeat(np.arange(60, 90), 50)]
    for _ in range(lives):
        effects = rng.normal(0, 0.2, 90)
        losses = [1 + effects[day] + rng.normal(0, 1, len(day)) for day in days]
        base = [np.ones(len(day)) for day in days]
        wrong[0] += loss_gap(*losses, *base, 0.95, *days).low > 0
        wrong[1] += loss_gap(*losses, *base).low > 0
    assert stats.binomtest(wrong[0], lives, 0.025, alternative="greater").pvalue > 1e-4
    assert wrong[1] > 100


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


def test_a_gap_exceeds_what_lies_below_its_interval():
    """What lies within it is not shown; without limits nothing is."""
    ones = [1.0] * 4
    gap = loss_gap([0.1, 0.2, 0.3, 0.2], [0.3, 0.5, 0.4, 0.4], ones, ones)
    assert gap.exceeds(gap.low - 1e-9)
    assert not gap.exceeds(gap.low)
    alone = loss_gap([0.1, 0.2], [0.3, 0.5], ones[:2], ones[:2], 0.95, [0, 0], [1, 1])
    assert alone.low is None
    assert not alone.exceeds(-1.0)
