"""Tests of numbers that are text to a computer."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_basics.table.number_text import number_fault


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        (["12,5", "7", "0,25", None], r"csv: {decimal: ','}"),
        (["1.234,5", "12,75"], "with thousands: '.'"),
        (["1,234.5", "1,000,000"], r"csv: {thousands: ','}"),
        (["1,234", "5,678", "12"], "or thousands: ','"),
        (["12 %", "7.5%", "100%"], "without the sign"),
        (["$ 12.50", "$1,000"], "without the sign"),
        (["12,50 €", "7 €"], "without the sign"),
        (["12,5"] * 99 + ["many"], "csv: {decimal: ','}"),
        (["1 234", "12 345 678", "7"], "csv: {thousands: ' '}"),
        (["1\u202f234,50", "999"], "spaces or apostrophes between thousands"),
        (["1'234.50", "12"], "spaces or apostrophes between thousands"),
        (["(12.50)", "7.25"], "with a minus sign"),
        (["\u22127.5", "7.5"], "Write the sign as -"),
    ],
)
def test_numbers_that_are_written_as_text_are_named(values, remedy):
    """With an example and the option, or the change of the file, that makes them numbers."""
    fault = number_fault(pd.Series(values, name="price"), 0.95)
    assert "'price' holds numbers" in fault
    assert remedy in fault
    assert "`text_columns`" in fault


@pytest.mark.parametrize(
    "values",
    [
        ["red", "blue"],
        ["12,5"] * 9 + ["many"],
        ["1,2,3", "4,5"],
        ["1.2.3", "10.0.0.1"],
        ["12:30", "7-5"],
        ["12", "13"],
        ["202 555 0143", "030 123 456"],
        [None],
    ],
)
def test_other_text_is_text(values):
    """Lists, versions, clock times, words: no number is seen in them."""
    assert number_fault(pd.Series(values, name="price", dtype="str"), 0.95) == ""
