"""The benchmark of the first minutes: it types what the pages say."""

from __future__ import annotations

from benchmarks import first_ten_minutes


def test_its_lines_are_those_of_the_pages():
    """Whoever changes README's or the tutorial's lines changes what is measured."""
    assert first_ten_minutes.unknown_lines() == []


def test_its_table_can_be_predicted():
    """Whoever calls often leaves more often: a release can be earned."""
    table = first_ten_minutes.customers(500)
    calls = table.groupby("has_left")["calls"].mean()
    assert calls["yes"] > calls["no"] + 1
