"""The gate: the rows that neither model has seen, and both models' predictions on them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.errors import MlopsError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    ChallengeRequest,
    Champion,
    DecisionParams,
    Hashes,
    Model,
    OverfitCheck,
    TableInfo,
)
from mlops_basics.scoring.gate_columns import gate_scores, predictions_of
from mlops_basics.scoring.scores import Scores, baseline_scores, score_rows
from mlops_basics.stats.paired.losses import huber_delta
from mlops_basics.stats.paired.result import MIN_ROWS
from mlops_basics.table.columns import features_of
from mlops_basics.table.row_groups import Codes, Mask
from mlops_basics.table.row_hash import row_hashes

from .ages import AGE_COLUMN, FOLD_COLUMN, FRESH_ROWS, OLDER, Ages, row_ages

#: Of a gate whose rows belong together.
GROUP_COLUMN = "group"


def unseen_rows(
    labelled: pd.DataFrame,
    champion: Champion,
    info: TableInfo,
    params: DecisionParams,
    groups: Codes | None = None,
) -> tuple[Mask, Ages, str]:
    """Choose the rows to compare on: no model may have been trained or tuned on them.

    Args:
        labelled: The challenger's test rows as collected, with their hash, shape (n, columns).
        champion: The champion, with the hashes of its rows and the names of its batches.
        info: The challenger's table.
        params: How many rows of new batches are enough to speak by themselves, too.
        groups: The group of each row, of which there have to be enough, too; None for none.

    Returns:
        A mask of shape (n,); the age of each row, shape (n,), ``OLDER`` where those of new batches
        are too few; and in words which rows these are.
    """
    older = np.full(len(labelled), OLDER, dtype=np.int8)
    if champion.version == NO_CHAMPION or champion.table is None or champion.fitted_rows is None:
        everything = np.ones(len(labelled), dtype=bool)
        return everything, older, "test rows that the challenger was neither trained nor tuned on"
    fresh = ~labelled[BATCH_COLUMN].isin(champion.batches).to_numpy()
    fitted = seen_rows(labelled, champion, info)
    if fitted is None:
        words = (
            "test rows of batches that came after the champion (its key columns are gone, so that "
            "nothing else can be told apart from its training rows)"
        )
        return fresh, older, words
    fresh &= ~fitted
    ages = row_ages(labelled[BATCH_COLUMN], fresh, params.min_fresh_rows, groups)
    words = "test rows that neither model was trained or tuned on"
    if (ages[~fitted] != OLDER).all():
        words = FRESH_ROWS
    return ~fitted, ages, words


def seen_rows(labelled: pd.DataFrame, champion: Champion, info: TableInfo) -> Mask | None:
    """Which rows the champion was trained or tuned on, by its own key columns.

    Args:
        labelled: Rows with their hash; where the champion's keys are others, as collected.
        champion: With the hashes of its rows.
        info: Of the table that the rows are of.

    Returns:
        A mask of shape (n,); None where that cannot be told.
    """
    if champion.table is None or champion.fitted_rows is None:
        return None
    keys = champion.table.key_columns
    if set(keys) == set(info.key_columns):
        return labelled[ROW_HASH_COLUMN].isin(champion.fitted_rows).to_numpy()
    if set(keys) <= set(labelled.columns):
        return np.isin(row_hashes(labelled, keys), champion.fitted_rows)
    return None


def challenger_scores(
    model: Model, rows: pd.DataFrame, info: TableInfo, classes: tuple[str, ...]
) -> Scores:
    """The challenger's predictions, by the shared classes."""
    shared = info.model_copy(update={"classes": classes})
    return score_rows(model, rows[list(info.features)], rows, shared)


def champion_scores(
    champion: Champion,
    labelled: pd.DataFrame,
    rows: pd.DataFrame,
    train: pd.DataFrame,
    info: TableInfo,
    classes: tuple[str, ...],
) -> Scores | str:
    """The champion's predictions of the same rows behind its own preprocessing, or why not.

    Without a champion these are the predictions of a constant: what a first model must beat.
    """
    shared = info.model_copy(update={"classes": classes})
    if champion.version == NO_CHAMPION:
        return baseline_scores(train, rows, shared)
    table = champion.table
    if (
        (reason := why_unusable(champion, labelled, info))
        or table is None
        or champion.model is None
    ):
        return reason
    try:
        return score_rows(champion.model, features_of(labelled, table), rows, shared)
    except MlopsError as error:
        return str(error)
    except (ValueError, TypeError, LookupError, AttributeError, ImportError) as error:
        # What estimators raise on other columns, or of another version of their library.
        return f"it cannot score the rows ({error})"


def why_unusable(champion: Champion, labelled: pd.DataFrame, info: TableInfo) -> str:
    """Why the champion can score no row of this table whatever its values; empty if it may."""
    if champion.version == NO_CHAMPION:
        return ""
    table = champion.table
    if champion.unusable or table is None or champion.model is None:
        return champion.unusable or "its release is incomplete"
    for what in ("task", "target", "positive_above"):
        was, now = getattr(table, what), getattr(info, what)
        if was != now:
            return f"it was trained with {what} {was!r}, the challenger with {now!r}"
    if info.classes and len(set(table.classes) & set(info.classes)) < 2:
        was, now = (", ".join(names[:5]) for names in (table.classes, info.classes))
        return f"its classes ({was}) are not the challenger's ({now}): were they renamed?"
    try:
        features_of(labelled.head(0), table)
    except MlopsError as error:
        return str(error)
    return ""


def shared_classes(champion: Champion, info: TableInfo) -> tuple[str, ...]:
    """The challenger's classes, then those that only the champion knows; none of a regression."""
    of_champion = champion.table.classes if champion.table and info.classes else ()
    return (*info.classes, *(name for name in of_champion if name not in info.classes))


def gate_table(
    hashes: Hashes,
    champion: Scores,
    challenger: Scores,
    groups: Codes | None = None,
    ages: Ages | None = None,
    folds: Codes | None = None,
) -> pd.DataFrame:
    """Both models' predictions, a row a gate row; with the rows' groups, ages and folds if they
    differ."""
    columns: dict[str, Any] = {ROW_HASH_COLUMN: hashes, "y": challenger.y}
    if groups is not None:
        columns[GROUP_COLUMN] = groups
    if ages is not None and len(np.unique(ages)) > 1:
        columns[AGE_COLUMN] = ages
    if folds is not None and folds.any():
        columns[FOLD_COLUMN] = folds
    columns |= predictions_of("champion", champion) | predictions_of("challenger", challenger)
    return pd.DataFrame(columns)


def request_challenge(
    champion: Champion,
    gate: pd.DataFrame | None,
    which: str,
    classes: tuple[str, ...],
    overfit: OverfitCheck,
    params: DecisionParams,
    unusable: str = "",
    grouped_by: str = "",
    *,
    in_order: bool = False,
) -> ChallengeRequest:
    """Say whether the two can be compared on these rows; what cannot costs nothing."""
    rows = 0 if gate is None else len(gate)
    groups = None
    if gate is not None and GROUP_COLUMN in gate.columns:
        groups = gate[GROUP_COLUMN].nunique()
    folds = np.zeros(0, dtype=np.int64)
    if gate is not None and FOLD_COLUMN in gate.columns:
        folds = gate[FOLD_COLUMN].to_numpy(dtype=np.int64)
    delta = None
    if overfit.overfitted:
        status, reason = "overfitted", overfit.reason
    elif unusable:
        status, reason = "champion_unusable", f"The champion cannot be compared: {unusable}."
    elif gate is None or rows < params.min_rows:
        status = "too_few_rows"
        reason = (
            f"{plural(rows, 'row')} {'remains' if rows == 1 else 'remain'} that neither model was "
            f"trained or tuned on; at least "
            f"{params.min_rows} are needed (decision.min_rows). Collect new batches."
        )
    elif groups is not None and groups < MIN_ROWS:
        status = "too_few_rows"
        reason = (
            f"The {plural(rows, 'row')} that neither model was trained or tuned on are of "
            f"{plural(groups, 'group')} only ({grouped_by}); at least {MIN_ROWS} are needed, "
            "since rows of one group may err together. Collect others"
            + (", take a longer `period`" if grouped_by.startswith("day of ") else "")
            + ", or say in globals.yml what belongs together (group_by)."
        )
    else:
        challenger, of_champion = gate_scores(gate, "challenger"), gate_scores(gate, "champion")
        same = np.array_equal(challenger.probabilities, of_champion.probabilities)
        same &= np.array_equal(challenger.predicted, of_champion.predicted)
        status = "identical" if same else "comparable"
        reason = "Both models predict the same on every row." if same else ""
        if challenger.task == "regression":
            delta = huber_delta(of_champion.y, of_champion.predicted)
    return ChallengeRequest.model_validate(
        {
            "champion_version": champion.version,
            "status": status,
            "rows": rows,
            "rows_hash": _digest(gate, [ROW_HASH_COLUMN]),
            "predictions_hash": _digest(gate, []),
            "which_rows": which,
            "classes": classes,
            "huber_delta": delta,
            "test": f"{params.metric} {params.rule} {params.min_gain:g} {params.margin:g}"
            + (f" by {grouped_by}" if groups is not None else "")
            + (" by age" if gate is not None and AGE_COLUMN in gate.columns else ""),
            "groups": groups,
            "grouped_by": grouped_by if groups is not None else "",
            # A first release replaces nothing: to ask of a month of days whether they persist would
            # refuse nearly every one, and leave production empty.
            "in_order": in_order and groups is not None and champion.version != NO_CHAMPION,
            "fold_rows": int(np.count_nonzero(folds)),
            "folds": int(folds.max(initial=0)),
            "reason": reason,
        }
    )


def _digest(gate: pd.DataFrame | None, columns: list[str]) -> str:
    """SHA-256 of some columns of the gate ([]: all), whatever the order of the rows."""
    digest = hashlib.sha256()
    if gate is not None:
        # Rows of one hash may differ in target or prediction: then these settle the order.
        unique = gate[ROW_HASH_COLUMN].is_unique
        content = [column for column in gate.columns if column != GROUP_COLUMN]
        ordered = gate.sort_values([ROW_HASH_COLUMN] if unique else content)
        for column in columns or list(gate.columns):
            values = ordered[column].to_numpy()
            if column == GROUP_COLUMN:  # its codes follow the order in which groups were met
                values = pd.factorize(values)[0].astype(np.int64)
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
