"""Which rows of the gate belong together: they may err together, and count as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.row_hash import row_hashes
from mlops_basics.schemas import ROW_HASH_COLUMN, Hashes, PreprocessingParams
from mlops_basics.stats.result import MIN_ROWS
from mlops_basics.validation import require_columns

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
#: Tried in this order; the first that gives enough groups is taken.
TIME_UNITS = {"D": "day", "h": "hour"}


@dataclass(frozen=True)
class RowGroups:
    """The group of each row.

    Attributes:
        codes: A number a row, equal within a group; None where each row stands for itself.
        name: What a group is, in words; empty without groups.
        note: What people should know of these groups, or of there being none; empty if nothing.
    """

    codes: Codes | None = None
    name: str = ""
    note: str = ""


def row_groups(
    raw: pd.DataFrame, rows: pd.DataFrame, is_test: Mask, params: PreprocessingParams
) -> RowGroups:
    """Find the groups by ``group_by``.

    Args:
        raw: Raw rows, shape (n, columns).
        rows: The same rows as preprocessing left them, with their hash and time column.
        is_test: Those that may be compared on, shape (n,): these have to make enough groups.
        params: What the table means.

    Raises:
        ConfigurationError: If ``group_by`` names no column of the table.
    """
    require_columns("group_by", params.group_columns, raw)
    if params.group_by == "none":
        return RowGroups()
    if params.group_by != "auto":
        # By hash, so that 17, 17.0 and "17" are one group, however a batch was stored.
        return RowGroups(_codes(row_hashes(raw, params.group_columns)), params.group_by)
    if params.split.time_column:
        return _by_time(rows[params.split.time_column], is_test)
    if params.key_columns and not rows.loc[is_test, ROW_HASH_COLUMN].is_unique:
        return RowGroups(_codes(rows[ROW_HASH_COLUMN]), ", ".join(params.key_columns))
    return RowGroups()


def enough_groups(codes: Codes | None, taken: Mask) -> bool:
    """Whether the taken rows are of as many groups as a test needs, or stand for themselves."""
    return codes is None or len(np.unique(codes[taken])) >= MIN_ROWS


def _by_time(times: pd.Series, is_test: Mask) -> RowGroups:
    """Days, or else hours: the weather, the news, a failing supplier meet all rows of a day."""
    for unit, word in TIME_UNITS.items():
        codes = _codes(times.dt.floor(unit))
        if enough_groups(codes, is_test):
            note = "" if unit == "D" else "hours of one day may still err together"
            return RowGroups(codes, f"{word} of {times.name}", note)
    words = " or ".join(TIME_UNITS.values())
    return RowGroups(
        note=f"rows are taken as independent: they lie in fewer than {MIN_ROWS} groups by {words}; "
        "`group_by` in globals.yml may name a column of others"
    )


def _codes(values: pd.Series | Hashes) -> Codes:
    """A number a value; what is missing is a group, too."""
    return pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
