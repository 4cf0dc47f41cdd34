"""Tests of the pages' frame."""

from __future__ import annotations

import re

from mlops_basics.reporting.page import Plot, Section, badge, facts, page, table, text
from mlops_basics.reporting.style import figure


def test_helpers_escape_what_they_are_given() -> None:
    """No helper lets markup from the data through."""
    evil = "<img src=x onerror='alert(1)'>"
    parts = [
        badge(evil, "bad"),
        facts([(evil, text(evil))]),
        table([text(evil)], [[text(evil)]], evil),
    ]
    assert all("<img" not in part and "&lt;img" in part for part in parts)


def test_plotly_is_there_only_for_figures_and_once() -> None:
    """A page without figures is small; one with several holds plotly.js once."""
    without = page("Title", text("headline"), [Section("Words", [text("word")])])
    assert len(without) < 10_000
    drawn = figure("title", "reading aid", 300)
    with_two = page("Title", text(""), [Section("Figures", [Plot("a", drawn), Plot("b", drawn)])])
    assert with_two.count("plotly.js v") <= 2  # in its banner, and in its own version check
    assert re.findall(r'id="(plot-\d)"', with_two) == ["plot-1", "plot-2"]
    assert with_two.count("<figcaption>reading aid</figcaption>") == 2
