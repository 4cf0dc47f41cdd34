"""Several tables as one: each column of one type, or an error that names the files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import DateOrder, Part, Parts

from .engine import map_parts
from .plain import plain_column, plain_text
from .times import date_order, times_from_text

_ROUNDED = 2**53  # from here on a float skips whole numbers


@dataclass(frozen=True)
class _Known:
    """What decides which type holds a part's column: of plain values.

    Attributes:
        kind: As ``value_kind`` calls it.
        dtype: Of the plain column.
        stored: Type of the column as it is.
        largest: Whole number, by its absolute value; 0 where the column is of another type.
        highest: Whole number.
        is_whole: Whether all numbers of a column of floats are whole and exact.
    """

    kind: str
    dtype: Any
    stored: Any
    largest: int = 0
    highest: int = 0
    is_whole: bool = False


@dataclass(frozen=True)
class _Cast:
    """How a column becomes of the type of the whole table."""

    dtype: Any
    order: DateOrder | None = None  # of text that is read as times
    as_text: bool = False


def join_parts(tables: Mapping[str, Parts], mixed_allowed: Collection[str] = ()) -> Parts:
    """The parts of several tables as those of one.

    Whole numbers stay exact where some are missing in one part and all in another, and text is
    taken for times where another part holds times and it can be read so.

    Args:
        tables: Tables with the same columns, by the names of their files; at least one.
        mixed_allowed: Columns that become text where the parts hold other kinds of values.

    Raises:
        DataError: If the parts hold other kinds of values in any other column.
    """
    files = [name for name, table in tables.items() for _ in table.parts]
    parts = [part for table in tables.values() for part in table.parts]
    columns = next(iter(tables.values())).columns
    found = map_parts(_known_of_part, parts)
    known = [
        of_part
        for table in tables.values()
        for of_part in _as_one_table(list(islice(found, len(table.parts))))
    ]
    casts: dict[str, _Cast] = {}
    for at, name in enumerate(columns):
        of_column = [of_part[at] for of_part in known]
        casts[name] = _cast(name, files, parts, of_column, may_mix=name in mixed_allowed)
    joined = Parts(columns, tuple(parts))
    is_plain = [
        all(of_part[at].stored == casts[name].dtype for at, name in enumerate(columns))
        for of_part in known
    ]
    if all(is_plain):
        return joined
    kinds = [{name: each.kind for name, each in zip(columns, of, strict=True)} for of in known]
    return joined.changed(_of_types, kinds, [casts] * len(parts), columns=columns)


def value_kind(plain: pd.Series) -> str:
    """What a plain column holds: "numbers", "times", "text", "other values", or nothing known."""
    if plain.isna().all():
        return ""
    if pd.api.types.is_numeric_dtype(plain.dtype) and not pd.api.types.is_complex_dtype(plain):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(plain.dtype):
        return "times"
    return "text" if isinstance(plain.dtype, pd.StringDtype) else "other values"


def _known_of_part(part: Part) -> list[_Known]:
    table = part.read(None)
    return [_known_of(table[name]) for name in table.columns]


def _as_one_table(known: list[list[_Known]]) -> list[list[_Known]]:
    """What is known of a table's parts: whole numbers may be missing in some of these alone."""
    if len(known) == 1:
        return known
    nullable = (pd.Int64Dtype, pd.UInt64Dtype)
    return [
        [
            replace(each, dtype=each.stored) if isinstance(each.stored, nullable) else each
            for each in of_part
        ]
        for of_part in known
    ]


def _known_of(values: pd.Series) -> _Known:
    plain = plain_column(values)
    kind = value_kind(plain)
    if kind == "numbers" and pd.api.types.is_integer_dtype(plain.dtype):
        low, high = int(plain.min()), int(plain.max())
        return _Known(kind, plain.dtype, values.dtype, max(abs(low), abs(high)), high)
    if kind == "numbers" and plain.dtype == np.float64:
        numbers = plain.dropna()
        whole = bool(((numbers == numbers.round()) & (numbers.abs() < _ROUNDED)).all())
        return _Known(kind, plain.dtype, values.dtype, is_whole=whole)
    return _Known(kind, plain.dtype, values.dtype)


def _cast(
    name: str, files: Sequence[str], parts: Sequence[Part], known: list[_Known], *, may_mix: bool
) -> _Cast:
    """The type of a column that several parts have, and how theirs become it."""
    kinds = {each.kind for each in known if each.kind}
    if kinds == {"times", "text"}:
        texts = [
            plain_column(part.read([name])[name])
            for part, each in zip(parts, known, strict=True)
            if each.kind == "text"
        ]
        order = date_order(pd.concat(texts))
        if order and order != "unclear":
            return _Cast(np.dtype("datetime64[us]"), order=order)
    if len(kinds) > 1:
        if not may_mix:
            raise _mixed(
                name, {file: e.kind for file, e in zip(files, known, strict=True) if e.kind}
            )
        return _Cast(pd.Series([], dtype="str").dtype, as_text=True)
    return _Cast(_common_type(known))


def _of_types(
    part: Part, columns: list[str], kinds: dict[str, str], casts: dict[str, _Cast]
) -> pd.DataFrame:
    table = part.read(columns)
    cast = {name: _of_type(table[name], kinds[name], casts[name]) for name in columns}
    return pd.DataFrame(cast, columns=columns, index=table.index)


def _of_type(values: pd.Series, kind: str, cast: _Cast) -> pd.Series:
    if not kind:
        missing: pd.Series = pd.Series(None, index=values.index, dtype=cast.dtype)
        return missing
    plain = plain_column(values)
    if cast.order and kind == "text":
        plain = times_from_text(plain, cast.order)
    elif cast.as_text:
        plain = plain_text(plain)
    of_type: pd.Series = plain.astype(cast.dtype)
    return of_type


def _common_type(known: Sequence[_Known]) -> Any:
    """The type that holds the values of columns of one kind, none of them rounded.

    Where a part has none of its own, all of its values are missing.
    """
    of_values = [each for each in known if each.kind]
    if not of_values:
        return np.dtype("float64")
    dtypes = {each.dtype for each in of_values}
    first = of_values[0]
    holds_missing = not isinstance(first.dtype, np.dtype) or first.dtype.kind not in "iub"
    if len(dtypes) == 1 and (holds_missing or len(of_values) == len(known)):
        return first.dtype
    if first.kind != "numbers":
        return np.dtype("datetime64[us]") if first.kind == "times" else object
    floats = [each for each in of_values if each.dtype == np.float64]
    large = any(each.largest > _ROUNDED for each in of_values)
    if large and all(each.is_whole for each in floats):
        unsigned = any(each.highest >= 2**63 for each in of_values)
        return pd.UInt64Dtype() if unsigned else pd.Int64Dtype()
    return np.dtype("float64")


def _mixed(name: str, kinds: dict[str, str]) -> DataError:
    file, kind = next(iter(kinds.items()))
    other = next(each for each in kinds if kinds[each] != kind)
    return DataError(
        f"The column '{name}' holds {kind} in '{file}', but {kinds[other]} in '{other}'. Mend the "
        "file; if the column is text that looks like something else, add it to `text_columns` in "
        "globals.yml."
    )
