"""A 64-bit code of each value: equal for equal values, however they were stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Hashes

from .plain import plain_column

MISSING = np.uint64(0x9E3779B97F4A7C15)
_TIME_TAG = np.uint64(0xD1B54A32D192ED03)
_FAR_TIME_TAG = np.uint64(0x8CB92BA72F3D8DD7)
_WHOLE_TAG = np.uint64(0xAAAAAAAAAAAAAAAB)
_NEGATIVE_TAG = np.uint64(0x9FB21C651E98DF25)
#: As Python writes a number: no leading zero, no plus sign, no zero at the end of a fraction.
_WHOLE = r"0|-?[1-9]\d{0,308}"
_FRACTION = r"-?(?:\d+\.\d+(?:e-\d+)?|\de-\d+)"
_SHORT = 18  # digits; so many always fit 64 bits
_ISO_TIME = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"


def value_codes(values: pd.Series) -> Hashes:
    """One code a value.

    Numbers have one code when Python calls them equal (1, 1.0 and True; not 2**60 and 2**60 + 1),
    texts when they are the same text. A text has the code of a number when it is that number as
    Python writes it ("71", not "0071", "7.10e1" or "71.0"), and that of a time when it is one in
    ISO 8601. All missing values are one value.

    Args:
        values: A column of any type.

    Returns:
        Array of shape (rows,).

    Raises:
        DataError: If it holds lists or the like.
    """
    plain = plain_column(values)
    dtype = plain.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return _whole_codes(plain.to_numpy())
    if pd.api.types.is_integer_dtype(dtype):  # with missing values
        missing = plain.isna().to_numpy()
        kind = np.uint64 if isinstance(dtype, pd.UInt64Dtype) else np.int64
        known = _whole_codes(plain.fillna(0).to_numpy(dtype=kind))
        return np.where(missing, MISSING, known)
    if dtype == np.float64:
        return _float_codes(plain.to_numpy())
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _time_codes(plain)
    if isinstance(dtype, pd.StringDtype):
        codes, texts = pd.factorize(plain, use_na_sentinel=True)
        return np.append(_text_value_codes(pd.Series(texts, dtype="str")), MISSING)[codes]
    try:
        codes, uniques = pd.factorize(plain.astype(object), use_na_sentinel=True)
    except TypeError as error:
        raise DataError(
            f"The column '{values.name}' holds lists or other structures, which cannot be compared "
            "as values. Turn them into text or into columns of their own."
        ) from error
    per_value = _object_codes(np.asarray(uniques, dtype=object))
    return np.append(per_value, MISSING)[codes]  # code -1, missing, takes the appended one


def mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA, figure 17)."""
    with np.errstate(over="ignore"):
        mixed = np.asarray(values, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def text_codes(texts: npt.NDArray[Any]) -> Hashes:
    """One code a text, whatever it looks like."""
    return np.asarray(pd.util.hash_array(np.asarray(texts, dtype=object)), dtype=np.uint64)


def _float_codes(numbers: npt.NDArray[np.float64]) -> Hashes:
    bits: Hashes = np.where(numbers == 0, 0.0, numbers).view(np.uint64)  # -0.0 is 0.0
    return np.where(np.isnan(numbers), MISSING, bits)


def _whole_codes(numbers: npt.NDArray[np.integer]) -> Hashes:
    """As floats where a float holds the number exactly; by all its digits otherwise."""
    floats = numbers.astype(np.float64)
    codes = _float_codes(floats)
    large = np.flatnonzero(np.abs(floats) >= 2.0**53)
    if not large.size:
        return codes
    some, as_float = numbers[large], floats[large]
    with np.errstate(invalid="ignore"):  # the largest becomes 2**63 or 2**64, which overflows back
        exact = (as_float < float(np.iinfo(numbers.dtype).max)) & (
            as_float.astype(numbers.dtype) == some
        )
    tags = np.where(some < 0, _NEGATIVE_TAG, _WHOLE_TAG)
    codes[large] = np.where(exact, codes[large], mix(some.astype(np.uint64) ^ tags))
    return codes


def _time_codes(times: pd.Series) -> Hashes:
    """Nanoseconds since 1970 where these fit 64 bits, otherwise microseconds."""
    ticks, missing = times.to_numpy().view(np.int64), times.isna().to_numpy()
    if times.dtype == "datetime64[ns]":
        return np.where(missing, MISSING, mix(ticks.view(np.uint64) ^ _TIME_TAG))
    with np.errstate(over="ignore"):
        codes = np.where(missing, MISSING, mix((ticks * 1_000).view(np.uint64) ^ _TIME_TAG))
    far = np.flatnonzero((np.abs(ticks) > np.iinfo(np.int64).max // 1_000) & ~missing)
    codes[far] = mix(ticks[far].view(np.uint64) ^ _FAR_TIME_TAG)
    return codes


def _object_codes(values: npt.NDArray[Any]) -> Hashes:
    """Codes of distinct values of Python types, none missing."""
    is_text = np.fromiter((isinstance(value, str) for value in values), bool, len(values))
    codes = np.empty(len(values), dtype=np.uint64)
    codes[is_text] = _text_value_codes(pd.Series(values[is_text], dtype="str"))
    for at in np.flatnonzero(~is_text):
        value: Any = values[at]
        plain = plain_column(pd.Series([value], dtype=object))
        if plain.dtype == object:  # nothing that a table should hold
            codes[at] = text_codes(np.array([str(value)], dtype=object))[0]
        else:
            codes[at] = value_codes(plain)[0]
    return codes


def _text_value_codes(texts: pd.Series) -> Hashes:
    codes = text_codes(texts.to_numpy(dtype=object))
    whole = texts.str.fullmatch(_WHOLE).to_numpy(dtype=bool)
    short = whole & (texts.str.len() <= _SHORT).to_numpy(dtype=bool)
    codes[short] = _whole_codes(texts[short].astype("int64").to_numpy())
    for at in np.flatnonzero(whole & ~short):
        codes[at] = _long_code(int(texts.iloc[at]), codes[at])
    fraction = texts.str.fullmatch(_FRACTION).to_numpy(dtype=bool)
    for at in np.flatnonzero(fraction):
        text = texts.iloc[at]
        number = float(text)
        if repr(number) == text and not number.is_integer():
            codes[at] = _float_codes(np.array([number]))[0]
    is_iso = texts.str.fullmatch(_ISO_TIME).to_numpy(dtype=bool)
    if is_iso.any():
        times = pd.to_datetime(texts[is_iso], format="ISO8601", utc=True, errors="coerce")
        are_times = np.flatnonzero(is_iso)[times.notna().to_numpy()]
        codes[are_times] = value_codes(times[times.notna()])
    return codes


def _long_code(number: int, of_text: np.uint64) -> np.uint64:
    """Of a whole number of more digits than always fit 64 bits."""
    for kind in (np.int64, np.uint64):
        if np.iinfo(kind).min <= number <= np.iinfo(kind).max:
            return np.uint64(_whole_codes(np.array([number], dtype=kind))[0])
    as_float = float(number) if abs(number) < 2**1023 else np.inf
    if np.isfinite(as_float) and int(as_float) == number:
        return np.uint64(_float_codes(np.array([as_float]))[0])
    return of_text
