"""Which rows belong together: they may err together, and count as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import LineageError
from mlops_basics.schemas import ROW_HASH_COLUMN, Hashes, PreprocessingParams
from mlops_basics.stats.paired.result import MIN_ROWS

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

    def of(self, taken: Mask) -> RowGroups:
        """The groups of some of the rows."""
        return replace(self, codes=None if self.codes is None else self.codes[taken])


NO_GROUPS = RowGroups()


def row_groups(
    rows: pd.DataFrame,
    params: PreprocessingParams,
    sets: Sequence[Mask] = (),
    least: int = 2,
) -> RowGroups:
    """Find the groups by ``group_by``.

    Args:
        rows: Rows as preprocessing left them, shape (n, columns).
        params: What the table means.
        sets: Those of them that something is to be told of, each of shape (n,); none: all.
        least: Of how many groups each of these sets has to be, where there is a choice.

    Raises:
        LineageError: If the rows were preprocessed under another ``group_by``.
    """
    if params.group_by == "none":
        return NO_GROUPS
    sets = sets or [np.ones(len(rows), dtype=bool)]
    if params.group_column is not None:
        if params.group_column not in rows:
            raise LineageError(
                f"These rows were preprocessed without the groups of '{params.group_by}' "
                "(group_by). Run again from there: kedro run --from-nodes preprocess_data"
            )
        return RowGroups(_codes(rows[params.group_column]), params.group_by)
    if params.split.time_column:
        return _by_time(rows[params.split.time_column], sets, least)
    hashes = rows[ROW_HASH_COLUMN]
    if params.key_columns and not all(hashes[taken].is_unique for taken in sets):
        return RowGroups(_codes(hashes), ", ".join(params.key_columns))
    return NO_GROUPS


def groups_of_sets(
    tables: Sequence[pd.DataFrame], params: PreprocessingParams
) -> tuple[RowGroups, ...]:
    """The groups of several sets of rows: of one kind, and with one code in all of them.

    Args:
        tables: Rows as preprocessing left them.
        params: What the table means.

    Raises:
        LineageError: If the rows were preprocessed under another ``group_by``.
    """
    columns = {ROW_HASH_COLUMN, params.group_column, params.split.time_column}
    known = [table[[name for name in table if name in columns]] for table in tables]
    of_table = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    sets = [of_table == number for number in range(len(tables))]
    groups = row_groups(pd.concat(known, ignore_index=True), params, sets)
    return tuple(groups.of(taken) for taken in sets)


def counted(rows: int, groups: int | None, unit: str = "groups") -> str:
    """How many rows, and of how many groups if they belong together, in words."""
    told = f"{rows:,} row" if rows == 1 else f"{rows:,} rows"
    return told if groups is None else f"{told} of {groups:,} {unit}"


def enough_groups(codes: Codes | None, taken: Mask, least: int = MIN_ROWS) -> bool:
    """Whether the taken rows are of as many groups as a test needs, or stand for themselves."""
    return codes is None or len(np.unique(codes[taken])) >= least


def _by_time(times: pd.Series, sets: Sequence[Mask], least: int) -> RowGroups:
    """Days, or else hours: the weather, the news, a failing supplier meet all rows of a day."""
    for unit, word in TIME_UNITS.items():
        codes = _codes(times.dt.floor(unit))
        if all(enough_groups(codes, taken, least) for taken in sets):
            note = "" if unit == "D" else "hours of one day may still err together"
            return RowGroups(codes, f"{word} of {times.name}", note)
    words = " or ".join(TIME_UNITS.values())
    return RowGroups(
        note=f"rows are taken as independent: they lie in fewer than {least} groups by {words}; "
        "`group_by` in globals.yml may name a column of others"
    )


def _codes(values: pd.Series | Hashes) -> Codes:
    """A number a value; what is missing is a group, too."""
    return pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
