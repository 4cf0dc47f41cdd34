"""One type for each kind of value, however a file, a database or a library has stored it.

What comes in is numbers (int64, Int64 where some are missing, float64), times (datetime64 in UTC
without a zone) or text (str). Nothing is rounded: whole numbers stay exact, and a 32-bit float is
the decimal that it was written as. What is none of these is left as it is, to be named where it is
used.
"""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd

_NUMBERS = (bool, int, float, np.bool_, np.number, decimal.Decimal)


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """All columns as ``plain_column`` makes them, rows and names as they are."""
    result = table.copy(deep=False)
    for at in range(table.shape[1]):
        column = table.iloc[:, at]
        plain = plain_column(column)
        if plain.dtype != column.dtype:
            result.isetitem(at, plain.array)
    return result


def plain_column(values: pd.Series) -> pd.Series:
    """One column as int64, uint64 (with missing values: Int64, UInt64), float64, datetime64 or str.

    Booleans are 1 and 0, durations and times of day are seconds, decimals are whole numbers where
    they have no fraction, and dates are times at midnight. Times have microseconds, or nanoseconds
    where these count. Lists, bytes, complex numbers and mixtures are returned as they came.

    Args:
        values: Any column.
    """
    dtype = values.dtype
    plain = values
    if isinstance(dtype, np.dtype) and dtype.kind in "iufbMm":
        plain = _from_numpy(values)
    elif isinstance(dtype, pd.StringDtype):
        plain = values.astype("str")
    elif isinstance(dtype, pd.CategoricalDtype):
        plain = _from_categories(values)
    elif isinstance(dtype, pd.DatetimeTZDtype):
        plain = _microseconds(values.dt.tz_convert("UTC").dt.tz_localize(None))
    elif isinstance(dtype, pd.ArrowDtype):
        plain = _indexed(plain_arrow(_as_arrow(values)), values)
    elif pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        plain = _whole(values.astype(dtype if str(dtype) == "UInt64" else "Int64"))
    elif pd.api.types.is_float_dtype(dtype):
        numbers = values.to_numpy(dtype=getattr(dtype, "numpy_dtype", np.float64), na_value=np.nan)
        plain = _from_numpy(_indexed(pd.Series(numbers), values))
    elif pd.api.types.is_object_dtype(dtype):
        plain = _from_objects(values)
    return plain


def plain_text(values: pd.Series) -> pd.Series:
    """A column as text: numbers as Python writes them, whole ones without a point; times in ISO.

    Args:
        values: Any column that is no list and the like.
    """
    plain = plain_column(values)
    if isinstance(plain.dtype, pd.StringDtype):
        return plain
    if pd.api.types.is_datetime64_any_dtype(plain.dtype):
        return plain.map(lambda time: str(time), na_action="ignore").astype("str")
    return plain.astype(object).map(_written, na_action="ignore").astype("str")


def _written(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _from_numpy(values: pd.Series) -> pd.Series:
    kind = np.dtype(str(values.dtype)).kind
    if kind == "M":
        return _microseconds(values)
    if kind == "m":
        seconds: pd.Series = values.dt.total_seconds()
        return seconds
    if values.dtype in (np.float16, np.float32):
        return values.astype(str).astype("float64")  # the decimal that a CSV file would show
    if kind == "f":
        return values.astype("float64")
    return values if values.dtype == np.uint64 else values.astype("int64")


def _whole(values: pd.Series) -> pd.Series:
    """Nullable whole numbers; without missing ones they need no mask."""
    if values.isna().any():
        return values.astype("float64") if values.isna().all() else values
    return values.astype("uint64" if values.dtype == "UInt64" else "int64")


def _microseconds(times: pd.Series) -> pd.Series:
    if times.dtype == "datetime64[ns]" and (times.dt.nanosecond > 0).any():
        return times
    return times.astype("datetime64[us]")


def _from_categories(values: pd.Series) -> pd.Series:
    categories = plain_column(pd.Series(values.cat.categories))
    codes = values.cat.codes.to_numpy()
    if (codes < 0).any() and pd.api.types.is_integer_dtype(categories.dtype):
        categories = categories.astype("Int64" if categories.dtype == np.int64 else "UInt64")
    return _indexed(categories.reindex(codes), values)


def plain_arrow(column: Any) -> pd.Series:
    """As ``plain_column``, of a chunked array of Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    if pa.types.is_null(kind):
        plain = pd.Series(np.full(len(column), np.nan))
    elif pa.types.is_decimal(kind):
        plain = _from_decimals(column)
    elif pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        plain = _from_arrow_integers(pc.cast(column, pa.int8()) if kind == pa.bool_() else column)
    elif pa.types.is_time(kind):
        plain = _seconds_of_day(column)
    elif pa.types.is_date(kind):
        plain = plain_column(pc.cast(column, pa.timestamp("us")).to_pandas())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        plain = column.to_pandas().astype("str")
    elif pa.types.is_string_view(kind):
        plain = pc.cast(column, pa.large_string()).to_pandas().astype("str")
    elif pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_floating(kind):
        plain = plain_column(column.to_pandas())
    else:
        plain = column.to_pandas()
    return plain


def _from_arrow_integers(column: Any) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not column.null_count:
        return plain_column(pd.Series(column.to_numpy()))
    unsigned = column.type == pa.uint64()
    wide = pc.cast(column, pa.uint64() if unsigned else pa.int64())
    dtype = pd.UInt64Dtype() if unsigned else pd.Int64Dtype()
    return _whole(wide.to_pandas(types_mapper=lambda _: dtype))


def _seconds_of_day(column: Any) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    ticks = pc.cast(column, pa.int32() if pa.types.is_time32(column.type) else pa.int64())
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    return pd.Series(pc.cast(ticks, pa.float64(), safe=False).to_numpy() / per_second)


def _as_arrow(values: pd.Series) -> Any:
    import pyarrow as pa

    array = pa.array(values)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _from_decimals(column: Any) -> pd.Series:
    """Whole numbers where there are no fractions; text where these have too many digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for kind in (pa.int64(), pa.uint64()):
        try:
            return plain_arrow(pc.cast(column, kind))
        except pa.ArrowInvalid:  # a fraction, or too large
            continue
    if column.type.scale <= 0:
        return plain_arrow(pc.cast(column, pa.large_string()))
    return pd.Series(pc.cast(column, pa.float64()).to_numpy())


def _from_objects(values: pd.Series) -> pd.Series:
    import pyarrow as pa

    present = values.reset_index(drop=True).dropna()
    kinds = set(map(type, present))
    if kinds <= {str}:
        return values.astype("str" if kinds else "float64")
    if all(issubclass(kind, _NUMBERS) for kind in kinds):
        return _from_number_objects(values, present)
    if kinds <= {datetime.date, datetime.datetime, pd.Timestamp}:
        times = pd.to_datetime(present, utc=True).dt.tz_localize(None)
        return _indexed(_microseconds(times.reindex(range(len(values)))), values)
    if kinds <= {datetime.time, datetime.timedelta, pd.Timedelta}:
        try:
            return _indexed(plain_arrow(_as_arrow(values.where(values.notna(), None))), values)
        except pa.ArrowInvalid:
            return values
    return values


def _from_number_objects(values: pd.Series, present: pd.Series) -> pd.Series:
    numbers = [_number(value) for value in present]
    if all(isinstance(number, int) for number in numbers):
        low, high = min(numbers), max(numbers)
        dtype = "Int64" if low >= -(2**63) and high < 2**63 else "UInt64" if low >= 0 else ""
        if dtype and high < 2**64:
            whole = pd.Series(numbers, index=present.index, dtype=dtype)
            return _indexed(_whole(whole.reindex(range(len(values)))), values)
        return values.map(str, na_action="ignore").astype("str")
    floats = np.full(len(values), np.nan)
    floats[values.notna().to_numpy()] = [float(number) for number in numbers]
    return _indexed(pd.Series(floats), values)


def _number(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, decimal.Decimal) and value.is_finite() and value == value.to_integral():
        return int(value)
    return float(value)


def _indexed(plain: pd.Series, like: pd.Series) -> pd.Series:
    plain.index, plain.name = like.index, like.name
    return plain
