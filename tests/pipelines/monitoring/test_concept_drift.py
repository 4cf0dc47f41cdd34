"""Tests of the error over time, and of when a batch's losses enter the test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from benchmarks.dependent_days import errors_by_day
from benchmarks.streams import start_known

from mlops_basics.errors import ConfigurationError
from mlops_basics.pipelines.monitoring.concept_drift import (
    batch_losses,
    begin_watch,
    conclude_concept,
    enter,
    in_full_stream,
    may_enter,
)
from mlops_basics.schemas import LabelCount, MonitoringParams, Parts, WatchedBatch
from mlops_basics.stats.concept_drift.sequential import (
    SequentialState,
    start_monitor,
    update,
)
from tests.support.parameters import configured
from tests.support.watched import rows_of

PARAMS = configured(MonitoringParams)


def record_of(number=1, labelled=60, rows=60, **values):
    """A batch that was judged."""
    labels = None if labelled is None else LabelCount(rows=rows, labelled=labelled)
    return WatchedBatch(
        name=f"{number}.csv", sha256="ab", outcome="used", seen_by="run", number=number, rows=rows,
        labels=labels, **values,
    )  # fmt: skip


def features_of(release, table):
    """As the model takes them."""
    return table[list(release.table.features)].assign(count=lambda t: t["count"].astype(float))


def test_a_watch_begins_with_the_release(release):
    """What it was trained on, by which loss, and the test before its first row."""
    watch = begin_watch(release, release.reference, PARAMS)
    assert watch.version == "1"
    assert list(watch.trained) == ["a.csv", "b.csv"]
    assert watch.loss == "error"
    state = SequentialState.from_dict(watch.sequential)
    assert (state.rows, state.alpha, state.tolerance) == (0, 0.01, 0.01)
    own = release.reference.losses["error"].to_numpy()
    assert state.mean == start_monitor(own).mean > own.mean()


def test_the_loss_can_be_chosen(release, of_size):
    """The loss can be chosen among those that the release was measured by."""
    brier = PARAMS.model_copy(update={"loss": "brier"})
    assert begin_watch(release, release.reference, brier).loss == "brier"
    assert begin_watch(of_size, of_size.reference, PARAMS).loss == "absolute_error"
    with pytest.raises(ConfigurationError, match=r"'brier', but the release 1 .*: absolute_error"):
        begin_watch(of_size, of_size.reference, brier)


def test_a_regression_is_concluded_in_the_unit_of_its_target(of_size):
    """The limit in the reason is that of the losses, times the error that counts as 1."""
    watch = begin_watch(of_size, of_size.reference, PARAMS)
    record = WatchedBatch(
        name="c", sha256="0", outcome="used", seen_by="run", number=1, rows=40,
        labels=LabelCount(rows=40, labelled=40),
    )  # fmt: skip
    watch, record = enter(watch, record, np.full(40, 0.1))
    concept = conclude_concept(watch, of_size.reference, [record])
    clip = of_size.reference.info.clip
    assert (concept.scale, concept.observed) == (clip, pytest.approx(0.1))
    assert clip not in (0, 1)
    assert f"no rise of the error above {clip * concept.tolerated:.4g} is shown" in concept.reason


def test_blocks_are_those_of_the_whole_stream():
    """Every fifth row was seen: what hit one of them hits five in the stream."""
    rng = np.random.default_rng(0)
    losses = (rng.random(500) < 0.2).astype(float)
    state = start_known(0.2)
    assert in_full_stream(state, losses, 1) == state
    wider = in_full_stream(state, losses, 5)
    assert wider.block == 5
    assert wider.variance == pytest.approx(losses.var() / 5)
    assert (wider.mean, wider.log_threshold) == (state.mean, state.log_threshold)
    blocks = start_known(0.2, length=4, variance=0.06)
    assert in_full_stream(blocks, losses, 5).block == 20
    common = 0.06 - losses.var() / 4  # more rows of a burst do not average out what they share
    assert in_full_stream(blocks, losses, 5).variance == pytest.approx(common + losses.var() / 20)
    assert in_full_stream(state, np.zeros(500), 5).variance > 0


def test_bursts_that_a_hash_hides_are_seen_in_the_batches(release):
    """Days of a hundred rows, of which few were drawn: blocks grow to a part of a day."""
    rng = np.random.default_rng(1)
    losses, _ = errors_by_day(rng, 60, 0.2, day_error=0.08)
    drawn = rng.random(len(losses)) < 0.2
    table, blocks = pd.DataFrame({"error": losses[drawn]}), {}
    for thinned in (1, 5):
        info = release.reference.info.model_copy(update={"thinned": thinned})
        reference = dataclasses.replace(release.reference, losses=table, info=info)
        watch = begin_watch(release, reference, PARAMS)
        for number in range(1, 5):
            of_batch, _ = errors_by_day(np.random.default_rng(number), 7, 0.2, day_error=0.08)
            watch, _ = enter(watch, record_of(number), of_batch)
        blocks[thinned] = watch.sequential["block"]
    assert blocks[1] == 1  # a reference that is a whole period shows its bursts by itself
    assert blocks[5] >= 25


def test_the_losses_are_those_of_the_labelled_rows(release):
    """A class that the model does not know is an error; missing labels are no rows."""
    table = rows_of(6)
    features = features_of(release, table)
    predicted = pd.Series(release.model.predict(features))
    wrong = predicted.map({"tall": "short", "short": "tall"})
    target = pd.Series([predicted[0], wrong[1], None, "ugly", predicted[4], None])
    watch = begin_watch(release, release.reference, PARAMS)
    losses, expected, _ = batch_losses(Parts.of(features), target, release, watch, strict=False)
    assert losses.tolist() == [0, 1, 1, 0]
    p = release.model.predict_proba(features).max(axis=1)
    assert expected == pytest.approx((1 - p).mean())
    strict, _, _ = batch_losses(Parts.of(features), target, release, watch, strict=True)
    assert strict.tolist() == [0, 1, 0, 1, 0, 0]


def test_copies_of_a_row_are_one_loss(release):
    """A batch that was concatenated with itself says what it said before."""
    table = rows_of(60)
    features, target = features_of(release, table), table["kind"]
    watch = begin_watch(release, release.reference, PARAMS)
    once, _, _ = batch_losses(Parts.of(features), target, release, watch, strict=False)
    features, target = (
        pd.concat([of_rows] * 3, ignore_index=True) for of_rows in (features, target)
    )
    thrice, _, _ = batch_losses(Parts.of(features), target, release, watch, strict=False)
    assert thrice.tolist() == once.tolist()


def test_the_losses_of_a_regression_are_clipped(of_size):
    """Losses are clipped at the error that few reference rows exceed; no loss is expected."""
    table = rows_of(4)
    features = features_of(of_size, table)
    clip = of_size.reference.info.clip
    off = np.array([0, clip / 2, -9 * clip, np.nan])
    target = pd.Series(of_size.model.predict(features) + off)
    watch = begin_watch(of_size, of_size.reference, PARAMS)
    losses, expected, _ = batch_losses(Parts.of(features), target, of_size, watch, strict=False)
    assert losses == pytest.approx([0, 0.5, 1])
    assert expected is None
    strict, _, _ = batch_losses(Parts.of(features), target, of_size, watch, strict=True)
    assert strict == pytest.approx([0, 0.5, 1, 0])


@pytest.mark.parametrize(
    ("record", "newest", "expected"),
    [
        (record_of(labelled=48), 1, True),
        (record_of(labelled=47), 1, False),
        (record_of(labelled=47), 3, False),
        (record_of(labelled=47), 4, True),
        (record_of(labelled=0), 99, False),
        (record_of(labelled=None), 99, False),
        (record_of(entered=True), 99, False),
        (record_of(number=0), 99, False),
    ],
    ids=["enough", "too few", "young", "old enough", "no label", "not counted", "again", "unused"],
)
def test_a_batch_enters_by_its_labels_or_its_age(record, newest, expected):
    """80 % of the rows, or three further batches; once; never without any label."""
    assert may_enter(record, newest, PARAMS) == expected


def test_entering_is_an_update_of_the_test(release):
    """The record has the error with its interval, and whether this batch raised the alarm."""
    watch = begin_watch(release, release.reference, PARAMS)
    before = SequentialState.from_dict(watch.sequential)
    losses = np.ones(400)
    after, record = enter(watch, record_of(), losses)
    assert after.sequential == update(before, losses).to_dict()
    assert record.entered
    assert record.alarm
    assert record.error == 1
    assert 0.9 < record.error_low < record.error_high == 1
    _, second = enter(after, record_of(2), losses)
    assert not second.alarm


@pytest.mark.parametrize("losses", [[0.3], [1.0], [0.2, 0.2], [0.0, 0.5, 1.0]])
def test_the_interval_of_few_losses(of_size, losses):
    """A single row has an interval, too."""
    watch = begin_watch(of_size, of_size.reference, PARAMS)
    _, record = enter(watch, record_of(), np.array(losses))
    assert 0 <= record.error_low <= record.error <= record.error_high <= 1


def test_the_verdict_says_which_labels_it_rests_on(release):
    """None yet, too few, enough, drift: each a status of its own."""
    watch = begin_watch(release, release.reference, PARAMS)

    def conclude(*records, watch=watch):
        return conclude_concept(watch, release.reference, records)

    assert conclude().status == "no_labels"
    none = conclude(record_of(labelled=0), record_of(2, labelled=None))
    assert (none.status, none.reason) == ("no_labels", "no labels yet, of 2 batches")
    few = conclude(record_of(labelled=5))
    assert (few.status, few.observed) == ("not_enough_labels", None)
    calm, entered = enter(watch, record_of(), np.zeros(60))
    quiet = conclude(entered, record_of(2, labelled=0), watch=calm)
    assert (quiet.status, quiet.observed, quiet.rows) == ("no_drift", 0.0, 60)
    assert quiet.smallest is None or quiet.smallest > quiet.tolerated
    bad, second = enter(calm, record_of(2, 120, 120), np.ones(120))
    drift = conclude(entered, second, watch=bad)
    assert (drift.status, drift.rows) == ("drift", 180)
    assert drift.observed == pytest.approx(2 / 3)
    assert drift.wealth >= 1 > quiet.wealth >= 0
    assert drift.alarm_row is not None


def test_an_alarm_says_what_its_promise_rests_on(release):
    """Where a hash has drawn the test rows and nothing names the days; not where something does."""
    watch = begin_watch(release, release.reference, PARAMS)
    watch, record = enter(watch, record_of(1, 120, 120), np.ones(120))
    told = []
    for split in ({"thinned": 5}, {"thinned": 5, "run": 20.0}, {"thinned": 1}):
        info = release.reference.info.model_copy(update=split)
        of_split = dataclasses.replace(release.reference, info=info)
        told.append("group_by" in conclude_concept(watch, of_split, [record]).reason)
    assert told == [True, False, False]


def test_a_release_with_few_or_perfect_test_rows_can_be_watched(release):
    """With few or perfect test rows the limit is far away, but nothing fails."""
    for losses in ([0.0] * 10, [1.0] * 10, [0.0]):
        reference = dataclasses.replace(
            release.reference, losses=pd.DataFrame({"error": losses, "brier": losses})
        )
        watch = begin_watch(release, reference, PARAMS)
        after, record = enter(watch, record_of(), np.ones(60))
        verdict = conclude_concept(after, reference, [record])
        assert verdict.reference == losses[0]
        assert verdict.tolerated > losses[0] or losses[0] == 1


@pytest.mark.parametrize("thinned", [1, 5])
@pytest.mark.parametrize("shape", ["rises", "jumps"])
def test_a_release_that_was_promoted_under_drift_is_watched(release, shape, thinned):
    """The drift inside its reference is no burst: an error three times as high is seen at once."""
    rows = np.arange(600)
    risk = 0.05 + 0.2 * rows / 600 if shape == "rises" else np.where(rows < 300, 0.08, 0.24)
    found = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        losses = pd.DataFrame({"error": (rng.random(600) < risk).astype(float)})
        info = release.reference.info.model_copy(update={"thinned": thinned, "rows": 600})
        reference = dataclasses.replace(release.reference, losses=losses, info=info)
        watch = begin_watch(release, reference, PARAMS)
        record = record_of(labelled=300, rows=300)
        now = (rng.random(300) < 3 * risk.mean()).astype(float)
        watch, record = enter(watch, record, now)
        found.append((watch.sequential["block"], record.alarm))
    assert sorted(block for block, _ in found)[4] == thinned
    assert sum(alarm for _, alarm in found) >= 8


def test_errors_above_the_limit_are_told_before_they_are_proved(release):
    """A verdict of no rise comes with the newest error, and whether it lies above the limit."""
    watch = begin_watch(release, release.reference, PARAMS)
    limit = SequentialState.from_dict(watch.sequential).mean
    record = record_of(labelled=10, rows=10)
    watch, record = enter(watch, record, np.array([1.0, 1.0] + [0.0] * 8))
    concept = conclude_concept(watch, release.reference, [record])
    assert (concept.status, concept.newest, concept.newest_rows) == ("no_drift", 0.2, 10)
    assert concept.is_above == (limit < 0.2)
    assert concept.own_tolerated is None
