"""Tests of the figures of a release in production."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_basics.reporting.drift_figures import (
    column_figure,
    distinct_parts,
    error_figure,
    history_figure,
)
from mlops_basics.schemas import LabelCount, Watch, WatchedBatch
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftResult
from tests.support.artifacts import HOSTILE
from tests.support.monitored import Monitored, make_monitored


@pytest.fixture(scope="module")
def monitored() -> Monitored:
    """A year that drifts from the 7th month on."""
    return make_monitored()


def make_batch(number: int, **values: Any) -> WatchedBatch:
    """A batch that was used."""
    told = {
        "name": f"b{number}",
        "sha256": "0",
        "outcome": "used",
        "seen_by": "r",
        "number": number,
        "rows": 100,
    }
    return WatchedBatch.model_validate(told | values)


def make_watch(*batches: WatchedBatch) -> Watch:
    """A watch of these batches."""
    return Watch(version="1", loss="error", sequential={}, batches=batches)


def make_column(name: str, kind: str = "numeric") -> DriftResult:
    """What was found about a column."""
    return DriftResult(
        column=name,
        kind=kind,
        measure="KS distance",
        where="",
        effect=0.2,
        lower=0.1,
        threshold=0.05,
        level=0.001,
        drifted=True,
        n_reference=1,
        n_current=1,
        smallest=None,
        reason="",
    )


def trace(drawn: Any, name: str) -> Any:
    """The trace whose name begins so."""
    (found,) = [each for each in drawn.data if str(each.name).startswith(name)]
    return found


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


def test_error_of_a_batch_without_interval(monitored: Monitored) -> None:
    """It is a dot alone."""
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


def test_numbers_are_drawn_as_shares_in_shared_bins() -> None:
    """Against numpy's histogram of the same values; outliers do not squeeze the rest."""
    rng = np.random.default_rng(0)
    before, now = rng.normal(0, 1, 4_000), rng.normal(1, 2, 3_000)
    before[0], now[0] = 1e9, -1e9
    drawn = column_figure(
        make_column("x"), NumericProfile.from_values(before), NumericProfile.from_values(now)
    )
    reference, batch = drawn.data
    edges = np.array(reference.x)
    low = min(np.quantile(before, 0.005), np.quantile(now, 0.005))
    high = max(np.quantile(before, 0.995), np.quantile(now, 0.995))
    assert edges[0] == pytest.approx(low, abs=0.2)
    assert edges[-1] == pytest.approx(high, abs=0.2)
    for values, side in ((before, reference), (now, batch)):
        counts, _ = np.histogram(values, edges)
        np.testing.assert_allclose(np.array(side.y)[:-1], counts / len(values), atol=2e-3)
        assert list(side.x) == list(edges)
    assert "are not drawn" in drawn.layout.meta["reading"]


def test_whole_numbers_have_bins_of_equal_content() -> None:
    """A uniform column of whole numbers is flat: no bin holds one number more than others."""
    values = np.repeat(np.arange(61.0), 50)
    profile = NumericProfile.from_values(values)
    shares = np.array(column_figure(make_column("x"), profile, profile).data[0].y)[:-1]
    inner = shares[1:-1]
    np.testing.assert_allclose(inner, inner[0])


def test_few_distinct_numbers_are_bars() -> None:
    """Each value is a bar with its share of the values that are there."""
    drawn = column_figure(
        make_column("x"),
        NumericProfile.from_values([0, 0, 0, 1, np.nan]),
        NumericProfile.from_values([1.0, 2.0]),
    )
    assert list(drawn.layout.yaxis.ticktext) == ["0", "1", "2"]
    np.testing.assert_allclose(drawn.data[0].x, [0.75, 0.25, 0])
    np.testing.assert_allclose(drawn.data[1].x, [0, 0.5, 0.5])
    assert "20 % before, 0 % now" in drawn.layout.meta["reading"]


def test_missing_values_that_drifted_are_drawn() -> None:
    """Their share is what changed, not the values."""
    drawn = column_figure(
        make_column("x", "missing"),
        NumericProfile.from_values([1.0] * 99 + [np.nan]),
        NumericProfile.from_values([1.0] * 9 + [np.nan]),
    )
    assert list(drawn.layout.yaxis.ticktext) == ["missing", "present"]
    np.testing.assert_allclose(drawn.data[0].x, [0.01, 0.99])
    np.testing.assert_allclose(drawn.data[1].x, [0.1, 0.9])


def test_levels_that_changed_most_are_drawn_and_the_rest_pooled() -> None:
    """Shares of the rows, missing ones included, add up to one on both sides."""
    before = CategoricalProfile(counts={f"l{i}": 10 for i in range(30)}, missing=20, other=5)
    now = CategoricalProfile(counts={"l7": 100, "new": 50, "l0": 30}, missing=20)
    drawn = column_figure(make_column("x", "categorical"), before, now)
    names = list(drawn.layout.yaxis.ticktext)
    assert names[:2] == ["l7", "new"]
    assert names[-1] == "(other levels)"
    assert "(missing)" in names
    assert len(names) == 13
    for side in drawn.data:
        assert sum(side.x) == pytest.approx(1)
    few = column_figure(
        make_column("x", "categorical"),
        CategoricalProfile(counts={"a": 1}),
        CategoricalProfile(counts={"b": 1}),
    )
    assert list(few.layout.yaxis.ticktext) == ["a", "b"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([], []),
        ([np.nan], [np.nan]),
        ([np.inf, -np.inf], [np.inf] * 30),
        ([1.0] * 20_000 + list(range(20_000)), [5.0]),
        (list(1.7e308 * np.linspace(-1, 1, 99)), [0.0]),
        ([3.0] * 5_000 + list(np.linspace(4, 9, 15)), [3.0] * 5_000),
        (list(np.linspace(0, 1e-320, 20)), [0.0]),
    ],
)
def test_odd_columns_are_drawn(before: list[float], now: list[float]) -> None:
    """Nothing, constants, infinities and the largest numbers there are: no error, no NaN."""
    sides = [NumericProfile.from_values(values) for values in (before, now)]
    for first, second in (sides, sides[::-1]):
        drawn = column_figure(make_column("x"), first, second)
        for side in drawn.data:
            assert np.isfinite(np.array(side.y, dtype=float)).all()
            assert np.isfinite(np.array(side.x, dtype=float)).all()


def test_compressed_profiles_are_drawn_like_exact_ones() -> None:
    """What a profile of 8,192 points does not know is too small to be seen."""
    values = np.random.default_rng(1).gamma(2, 10, 50_000)
    exact = NumericProfile.from_values(values, max_points=60_000)
    rough = NumericProfile.from_values(values)
    assert exact.exact
    assert not rough.exact
    reference, batch = column_figure(make_column("x"), exact, rough).data
    np.testing.assert_allclose(reference.y, batch.y, atol=5e-4)


def test_sides_of_another_kind_are_told_so() -> None:
    """A schema change is no figure."""
    drawn = column_figure(
        make_column("x"), NumericProfile.from_values([1.0]), CategoricalProfile(counts={"a": 1})
    )
    assert "not comparable" in drawn.to_json()


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
    profile = CategoricalProfile(counts=dict.fromkeys(hostile, 5))
    drawn = [error_figure(watch, monitored.verdict.concept), history_figure(watch)]
    drawn += [column_figure(make_column(name, "categorical"), profile, profile) for name in hostile]
    for each in drawn:
        told = str(each.to_dict())
        assert not any(part in told for part in ("<script", "</script", "<b>", "x" * 60, "o\\nl"))
        assert "&lt;script&gt;" in told or "&lt;scr" in told
