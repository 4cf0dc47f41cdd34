"""The benchmark of policies: what it follows, counts and prints."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from benchmarks import policies, policy_streams
from benchmarks.policies import BEST_WINDOW, EACH_TESTED, SHOWN, Followed

from mlops_basics.schemas import Recipe
from mlops_basics.schemas.policy import POLICIES, PRODUCTION

LINEAR = Recipe(
    task="binary",
    candidate="linear",
    class_path="sklearn.linear_model.LogisticRegression",
    dense=True,
    parameters={},
    vectorizer={},
    seed=0,
)


def _small(angles, rows=80):
    """A short rotation, learned by a model that is fitted in no time."""
    stream = policy_streams.rotation(lambda number: angles[number], 0, len(angles), rows)
    return replace(stream, recipe=LINEAR, training=3)


@pytest.fixture(scope="module")
def still():
    """Six batches after three of training, all of the same kind."""
    return policies.run(_small([0.0] * 9))


@pytest.mark.slow
def test_without_a_switch_production_is_all(still):
    """Each batch adds a tenth at least: after its first refresh production is the policy `all`."""
    assert (still.policies, still.switches, still.held_back) == (["all"], 0, 0)
    assert still.releases == 6 <= still.releases_of_all == int(np.log(9 / 2.4) / np.log(1.1))
    assert still.losses[PRODUCTION][1:] == pytest.approx(still.losses["all"][1:])
    assert still.losses[PRODUCTION][0] != pytest.approx(still.losses["all"][0])


@pytest.mark.slow
def test_the_best_window_follows_the_last_batch(still):
    """On each batch it has the loss of the window that was best on the batch before."""
    windows = POLICIES[1:]
    for number in range(1, 6):
        best = min(windows, key=lambda name: still.losses[name][number - 1])
        assert still.losses[BEST_WINDOW][number] == still.losses[best][number]
    assert still.losses[BEST_WINDOW][0] == still.losses["all"][0]


@pytest.mark.slow
def test_a_sudden_change_is_followed():
    """Production forgets what was before, and its switch and its refreshes are counted."""
    found = policies.run(_small([0.0] * 6 + [3.0] * 6, rows=150))
    assert found.policies[0] == "all"
    assert found.switches == len(found.policies) - 1 >= 1
    assert found.releases > found.switches
    assert found.over("all") < 0.9


@pytest.mark.slow
def test_a_change_does_not_bring_a_long_window_back():
    """The batch in which the rule changes favours what has learned more; production waits."""
    stream = policy_streams.changing_rule(0, batches=18)
    found = policies.run(stream)
    change, first = 16, stream.training  # the number of the third rule's first batch
    assert found.losses["all"][change - first] < found.losses[PRODUCTION][change - first]
    assert (
        found.losses[PRODUCTION][change + 1 - first] < found.losses["all"][change + 1 - first] / 2
    )
    assert found.policies == ["all", "last 1"]


@pytest.mark.slow
def test_a_challenger_is_released_when_it_is_shown_to_be_better(still):
    """A test for each release stays with its model while nothing changes, and then follows."""
    assert still.losses[EACH_TESTED][0] == pytest.approx(still.losses[PRODUCTION][0])
    stream = _small([0.0] * 3 + [np.pi] * 6, rows=200)
    tested = policies.TestedReleases(stream, policies.first_release(stream))
    before = tested.loss(stream.rows.of(["b08"]))
    for count in range(4, 9):
        tested.challenge(stream.names[:count])
    assert tested.loss(stream.rows.of(["b08"])) < 0.6 * before


@pytest.mark.slow
def test_a_window_is_fitted_on_its_own_batches():
    """`keep` stays with the training, and the last batch alone is what `last 1` learns from."""
    stream = _small([0.0] * 3 + [np.pi] * 3)
    fits = policies.SharedFits(stream.rows, policies.first_release(stream))
    losses = policies.fixed_losses(stream, fits, stream.names[:4], "b04")
    assert min(losses, key=losses.get) == "last 1"
    assert max(losses, key=losses.get) == "keep"


def _followed(**means):
    losses = {name: [means.get(name.replace(" ", "_"), 9.0)] * 2 for name in SHOWN}
    return Followed("log loss", losses, ["all", "last 3"], 5, 4, 1, 0, 60, 1.5)


def test_the_table_shows_each_column_and_the_ratios(capsys):
    """Each row has as many cells as the head, and the best fixed policy is marked."""
    one = _followed(production=0.6, all=0.5, last_3=0.55, best_window=0.75, each_release_tested=0.8)
    policies.show({"abrupt": [one, one]})
    out = capsys.readouterr().out
    head, _, *rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 2
    assert {row.count("|") for row in rows} == {head.count("|")}
    cells = dict(zip(head.split(" | "), rows[1].split(" | "), strict=True))
    assert cells["seed"] == "1"
    assert (cells["production"], cells["all"], cells["last 3"]) == ("0.6", "[0.5]", "0.55")
    assert (cells["releases"], cells["switches"], cells["fits"]) == ("5", "1", "60")
    assert "1.200, 1.200; 0.800; 0.750" in out


def test_the_bars_are_means_over_seeds_and_streams():
    """The worst stream is named; drift and stillness have a bar of their own against `all`."""
    results = {
        "no drift": [_followed(production=0.5, all=0.5)],
        "abrupt": [_followed(production=0.6, all=0.5), _followed(production=0.5, all=0.5)],
        "weather": [_followed(production=0.6, keep=0.5)],
    }
    assert policies.bars(results) == [
        ("policies: production over the best, mean", pytest.approx(fmean([1, 1.1, 1.2])), 1.03),
        ("policies: production over the best, worst: weather", pytest.approx(1.2), 1.06),
        ("policies: production over all, abrupt", pytest.approx(1.1), 1.0),
        ("policies: production over all, no drift", pytest.approx(1.0), 1.02),
        ("policies: releases over those of growth by a tenth, no drift", 1.25, 1),
    ]


@pytest.mark.parametrize("name", ["no drift", "falling prices", "changing rule"])
def test_a_stream_is_determined_by_its_seed(name):
    """The same seed gives the same rows, another seed others; batches sort as they came."""
    make = policy_streams.STREAMS[name]
    one, two, other = make(1), make(1), make(2)
    assert one.rows.features.read().equals(two.rows.features.read())
    assert not one.rows.features.read().equals(other.rows.features.read())
    assert (np.sort(one.rows.batch.astype(str)) == one.rows.batch).all()
    assert one.names[0] == "b00"
    assert len(np.unique(one.rows.hashes)) == len(one.rows)


def test_prices_fall_and_batches_shrink():
    """The stream of the issue: 300 rows fall to 40, and so do the prices."""
    stream = policy_streams.falling_prices(0)
    first, last = stream.rows.of(["b00"]), stream.rows.of(["b35"])
    assert (len(first), len(last)) == (300, 40)
    assert np.median(last.target) < np.median(first.target) / 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "batches"), [("flights by month", 12), ("flights by week", 52), ("weather", 26)]
)
def test_a_real_stream_has_days_as_groups(name, batches):
    """Rows of a day belong together, and no day is in two batches."""
    rows = policy_streams.STREAMS[name](0).rows
    assert len(np.unique(rows.batch)) == batches
    assert (np.diff(rows.groups) >= 0).all()
    days_of_batches = set(zip(rows.batch, rows.groups, strict=True))
    assert len(days_of_batches) == len(np.unique(rows.groups)) >= 360


def test_an_unknown_stream_is_named():
    """A misspelt stream is not left out in silence."""
    with pytest.raises(ValueError, match="got 'flight'"):
        policy_streams.chosen_streams(["weather", "flight"])
    assert [*policy_streams.chosen_streams(["weather"])] == ["weather"]
