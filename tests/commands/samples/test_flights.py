"""Tests of what the sample of flights knows before a flight leaves: nothing of its future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.commands.samples.flights import WEATHER, by_month, with_known_before

KNOWN = [*WEATHER, "recent_delay", "route_late", "carrier_late"]
HOUR = pd.Timedelta(hours=1)


def make_flights(leave: list[str], delay: list[float], late: list[float], **other) -> pd.DataFrame:
    """Flights by the time they should leave New York, in winter, with delays in minutes."""
    when = pd.to_datetime(pd.Series(leave))
    table = pd.DataFrame({"year": when.dt.year, "month": when.dt.month, "day": when.dt.day})
    utc = when.dt.floor("h") + 5 * HOUR
    return table.assign(
        hour=when.dt.hour,
        minute=when.dt.minute,
        time_hour=utc.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        dep_delay=delay,
        arr_delay=late,
        **{"origin": "JFK", "dest": "SFO", "carrier": "UA"} | other,
    )


def make_weather(hours: int = 24 * 60) -> pd.DataFrame:
    """Of JFK from New Year on, an hour a row: each value is the number of its hour."""
    when = pd.date_range("2013-01-01T05:00:00Z", periods=hours, freq="h")
    table = pd.DataFrame({"origin": "JFK", "time_hour": when.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return table.assign(**{name: np.arange(hours, dtype=float) for name in WEATHER})


def test_weather_is_that_of_the_last_complete_hour():
    """At 16:00, when the flight of 17:40 is predicted, the hour from 15:00 has been seen."""
    table = with_known_before(make_flights(["2013-01-02 17:40"], [0], [0]), make_weather())
    assert table.loc[0, WEATHER].tolist() == [24 + 15] * len(WEATHER)
    assert table.loc[0, "time_hour"] == pd.Timestamp("2013-01-02 17:00")
    assert table.loc[0, "weekday"] == "Wednesday"


def test_recent_delay_is_of_what_left_in_the_two_hours_before():
    """Flights that should have left by then, and have not, are not known to be late."""
    leave = ["13:50", "14:00", "15:30", "15:50", "13:30", "16:00", "17:40"]
    delays = [0, 10, 20, 40, 50, 0, 0]  # left at 13:50, 14:10, 15:50, 16:30, 14:20, 16:00
    flights = make_flights([f"2013-01-02 {time}" for time in leave], delays, delays)
    table = with_known_before(flights, make_weather())
    assert table["recent_delay"].iloc[-1] == pytest.approx(round((10 + 20 + 50) / 3, 1))
    elsewhere = with_known_before(flights.assign(origin=["LGA"] * 6 + ["JFK"]), make_weather())
    assert np.isnan(elsewhere["recent_delay"].iloc[-1])


def test_shares_are_of_28_days_that_ended_the_day_before_yesterday():
    """Late by more than 15 minutes, of flights that arrived; of the route, and of the carrier."""
    days = ["01-01", "01-02", "01-20", "01-29", "01-29", "01-30", "01-31"]
    late = [60, 16, 15, np.nan, 30, 60, 60]  # the first and the last two lie outside
    flights = make_flights([f"2013-{day} 08:00" for day in days], [0] * 7, late)
    table = with_known_before(flights, make_weather())
    assert table[["route_late", "carrier_late"]].iloc[-1].tolist() == pytest.approx([0.667] * 2)
    flights["dest"] = ["SFO"] * 2 + ["BOS"] * 4 + ["SFO"]
    flights["carrier"] = ["AA"] * 2 + ["UA"] * 5
    apart = with_known_before(flights, make_weather())
    assert apart[["route_late", "carrier_late"]].iloc[-1].tolist() == [1, 0.5]


def test_nothing_that_happens_after_the_prediction_changes_a_row():
    """Other delays of what left, arrived or was seen from then on: the row stays as it was."""
    rng = np.random.default_rng(0)
    minutes = np.sort(rng.integers(0, 40 * 24 * 60, 3000))
    leave = (pd.Timestamp("2013-01-01") + pd.to_timedelta(minutes, unit="min")).astype(str)
    delays = rng.integers(-10, 200, 3000).astype(float)
    flights = make_flights(
        list(leave), list(delays), list(delays), carrier=rng.choice(["UA", "AA"], 3000)
    )
    weather = make_weather()
    before = with_known_before(flights, weather)
    for row in (500, 1500, 2900):
        moment = pd.Timestamp(flights["time_hour"][row]) - HOUR
        hour = pd.to_datetime(flights["time_hour"])
        left = hour + pd.to_timedelta(flights["minute"] + flights["dep_delay"], unit="min")
        # The slowest flight lands within a day of leaving.
        landed = left + pd.Timedelta(days=1)
        later = flights.assign(
            dep_delay=flights["dep_delay"] + 77 * (left >= moment),
            arr_delay=flights["arr_delay"].where(landed < moment, -5.0),
        )
        seen = pd.to_datetime(weather["time_hour"]) + HOUR <= moment
        changed = weather.assign(**{name: weather[name].where(seen, -1.0) for name in WEATHER})
        after = with_known_before(later, changed)
        pd.testing.assert_series_equal(after.loc[row, KNOWN], before.loc[row, KNOWN])
        assert not after.loc[row + 50 :, KNOWN].equals(before.loc[row + 50 :, KNOWN])


def test_the_same_flights_are_drawn_each_time():
    """A month has the flights that were asked for, in the order of time, or all that it has."""
    table = pd.DataFrame({"year": 2013, "month": [1] * 50 + [2] * 5, "flight": range(55)})
    drawn = by_month(table, 10)
    assert [len(rows) for rows in drawn.values()] == [10, 5]
    assert drawn["2013-01"]["flight"].is_monotonic_increasing
    assert drawn["2013-01"].equals(by_month(table, 10)["2013-01"])
    assert [len(rows) for rows in by_month(table).values()] == [50, 5]
