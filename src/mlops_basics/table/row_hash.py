"""A 64-bit hash of each row's values that does not depend on how the table was stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError, LineageError
from mlops_basics.schemas import ROW_HASH_COLUMN, Hashes

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_TIME_TAG = np.uint64(0xD1B54A32D192ED03)
_DIGEST_SALTS = (np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB))
_ISO_TIME = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"


def row_hashes(table: pd.DataFrame, columns: Sequence[str]) -> Hashes:
    """Hash each row's values in ``columns``.

    Equal values have equal hashes whatever their storage: 1, 1.0, True and the text "1" are one
    value, and so are a time and its ISO text, a 32-bit float and its decimal, and every kind of
    missing value. So a row keeps its hash when it is read from CSV or from Parquet, or when
    another row turns an integer column into one of floats or of text.

    Args:
        table: Rows to hash; neither the index nor the order of rows and columns matters.
        columns: Names of the columns to hash, in any order.

    Returns:
        Array of shape (rows,).

    Raises:
        DataError: If a column holds lists or the like.
    """
    total = np.full(len(table), _MISSING, dtype=np.uint64)
    for column in sorted(columns):
        name = np.asarray(pd.util.hash_array(np.array([column], dtype=object)), dtype=np.uint64)[0]
        total = _mix(total ^ _mix(_value_codes(table[column]) ^ name))
    return total


def content_digest(hashes: Hashes) -> str:
    """A digest of rows that does not depend on their order, and adds up over parts of a table.

    Two sums, modulo 2^64, of differently mixed hashes: as multisets of equal hashes they agree, of
    others with a probability of about 2^-64, the hashes' own width. A sum, not an exclusive or, in
    which two equal rows would cancel each other [1]. It is no protection against someone who
    looks for a collision.

    Args:
        hashes: Of the rows, shape (rows,).

    References:
        [1] D. Clarke, S. Devadas, M. van Dijk, B. Gassend and G. E. Suh, "Incremental multiset
            hash functions and their application to memory integrity checking", ASIACRYPT 2003.
    """
    return _digest_text([int(_mix(hashes ^ salt).sum(dtype=np.uint64)) for salt in _DIGEST_SALTS])


def joined_digest(parts: Sequence[str]) -> str:
    """The digest of all rows of some parts, from the parts' own digests."""
    if len(parts) == 1:
        return parts[0]
    pairs = [(int(part[:16], 16), int(part[16:], 16)) for part in parts]
    return _digest_text([sum(column) for column in zip(*pairs, strict=True)])


def _digest_text(sums: Sequence[int]) -> str:
    return "".join(f"{value % 2**64:016x}" for value in sums)


def salted_fractions(hashes: Hashes, salt: str) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), one a hash, independent between salts.

    Args:
        hashes: Array of shape (rows,).
        salt: Any text.
    """
    key = np.asarray(pd.util.hash_array(np.array([salt], dtype=object)), dtype=np.uint64)[0]
    return (_mix(hashes ^ _mix(np.asarray(key))) >> np.uint64(11)).astype(np.float64) / 2.0**53


def rows_by_hash(table: pd.DataFrame, wanted: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows of a table that belong to those of another, whatever the order of the table.

    Rows belong together by their hash; of several with one hash, the n-th to the n-th.

    Args:
        table: Rows with their hash and target.
        wanted: Rows with their hash and target, shape (n, columns).
        target: Name of the target column.

    Returns:
        Rows of ``table``, shape (n, columns of the table), in the order of ``wanted``.

    Raises:
        LineageError: If a row of ``wanted`` lacks its counterpart, or one of its hash occurs
            another number of times, or has another target.
    """
    hashes, keys = (rows[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64) for rows in (table, wanted))
    candidates = np.flatnonzero(np.isin(hashes, keys))
    candidates = candidates[np.argsort(hashes[candidates], kind="stable")]
    order = np.argsort(keys, kind="stable")
    remedy = "Run again what divides the rows: kedro run --pipeline data_preprocessing"
    if not np.array_equal(hashes[candidates], keys[order]):
        raise LineageError(
            f"{len(keys)} rows do not belong to the table that they are looked up in: it holds "
            f"{len(candidates)} rows with their hashes. {remedy}"
        )
    positions = np.empty(len(keys), dtype=np.intp)
    positions[order] = candidates
    rows = table.iloc[positions].reset_index(drop=True)
    differs = rows[target].to_numpy() != wanted[target].to_numpy()
    if differs.any():
        raise LineageError(
            f"{int(differs.sum())} of {len(keys)} rows have another target '{target}' in the table "
            f"that they are looked up in. {remedy}"
        )
    return rows


def _mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA, figure 17)."""
    with np.errstate(over="ignore"):
        mixed = np.asarray(values, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _value_codes(values: pd.Series) -> Hashes:
    """One code a value, equal for equal values of whatever type."""
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        if values.dtype == np.float32:
            values = values.astype(str)  # the decimal that a CSV file would show
        return _number_codes(values.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _time_codes(values)
    try:
        codes, uniques = pd.factorize(values.astype(object), use_na_sentinel=True)
    except TypeError as error:
        raise DataError(
            f"The column '{values.name}' holds lists or other structures, which cannot be compared "
            "as values. Turn them into text or into columns of their own."
        ) from error
    per_value = _object_codes(pd.Series(uniques, dtype=object))
    return np.append(per_value, _MISSING)[codes]  # code -1, missing, takes the appended one


def _number_codes(values: npt.NDArray[np.floating]) -> Hashes:
    numbers = values.astype(np.float64)
    bits: Hashes = np.where(numbers == 0, 0.0, numbers).view(np.uint64)  # -0.0 is 0.0
    return np.where(np.isnan(numbers), _MISSING, bits)


def _time_codes(times: pd.Series) -> Hashes:
    if times.dt.tz is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    nanoseconds = times.astype("datetime64[ns]").to_numpy().view(np.int64)
    return np.where(times.isna(), _MISSING, _mix(nanoseconds.view(np.uint64) ^ _TIME_TAG))


def _object_codes(values: pd.Series) -> Hashes:
    """Codes of distinct values: as numbers where they read as numbers, as times where as times."""
    text = values.map(str).astype(object)
    codes = np.asarray(pd.util.hash_array(text.to_numpy(dtype=object)), dtype=np.uint64)
    booleans = text.map({"True": 1.0, "False": 0.0})
    numbers = pd.to_numeric(text, errors="coerce").astype("float64").fillna(booleans)
    is_number = numbers.notna().to_numpy()
    codes = np.where(is_number, _number_codes(numbers.to_numpy(dtype=np.float64)), codes)
    is_iso = text.str.fullmatch(_ISO_TIME).fillna(False).to_numpy(dtype=bool) & ~is_number
    if is_iso.any():
        times = pd.to_datetime(text[is_iso], format="ISO8601", utc=True, errors="coerce")
        are_times = np.flatnonzero(is_iso)[times.notna().to_numpy()]
        codes[are_times] = _time_codes(times[times.notna()])
    return codes
