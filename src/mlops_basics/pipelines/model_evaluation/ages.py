"""Rows that came after the champion: they speak by themselves, and may veto what all rows say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import ChallengeRequest
from mlops_basics.stats.paired.guards import Guard, shown_worse
from mlops_basics.stats.paired.result import PairedResult
from mlops_basics.table.row_groups import Codes, Mask, enough_groups

Ages = npt.NDArray[np.int8]

#: Of a gate whose rows are of different ages.
AGE_COLUMN = "age"
#: Of a gate with rows that the challenger's model learned from: the number of the fit without them
#: that predicted them; 0 for rows that the model itself may predict.
FOLD_COLUMN = "fold"
#: Of batches that the champion knew, that came after it, and the newest of these.
OLDER, FRESH, NEWEST = 0, 1, 2
FRESH_ROWS = "test rows of batches that came after the champion: what production looks like now"


def row_ages(batches: pd.Series, fresh: Mask, least_rows: int, groups: Codes | None = None) -> Ages:
    """The age of each row; all are older where those of new batches are too few.

    Args:
        batches: Name of each row's batch, shape (n,).
        fresh: Which rows came after the champion, shape (n,).
        least_rows: How many rows are enough.
        groups: The group of each row, of which there have to be enough, too.
    """
    ages = np.full(len(batches), OLDER, dtype=np.int8)
    if fresh.sum() < least_rows or not enough_groups(groups, fresh):
        return ages
    ages[fresh] = FRESH
    newest = np.zeros(len(batches), dtype=bool)
    for name in sorted(batches[fresh].unique(), reverse=True):
        newest |= fresh & (batches == name).to_numpy()
        if newest.sum() >= least_rows and enough_groups(groups, newest):
            break
    ages[newest] = NEWEST
    return ages


def sets_to_test(
    gate: pd.DataFrame, request: ChallengeRequest, group_column: str
) -> list[tuple[pd.DataFrame, ChallengeRequest]]:
    """All rows, and those that came after the champion where these are others: each is tested.

    A challenge shares its level among them. After a change the older rows would hide what is better
    now; without one, the newer ones alone would throw the older away.
    """
    sets = [(gate, request)]
    if AGE_COLUMN in gate.columns and (gate[AGE_COLUMN] == OLDER).any():
        fresh = gate[gate[AGE_COLUMN] != OLDER].reset_index(drop=True)
        grouped = group_column in gate.columns
        update = {
            "rows": len(fresh),
            "which_rows": FRESH_ROWS,
            "groups": fresh[group_column].nunique() if grouped else None,
            "fold_rows": int((fresh[FOLD_COLUMN] > 0).sum()) if FOLD_COLUMN in fresh else 0,
            "looks": (),  # the fresh rows begin anew each time
        }
        sets.append((fresh, request.model_copy(update=update)))
    return sets


def newer_rows(gate: pd.DataFrame) -> pd.DataFrame | None:
    """The newer ones of a set's rows, which may veto what all of them say; None if all are."""
    if AGE_COLUMN not in gate.columns:
        return None
    limit = FRESH if (gate[AGE_COLUMN] == OLDER).any() else NEWEST
    newer = gate[AGE_COLUMN] >= limit
    return None if newer.all() else gate[newer].reset_index(drop=True)


def newest_rows(gate: pd.DataFrame) -> pd.DataFrame | None:
    """The newest of a set's rows; None if all are."""
    if AGE_COLUMN not in gate.columns or (gate[AGE_COLUMN] == NEWEST).all():
        return None
    return gate[gate[AGE_COLUMN] == NEWEST].reset_index(drop=True)


def veto_of_newer(result: PairedResult, rows: int, alpha: float) -> Guard:
    """Whether the challenger is shown to be worse, by the tested metric, on the newer rows."""
    guard = shown_worse(result, alpha=alpha)
    return replace(guard, reason=f"on the {rows:,} newer rows {guard.reason}")


def lifted(guard: Guard, on_newest: PairedResult, rows: int) -> Guard:
    """A veto that the newest rows do not share, because they look no worse, is none."""
    if on_newest.effect is None or on_newest.effect < 0:
        return guard
    reason = (
        f"{guard.reason}, but on the {rows:,} newest rows it does no worse "
        f"({on_newest.effect:+.3g}), and so is not refused"
    )
    return replace(guard, shown_worse=False, reason=reason)
