"""Tests of charts that stand still."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.reporting.figures.monitoring import error_figure, history_figure
from mlops_basics.reporting.figures.style import empty_figure
from mlops_basics.reporting.still import still_figure
from mlops_basics.reporting.svg import line_chart, padded
from tests.support.artifacts import HOSTILE
from tests.support.monitored import Monitored

SVG = "{http://www.w3.org/2000/svg}"


def chart(series, **options):
    """The parsed chart of these series."""
    length = len(next(iter(series.values())))
    names = [f"m{at}" for at in range(length)]
    defaults = {"x": names, "title": "t", "y_label": "loss in EUR"}
    return ET.fromstring(line_chart(series, **(defaults | options)))  # noqa: S314 (our own)


def texts(drawing):
    """All texts, in their order."""
    return [text.text for text in drawing.iter(f"{SVG}text")]


def heights(path):
    """The heights of a path's points."""
    return [float(y) for _, y in re.findall(r"[ML](\S+?) ([\d.-]+)", path)]


def test_lines_are_where_their_values_are():
    """Larger is higher, equal is level, a gap begins a new line."""
    drawing = chart({"all": [1.0, 3.0, 3.0, None, 2.0, 2.0]})
    (path,) = [
        each.get("d") for each in drawing.iter(f"{SVG}path") if each.get("stroke-width") == "2.0"
    ]
    y = heights(path)
    assert len(y) == 5
    assert y[0] > y[3] == y[4] > y[1] == y[2]
    assert path.count("M") == 2


def test_what_a_reader_needs_is_written():
    """Names of places and series, unit, threshold with its value, marks."""
    words = texts(
        chart({"last 3": [1.0, 2.0], "all": [2.0, 1.0]}, threshold=1.5, marks={1: "switch"})
    )
    for word in ("loss in EUR", "m0", "m1", "last 3", "all", "threshold 1.5", "switch"):
        assert word in words


def test_a_value_between_gaps_is_a_dot():
    """It would be no line."""
    drawing = chart({"all": [None, 1.0, None, 2.0, 3.0]})
    assert len(list(drawing.iter(f"{SVG}circle"))) == 1


@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e300, 1e300), st.just(float("nan"))),
        min_size=1,
        max_size=40,
    )
)
def test_every_series_is_drawn(values):
    """Gaps, huge, equal and single values: well-formed, and within the drawing."""
    drawing = chart({"a": values})
    width, height = (float(size) for size in drawing.get("viewBox").split()[2:])
    for dot in drawing.iter(f"{SVG}circle"):
        assert 0 <= float(dot.get("cx")) <= width
        assert 0 <= float(dot.get("cy")) <= height
    for path in drawing.iter(f"{SVG}path"):
        assert all(0 <= y <= height for y in heights(path.get("d")))


def test_many_places_have_few_names_that_are_turned():
    """At most 14 names; long ones stand on end."""
    long = [f"flights_2013_{at:03}.csv" for at in range(200)]
    drawing = chart({"a": [1.0] * 200}, x=long)
    turned = [text for text in drawing.iter(f"{SVG}text") if "rotate" in text.get("transform", "")]
    assert 7 <= len(turned) <= 14


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped(name):
    """No text becomes markup."""
    plain_tags = [each.tag for each in chart({"a": [1.0, 2.0]}, marks={0: "b"}).iter()]
    evil = chart({name: [1.0, 2.0]}, title=name, y_label=name, marks={0: name})
    assert [each.tag for each in evil.iter()] == plain_tags


def test_a_series_of_another_length_is_named():
    """It says which, and how long it must be."""
    with pytest.raises(ValueError, match="b must be of length 2, got 1"):
        line_chart({"a": [1, 2], "b": [1]}, x=["m", "n"], title="", y_label="")


@pytest.mark.parametrize("values", [[], [0.0], [5.0, 5.0], [-3.0, 2.0]])
def test_a_range_is_never_empty(values):
    """It holds all values."""
    for from_zero in (True, False):
        low, high = padded(values, from_zero=from_zero)
        assert low < high
        assert all(low <= value <= high for value in values)


def test_the_errors_of_batches_are_dots_with_intervals(monitored: Monitored):
    """As many dots as batches, with words; limit and reference are lines of the key."""
    figure = error_figure(monitored.watch, monitored.verdict.concept)
    drawing = ET.fromstring(still_figure(figure))  # noqa: S314 (our own)
    dots = list(drawing.iter(f"{SVG}circle"))
    used = [batch for batch in monitored.watch.batches if batch.number]
    entered = [batch for batch in used if batch.entered]
    assert len(dots) == len(used)
    assert sum(dot.get("fill") == "none" for dot in dots) == len(used) - len(entered)
    heights_of = [float(dot.get("cy")) for dot in dots][: len(entered)]
    by_error = np.argsort([-(batch.error or 0) for batch in entered], kind="stable")
    assert np.argsort(heights_of, kind="stable").tolist() == by_error.tolist()
    words = " ".join(filter(None, texts(drawing)))
    assert "tolerated up to" in words
    assert "alarm" in words


def test_drifted_cells_are_orange_and_marked(monitored: Monitored):
    """A cross a drifted cell; blue below the threshold, orange above."""
    figure = history_figure(monitored.watch)
    drawing = ET.fromstring(still_figure(figure))  # noqa: S314 (our own)
    crosses = [text for text in texts(drawing) if text == "✕"]
    assert len(crosses) == (np.asarray(figure.data[0].text) == "✕").sum() > 0
    colours = {box.get("fill") for box in drawing.iter(f"{SVG}rect")} - {"none"}
    red_first = {colour for colour in colours if int(colour[1:3], 16) > int(colour[5:7], 16)}
    assert red_first


def test_a_figure_without_data_is_not_drawn():
    """Its reading aid says why."""
    assert still_figure(empty_figure("a", "nothing yet")) == ""


def test_a_line_through_many_points_is_drawn_whole():
    """What bounds texts does not cut a path."""
    values = [float(at % 7) for at in range(500)]
    paths = [path.get("d") for path in chart({"a": values}).iter(f"{SVG}path")]
    assert max(len(heights(path)) for path in paths) == 500
