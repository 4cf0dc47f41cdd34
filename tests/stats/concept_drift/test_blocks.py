"""Block length for bursts, and the upper limit of a mean."""

import itertools

import numpy as np
import pytest
from benchmarks.dependent_days import ERROR, THINNED, concept_lives, errors_by_day
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from mlops_basics.stats.concept_drift.blocks import (
    LENGTHS,
    block_means,
    choose_block,
    level_shifts,
    mean_upper,
    run_length,
)
from mlops_basics.stats.concept_drift.sequential import start_monitor, update


def test_rule_is_the_definition():
    """The choice is the first length whose neighbour variance no longer grows, computed naively."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        x = np.repeat(rng.random(3000) < 0.2, 1 + seed % 7)[: 2000 + 37 * seed].astype(float)
        shifts, v, blocks = level_shifts(x), {}, {}
        for b in LENGTHS:
            starts = range(0, len(x) - b + 1, b)
            squares = [
                (x[i : i + b].mean() - x[i + b : i + 2 * b].mean()) ** 2
                for i in starts[:-1]
                if not any(i < shift < i + 2 * b for shift in shifts)
            ]
            if len(starts) >= 40:
                v[b], blocks[b] = b * np.mean(squares) / 2, len(starts)
        expected = next(
            b
            for b in v
            if all(v[c] <= 1.25 * v[b] * (1 + np.sqrt(3 / blocks[c])) for c in v if c > b)
        )
        choice = choose_block(x)
        assert choice.length == expected
        assert choice.variance == pytest.approx(v[expected] / expected)
        share = x.var(ddof=1) / v[expected] if expected > 1 else 1
        assert choice.effective_rows == pytest.approx(len(x) * min(share, 1))


def test_level_shifts_are_the_best_splits():
    """Each is the split of a part that takes most off the sum of squares, computed naively."""
    rng = np.random.default_rng(0)
    for n in (2, 20, 80, 161):
        x, found = rng.random(n), []
        least = max(n // 10, 2)
        for _ in range(3):
            borders, gains = sorted([0, n, *found]), {}
            for begin, end in itertools.pairwise(borders):
                part = x[begin:end]
                for at in range(least, len(part) - least + 1):
                    apart = part[:at].var() * at + part[at:].var() * (len(part) - at)
                    gains[begin + at] = part.var() * len(part) - apart
            if gains:
                found.append(max(gains, key=gains.get))
        assert level_shifts(x) == found


DRIFTS = {
    "linear": lambda n: np.linspace(0.05, 0.3, n),
    "a level shift": lambda n: np.where(np.arange(n) < n / 2, 0.05, 0.3),
    "three level shifts": lambda n: np.array([0.1, 0.4, 0.2, 0.5])[np.arange(n) * 4 // n],
    "a season": lambda n: 0.2 + 0.1 * np.sin(2 * np.pi * np.arange(n) / n),
}


@pytest.mark.parametrize("rows", [300, 2_000, 20_000])
@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_within_the_reference_is_no_burst(drift, rows):
    """Independent rows whose error slowly rises, or jumps, stay single, nearly always."""
    rng, share = np.random.default_rng(0), DRIFTS[drift](rows)
    lengths = np.array([choose_block(rng.random(rows) < share).length for _ in range(200)])
    assert np.mean(lengths == 1) >= 0.9


@pytest.mark.parametrize("drift", DRIFTS)
def test_total_failure_after_a_drift_is_found_within_ten_rows(drift):
    """Of 40 releases whose reference drifted at least 35 see within 10 rows that all is wrong."""
    rng, share, soon = np.random.default_rng(0), DRIFTS[drift](500), 0
    for _ in range(40):
        losses = rng.random(500) < share
        state = update(start_monitor(losses, block=choose_block(losses)), np.ones(10))
        soon += state.alarm_row is not None
    assert soon >= 35


@pytest.mark.parametrize("drift", DRIFTS)
def test_bursts_show_in_a_drift(drift):
    """Ten rows that err together, at a rate that drifts, are blocks of ten or more."""
    rng, share = np.random.default_rng(0), DRIFTS[drift](500)
    together = np.array(
        [choose_block(np.repeat(rng.random(500) < share, 10)).length for _ in range(50)]
    )
    assert np.mean((together >= 10) & (together <= 25)) >= 0.9


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


def test_known_days_are_the_shortest_blocks():
    """Of days of 100 rows a hash has drawn a fifth: too few to show that a day's rows are alike."""
    rng = np.random.default_rng(0)
    losses, day = errors_by_day(rng, 400, ERROR)
    drawn = np.flatnonzero(rng.random(len(losses)) < 1 / THINNED)
    losses, day = losses[drawn], day[drawn]
    assert choose_block(losses).length == 1
    known = choose_block(losses, run=run_length(day))
    assert known.length >= run_length(day) > 20
    assert known.effective_rows < len(losses)


def test_few_groups_are_blocks_all_the_same():
    """Blocks of whole groups are wanted, however few there are; no rows have no run."""
    losses = np.random.default_rng(2).random(300)
    assert choose_block(losses, run=59.5).length == 60
    assert run_length([]) == 1.0


@pytest.mark.slow
def test_days_that_differ_raise_no_alarm_on_a_hash_split():
    """Of 60 streams of 50 weeks, with blocks of whole days: 1 % by promise. Without a column that
    names them blocks grow in time: days that differ by eight points alarm in few of the streams,
    where blocks that the reference shows alarm in a quarter."""
    most = int(binom.isf(1e-3, 60, 0.01))
    alarms, _ = concept_lives(60, 200, batches=50, seed=5)
    assert alarms[2] <= most
    (by_reference, by_batches, named), _ = concept_lives(60, 60, batches=50, seed=5, day_error=0.08)
    assert by_reference > int(binom.isf(1e-3, 60, 0.03))
    assert by_batches <= int(binom.isf(1e-3, 60, 0.03))
    assert named <= most
