"""Times as files and databases write them: read as what they are, or named, never guessed."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import DateOrder

from .plain import plain_column

Order = DateOrder | Literal["unclear", ""]

_CLOCK = r"(?:[T ]\s*(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?))?\s*(Z|[+-]\d{2}:?(?:\d{2})?)?"
_ISO = rf"\d{{4}}(?:-\d{{2}}-|/\d{{2}}/|\.\d{{2}}\.)\d{{2}}{_CLOCK}"  # or 2024/02/13
_DAY_OR_MONTH = rf"(\d{{1,2}})[/.-](\d{{1,2}})[/.-](\d{{4}}|\d{{2}}){_CLOCK}"
#: Seconds since 1970 of the years 1980 and 2100: between them, the unit of an epoch is plain.
_EARLIEST, _LATEST = 315_532_800, 4_102_444_800
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def date_order(values: pd.Series) -> Order:
    """How a column of text writes dates and times.

    Args:
        values: Text, missing values included.

    Returns:
        "year" where all are ISO 8601; "day" or "month" where all are dates such as 13/02/2024 and
        some show which comes first; "unclear" where none does, or they contradict each other;
        empty where not all are times.
    """
    texts = values.dropna()
    if texts.empty or not any(_are(texts.iloc[:1], pattern) for pattern in (_ISO, _DAY_OR_MONTH)):
        return ""  # most columns of text, at once
    texts = pd.Series(texts.unique(), dtype="str")
    if _are(texts, _ISO):
        return "year"
    if not _are(texts, _DAY_OR_MONTH):
        return ""
    shown = _shown_orders(texts)
    return "unclear" if len(shown) != 1 else shown[0]


def look_like_times(texts: pd.Series) -> npt.NDArray[np.bool_]:
    """Which texts, none of them missing, are written as one of the times of ``date_order``."""
    return texts.str.strip().str.fullmatch(f"{_ISO}|{_DAY_OR_MONTH}").to_numpy(dtype=bool)


def times_from_text(values: pd.Series, order: DateOrder) -> pd.Series:
    """Text as times in UTC, without a zone.

    Args:
        values: Text, missing values included.
        order: How it is written.

    Raises:
        DataError: If a value is no time of this kind.
    """
    texts = values.astype("str").str.strip()
    if order != "year":
        day, month = (1, 2) if order == "day" else (2, 1)
        written = {
            text: _as_iso(found, day, month)
            for text in texts.dropna().unique()
            if (found := re.fullmatch(_DAY_OR_MONTH, text))
        }
        texts = texts.map(written, na_action="ignore").astype("str")
    times = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    stray = times.isna().to_numpy() & values.notna().to_numpy()
    if stray.any():
        raise DataError(
            f"The column '{values.name}' holds {str(values[stray].iloc[0])[:60]!r}, which is no "
            f"time that is written like the others ({order} first). Mend it."
        )
    return times.dt.tz_localize(None).astype("datetime64[us]")


def unclear_dates(values: pd.Series) -> str:
    """Why the dates of a column cannot be read, and what settles it."""
    texts = values.dropna()
    if len(_shown_orders(texts)) > 1:
        return (
            f"The column '{values.name}' holds dates in some of which the day comes first, in "
            "others the month. Mend it: write dates as 2024-02-13."
        )
    return (
        f"The column '{values.name}' holds dates such as {str(texts.iloc[0])[:60]!r}, and nothing "
        "shows whether the day or the month comes first. Say it in globals.yml: "
        f"csv: {{parse_dates: ['{values.name}'], dayfirst: true}} (or dayfirst: false); or write "
        "dates as 2024-02-13."
    )


def read_times(values: pd.Series, order: DateOrder | None = None) -> tuple[pd.Series, DateOrder]:
    """A column of times in UTC, without a zone; missing ones stay missing.

    Numbers are taken for seconds, milliseconds, microseconds or nanoseconds since 1970 where they
    lie between 1980 and 2100 in one of these units alone.

    Args:
        values: Of any type.
        order: What comes first where a text writes a date, if that is known from other rows.

    Returns:
        The times, datetime64[us], and what comes first.

    Raises:
        DataError: If day and month cannot be told apart; the message says what settles it.
        ValueError: If a value is no time.
    """
    plain = plain_column(values)
    if pd.api.types.is_datetime64_any_dtype(plain.dtype):
        return plain.astype("datetime64[us]"), order or "year"
    if pd.api.types.is_numeric_dtype(plain.dtype):
        return _from_epoch(plain), order or "year"
    if not isinstance(plain.dtype, pd.StringDtype):
        raise ValueError("it is neither text nor a number")
    found = order or date_order(plain)
    if found == "unclear":
        raise DataError(unclear_dates(plain))
    if found:
        try:
            return times_from_text(plain, found), found
        except DataError as error:
            raise ValueError(str(error)) from error
    try:
        times = pd.to_datetime(plain, utc=True, errors="raise")
    except (ValueError, TypeError) as error:
        raise ValueError(str(error).split(". You might")[0]) from error
    return times.dt.tz_localize(None).astype("datetime64[us]"), "year"


def _from_epoch(numbers: pd.Series) -> pd.Series:
    known = numbers.dropna().to_numpy(dtype=np.float64)
    if not known.size:
        return pd.Series(None, index=numbers.index, name=numbers.name, dtype="datetime64[us]")
    for unit, ticks in _UNITS.items():
        if (known >= _EARLIEST * ticks).all() and (known < _LATEST * ticks).all():
            times: pd.Series = pd.to_datetime(numbers, unit=unit)  # type: ignore[call-overload] # a text
            return times.astype("datetime64[us]")
    raise ValueError(f"{known[0]:.15g} is no number of seconds or the like since 1970")


def _are(texts: pd.Series, pattern: str) -> bool:
    return bool(texts.str.strip().str.fullmatch(pattern).all())


def _shown_orders(texts: pd.Series) -> list[DateOrder]:
    """Which orders the dates themselves show: no month is greater than 12."""
    parts = texts.str.strip().str.extract(_DAY_OR_MONTH)
    orders: list[DateOrder] = ["day", "month"]
    return [order for at, order in enumerate(orders) if (parts[at].astype("int64") > 12).any()]


def _as_iso(found: re.Match[str], day: int, month: int) -> str:
    year, clock = found[3], (found[4] or "").replace(",", ".")
    if len(year) == 2:  # as POSIX has it
        year = f"{19 if int(year) > 68 else 20}{year}"
    date = f"{year}-{int(found[month]):02d}-{int(found[day]):02d}"
    return date + (
        f"T{clock if clock.index(':') == 2 else '0' + clock}{found[5] or ''}" if clock else ""
    )
