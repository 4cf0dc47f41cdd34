"""Which rows of the gate belong together: they may err together, and count as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import ConfigurationError
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    DecisionParams,
    PreprocessingParams,
)
from mlops_basics.stats.result import MIN_ROWS

Codes = npt.NDArray[np.int64]
#: Tried in this order; the first that gives enough groups is taken.
TIME_UNITS = {"D": "day", "h": "hour"}


@dataclass(frozen=True)
class RowGroups:
    """The group of each row.

    Attributes:
        codes: A number a row, equal within a group; None where each row stands for itself.
        name: What a group is, in words; empty without groups.
        note: What people should know of rows that stand for themselves; empty if nothing.
    """

    codes: Codes | None = None
    name: str = ""
    note: str = ""


def row_groups(
    raw: pd.DataFrame,
    rows: pd.DataFrame,
    preprocessing: PreprocessingParams,
    params: DecisionParams,
) -> RowGroups:
    """Find the groups by ``decision.group_by``.

    Args:
        raw: The gate's raw rows, shape (n, columns).
        rows: The same rows as preprocessing left them, with their hash and time column.
        preprocessing: Names key columns and time column, for "auto".
        params: What the user wants.

    Raises:
        ConfigurationError: If ``group_by`` names no column of the table.
    """
    if params.group_by == "none":
        return RowGroups()
    if params.group_by != "auto":
        columns = [column for column in raw.columns if column != BATCH_COLUMN]
        if params.group_by not in columns:
            known = ", ".join(map(str, columns[:20]))
            raise ConfigurationError(
                f"decision.group_by names the column '{params.group_by}', which the table does "
                f"not have ({known}). Correct parameters_model_evaluation.yml, or say auto."
            )
        return RowGroups(_codes(raw[params.group_by]), params.group_by)
    if preprocessing.split.time_column:
        return _by_time(rows[preprocessing.split.time_column])
    if preprocessing.key_columns and not rows[ROW_HASH_COLUMN].is_unique:
        name = ", ".join(preprocessing.key_columns)
        return RowGroups(_codes(rows[ROW_HASH_COLUMN]), name)
    return RowGroups()


def _by_time(times: pd.Series) -> RowGroups:
    """Days, or else hours: the weather, the news, a failing supplier meet all rows of a day."""
    for unit, word in TIME_UNITS.items():
        codes = _codes(times.dt.floor(unit))
        if len(np.unique(codes)) >= MIN_ROWS:
            return RowGroups(codes, f"{word} of {times.name}")
    words = " or ".join(TIME_UNITS.values())
    return RowGroups(
        note=f"rows are taken as independent: they lie in fewer than {MIN_ROWS} groups by {words}; "
        "decision.group_by may name a column of others"
    )


def _codes(values: pd.Series) -> Codes:
    """A number a value; what is missing is a group, too."""
    return pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
