"""Tests of what a rise of the error comes from, on sums whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_basics.stats.concept_drift.label_shift import ClassLosses, tell_apart


def sums(*classes: tuple[int, int]) -> ClassLosses:
    """Rows and errors (losses of 0 and 1) of each class."""
    rows, errors = np.array(classes, dtype=float).T
    return ClassLosses(rows, errors, errors)


def test_losses_are_summed_up_by_class():
    """Rows, sums and sums of squares; a class without a row has none; both halves are the whole."""
    losses, codes = [0.5, 0.25, 1.0, 0.0], [0, 2, 2, 0]
    whole = ClassLosses.of(losses, codes, 4)
    assert whole.rows.tolist() == [2, 0, 2, 0]
    assert whole.total.tolist() == [0.5, 0, 1.25, 0]
    assert whole.squares.tolist() == [0.25, 0, 1.0625, 0]
    halves = ClassLosses.of(losses[:1], codes[:1], 4).merge(
        ClassLosses.of(losses[1:], codes[1:], 4)
    )
    assert np.array_equal([halves.rows, halves.total], [whole.rows, whole.total])


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (sums((600, 30), (400, 160)), "label_shift"),  # 5 % and 40 %, as before
        (sums((900, 135), (100, 50)), "concept_drift"),  # 15 % and 50 %, the same shares
        (sums((600, 90), (400, 200)), "both"),
        (sums((900, 46), (100, 41)), "unknown"),
        # More of the second class, by far too little for what is observed.
        (sums((8700, 435), (1300, 520)), "label_shift"),
        (sums((87, 6), (13, 6)), "unknown"),
    ],
)
def test_shares_and_classes_are_told_apart(now, kind):
    """The reference has errors of 5 % and 40 %, one row in ten being of the second class."""
    assert tell_apart(sums((9000, 450), (1000, 400)), now).kind == kind


def test_a_small_part_by_the_shares_is_no_explanation_of_a_large_rest():
    """The shares' part is shown, the rest is not, since hardly a row of that class is known."""
    before, now = sums((5000, 250), (10, 2), (1000, 100)), sums((800, 40), (100, 60), (100, 10))
    told = tell_apart(before, now, alpha=1e-3)
    assert told.p_shares <= 1e-3 < told.p_within
    assert told.kind == "unknown"
    assert tell_apart(before, now, alpha=0.01).kind == "both"


def test_p_values_are_those_of_two_shares():
    """With one class there is only the rise within it: a test of two shares, pooled variance."""
    told = tell_apart(sums((100_000, 10_000)), sums((1_000, 130)))
    pooled = 10_130 / 101_000
    error = np.sqrt(pooled * (1 - pooled) * (1 / 1_000 + 1 / 100_001))
    assert told.p_within == pytest.approx(stats.norm.sf((0.13 - 0.1) / error), rel=1e-6)
    assert told.p_shares == 1.0
    assert (told.reference, told.expected) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_class_without_a_reference_is_expected_to_be_like_the_others():
    """All of its rows are wrong: that is a rise within, not another share."""
    told = tell_apart(sums((900, 90), (0, 0)), sums((900, 90), (100, 100)))
    assert told.expected == pytest.approx(0.1)
    assert told.kind == "concept_drift"


def test_rows_that_err_together_need_more_of_a_rise():
    """A design effect widens both parts."""
    before, now = sums((900, 45), (100, 40)), sums((600, 60), (400, 160))
    alone, bursts = (tell_apart(before, now, design_effect=each) for each in (1.0, 9.0))
    assert alone.p_within < bursts.p_within
    assert alone.p_shares < bursts.p_shares


@pytest.mark.parametrize(
    ("before", "options", "words"),
    [
        (sums((0, 0)), {}, "must have rows"),
        (sums((9, 1)), {"design_effect": 0.5}, "design_effect must be at least 1"),
        (sums((9, 1)), {"alpha": 0.7}, "alpha must be between"),
    ],
)
def test_what_cannot_be_told_is_an_error(before, options, words):
    """Nothing to compare, or arguments out of range."""
    with pytest.raises(ValueError, match=words):
        tell_apart(before, sums((9, 1)), **options)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [(1.0, 0.0), (0.4, 0.6)])
def test_each_level_is_kept(spread):
    """Under label shift alone a rise within the classes is shown in about 1 % of fixed samples, and
    with equal shares a part of the shares is."""
    rng = np.random.default_rng(3)
    lives, m, n = 4_000, 2_000, 500
    risks, shares = np.array([0.05, 0.4, 0.2]), np.array([0.7, 0.1, 0.2])
    moved = spread[0] * shares + spread[1] * np.array([0.1, 0.8, 0.1])
    within = by_shares = 0
    for _ in range(lives):
        before, now = (
            ClassLosses(rows, errors, errors)
            for rows, errors in (
                (rows.astype(float), rng.binomial(rows, risks).astype(float))
                for rows in (rng.multinomial(m, shares), rng.multinomial(n, moved))
            )
        )
        told = tell_apart(before, now)
        within += told.p_within <= 0.01
        by_shares += told.p_shares <= 0.01
    most = stats.binom.ppf(1 - 1e-6, lives, 0.013)
    assert within <= most
    if spread[1] == 0:
        assert by_shares <= most
    else:
        assert by_shares > lives / 2
