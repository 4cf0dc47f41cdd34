"""Tests of the figures of a release in production."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_basics.reporting.figures.monitoring import distinct_parts, error_figure, history_figure
from mlops_basics.schemas import LabelCount, Watch, WatchedBatch
from tests.support.artifacts import HOSTILE
from tests.support.harmless import assert_harmless
from tests.support.monitored import Monitored


def make_batch(number: int, **values: Any) -> WatchedBatch:
    """A batch that was used."""
    fields = {
        "name": f"b{number}",
        "sha256": "0",
        "outcome": "used",
        "seen_by": "r",
        "number": number,
        "rows": 100,
    }
    return WatchedBatch.model_validate(fields | values)


def make_watch(*batches: WatchedBatch) -> Watch:
    """A watch of these batches."""
    return Watch(version="1", loss="error", sequential={}, batches=batches)


def trace(drawn: Any, name: str) -> Any:
    """The trace whose name begins so."""
    (only,) = [trace for trace in drawn.data if str(trace.name).startswith(name)]
    return only


def test_error_draws_what_was_measured(monitored: Monitored) -> None:
    """Dots with intervals in the order of numbers, both lines, the alarm, the expected errors."""
    watch, concept = monitored.watch, monitored.verdict.concept
    shuffled = watch.model_copy(update={"batches": tuple(reversed(watch.batches))})
    drawn = error_figure(shuffled, concept)
    entered = [batch for batch in watch.batches if batch.entered]
    dots = trace(drawn, "error of a batch")
    assert list(dots.x) == [batch.number for batch in entered] == list(range(1, 10))
    np.testing.assert_allclose(dots.y, [batch.error for batch in entered])
    np.testing.assert_allclose(
        np.array(dots.y) + np.array(dots.error_y.array), [batch.error_high for batch in entered]
    )
    np.testing.assert_allclose(
        np.array(dots.y) - np.array(dots.error_y.arrayminus), [b.error_low for b in entered]
    )
    assert set(trace(drawn, "tolerated").y) == {concept.tolerated}
    assert set(trace(drawn, "reference").y) == {concept.reference}
    awaited = trace(drawn, "expected")
    assert list(awaited.x) == [10, 11, 12]
    assert awaited.marker.symbol.endswith("open")
    (alarm,) = [batch.number for batch in watch.batches if batch.alarm]
    assert [shape.x0 for shape in drawn.layout.shapes] == [alarm]
    assert list(drawn.layout.xaxis.ticktext) == [f"{month:02}" for month in range(1, 13)]


def test_error_without_labels_shows_what_is_expected(monitored: Monitored) -> None:
    """No dots; and without probabilities either, a sentence."""
    concept = monitored.verdict.concept
    none = LabelCount(rows=100, labelled=0)
    waits = make_watch(make_batch(1, labels=none, expected_error=0.25))
    drawn = error_figure(waits, concept)
    assert list(trace(drawn, "expected").y) == [0.25]
    assert not [each for each in drawn.data if each.name == "error of a batch"]
    for empty in (make_watch(), make_watch(make_batch(1, labels=none))):
        assert "No batch has labels" in error_figure(empty, concept).to_json()


def test_errors_of_a_regression_are_in_the_unit_of_its_target(monitored: Monitored) -> None:
    """Dots, their intervals and both lines, of losses of which 1 is an error of 800."""
    loss = error_figure(monitored.watch, monitored.verdict.concept)
    watch = monitored.watch.model_copy(update={"loss": "absolute_error"})
    drawn = error_figure(watch, monitored.verdict.concept.model_copy(update={"scale": 800.0}))
    for name in ("error of a batch", "tolerated", "reference"):
        np.testing.assert_allclose(trace(drawn, name).y, 800 * np.array(trace(loss, name).y))
    bars = trace(drawn, "error of a batch").error_y
    np.testing.assert_allclose(
        bars.array, 800 * np.array(trace(loss, "error of a batch").error_y.array)
    )
    assert "in the target's unit" in drawn.layout.yaxis.title.text


def test_error_of_a_batch_without_interval(monitored: Monitored) -> None:
    """The error of a batch without an interval is a single dot."""
    drawn = error_figure(
        make_watch(make_batch(1, entered=True, error=0.5)), monitored.verdict.concept
    )
    dots = trace(drawn, "error of a batch")
    assert (dots.y[0], dots.error_y.array[0], dots.error_y.arrayminus[0]) == (0.5, 0, 0)


def test_history_draws_the_largest_effects() -> None:
    """The columns with the largest effects come first; drifted cells are marked, gaps empty."""
    first = {f"c{i}": i / 40 for i in range(30)}
    batches = (
        make_batch(2, effects={"c3": 4.0, "c29": 0.5}, drifted=("c3",)),
        make_batch(1, effects=first),
        make_batch(3),  # not judged yet
        make_batch(0, outcome="quarantined", effects={"bad": 9.0}),
    )
    drawn = history_figure(make_watch(*batches))
    (heat,) = drawn.data
    names = list(drawn.layout.yaxis.ticktext)
    assert names[:3] == ["c3", "c29", "c28"]
    assert len(names) == 20
    assert "top 20 of 30" in drawn.layout.title.text
    assert list(heat.x) == [1, 2]
    np.testing.assert_allclose(
        np.array(heat.z, dtype=float)[:3], [[3 / 40, 4], [29 / 40, 0.5], [0.7, np.nan]]
    )
    marked = np.argwhere(np.array(heat.text) != "")
    assert marked.tolist() == [[0, 1]]
    assert len(history_figure(make_watch(*batches), limit=2).layout.yaxis.ticktext) == 2


def test_history_changes_its_colour_where_drift_begins() -> None:
    """Just below the threshold is blue, just above orange."""
    (heat,) = history_figure(make_watch(make_batch(1, effects={"a": 1.0}))).data
    steps = [step for step, _ in heat.colorscale]
    assert steps.count(1 / 3) == 2
    assert heat.zmax / 3 == 1


def test_history_of_nothing_is_a_sentence() -> None:
    """No batch, or none that was judged."""
    for watch in (make_watch(), make_watch(make_batch(1))):
        assert "No batch has been judged" in history_figure(watch).to_json()


@pytest.mark.parametrize("count", [1, 15, 400])
def test_many_batches_have_few_names(count: int, monitored: Monitored) -> None:
    """As many as a phone has room for; marks of a width that cannot be read are left out."""
    batches = [
        make_batch(i, entered=True, error=0.1, effects={"a": 2.0}, drifted=("a",))
        for i in range(1, count + 1)
    ]
    watch = make_watch(*batches)
    for drawn in (history_figure(watch), error_figure(watch, monitored.verdict.concept)):
        assert 1 <= len(drawn.layout.xaxis.ticktext) <= 14
    assert (history_figure(watch).data[0].texttemplate is None) == (count > 80)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["flights_2013_10.csv", "flights_2013_11.csv"], ["10", "11"]),
        (["a_2013_12.csv", "a_2014_01.csv"], ["2013_12", "2014_01"]),
        (["jan.csv", "feb.csv"], ["jan", "feb"]),
        (["one.csv"], ["one.csv"]),
        (["same", "same"], ["same", "same"]),
        (["a", "a_b"], ["a", "a_b"]),
        (["", "x"], ["", "x"]),
        (["a_1_x", "b_1_x"], ["a", "b"]),
    ],
)
def test_names_are_cut_to_what_differs(names: list[str], short: list[str]) -> None:
    """Whole words and numbers stay, and no two names become the same."""
    assert distinct_parts(names) == short


def test_hostile_names_reach_no_figure_unescaped(monitored: Monitored) -> None:
    """No text of a figure holds markup from the data, or more of a name than fits."""
    hostile = (*HOSTILE, "two\nlines")
    batches = [
        make_batch(
            i,
            name=name,
            effects=dict.fromkeys(hostile, 2.0),
            drifted=hostile,
            entered=i > 1,
            error=0.1,
            expected_error=0.1,
        )
        for i, name in enumerate(hostile, start=1)
    ]
    watch = make_watch(*batches)
    for drawn in (error_figure(watch, monitored.verdict.concept), history_figure(watch)):
        assert_harmless(drawn)
        assert "o\\nl" not in str(drawn.to_dict())
