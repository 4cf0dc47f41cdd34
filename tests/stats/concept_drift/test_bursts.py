"""Bursts that a stream shows, batch by batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.stats.concept_drift.blocks import LENGTHS, block_means, choose_block
from mlops_basics.stats.concept_drift.bursts import Bursts, block_shown, observe


@given(st.lists(st.integers(0, 130), max_size=6), st.integers(0, 5))
def test_pieces_of_any_size_tell_what_the_whole_does(sizes, seed):
    """The sums are those of neighbouring block means, wherever a batch ends, and survive JSON."""
    x = np.random.default_rng(seed).random(sum(sizes))
    seen, begin = Bursts(), 0
    for size in sizes:
        seen = Bursts.from_dict(observe(seen, x[begin : begin + size]).to_dict())
        begin += size
    expected = [(np.diff(block_means(x, length)) ** 2).sum() for length in LENGTHS]
    assert seen.rows == len(x)
    assert seen.squares == pytest.approx(expected)


@pytest.mark.parametrize("together", [1, 10])
def test_the_block_is_that_of_the_whole_stream(together):
    """Without shifts of the level ``choose_block`` chooses the same, of one variance."""
    x = np.repeat(np.random.default_rng(together).random(20_000 // together) < 0.2, together)
    length, variance = block_shown(observe(Bursts(), x))
    chosen = choose_block(x)
    assert length == chosen.length == together
    assert variance == pytest.approx(chosen.variance, rel=0.05)


@pytest.mark.parametrize("losses", [[], [1.0] * 70, [0.3] * 5_000])
def test_nothing_is_shown_by_few_or_constant_losses(losses):
    """Single rows."""
    assert block_shown(observe(Bursts(), losses)) == (1, 0.0)
