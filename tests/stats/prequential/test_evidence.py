"""The anytime-valid comparison of a current policy with alternatives."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.stats.concept_drift.sequential import start_weight
from mlops_basics.stats.prequential.evidence import (
    BETS,
    GROUP_LIMIT,
    RESERVE,
    Evidence,
    begin,
    join,
    shown_worse,
    update,
)
from tests.support.certain import surely_at_most

LOSSES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def _by_hand(batches: list[np.ndarray]) -> float:
    """Log wealth, each start and each bet a process of its own: a plain product."""
    total = math.log(2) / math.log(len(batches) + 2)  # what has not begun to bet
    for first in range(len(batches)):
        rows = np.concatenate(batches[first:])
        for bet in BETS:
            total += start_weight(first + 1) / len(BETS) * float(np.prod(1 + bet * rows))
    return math.log(total)


def test_wealth_is_the_mixture_over_bets_and_starts_by_hand() -> None:
    """The recursion gives what separate processes of every bet and start give together."""
    rng = np.random.default_rng(0)
    evidence, seen = begin(("other",), 0.05), []
    for _ in range(4):
        current, other = rng.random(15), rng.random(15)
        evidence = update(evidence, current, {"other": other})
        seen.append(current - other)
        assert evidence.alternatives["other"].log_total == pytest.approx(_by_hand(seen))


def test_groups_bet_on_their_means_those_smaller_than_the_median_on_less() -> None:
    """Rows of a group count as one, by their mean in units of a half; no group counts for more."""
    current = np.array([0.6, 0.4, 0.8, 0.4, 0.9, 0.9, 0.9, 0.9])
    other = np.array([0.2, 0.4, 0.6, 0.4, 0.0, 0.2, 0.1, 0.1])
    groups = np.array([0, 0, 1, 2, 3, 3, 3, 3])  # of 2, 1, 1 and 4 rows: the median is 1.5
    grouped = update(begin(("other",), 0.05), current, {"other": other}, groups)
    means = np.array([0.2 / 0.5, 0.2 / 1.5 / 0.5, 0.0, 1.0])
    assert grouped.alternatives["other"].log_total == pytest.approx(_by_hand([means]))


def test_one_batch_does_not_decide_for_an_unhurried_alternative_two_do() -> None:
    """What one batch may bring is cut, and nothing else is."""
    current, others = [0.9] * 60, {"hurried": [0.1] * 60, "unhurried": [0.1] * 60}
    one = update(begin(tuple(others), 0.05), current, others, unhurried=("unhurried",))
    assert one.shown == ("hurried",)
    assert 0.5 < one.strength("unhurried") < 0.7
    two = update(one, current, others, unhurried=("unhurried",))
    assert set(two.shown) == set(others)
    even = update(one, [0.4] * 60, dict.fromkeys(others, [0.4] * 60), unhurried=("unhurried",))
    assert even.strength("unhurried") == pytest.approx(one.strength("unhurried"), abs=0.05)


def test_equal_losses_are_no_evidence_and_keep_their_capital() -> None:
    """An alternative that predicts the same has a wealth of 1, for ever."""
    evidence = begin(("same",), 0.05)
    for _ in range(50):
        evidence = update(evidence, [0.3, 0.6], {"same": [0.3, 0.6]})
    assert evidence.alternatives["same"].log_total == pytest.approx(0.0, abs=1e-9)


@given(LOSSES, st.integers(1, 5))
def test_evidence_survives_json(losses: list[float], batches: int) -> None:
    """What is written into the state goes on exactly as what stayed in memory."""
    kept = begin(("a", "b"), 0.1)
    for _ in range(batches):
        kept = update(kept, losses, {"a": losses[::-1], "b": [0.5] * len(losses)})
    read = Evidence.from_dict(json.loads(json.dumps(kept.to_dict())))
    again = [update(state, losses, {"a": losses[::-1]}).to_dict() for state in (kept, read)]
    assert again[0] == again[1]


def test_shares_never_exceed_one_however_many_join() -> None:
    """The first alternatives share what is not kept back, each later one takes half of the rest."""
    evidence = begin(("a", "b"), 0.05)
    for number in range(30):
        evidence = join(evidence, f"later {number}")
    shares = [wealth.share for wealth in evidence.alternatives.values()]
    assert shares[:3] == [(1 - RESERVE) / 2] * 2 + [RESERVE / 2]
    assert sum(shares) + evidence.unshared == pytest.approx(1)


def test_one_that_could_not_be_fitted_keeps_its_wealth() -> None:
    """A batch without losses of an alternative says nothing of it."""
    before = update(begin(("a", "b"), 0.05), [0.9] * 9, {"a": [0.1] * 9, "b": [0.1] * 9})
    after = update(before, [0.9] * 9, {"a": [0.1] * 9})
    assert after.alternatives["b"] == before.alternatives["b"]
    assert after.strength("a") > before.strength("a")


@pytest.mark.parametrize(
    ("current", "alternatives", "message"),
    [
        ([1.2], {"a": [0.1]}, r"current must be in \[0, 1\]"),
        ([0.2], {"a": [-0.1]}, r"a must be in \[0, 1\]"),
        ([0.2, 0.3], {"a": [0.1]}, "a must have a loss for each of 2 rows, got 1"),
        ([0.2], {"c": [0.1]}, "alternatives must be of a, b, got 'c'"),
    ],
)
def test_what_is_no_comparison_is_refused(
    current: list[float], alternatives: dict[str, list[float]], message: str
) -> None:
    """Losses outside [0, 1], of other rows or of strangers are errors that name them."""
    with pytest.raises(ValueError, match=message):
        update(begin(("a", "b"), 0.05), current, alternatives)


def test_a_batch_of_39_rows_can_speak() -> None:
    """A policy whose error is a tenth is switched to within three batches of 39 rows."""
    rng = np.random.default_rng(1)
    evidence = begin(("all", "last 12", "last 6", "last 3", "keep"), 0.05)
    for _ in range(3):
        current = np.minimum(rng.gamma(4, 0.2, 39), 1)
        evidence = update(evidence, current, {"last 3": current / 10})
    assert evidence.shown == ("last 3",)


def test_one_batch_alone_can_veto() -> None:
    """A clear difference within one batch is shown, its opposite is not."""
    worse, better = [0.8] * 60, [0.2] * 60
    assert shown_worse(worse, better) > math.log(1 / 0.05) > 0 > shown_worse(better, worse)


def _needless(kind: str, lives: int, seed: int) -> np.ndarray:
    """Whether any of three alternatives is taken for better in 500 batches, by life.

    The recursion of ``update`` for many lives at once: a test above holds it to the product.
    """
    rng = np.random.default_rng(seed)
    bets, thresholds = np.array(BETS), -math.log((1 - RESERVE) / 3 * ALPHA)
    logs = np.full((lives, 3, len(bets)), -np.inf)
    switched = np.zeros(lives, dtype=bool)
    for batch in range(1, 501):
        d = _differences(kind, rng, lives)
        logs = np.logaddexp(logs, math.log(start_weight(batch) / len(bets)))
        logs += np.log1p(bets * d[..., None]).sum(axis=2)
        rest = math.log(math.log(2) / math.log(batch + 2))
        total = np.logaddexp(rest, np.logaddexp.reduce(logs, axis=2))
        switched |= (total >= thresholds).any(axis=1)
    return switched


ALPHA = 0.2  # a rate that many lives can tell from a smaller one


def _differences(kind: str, rng: np.random.Generator, lives: int) -> np.ndarray:
    """Shape (lives, alternatives, observations): differences of losses, with mean 0."""
    if kind == "exchangeable":  # 0/1 losses, each pair in either order
        return rng.choice([-1.0, 0.0, 0.0, 1.0], size=(lives, 3, 20))
    if kind == "heavy tails":  # mostly a small gain, rarely a large loss
        large = rng.random((lives, 3, 20)) < 0.02
        return np.where(large, -0.98, 0.02)
    if kind == "opposite drift":  # one is better whenever the next is worse by as much
        signs = rng.choice([-0.3, 0.3], size=(lives, 1, 20))
        return signs * np.array([1.0, -1.0, 1.0])[None, :, None]
    if kind == "bad days in groups":  # one day in twenty costs what the others have gained
        return np.where(rng.random((lives, 3, 4)) < 0.05, -0.475, 0.025) / GROUP_LIMIT
    rows = rng.choice([-0.6, 0.6], size=(lives, 3, 4))  # bursts of 10 rows that err together
    if kind == "bursts in groups":
        return np.clip(rows / GROUP_LIMIT, -1, 1)
    return np.repeat(rows, 10, axis=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["exchangeable", "heavy tails", "opposite drift", "bursts in groups", "bad days in groups"],
)
def test_needless_switches_are_as_rare_as_promised(kind: str) -> None:
    """Without a better alternative any switch in 500 batches comes in at most alpha of lives."""
    assert surely_at_most(ALPHA, (_needless(kind, 200, seed) for seed in range(5)))


@pytest.mark.slow
def test_bursts_without_groups_would_break_the_promise() -> None:
    """The simulation can fail: bursts that are taken for independent rows switch far too often."""
    assert _needless("bursts", 100, 0).mean() > 2 * ALPHA
