"""Brings the columns of any table into the few types that models see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, TableInfo
from mlops_basics.table.plain import plain_column
from mlops_basics.table.renames import rename_hint


def typed_features(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The columns as float64 (numbers, booleans), datetime64 (times, in UTC) or str (the rest).

    Every number is a float, so that a first missing value changes no type: an integer column in a
    model's signature would refuse it.

    Args:
        table: Any table that holds ``columns``.
        columns: Names of the feature columns.

    Returns:
        A new table of shape (rows, columns), rows in the order given, with a fresh index.

    Raises:
        DataError: If a column is missing, or holds lists, bytes or other objects.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        unknown = [str(column) for column in table.columns if column not in columns]
        raise DataError(
            f"The table lacks {len(missing)} of the model's {len(columns)} columns: "
            f"{', '.join(missing[:5])}. {rename_hint(missing, unknown)}Add them (empty values are "
            "allowed)."
        )
    typed = {column: typed_column(table[column]) for column in columns}
    return pd.DataFrame(typed, columns=list(columns)).reset_index(drop=True)


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


def read_times(values: pd.Series) -> pd.Series:
    """A column of times in UTC.

    Raises:
        ValueError: If a value is no time.
        TypeError: If a value cannot even be one.
    """
    try:
        return pd.to_datetime(values, utc=True, errors="raise", format="ISO8601")
    except (ValueError, TypeError):
        return pd.to_datetime(values, utc=True, errors="raise")


def batch_features(batch: Batch, table: TableInfo) -> pd.DataFrame:
    """The features of a batch, shape (rows, features); rows with missing values included.

    Raises:
        DataError: If the batch cannot be read, lacks a column of the model, or holds text where
            the model needs numbers.
    """
    if batch.fault:
        raise DataError(batch.fault)
    try:
        features = typed_features(batch.table, table.features)
    except DataError as error:
        raise DataError(f"The batch '{batch.name}' does not fit the model: {error}") from error
    for name in table.features:
        values = features[name]
        if values.isna().all():
            # without a value there is no type to be seen
            features[name] = values.astype("float64" if name in table.numeric else "str")
        elif name in table.numeric and values.dtype != np.float64:
            stray = values.dropna().iloc[0]
            raise DataError(
                f"The batch '{batch.name}' does not fit the model: its column '{name}' must hold "
                f"numbers, but holds {stray!r}. Mend the batch."
            )
    return features
