"""The stop of the simulations: soon where it is certain, hardly ever where it is not."""

import numpy as np

from tests.support.certain import surely_at_most


def lives(share, groups, rng, drawn):
    """Groups of 20 lives; how many were drawn is noted."""
    for _ in range(groups):
        drawn.append(20)
        yield rng.random(20) < share


def test_a_share_far_below_the_bound_is_certain_soon():
    """Without a single case 20 % is excluded after 40 lives, one in 5,000 being wrong."""
    drawn = []
    assert surely_at_most(0.2, lives(0.0, 100, np.random.default_rng(0), drawn))
    assert sum(drawn) == 40


def test_without_certainty_all_lives_are_counted():
    """Without certainty the result is that of all lives, as without early stopping."""
    for cases, expected in ((20, True), (21, False)):
        outcomes = np.arange(100) < cases
        assert surely_at_most(0.2, [outcomes[::-1]]) is expected


def test_nothing_is_shown_without_lives():
    """Neither no group nor empty groups count as evidence that something is rare."""
    assert not surely_at_most(0.2, [])
    assert not surely_at_most(0.2, [np.array([], dtype=bool)])


def test_a_share_at_the_bound_is_hardly_ever_certain():
    """One run in 1,000 may stop; of 500 runs of 1,000 lives hardly more than one does."""
    rng, stopped = np.random.default_rng(1), 0
    for _ in range(500):
        drawn = []
        surely_at_most(0.2, lives(0.2, 50, rng, drawn))
        stopped += len(drawn) < 50
    assert stopped <= 3
