"""The schema that every collected table must meet, enforced by the catalog's ``validator:``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import BATCH_COLUMN, GROUP_PREFIX, RESERVED_COLUMNS, Batch

MIN_ROWS = 3
MOSTLY_NUMBERS = 0.95  # a text column with a larger share of numbers is a damaged number column


class TableValidator:
    """Checks a collected table with pandera; the first problem becomes a message for people.

    Args:
        exclude: Columns that are not looked at.
        text_columns: Columns that are text even where they look like numbers.
    """

    def __init__(self, exclude: Iterable[str] = (), text_columns: Iterable[str] = ()) -> None:
        self._ignored = {BATCH_COLUMN, *exclude}
        self._text_columns = set(text_columns)

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Returns the table as it came.

        Raises:
            DataError: If it is too short, or a column is infinite or mixes numbers and text.
        """
        import pandera.pandas as pa
        from pandera.errors import SchemaErrors

        columns = [column for column in data.columns if column not in self._ignored]
        schema = pa.DataFrameSchema(
            columns={
                column: pa.Column(
                    checks=[
                        pa.Check(_is_finite, name="finite"),
                        pa.Check(
                            lambda values, text=column in self._text_columns: (
                                text or _is_of_one_type(values)
                            ),
                            name="one_type",
                        ),
                    ],
                    nullable=True,
                )
                for column in columns
            },
            checks=[pa.Check(lambda table: len(table) >= MIN_ROWS, name="enough_rows")],
        )
        try:
            schema.validate(data, lazy=True)
        except SchemaErrors as errors:
            raise DataError(_explain(errors.failure_cases, data)) from errors
        return data


def refuse_reserved(batch: Batch) -> None:
    """Raises DataError if a batch uses a name that the project adds to tables itself."""
    reserved = [
        name
        for name in batch.table.columns
        if name in RESERVED_COLUMNS or str(name).startswith(GROUP_PREFIX)
    ]
    if reserved:
        raise DataError(
            f"The file '{batch.name}' has a column '{reserved[0]}', a name that is reserved here. "
            "Rename the column."
        )


def column_difference(lacking: Sequence[str], added: Sequence[str]) -> str:
    """Which columns a batch lacks and adds, in words; empty if none."""
    return " and ".join(
        f"{what} {', '.join(repr(name) for name in names[:5])}"
        for what, names in (("lacks", lacking), ("adds", added))
        if names
    )


def require_columns(parameter: str, names: Iterable[str], table: pd.DataFrame) -> None:
    """Raises ConfigurationError for the first of ``names`` that is no column of the table."""
    for name in names:
        if name not in table.columns:
            raise ConfigurationError(_unknown_column(parameter, name, table.columns))


def _unknown_column(parameter: str, name: str, columns: pd.Index) -> str:
    known = [str(column) for column in columns if column != BATCH_COLUMN]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return (
        f"`{parameter}` names the column '{name}', which the source does not have.{hint} "
        f"Its columns are: {shown}. Correct `{parameter}` in globals.yml."
    )


def _is_finite(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_float_dtype(values.dtype):
        return pd.Series(True, index=values.index)
    return pd.Series(~np.isinf(values.to_numpy(dtype=np.float64, na_value=np.nan)), values.index)


def _is_of_one_type(values: pd.Series) -> bool:
    return _stray_value(values) is None


def _stray_value(values: pd.Series) -> tuple[object, object] | None:
    """Index and value of the first entry that does not fit the others, or None."""
    if values.dtype == object:
        kinds = values.dropna().map(lambda value: "text" if isinstance(value, str) else "other")
        if kinds.nunique() > 1:
            rarer = kinds.value_counts().index[-1]
            index = kinds.index[kinds == rarer][0]
            return index, values[index]
        if kinds.empty or kinds.iloc[0] == "other":
            return None
    elif not isinstance(values.dtype, pd.StringDtype):
        return None
    counts = values.value_counts()
    numeric = pd.to_numeric(pd.Series(counts.index, dtype=object), errors="coerce").notna()
    share = counts.to_numpy()[numeric.to_numpy()].sum() / max(1, counts.sum())
    if not MOSTLY_NUMBERS <= share < 1:
        return None
    strays = set(counts.index[~numeric.to_numpy()])
    index = values.index[values.isin(strays)][0]
    return index, values[index]


def _explain(failures: pd.DataFrame, table: pd.DataFrame) -> str:
    """One message for the first failure, with its place in the source."""
    checks = set(failures["check"])
    if "enough_rows" in checks:
        return (
            f"The source has {len(table)} rows, which is too few to divide into train, valid and "
            "test rows. Collect more rows."
        )
    first = failures[failures["check"].isin(["finite", "one_type"])].iloc[0]
    column = first["column"]
    values = table[column]
    if first["check"] == "finite":
        infinite = ~_is_finite(values)
        return (
            f"The column '{column}' is infinite in {int(infinite.sum())} of {len(table)} rows, "
            f"first in {_place(table, values.index[infinite][0])}. Replace these by a number or "
            "by a missing value."
        )
    stray = _stray_value(values)
    if stray is None:  # pandera reports a check that raised in the same way
        raise RuntimeError(f"validation of column {column!r} failed: {first['failure_case']}")
    index, value = stray
    return (
        f"The column '{column}' mixes numbers and text: {str(value)[:60]!r} stands in "
        f"{_place(table, index)}. Mend it, name it a missing value (csv: {{na_values: [...]}}), "
        "or, if the column is text, add it to `text_columns` in globals.yml."
    )


def _place(table: pd.DataFrame, index: object) -> str:
    position = int(np.flatnonzero(table.index == index)[0])
    if BATCH_COLUMN not in table.columns:
        return f"row {position + 1}"
    batch = table[BATCH_COLUMN].iloc[position]
    within = int((table[BATCH_COLUMN].iloc[: position + 1] == batch).sum())
    return f"data row {within} of '{batch}'"
