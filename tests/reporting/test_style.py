"""Tests of how untrusted text and numbers are shown, and of thinning."""

from __future__ import annotations

import numpy as np
import plotly.io
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.reporting.style import every_nth, figure, label, number, plain, thin_curve


@given(st.text(max_size=500), st.integers(6, 60))
def test_plain_is_one_short_printable_line(text: str, limit: int) -> None:
    """Whatever the data hold, one printable line of bounded length comes out."""
    found = plain(text, limit)
    assert len(found) <= limit
    assert found.isprintable()


def test_plain_keeps_the_ends_of_long_names() -> None:
    """Names that differ only at their end stay different when they are shortened."""
    assert plain("department_of_something_36", 14) != plain("department_of_something_37", 14)
    assert plain("x" * 10_000_000, 10) == "xxxxxx…xxx"
    assert plain("short\n\tname") == "short name"


def test_label_leaves_plotly_no_markup() -> None:
    """Tags and entities become text; an empty name is visible."""
    assert label("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"
    assert label("") == "(empty)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "not defined"),
        (float("nan"), "not defined"),
        (float("inf"), "not defined"),
        (0.0, "0.000"),
        (0.96666, "0.967"),
        (0.00012345, "0.000123"),
        (-12.5, "-12.500"),
        (123456.7, "123,457"),
        (1.5e9, "1.5e+09"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    """Three digits where they say something, "not defined" where there is no number."""
    assert number(value) == shown


def test_thin_curve_keeps_ends_and_jumps() -> None:
    """Of a long curve at most 500 points stay, among them both ends and those of a jump."""
    x = np.linspace(0, 1, 100_000)
    y = (x > 0.3).astype(np.float64)
    kept = thin_curve(x, y)
    assert len(kept) <= 500
    assert kept[0] == 0
    assert kept[-1] == len(x) - 1
    drawn = np.interp(x, x[kept], y[kept])
    assert np.abs(drawn - y).mean() < 0.005
    assert len(thin_curve(x[:1], y[:1])) == 1


def test_every_nth_is_even_and_bounded() -> None:
    """At most 2,000 rows are drawn, first and last among them; few rows are all drawn."""
    assert every_nth(3).tolist() == [0, 1, 2]
    kept = every_nth(1_000_003)
    assert len(kept) == 2_000
    assert (kept[0], kept[-1]) == (0, 1_000_002)
    assert np.ptp(np.diff(kept)) <= 1


def test_figure_changes_no_global_setting() -> None:
    """The style belongs to our figures alone."""
    before = plotly.io.templates.default
    drawn = figure("title", "how to read it", 300)
    assert plotly.io.templates.default == before
    assert drawn.layout.meta["reading"] == "how to read it"
