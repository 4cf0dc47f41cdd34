"""Which rows belong together: they may err together, and count as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import LineageError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    COPY_COLUMN,
    ROW_HASH_COLUMN,
    Hashes,
    Parts,
    PreprocessingParams,
    TableInfo,
)
from mlops_basics.stats.paired.result import MIN_ROWS

from .row_hash import hashes_of_parts
from .times import read_times

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RowGroups:
    """The group of each row.

    Attributes:
        codes: A number a row, equal within a group; None where each row stands for itself.
        name: What a group is, in words; empty without groups.
        note: What users should know of these groups, or of their absence; empty if nothing.
        in_order: Whether the codes follow the order of time: what persists may join neighbours.
    """

    codes: Codes | None = None
    name: str = ""
    note: str = ""
    in_order: bool = False

    @property
    def number(self) -> int | None:
        """How many there are; None where each row stands for itself."""
        return None if self.codes is None else len(np.unique(self.codes))

    def of(self, rows: Mask) -> RowGroups:
        """The groups of some of the rows."""
        return replace(self, codes=None if self.codes is None else self.codes[rows])


NO_GROUPS = RowGroups()


def row_groups(
    rows: pd.DataFrame,
    params: PreprocessingParams,
    sets: Sequence[Mask] = (),
    *,
    for_proof: bool = False,
) -> RowGroups:
    """Find the groups by ``group_by``; without any, copies of a row are one.

    Args:
        rows: Rows as preprocessing left them, shape (n, columns).
        params: What the table means.
        sets: Those of them that something is to be said of, each of shape (n,); none: all.
        for_proof: Whether days are wanted however few they are. An interval of one day's rows may
            take hours instead, and says so; a proof must not rest on these.

    Raises:
        LineageError: If the rows were preprocessed under another ``group_by``.
    """
    if params.group_by == "none":
        return NO_GROUPS
    sets = sets or [np.ones(len(rows), dtype=bool)]
    found = _named_groups(rows, params, sets, for_proof)
    if found.codes is None and COPY_COLUMN in rows:
        return replace(found, codes=_codes(rows[COPY_COLUMN]), name="copies of one row")
    return found


def _named_groups(
    rows: pd.DataFrame, params: PreprocessingParams, sets: Sequence[Mask], for_proof: bool
) -> RowGroups:
    if params.group_column is not None:
        if params.group_column not in rows:
            raise LineageError(
                f"These rows were preprocessed without the groups of '{params.group_by}' "
                "(group_by). Run again from there: kedro run --from-nodes "
                "data_preprocessing.preprocess_data"
            )
        return RowGroups(_codes(rows[params.group_column]), params.group_by)
    if params.split.time_column:
        return _by_time(rows[params.split.time_column], sets, for_proof)
    hashes = rows[ROW_HASH_COLUMN]
    if params.key_columns and not all(hashes[rows_of_set].is_unique for rows_of_set in sets):
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
    columns = {ROW_HASH_COLUMN, COPY_COLUMN, params.group_column, params.split.time_column}
    columns_used = [table[[name for name in table if name in columns]] for table in tables]
    of_table = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    sets = [of_table == number for number in range(len(tables))]
    groups = row_groups(pd.concat(columns_used, ignore_index=True), params, sets)
    return tuple(groups.of(rows_of_set) for rows_of_set in sets)


def raw_groups(raw: Parts, table: TableInfo, params: PreprocessingParams) -> RowGroups:
    """The groups of rows as they were collected: days, or what ``group_by`` names.

    Args:
        raw: Rows of batches, with the columns that ``params`` names; shape (n, columns).
        table: Of the model that is made for them: how times are written.
        params: What the table means.
    """
    if params.group_by == "none" or not len(raw):
        return NO_GROUPS
    if params.group_columns:
        return RowGroups(_codes(hashes_of_parts(raw, params.group_columns)), params.group_by)
    name = params.split.time_column
    if not name:
        return NO_GROUPS
    days = read_times(raw[name], (table.times or {}).get(name))[0].dt.floor("D")
    return RowGroups(_codes(days, sort=True), f"day of {name}", in_order=True)


def counted(rows: int, groups: int | None, unit: str = "groups") -> str:
    """How many rows, and of how many groups if they belong together, in words."""
    text = plural(rows, "row")
    return text if groups is None else f"{text} of {groups:,} {unit}"


def enough_groups(codes: Codes | None, rows: Mask, least: int = MIN_ROWS) -> bool:
    """Whether these rows are of as many groups as a test needs, or stand for themselves."""
    return codes is None or len(np.unique(codes[rows])) >= least


def _by_time(times: pd.Series, sets: Sequence[Mask], for_proof: bool) -> RowGroups:
    """Days, or else hours: the weather, the news, a failing supplier meet all rows of a day."""
    days, hours = (_codes(times.dt.floor(unit), sort=True) for unit in ("D", "h"))

    def enough(codes: Codes) -> bool:
        return all(enough_groups(codes, rows_of_set, 2) for rows_of_set in sets)

    if enough(days) or (for_proof and enough(hours)):
        return RowGroups(days, f"day of {times.name}", in_order=True)
    if enough(hours):
        note = "hours of one day may still err together"
        return RowGroups(hours, f"hour of {times.name}", note, in_order=True)
    return RowGroups(
        note="rows are taken as independent: they are all of one time; `group_by` in globals.yml "
        "may name a column of what belongs together"
    )


def _codes(values: pd.Series | Hashes, *, sort: bool = False) -> Codes:
    """A number a value, in their order if asked for; what is missing is a group, too."""
    return pd.factorize(values, sort=sort, use_na_sentinel=False)[0].astype(np.int64)
