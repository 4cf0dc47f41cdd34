"""Tests of times as files write them."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_basics.errors import DataError
from mlops_basics.table.times import date_order, read_times, times_from_text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-06-18T11:35:00Z", None], "year"),
        (["2026-06-18", "2026-06-18 11:35:00+02:00"], "year"),
        (["9999-12-31", "0001-01-01"], "year"),
        (["2026/06/18", "2026.06.18 11:35"], "year"),
        (["2026/06-18"], ""),
        (["13/02/2024", "1/2/2024 5:06"], "day"),
        (["13.02.24"], "day"),
        (["02/13/2024"], "month"),
        (["01/02/2024", "03/04/2024"], "unclear"),
        (["13.02.2024", "02.13.2024"], "unclear"),
        (["2026-06-18", "soon"], ""),
        (["soon"], ""),
        (["1.2.3"], ""),
        ([None], ""),
    ],
)
def test_what_comes_first_in_a_date(values, expected):
    """Only what a value shows counts; text that is not all dates is text."""
    assert date_order(pd.Series(values, dtype="str")) == expected


UTC = [pd.Timestamp("2024-02-01 05:06:00"), pd.NaT]


@pytest.mark.parametrize(
    "values",
    [
        ["2024-02-01T05:06:00Z", None],
        ["2024-02-01 06:06:00+01:00", None],
        ["2024/02/01 05:06", None],
        ["2024.02.01 05:06:00", None],
        pd.to_datetime(["2024-02-01 05:06:00", None]),
        pd.to_datetime(["2024-02-01 06:06:00+01:00", None]),
        pd.Series(pd.to_datetime(["2024-02-01 05:06:00Z", None])).dt.tz_convert("America/New_York"),
        [pd.Timestamp("2024-02-01 06:06", tz="Europe/Berlin"), None],
        [1_706_763_960, None],
        [1_706_763_960_000, None],
        [1_706_763_960_000_000, None],
        pd.array([1_706_763_960_000_000_000, None], dtype="Int64"),
    ],
)
def test_one_time_however_it_is_written(values):
    """With zones, offsets, as text and as a number of s, ms, us and ns since 1970."""
    times, order = read_times(pd.Series(values, name="t"))
    assert times.tolist() == UTC
    assert str(times.dtype) == "datetime64[us]"
    assert order == "year"


def test_both_hours_of_a_change_of_the_clock():
    """An offset tells the two apart, where a zone alone could not."""
    times, _ = read_times(pd.Series(["2024-10-27T02:30+02:00", "2024-10-27T02:30+01:00"]))
    assert times.tolist() == [pd.Timestamp("2024-10-27 00:30"), pd.Timestamp("2024-10-27 01:30")]


def test_times_far_away():
    """The last and the first day of the calendar are days like others."""
    times, _ = read_times(pd.Series(["9999-12-31", "0001-01-01"]))
    assert times.map(str).tolist() == ["9999-12-31 00:00:00", "0001-01-01 00:00:00"]


def test_what_was_learned_of_other_rows_settles_the_order():
    """A month of days up to 12 alone is read as the months before it were."""
    values = pd.Series(["01/02/2024", "3/2/2024 23:59"], name="day")
    by_day = times_from_text(values, "day")
    assert by_day.map(str).tolist() == ["2024-02-01 00:00:00", "2024-02-03 23:59:00"]
    assert times_from_text(values, "month").dt.month.tolist() == [1, 3]
    assert read_times(values, "day")[0].tolist() == by_day.tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["01/02/2024"], r"'day' .*'01/02/2024'.*parse_dates: \['day'\], dayfirst: true"),
        (["13.02.2024", "02.13.2024"], "'day' holds dates in some of which the day comes first"),
    ],
)
def test_dates_that_are_unclear_are_named(values, message):
    """With the option that settles it."""
    with pytest.raises(DataError, match=message):
        read_times(pd.Series(values, name="day"))


@pytest.mark.parametrize("values", [["soon"], ["2024-02-30"], [20240201], [7], [[1]]])
def test_what_is_no_time_is_an_error(values):
    """Numbers that no unit makes a recent time of among them: 20240201 would lie in 1970."""
    with pytest.raises(ValueError, match=r"."):
        read_times(pd.Series(values, name="day"))
