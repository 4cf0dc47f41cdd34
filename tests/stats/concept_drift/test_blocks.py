"""Block length for bursts, and the upper limit of a mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from mlops_basics.stats.concept_drift.blocks import LENGTHS, block_means, choose_block, mean_upper


def test_rule_is_the_definition():
    """The choice is the first length whose variance no longer grows, computed naively."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        x = np.repeat(rng.random(3000) < 0.2, 1 + seed % 7)[: 2000 + 37 * seed].astype(float)
        v, blocks = {}, {}
        for b in LENGTHS:
            means = [x[i : i + b].mean() for i in range(0, len(x) - b + 1, b)]
            if len(means) >= 40:
                v[b], blocks[b] = b * np.var(means, ddof=1), len(means)
        expected = next(
            b
            for b in v
            if all(v[c] <= 1.25 * v[b] * (1 + np.sqrt(2 / blocks[c])) for c in v if c > b)
        )
        choice = choose_block(x)
        assert choice.length == expected
        assert choice.variance == pytest.approx(v[expected] / expected)
        assert choice.effective_rows == pytest.approx(len(x) * min(v[1] / v[expected], 1))


def test_independent_rows_stay_single():
    """Without bursts a row is an observation, nearly always."""
    rng = np.random.default_rng(0)
    lengths = [choose_block(rng.random(20_000) < 0.1).length for _ in range(200)]
    assert np.mean(np.array(lengths) == 1) >= 0.95


@pytest.mark.parametrize("losses", [[], [0.5], [0.0] * 500, [1.0] * 3, [0.3] * 10_000])
def test_degenerate_losses_have_a_choice(losses):
    """No rows, one row, constant losses: single rows, finite numbers."""
    choice = choose_block(losses)
    assert choice.length == 1
    assert choice.variance == 0
    assert choice.effective_rows == len(losses)
    assert choice.reason


def test_whole_blocks_only():
    """A rest that is shorter than a block is left out."""
    np.testing.assert_array_equal(block_means(np.arange(7.0), 3), [1.0, 4.0])
    assert block_means([1.0], 2).size == 0


@pytest.mark.parametrize(("k", "n"), [(0, 500), (50, 500), (499, 500), (1, 1)])
def test_zero_one_limit_is_scipys_clopper_pearson(k, n):
    """0/1 losses have the exact binomial limit."""
    expected = 1.0 if k == n else beta.isf(0.005, k + 1, n - k)
    assert mean_upper(np.arange(n) < k, 0.005) == pytest.approx(expected, rel=1e-9)


def test_bursts_widen_the_limit():
    """With bursts fewer rows count."""
    x = np.repeat(np.random.default_rng(0).random(2000) < 0.1, 10)
    choice = choose_block(x)
    n = choice.effective_rows
    k = x.mean() * n
    assert choice.length > 1
    assert mean_upper(x, 0.01, block=choice) == pytest.approx(beta.isf(0.01, k + 1, n - k))
    assert mean_upper(x, 0.01, block=choice) > mean_upper(x, 0.01) + 0.005


@given(st.lists(st.floats(0, 1), max_size=80), st.sampled_from([0.2, 0.01]))
def test_limit_is_a_limit(losses, alpha):
    """The limit is between the mean and 1, and wider at a smaller level."""
    upper = mean_upper(losses, alpha)
    assert (np.mean(losses) if losses else 0) - 1e-9 <= upper <= 1
    assert mean_upper(losses, alpha / 2) >= upper - 1e-9


@pytest.mark.parametrize("shape", ["two values", "skewed", "uniform"])
def test_betting_limit_covers(shape):
    """The true mean is above the limit in at most alpha of the samples."""
    rng, alpha, misses = np.random.default_rng(0), 0.1, 0
    draw = {
        "two values": (lambda: np.where(rng.random(200) < 0.05, 0.9, 0.01), 0.05 * 0.9 + 0.0095),
        "skewed": (lambda: rng.beta(0.2, 2, 200), 0.2 / 2.2),
        "uniform": (lambda: rng.random(200), 0.5),
    }[shape]
    for _ in range(400):
        misses += mean_upper(draw[0](), alpha) < draw[1]
    assert misses / 400 <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / 400)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([0.5, 1.5], r"losses must be in \[0, 1\], got 1\.5"),
        ([-0.5], r"losses must be in \[0, 1\], got -0\.5"),
        ([np.nan], "losses must be finite, got nan"),
    ],
)
def test_bad_losses_are_named(losses, message):
    """Losses outside [0, 1] are refused."""
    with pytest.raises(ValueError, match=message):
        mean_upper(losses, 0.05)
