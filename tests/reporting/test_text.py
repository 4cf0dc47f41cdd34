"""Tests of how untrusted text, numbers and long lists are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.reporting.text import label, number, plain, share_text, shorten


@given(st.text(max_size=500), st.integers(6, 60))
def test_plain_is_one_short_printable_line(text: str, limit: int) -> None:
    """Any text becomes one printable line of bounded length."""
    line = plain(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


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


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.1234, "12.3 %"),
        (1e-9, "below 0.1 %"),
        (1 - 1e-9, "above 99.9 %"),
        (0.07, "7 %"),
    ],
)
def test_shares_are_rounded_honestly(value: float, words: str) -> None:
    """What is not nothing is not called 0 %, what is not all not 100 %."""
    assert share_text(value) == words


def test_a_list_is_cut_and_says_so() -> None:
    """A shortened list says so; a complete one has no note."""
    assert (shorten("abc", 3, "more").shown, shorten("abc", 3, "more").rest) == ("abc", "")
    cut = shorten(range(2_000), 5, "earlier ones")
    assert (list(cut.shown), cut.rest) == ([0, 1, 2, 3, 4], "and 1,995 earlier ones")
