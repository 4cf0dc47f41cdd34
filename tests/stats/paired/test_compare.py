"""Paired comparison of per-row losses: closed forms, invariances, degenerate cases."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.sums import PairedSums
from tests.support.paired_sums import pairs, skewed


def _sums(pair):
    return PairedSums.from_losses(*pair)


def test_symmetric_differences_have_the_paired_t_test():
    """Without skewness p-values and interval are scipy's paired t test's."""
    rng = np.random.default_rng(2)
    half = rng.normal(0, 1, 50)
    d = np.concatenate([half, -half]) + 0.2
    champion = rng.exponential(5, 100)
    result = compare_losses(PairedSums.from_losses(champion, champion - d))
    expected = stats.ttest_rel(champion, champion - d, alternative="greater")
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert result.p_worse == pytest.approx(1 - expected.pvalue, rel=1e-6)
    two_sided = stats.ttest_rel(champion, champion - d).confidence_interval(0.90)
    assert result.interval == pytest.approx((two_sided.low, two_sided.high), rel=1e-6)


def test_many_rows_have_the_paired_t_test():
    """With many rows the skewness no longer matters."""
    pair = skewed(3, 1_000_000)
    pair = pair[0], pair[1] + compare_losses(_sums(pair)).effect - 0.0004
    expected = stats.ttest_rel(*pair, alternative="greater").pvalue
    assert compare_losses(_sums(pair)).p_value == pytest.approx(expected, rel=0.05)


def test_the_formula_of_the_design():
    """p is the larger tail of sqrt(n) u and sqrt(n) H, written out, with the raised skewness."""
    pair = skewed(4)
    d = pair[0] - pair[1] - 0.01
    n = len(d)
    u, g = d.mean() / d.std(ddof=1), stats.skew(d) * (1 + 12 / n)
    h = u + g * u**2 / 3 + g**2 * u**3 / 27 + g / (6 * n)
    expected = max(stats.t.sf(np.sqrt(n) * x, n - 1) for x in (u, h))
    assert compare_losses(_sums(pair), min_gain=0.01).p_value == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(pairs(least=20), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pair, random):
    """A permutation of the rows gives the same result."""
    order = list(range(pair.shape[1]))
    random.shuffle(order)
    one, two = compare_losses(_sums(pair)), compare_losses(_sums(pair[:, order]))
    assume(one.sums.sd > 1e-6)
    assert two.p_value == pytest.approx(one.p_value, rel=1e-6, abs=1e-12)
    assert two.interval == pytest.approx(one.interval, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(pairs(least=20))
def test_swapping_the_models_mirrors_the_result(pair):
    """With champion and challenger exchanged effect and interval change sign."""
    one, two = compare_losses(_sums(pair)), compare_losses(_sums(pair[::-1]))
    assert two.effect == pytest.approx(-one.effect)
    assert (two.p_value, two.p_worse) == pytest.approx((one.p_worse, one.p_value))
    if one.interval is not None:
        assert two.interval == pytest.approx((-one.interval[1], -one.interval[0]))


@pytest.mark.parametrize("unit", [1e-6, 1e6, 1e60])
def test_the_unit_of_the_loss_does_not_matter(unit):
    """Losses in another unit give the same p-value, and an interval in that unit."""
    champion, challenger = skewed(5)
    one = compare_losses(PairedSums.from_losses(champion, challenger))
    two = compare_losses(PairedSums.from_losses(champion * unit, challenger * unit))
    assert two.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert two.interval == pytest.approx([unit * limit for limit in one.interval], rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1000), st.floats(-0.5, 0.5), st.sampled_from([0.3, 0.05, 0.0005]), st.booleans()
)
def test_interval_inverts_the_test(seed, min_gain, alpha, swap):
    """The gain is significant beyond min_gain exactly when the lower limit exceeds min_gain."""
    pair = skewed(seed, 40 + seed)
    result = compare_losses(_sums(pair[::-1] if swap else pair), alpha=alpha, min_gain=min_gain)
    low, high = result.interval
    assume(abs(low - min_gain) > 1e-9 and abs(high) > 1e-9)
    assert result.significant == (low > min_gain)
    assert (result.p_worse <= alpha) == (high < 0)
    assert low < result.effect < high


@settings(deadline=None, max_examples=40)
@given(pairs(), st.sampled_from([-0.1, 0.0, 0.1, 1e80]))
def test_no_result_holds_nan_or_infinity(pair, min_gain):
    """Every number of every result is finite or None, for any losses."""
    result = compare_losses(_sums(pair), min_gain=min_gain)
    values = [getattr(result, f.name) for f in dataclasses.fields(result)]
    numbers = [v for v in values if isinstance(v, float)] + list(result.interval or ())
    assert np.isfinite(numbers).all()
    assert 0 <= result.p_value <= 1
    assert result.reason


@pytest.mark.parametrize(
    ("champion", "challenger", "reason"),
    [
        ([], [], "refused: 0 rows"),
        ([1.0], [0.5], "refused: 1 row,"),
        (np.arange(19.0), np.zeros(19), "refused: 19 rows"),
        (np.arange(50.0), np.arange(50.0), "losses are identical on every row"),
        (np.full(50, 0.3), np.full(50, 0.3) * (1 + 1e-15), "losses are identical on every row"),
        (np.full(50, 0.3), np.full(50, 0.1), "differ by the same amount on every row"),
    ],
    ids=["none", "one", "few", "identical", "identical up to rounding", "constant"],
)
def test_degenerate_cases_claim_nothing(champion, challenger, reason):
    """Few rows or no variation have p-values of 1, no interval, and a reason."""
    result = compare_losses(PairedSums.from_losses(champion, challenger))
    assert (result.p_value, result.p_worse, result.significant) == (1.0, 1.0, False)
    assert (result.interval, result.smallest_gain) == (None, None)
    assert reason in result.reason
    assert (result.effect is None) == (len(champion) == 0)


@pytest.mark.parametrize(("n", "marked"), [(19, False), (20, True), (99, True), (100, False)])
def test_few_rows_are_marked(n, marked):
    """From 20 to 99 rows the level is approximate, and the note says what cannot be excluded."""
    result = compare_losses(_sums(skewed(6, n)), alpha=0.01)
    assert result.level_approximate == marked
    share = f"{100 * np.log(100) / n:.3g}"
    expected = f"large but rare (on up to {share} % of all)"
    assert (expected in result.level_note) == marked


def test_non_inferiority_needs_a_margin():
    """A model as good as the champion is not better, but shown to be less than 0.1 worse."""
    rng = np.random.default_rng(7)
    sums = PairedSums.from_losses(*rng.exponential(1, (2, 5000)))
    better, close = compare_losses(sums), compare_losses(sums, min_gain=-0.1)
    assert not better.significant
    assert close.significant
    assert "less than 0.1 worse" in close.reason


def test_result_echoes_its_inputs():
    """A result carries sums, level, min_gain and the models' mean losses."""
    champion, challenger = skewed(8)
    sums = PairedSums.from_losses(champion, challenger)
    result = compare_losses(sums, metric="brier", alpha=0.02, min_gain=0.01)
    assert (result.sums, result.metric, result.alpha, result.min_gain) == (
        sums,
        "brier",
        0.02,
        0.01,
    )
    assert result.champion == pytest.approx(champion.mean())
    assert result.challenger == pytest.approx(challenger.mean())
    with pytest.raises(dataclasses.FrozenInstanceError, match="alpha"):
        result.alpha = 0.5


def test_smallest_gain_is_found_with_80_percent():
    """Simulated: at the reported smallest gain four tests of five are significant."""
    rng, n, alpha = np.random.default_rng(9), 300, 0.01
    noise = rng.normal(0, 0.4, n)
    first = compare_losses(PairedSums.from_losses(noise, np.zeros(n)), alpha=alpha)
    gain = first.smallest_gain * 0.4 / first.sums.sd
    found = [
        compare_losses(
            PairedSums.from_losses(rng.normal(gain, 0.4, n), np.zeros(n)), alpha=alpha
        ).significant
        for _ in range(1000)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _sums(([0.0], [0.0, 1.0])), "challenger must be of length 1, got 2"),
        (lambda: _sums(([np.nan], [0.0])), "champion must be finite, got nan"),
        (lambda: _sums(([[0.0]], [0.0])), r"champion must be one-dimensional, got \(1, 1\)"),
        (lambda: _sums(([1e91], [0.0])), r"losses must be below 1e\+90, got 1e\+91"),
        (lambda: compare_losses(PairedSums(), alpha=0.5), r"alpha must be between 0 and 0\.5"),
        (lambda: compare_losses(PairedSums(), min_gain=np.inf), "min_gain must be finite, got inf"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each bad argument is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()


def test_log_losses_feed_the_comparison():
    """The default path: log losses of two models' probabilities, the sharper model is promoted."""
    rng = np.random.default_rng(10)
    y = rng.integers(0, 3, 500)
    sharp, blunt = (np.eye(3)[y] * w + rng.dirichlet([1, 1, 1], 500) * (1 - w) for w in (0.5, 0.4))
    sums = PairedSums.from_losses(log_loss_rows(y, blunt), log_loss_rows(y, sharp))
    assert compare_losses(sums, alpha=0.001).significant
