"""The sequential test of concept drift."""

import json
import math

import numpy as np
import pytest
from benchmarks.streams import first_alarms, start_known
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_basics.stats.concept_drift.blocks import choose_block
from mlops_basics.stats.concept_drift.sequential import (
    SPANS,
    SequentialState,
    conclude,
    fixed_bets,
    start_monitor,
    start_weight,
    update,
)

LN2 = math.log(2)


def _naive(batches, m, v, block=1):
    """Log wealth after each batch: every start a process of its own, every bet a product."""
    shares = [0.1] * 5 + [0.25] * 2
    processes, averages, out = [], [m, m], []
    spans = [max(w / block, 4) for w in (300, 1500)]
    for j, batch in enumerate(batches, 1):
        weight = LN2 * (1 / math.log(j + 1) - 1 / math.log(j + 2))
        processes.append([weight * share for share in shares])
        for x in batch:
            bets = [min((k - 1) * m / v, 0.9 / m) for k in (1.15, 1.35, 1.7, 2.2, 3.0)]
            bets += [min(max((a - m) / v, 0), 0.9 / m) for a in averages]
            for process in processes:
                for b, bet in enumerate(bets):
                    process[b] *= 1 + bet * (x - m)
            averages = [a + (x - a) / w for a, w in zip(averages, spans, strict=True)]
        rest = LN2 / math.log(j + 2)
        out.append(math.log(rest + sum(map(sum, processes))))
    return out


batches = st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=30), max_size=8)


@given(batches)
def test_recursion_is_the_naive_mixture_over_starts(parts):
    """One shared recursion equals a separate process for each start and bet."""
    state = start_known(0.1, tolerance=0.02)
    found = []
    for part in parts:
        state = update(state, part)
        found.append(state.log_wealth)
    np.testing.assert_allclose(found, _naive(parts, 0.12, 0.12 * 0.88), atol=1e-9)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=20), max_size=6))
def test_any_bounded_loss(parts):
    """The same for losses between 0 and 1, with a variance of their own."""
    state = start_known(0.3, tolerance=0.0, variance=0.02)
    for part in parts:
        state = update(state, part)
    expected = _naive(parts, 0.3, 0.02)[-1] if parts else 0.0
    assert state.log_wealth == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 1), max_size=120), st.lists(st.integers(1, 40), max_size=6))
@settings(deadline=None)
def test_a_batch_in_pieces_is_the_batch(x, cuts):
    """However a batch is cut, the state is the same when later pieces do not start."""
    x = np.array(x, dtype=float)
    at = np.unique(np.minimum(np.cumsum([*cuts]), len(x))).astype(int)
    for length in (1, 5, 25):
        state = start_known(0.1, length=length, alpha=0.4)
        whole, pieces = update(state, x), state
        for i, piece in enumerate(np.split(x, at)):
            pieces = update(pieces, piece, start=pieces.rows == 0 and i >= 0)
        a, b = whole.to_dict(), pieces.to_dict()
        for key in a:
            np.testing.assert_allclose(a[key] or 0, b[key] or 0, atol=1e-9, err_msg=key)


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=23), max_size=8))
def test_blocks_are_means_of_consecutive_rows(parts):
    """Blocks run over the batches' borders; a start waits for the next block's beginning."""
    state = start_known(0.2, length=5, tolerance=0.0)
    for part in parts:
        state = update(state, part)
    rows = [x for part in parts for x in part]
    cut, block, due = [], [], False
    for part in parts:
        due = True
        for x in [*part, None]:
            if due and not block:
                cut.append([])
                due = False
            if x is not None:
                block.append(x)
            if len(block) == 5:
                cut[-1].append(sum(block) / 5)
                block = []
    if parts:
        expected = _naive(cut, 0.2, 0.2 * 0.8 / 5, block=5)[-1]
        assert state.log_wealth == pytest.approx(expected, abs=1e-9)
        assert state.starts == len(cut)
    assert state.rows == len(rows)


def test_the_reason_speaks_in_the_readers_unit():
    """The limits of the sentence alone are scaled."""
    state = update(start_known(0.1), [0] * 50)
    plain, scaled = conclude(state), conclude(state, scale=250)
    assert "no rise of the error above 0.11 is shown" in plain.reason
    assert "no rise of the error above 27.5 is shown" in scaled.reason
    assert f"{250 * plain.smallest:.4g} would be found" in scaled.reason
    assert (scaled.mean, scaled.smallest) == (plain.mean, plain.smallest)
    for bad in (0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="scale must be positive and finite, got"):
            conclude(state, scale=bad)


@pytest.mark.parametrize("length", [1, 25])
def test_simulated_streams_are_updated_streams(length):
    """first_alarms finds the rows that update finds, stream by stream, over chunks and batches."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random((20, 5000)) < 0.1, rng.random((20, 3000)) < 0.25], axis=1)
    found = first_alarms(x, start_known(0.1, length=length), batch=2500)
    for stream, row in zip(x, found, strict=True):
        state = start_known(0.1, length=length)
        for begin in range(0, 8000, 2500):
            state = update(state, stream[begin : begin + 2500])
        assert (state.alarm_row or -1) == row
    assert (found > 0).all()


def test_capital_is_spent_once():
    """Weights and what is left sum to 1 after any number of starts."""
    for j in (1, 2, 10, 5000):
        spent = sum(start_weight(i) for i in range(1, j + 1))
        assert spent + LN2 / math.log(j + 2) == pytest.approx(1, abs=1e-12)


def test_wealth_is_a_fair_game_at_the_edge():
    """At mean m the expected wealth after two batches is exactly 1, over all outcomes."""
    total = 0.0
    for bits in range(2**8):
        x = [(bits >> i) & 1 for i in range(8)]
        state = update(update(start_known(0.25, tolerance=0.0), x[:4]), x[4:])
        total += 0.25 ** sum(x) * 0.75 ** (8 - sum(x)) * math.exp(state.log_wealth)
    assert total == pytest.approx(1, rel=1e-9)


def test_bets_never_lose_everything():
    """For each m and V, a bet keeps at least a tenth of its wealth."""
    for m in (1e-6, 0.01, 0.5, 0.99, 1.0):
        for v in (1e-9, 0.01, 0.25):
            bets = fixed_bets(m, v)
            assert (1 - bets * m >= 0.1 - 1e-9).all()
            assert (bets > 0).all()


def test_state_is_plain_json():
    """A state survives JSON in the middle of a block, and goes on as if nothing had been."""
    rng = np.random.default_rng(0)
    state = start_monitor(np.repeat(rng.random(2000) < 0.1, 5), block=None)
    for _ in range(3):
        state = update(state, rng.random(137) < 0.3)
        again = SequentialState.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))
        assert again == state
    fresh = start_known(0.1)
    assert SequentialState.from_dict(json.loads(json.dumps(fresh.to_dict()))) == fresh


def test_an_empty_batch_changes_nothing():
    """No rows: no start is spent."""
    state = update(start_known(0.1), [0, 1])
    assert update(state, []) is state


def test_alarm_stays():
    """After an alarm the result stays, with the row at which it was raised."""
    rng = np.random.default_rng(0)
    state = update(start_known(0.1), rng.random(100) < 0.5)
    row = state.alarm_row
    state = update(state, np.zeros(5000))
    result = conclude(state)
    assert result.alarm
    assert result.alarm_row == row
    assert result.log_wealth < result.log_threshold <= result.log_peak
    assert "has risen above 0.11" in result.reason


def test_reference_uncertainty_is_part_of_the_limit():
    """A small reference set widens what is tolerated, and what can be found."""
    small, large = (start_monitor(np.arange(n) < n // 10) for n in (500, 10_000))
    assert small.mean > large.mean > 0.11
    assert conclude(small).smallest > conclude(large).smallest > large.mean
    assert small.log_threshold == pytest.approx(math.log(200))


def test_smallest_loss_is_found_within_the_horizon():
    """A loss of the stated size is found within the horizon in at least a third of streams."""
    rng = np.random.default_rng(0)
    state = start_known(0.1)
    smallest = conclude(state, horizon=5000).smallest
    x = rng.random((200, 5000)) < smallest
    found = first_alarms(x, state, batch=5000) > 0
    assert 0.33 <= found.mean() <= 0.9


def test_small_variance_is_used():
    """A loss with little spread is watched more closely than 0/1 errors of the same mean."""
    rng = np.random.default_rng(0)
    reference = rng.beta(10, 90, 10_000)
    state = start_monitor(reference, tolerance=0.0)
    assert state.variance < 0.01
    for _ in range(4):
        state = update(state, np.clip(rng.beta(10, 90, 100) + 0.02, 0, 1))
    assert conclude(state).alarm


@pytest.mark.parametrize("reference", [[], [0.0] * 50, [1.0] * 50, [0.2] * 50])
def test_degenerate_references_have_finite_states(reference):
    """No reference, or one without variation: finite numbers, validity untouched."""
    state = start_monitor(reference)
    json.dumps(state.to_dict(), allow_nan=False)
    state = update(state, [0.0, 1.0, 0.5] * 100)
    result = conclude(state)
    json.dumps(state.to_dict(), allow_nan=False)
    assert math.isfinite(result.log_wealth)
    if not reference or reference[0] == 1:
        assert not result.alarm
        assert result.smallest is None
        assert "nor could be soon" in result.reason


def test_blocks_of_the_choice_are_used():
    """A monitor with bursts has the choice's length and variance."""
    x = np.repeat(np.random.default_rng(0).random(2000) < 0.1, 10)
    choice = choose_block(x)
    state = start_monitor(x, block=choice)
    assert (state.block, state.variance) == (choice.length, choice.variance)
    assert len(update(state, [1.0]).averages) == len(SPANS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: update(start_known(0.1), [2.0]), r"x must be in \[0, 1\], got 2\.0"),
        (lambda: update(start_known(0.1), [np.nan]), "x must be finite, got nan"),
        (
            lambda: start_monitor([0.1], tolerance=-1),
            "tolerance must be at least 0 and below 1, got -1",
        ),
        (lambda: start_monitor([0.1], alpha=0.7), r"alpha must be between 0 and 0\.5, got 0\.7"),
        (lambda: start_monitor([3.0]), r"reference must be in \[0, 1\], got 3\.0"),
        (
            lambda: first_alarms(np.zeros((1, 10)), start_known(0.1, length=25), batch=30),
            "batch must be a multiple or divisor of 25, got 30",
        ),
        (
            lambda: conclude(start_known(0.1), horizon=0),
            "horizon must be an integer not less than 1, got 0",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Losses and settings out of range are refused."""
    with pytest.raises(ValueError, match=message):
        call()
