"""Which rows belong together: they may err together, and count as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import LineageError
from mlops_basics.schemas import ROW_HASH_COLUMN, Hashes, PreprocessingParams
from mlops_basics.stats.result import MIN_ROWS

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

    @property
    def number(self) -> int | None:
        """How many there are; None where each row stands for itself."""
        return None if self.codes is None else len(np.unique(self.codes))


NO_GROUPS = RowGroups()


def row_groups(
    rows: pd.DataFrame, params: PreprocessingParams, judged: Mask | None = None
) -> RowGroups:
    """Find the groups by ``group_by``.

    Args:
        rows: Rows as preprocessing left them, shape (n, columns).
        params: What the table means.
        judged: Those of them that something is to be told of, shape (n,): these have to make
            enough groups. None: all.

    Raises:
        LineageError: If the rows were preprocessed under another ``group_by``.
    """
    if params.group_by == "none":
        return NO_GROUPS
    judged = np.ones(len(rows), dtype=bool) if judged is None else judged
    if params.group_column is not None:
        if params.group_column not in rows:
            raise LineageError(
                f"These rows were preprocessed before group_by was '{params.group_by}'. Run "
                "again from there: kedro run --from-nodes preprocess_data"
            )
        return RowGroups(_codes(rows[params.group_column]), params.group_by)
    if params.split.time_column:
        return _by_time(rows[params.split.time_column], judged)
    if params.key_columns and not rows.loc[judged, ROW_HASH_COLUMN].is_unique:
        return RowGroups(_codes(rows[ROW_HASH_COLUMN]), ", ".join(params.key_columns))
    return NO_GROUPS


def counted(rows: int, groups: int | None, unit: str = "groups") -> str:
    """How many rows, and of how many groups if they belong together, in words."""
    told = f"{rows:,} row" if rows == 1 else f"{rows:,} rows"
    return told if groups is None else f"{told} of {groups:,} {unit}"


def enough_groups(codes: Codes | None, taken: Mask) -> bool:
    """Whether the taken rows are of as many groups as a test needs, or stand for themselves."""
    return codes is None or len(np.unique(codes[taken])) >= MIN_ROWS


def _by_time(times: pd.Series, judged: Mask) -> RowGroups:
    """Days, or else hours: the weather, the news, a failing supplier meet all rows of a day."""
    for unit, word in TIME_UNITS.items():
        codes = _codes(times.dt.floor(unit))
        if enough_groups(codes, judged):
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
