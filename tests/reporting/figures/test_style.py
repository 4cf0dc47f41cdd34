"""Tests of what all figures share."""

from __future__ import annotations

import numpy as np
import plotly.io

from mlops_basics.reporting.figures.style import every_nth, figure, thin_curve


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
