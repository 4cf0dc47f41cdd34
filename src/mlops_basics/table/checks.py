"""What a table, a batch, a target or a time has to be; each fault in words."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    GROUP_PREFIX,
    RESERVED_COLUMNS,
    Batch,
    DateOrder,
    Parts,
    TableInfo,
)
from mlops_basics.table.joined import value_kind
from mlops_basics.table.number_text import number_fault
from mlops_basics.table.plain import plain_column
from mlops_basics.table.renames import rename_hint
from mlops_basics.table.row_groups import Mask
from mlops_basics.table.short_texts import short_texts
from mlops_basics.table.target import new_class_fault, spelling_fault, target_values, unit_fault
from mlops_basics.table.times import date_order, read_times

MIN_ROWS = 3
MOSTLY_NUMBERS = 0.95  # a text column with a larger share of numbers is a damaged number column


class TableValidator:
    """Refuses a collected table that nothing can be learned from; for the catalog's ``validator:``.

    Args:
        exclude: Columns that are not looked at.
        text_columns: Columns that are text even where they look like numbers.
    """

    def __init__(self, exclude: Iterable[str] = (), text_columns: Iterable[str] = ()) -> None:
        self._ignored = {BATCH_COLUMN, *exclude}
        self._text_columns = set(text_columns)

    def validate(self, data: Parts) -> Parts:
        """Returns the table as it came.

        Raises:
            DataError: If it has too few rows, or a column is infinite or mixes numbers and text.
        """
        require_rows(data)
        table = short_texts(data).held()
        columns = [column for column in data.columns if column not in self._ignored]
        places = [BATCH_COLUMN] if BATCH_COLUMN in data.columns else []
        for block in table.blocks(columns):
            rows = table.read([*block, *places])
            for column in block:
                require_finite(rows, column)
        typed = [column for column in columns if column not in self._text_columns]
        for block in table.blocks(typed):
            rows = table.read([*block, *places])
            for column in block:
                require_one_type(rows, column)
        return data


def require_rows(table: pd.DataFrame | Parts) -> None:
    """Raises DataError if the rows cannot be divided."""
    if len(table) < MIN_ROWS:
        raise DataError(
            f"The source has {plural(len(table), 'row')}, which is too few to divide into train, "
            "valid and test rows. Collect more rows."
        )


def require_finite(table: pd.DataFrame, column: str) -> None:
    """Raises DataError if a number is infinite."""
    infinite = infinite_rows(table[column])
    if infinite.any():
        raise DataError(
            f"The column '{column}' is infinite in {infinite.sum():,} of "
            f"{plural(len(table), 'row')}, first in {_place(table, int(infinite.argmax()))}. "
            "Replace these by a number or by a missing value."
        )


def require_one_type(table: pd.DataFrame, column: str) -> None:
    """Raises DataError for text among numbers, or for numbers that are written as text."""
    if isinstance(table[column].dtype, pd.StringDtype) and (
        fault := number_fault(table[column], MOSTLY_NUMBERS)
    ):
        raise DataError(fault)
    position = _stray_position(table[column])
    if position is not None:
        raise DataError(
            f"The column '{column}' mixes numbers and text: "
            f"{str(table[column].iloc[position])[:60]!r} stands in "
            f"{_place(table, position)}. Mend it, name it a missing value "
            "(csv: {na_values: [...]}), or, if the column is text, add it to `text_columns` in "
            "globals.yml."
        )


def require_columns(parameter: str, names: Iterable[str], table: pd.DataFrame | Parts) -> None:
    """Raises ConfigurationError for the first of ``names`` that is no column of the table."""
    for name in names:
        if name not in table.columns:
            raise ConfigurationError(_unknown_column(parameter, name, table.columns))


def require_batch_columns(
    batch: Batch, needed: Collection[str], optional: Collection[str | None], *, of: str, remedy: str
) -> None:
    """Raises DataError if a batch lacks a column, adds one, or uses a name that is reserved.

    Args:
        batch: As read.
        needed: Names of the columns that it has to have, unless they are optional.
        optional: Names of columns that it may have or lack.
        of: Whose columns these are, in the message.
        remedy: What to do, in the message.
    """
    columns = list(batch.parts.columns)
    for name in columns:
        if name in RESERVED_COLUMNS or str(name).startswith(GROUP_PREFIX):
            raise DataError(
                f"The file '{batch.name}' has a column '{name}', a name that is reserved here. "
                "Rename the column."
            )
    lacking = [name for name in needed if name not in optional and name not in columns]
    added = [name for name in columns if name not in needed and name not in optional]
    difference = " and ".join(
        f"{what} {', '.join(repr(str(name)) for name in names[:5])}"
        for what, names in (("lacks", lacking), ("adds", added))
        if names
    )
    if difference:
        raise DataError(
            f"The file '{batch.name}' does not have the columns {of}: it {difference}. "
            f"{rename_hint(lacking, added)}{remedy}"
        )


def require_finite_batch(batch: Batch, exclude: Collection[str]) -> None:
    """Raises DataError if a number of a batch is infinite, but in excluded columns."""
    for name in batch.parts.columns:
        infinite = 0 if name in exclude else int(infinite_rows(batch.parts[name]).sum())
        if infinite:
            raise DataError(
                f"The file '{batch.name}' is infinite in {plural(infinite, 'row')} of its "
                f"column '{name}'. "
                "Replace these by a number or by a missing value."
            )


def require_times(
    values: pd.Series, batch: str = "", order: DateOrder | None = None
) -> tuple[pd.Series, DateOrder]:
    """The time column in UTC, and what comes first where a text writes it.

    Args:
        values: The column, named; shape (rows,).
        batch: Name of its file, if it is of one.
        order: What comes first, where that is known already.

    Raises:
        DataError: If a value is missing or no time.
    """
    name = f"time column '{values.name}'"
    try:
        times, order = read_times(values, order)
    except ValueError as error:
        if batch:
            fault, remedy = f"The file '{batch}' holds a value in its {name}", "Mend it."
        else:
            fault = f"The {name} holds a value"
            remedy = "Mend it, or set time_column: null in globals.yml."
        raise DataError(f"{fault} that is no time ({error}). {remedy}") from error
    if times.isna().any():
        of_file = f" of the file '{batch}'" if batch else ""
        raise DataError(
            f"The {name}{of_file} is missing in {times.isna().sum():,} of "
            f"{plural(len(times), 'row')}. Fill it in, or remove these rows."
        )
    return times, order


def target_fault(values: pd.Series, table: TableInfo) -> str:
    """Why a target cannot be one of the release's, empty if it can (also if none is known yet)."""
    try:
        labels = target_values(values, table.task, table.positive_above).dropna()
    except DataError as error:
        return str(error)
    if table.task == "regression":
        infinite = int(infinite_rows(labels).sum())
        if infinite:
            return f"its target is infinite in {plural(infinite, 'row')}. Mend it."
        return unit_fault(labels, table.target_range)
    if fault := spelling_fault(labels, table.classes):
        return fault
    if labels.empty or labels.isin(table.classes).any():
        return new_class_fault(labels, table.classes)
    return (
        f"its target holds none of the release's classes ({', '.join(table.classes[:5])}), but "
        f"{str(labels.iloc[0])[:60]!r}. Were they renamed? Mend it; to learn new classes on "
        "purpose: kedro run"
    )


def column_kind(values: pd.Series) -> str:
    """What a column holds: "numbers", "times", also as text, "text" or "other values".

    Empty if no value is known.
    """
    plain = plain_column(values)
    kind = value_kind(plain)
    return "times" if kind == "text" and date_order(plain) else kind


def infinite_rows(values: pd.Series) -> Mask:
    """Which values are infinite, shape (rows,); none where the column holds no floats."""
    if not pd.api.types.is_float_dtype(values.dtype):
        return np.zeros(len(values), dtype=bool)
    return np.asarray(np.isinf(values.to_numpy(dtype=np.float64, na_value=np.nan)), dtype=bool)


def _unknown_column(parameter: str, name: str, columns: Iterable[str]) -> str:
    names = [str(column) for column in columns if column != BATCH_COLUMN]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return (
        f"`{parameter}` names the column '{name}', which the source does not have.{hint} "
        f"Its columns are: {shown}. Correct `{parameter}` in globals.yml."
    )


def _stray_position(values: pd.Series) -> int | None:
    """Where the first value lies that does not fit the others; None if all do."""
    values = values.reset_index(drop=True)
    if values.dtype == object:
        kinds = values.dropna().map(lambda value: "text" if isinstance(value, str) else "other")
        if kinds.nunique() > 1:
            rarer = kinds.value_counts().index[-1]
            return int(kinds.index[kinds == rarer][0])
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
    return int(values.index[values.isin(strays)][0])


def _place(table: pd.DataFrame, position: int) -> str:
    if BATCH_COLUMN not in table.columns:
        return f"row {position + 1}"
    batch = table[BATCH_COLUMN].iloc[position]
    within = int((table[BATCH_COLUMN].iloc[: position + 1] == batch).sum())
    return f"data row {within} of '{batch}'"
