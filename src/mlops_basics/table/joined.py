"""Several batches as one table: each column of one type, or an error that names the files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError

from .plain import plain_column, plain_text
from .times import date_order, times_from_text

_ROUNDED = 2**53  # from here on a float skips whole numbers


def join_tables(
    tables: Mapping[str, pd.DataFrame], mixed_allowed: Collection[str] = ()
) -> pd.DataFrame:
    """The rows of several tables below each other, under a fresh index.

    Whole numbers stay exact where some are missing in one table and all in another, and text is
    taken for times where another table holds times and it can be read so.

    Args:
        tables: Tables with the same columns, by the names of their files; at least one.
        mixed_allowed: Columns that become text where the tables hold other kinds of values.

    Raises:
        DataError: If the tables hold other kinds of values in any other column.
    """
    first = next(iter(tables.values()))
    joined = {}
    for name in first.columns:
        parts = {file: plain_column(table[name]) for file, table in tables.items()}
        joined[name] = _one_type(str(name), parts, may_mix=name in mixed_allowed)
    return pd.DataFrame(joined, columns=first.columns)


def value_kind(plain: pd.Series) -> str:
    """What a plain column holds: "numbers", "times", "text", "other values", or nothing known."""
    if plain.isna().all():
        return ""
    if pd.api.types.is_numeric_dtype(plain.dtype) and not pd.api.types.is_complex_dtype(plain):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(plain.dtype):
        return "times"
    return "text" if isinstance(plain.dtype, pd.StringDtype) else "other values"


def _one_type(name: str, parts: dict[str, pd.Series], *, may_mix: bool) -> pd.Series:
    kinds = {file: kind for file, part in parts.items() if (kind := value_kind(part))}
    if set(kinds.values()) == {"times", "text"}:
        parts, kinds = _as_times(parts, kinds)
    if len(set(kinds.values())) > 1:
        if not may_mix:
            raise _mixed(name, kinds)
        parts = {file: plain_text(part) if file in kinds else part for file, part in parts.items()}
    known = [parts[file] for file in kinds]
    dtype: Any = _common_type(known) if known else "float64"
    cast = [
        part.astype(dtype) if file in kinds else pd.Series(None, index=part.index, dtype=dtype)
        for file, part in parts.items()
    ]
    joined: pd.Series = pd.concat(cast, ignore_index=True)
    return joined


def _as_times(
    parts: dict[str, pd.Series], kinds: dict[str, str]
) -> tuple[dict[str, pd.Series], dict[str, str]]:
    """Text as times, if all of it can be read so."""
    texts = [parts[file] for file, kind in kinds.items() if kind == "text"]
    order = date_order(pd.concat(texts))
    if order in ("", "unclear"):
        return parts, kinds
    read = {
        file: times_from_text(part, order) if kinds.get(file) == "text" else part  # type: ignore[arg-type] # narrowed
        for file, part in parts.items()
    }
    return read, dict.fromkeys(kinds, "times")


def _common_type(parts: Sequence[pd.Series]) -> Any:
    """The type that holds the values of columns of one kind, none of them rounded."""
    dtypes = {part.dtype for part in parts}
    if len(dtypes) == 1:
        return parts[0].dtype
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in dtypes):
        return np.dtype("datetime64[us]") if all(_is_time(part) for part in parts) else object
    whole = [part for part in parts if pd.api.types.is_integer_dtype(part.dtype)]
    if any(max(abs(int(part.min())), abs(int(part.max()))) > _ROUNDED for part in whole):
        others = [part.dropna() for part in parts if part.dtype == np.float64]
        if all(((part == part.round()) & (part.abs() < _ROUNDED)).all() for part in others):
            unsigned = any(part.max() >= 2**63 for part in whole)
            return pd.UInt64Dtype() if unsigned else pd.Int64Dtype()
    return np.dtype("float64")


def _is_time(part: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(part.dtype)


def _mixed(name: str, kinds: dict[str, str]) -> DataError:
    file, kind = next(iter(kinds.items()))
    other = next(each for each in kinds if kinds[each] != kind)
    return DataError(
        f"The column '{name}' holds {kind} in '{file}', but {kinds[other]} in '{other}'. Mend the "
        "file; if the column is text that looks like something else, add it to `text_columns` in "
        "globals.yml."
    )
