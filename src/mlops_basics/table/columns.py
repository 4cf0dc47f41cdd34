"""Brings the columns of any table into the few types that models see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, DateOrder, Part, Parts, TableInfo
from mlops_basics.table.plain import plain_column, plain_text
from mlops_basics.table.renames import rename_hint
from mlops_basics.table.short_texts import short_texts
from mlops_basics.table.times import date_order, times_from_text, unclear_dates


def typed_features(
    table: pd.DataFrame, columns: Sequence[str], text_columns: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, DateOrder]]:
    """The columns as float64 (numbers, booleans), datetime64 (times, in UTC) or str (the rest).

    Every number is a float, so that a first missing value changes no type: an integer column in a
    model's signature would refuse it. Text is taken for times where all of it is.

    Args:
        table: Any table that holds ``columns``.
        columns: Names of the feature columns.
        text_columns: Those that are text whatever they look like.

    Returns:
        A new table of shape (rows, columns), rows in the order given, with a fresh index; and the
        names of those that are times, with what comes first where a text writes them.

    Raises:
        DataError: If a column is missing, or holds lists, bytes or other objects, or dates whose
            day and month cannot be told apart.
    """
    _require_columns(table, columns)
    typed: dict[str, pd.Series] = {}
    times: dict[str, DateOrder] = {}
    for name in columns:
        typed[name], order = typed_feature(table[name], text_columns)
        if order is not None:
            times[name] = order
    return pd.DataFrame(typed, columns=list(columns)).reset_index(drop=True), times


def typed_feature(
    values: pd.Series, text_columns: Collection[str] = ()
) -> tuple[pd.Series, DateOrder | None]:
    """One column as ``typed_features`` makes it, and what comes first in its times; None if none.

    Args:
        values: Of any type, named.
        text_columns: As for ``typed_features``.
    """
    values = typed_column(values)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values, "year"
    if not isinstance(values.dtype, pd.StringDtype) or values.name in text_columns:
        return values, None
    order = date_order(values)
    if order == "unclear":
        raise DataError(
            f"{unclear_dates(values)} If they are no dates, add the column to `text_columns`."
        )
    return (times_from_text(values, order), order) if order else (values, None)


def features_of(table: pd.DataFrame, info: TableInfo) -> pd.DataFrame:
    """The features of a model in the types that it was trained with, whatever the table's types.

    Args:
        table: Any table that holds the model's columns, shape (rows, columns).
        info: Of the model.

    Returns:
        A new table of shape (rows, features), with a fresh index.

    Raises:
        DataError: If a column is missing, or holds what is no number, or no time, where the model
            needs one.
    """
    _require_columns(table, info.features)
    typed = {name: _as_trained(typed_column(table[name]), name, info) for name in info.features}
    return pd.DataFrame(typed, columns=list(info.features)).reset_index(drop=True)


def _as_trained(values: pd.Series, name: str, info: TableInfo) -> pd.Series:
    is_number, is_text = values.dtype == np.float64, isinstance(values.dtype, pd.StringDtype)
    times = info.times or {}
    if values.isna().all():  # without a value there is no type to be seen
        kind = "float64" if name in info.numeric else "datetime64[us]" if name in times else "str"
        return pd.Series(None, index=values.index, name=values.name, dtype=kind)
    if name in info.numeric and not is_number:
        raise DataError(
            f"The column '{name}' must hold numbers, but holds {_example(values)!r}. Mend it."
        )
    if name in times and is_number:
        raise DataError(
            f"The column '{name}' must hold times, but holds {_example(values)!r}. Mend it."
        )
    if name in times and is_text:
        return times_from_text(values, times[name])
    if name not in info.numeric and name not in times and info.times is not None and not is_text:
        return plain_text(values)
    return values


def _example(values: pd.Series) -> object:
    value = values.dropna().iloc[0]
    return value[:60] if isinstance(value, str) else value


def _require_columns(table: pd.DataFrame | Parts, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        unknown = [str(column) for column in table.columns if column not in columns]
        raise DataError(
            f"The table lacks {len(missing)} of the model's {len(columns)} columns: "
            f"{', '.join(missing[:5])}. {rename_hint(missing, unknown)}Add them (empty values are "
            "allowed)."
        )


def typed_column(values: pd.Series) -> pd.Series:
    """One column as float64, datetime64 or str; see ``typed_features``."""
    plain = plain_column(values)
    dtype = plain.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"The column '{values.name}' holds complex numbers. Split or remove it.")
    if pd.api.types.is_numeric_dtype(dtype):
        return plain.astype("float64")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return plain.astype("datetime64[us]")
    if isinstance(dtype, pd.StringDtype):
        return plain
    kinds = {type(value) for value in plain.astype(object).dropna()}
    names = sorted({"list" if kind is np.ndarray else kind.__name__ for kind in kinds})
    raise DataError(
        f"The column '{values.name}' holds values of the types {', '.join(names)}. "
        "Make it a column of numbers, of times or of text, or add it to `exclude` in globals.yml."
    )


def batch_features(batch: Batch, table: TableInfo) -> Parts:
    """The features of a batch, shape (rows, features); rows with missing values included.

    Of a table that memory need not hold, each column is looked at here, and a part is typed
    whenever it is read.

    Raises:
        DataError: If the batch cannot be read, lacks a column of the model, or holds text where
            the model needs numbers.
    """
    if batch.fault:
        raise DataError(batch.fault)
    rows = batch.parts.held()
    try:
        if len(rows.parts) == 1:
            return Parts.of(features_of(rows.read(), table))
        _require_columns(rows, table.features)
        for name, values in short_texts(rows).items(table.features):
            _as_trained(typed_column(values), name, table)
    except DataError as error:
        fault = str(error)
        raise DataError(f"The batch '{batch.name}' does not fit the model: {fault}") from error
    return rows.changed(partial(_features_of_part, table), columns=table.features)


def _features_of_part(table: TableInfo, part: Part, columns: list[str]) -> pd.DataFrame:
    wanted = table.model_copy(update={"features": tuple(columns)})
    return features_of(part.read(columns), wanted)
