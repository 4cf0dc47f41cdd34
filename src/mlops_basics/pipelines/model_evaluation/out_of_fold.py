"""Rows that came after the champion, predicted by fits of the challenger's recipe without them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.fitting.folds import divide, fit_folds, fold_keys
from mlops_basics.fitting.recipe import require_known_code
from mlops_basics.schemas import (
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    Champion,
    DecisionParams,
    OverfitCheck,
    Parts,
    PreprocessingParams,
    Recipe,
    RefitReport,
    TableInfo,
    TrainingParams,
)
from mlops_basics.scoring.gate_columns import predictions_of
from mlops_basics.scoring.scores import Scores, score_rows
from mlops_basics.table.row_groups import Codes, Mask, row_groups
from mlops_basics.table.row_hash import rows_by_hash

from . import gate
from .ages import FOLD_COLUMN

#: Position of a row among the train rows.
ROW_COLUMN = "row"
#: With ``auto``: how many fits, and from how many unseen test rows on these suffice.
FOLDS, ENOUGH_ROWS = 5, 2_000

NONE: Codes = np.zeros(0, dtype=np.int64)


class Progress(Protocol):
    """Shows how far the fits are."""

    def watch(self, trials: int, name: str = ...) -> AbstractContextManager[Callable[[str], bool]]:
        """Yields a function to call after each fit."""
        ...


def predict_folds(
    champion: Champion,
    recipe: Recipe,
    refit_report: RefitReport,
    labelled_data: Parts,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    overfit_check: OverfitCheck,
    preprocessing: PreprocessingParams,
    training: TrainingParams,
    params: DecisionParams,
    search_monitor: Progress,
) -> pd.DataFrame:
    """Let train rows speak that the champion never saw, by fits that have not seen them either.

    Valid rows do not speak: the recipe was chosen on them, so that it looks too good there. Nor
    does anything in a split by time: a fit without a day would know the days after it.

    Returns:
        A row a train row that speaks: its position, hash, fold and prediction. None where there is
        no champion to compare with, or where the fits are not worth their time (decision.folds).

    Raises:
        ConfigurationError: If no candidate has the recipe's class.
        LineageError: If the labelled rows are of another run.
    """
    classes = gate.shared_classes(champion, table_info)
    table_info = table_info.model_copy(update={"classes": classes})
    unseen = _speaking(
        champion, labelled_data, train_data, test_data, table_info, preprocessing, params
    )
    if overfit_check.overfitted or not unseen.any():
        return _table(train_data, NONE, NONE, None)
    tables = [train_data] if refit_report.rule == "none" else [train_data, valid_data]
    learned = pd.concat(tables, ignore_index=True)
    groups = row_groups(learned, preprocessing, for_proof=True)
    keys = fold_keys(learned[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64), groups.codes)
    speaking = np.flatnonzero(unseen)
    count = min(FOLDS if params.folds == "auto" else params.folds, len(np.unique(keys[speaking])))
    if count < 2:
        return _table(train_data, NONE, NONE, None)
    require_known_code(recipe, training)  # it may come from an earlier run's file
    folds = np.zeros(len(learned), dtype=np.int64)
    folds[speaking] = divide(keys[speaking], count)
    parts, positions = [], []
    try:
        with search_monitor.watch(count, "folds") as after_fit:
            for fold, model in fit_folds(recipe, learned, keys, folds, table_info):
                rows = learned[folds == fold]
                parts.append(score_rows(model, rows[list(table_info.features)], rows, table_info))
                positions.append(np.flatnonzero(folds == fold))
                after_fit(f"{len(rows)} rows predicted without them")
    except DataError:  # of a fold's fit: one class is left, for instance
        return _table(train_data, NONE, NONE, None)
    return _table(train_data, np.concatenate(positions), folds, Scores.joined(parts))


def _speaking(
    champion: Champion,
    labelled: Parts,
    train: pd.DataFrame,
    test: pd.DataFrame,
    info: TableInfo,
    preprocessing: PreprocessingParams,
    params: DecisionParams,
) -> Mask:
    """Which train rows the champion never saw; none where the test rows suffice."""
    nothing = np.zeros(len(train), dtype=bool)
    if champion.version == NO_CHAMPION or params.folds == 0 or preprocessing.split.time_column:
        return nothing
    if gate.why_unusable(champion, labelled.head(0), info) or champion.table is None:
        return nothing
    if set(champion.table.key_columns) != set(info.key_columns):  # its hashes are of raw values
        train, test = (rows_by_hash(labelled, rows, info.target)[0] for rows in (train, test))
    seen, seen_of_test = (gate.seen_rows(rows, champion, info) for rows in (train, test))
    if seen is None or seen_of_test is None:
        return nothing
    if params.folds == "auto":
        more, there = int((~seen).sum()), int((~seen_of_test).sum())
        if there >= ENOUGH_ROWS or 2 * more < there:
            return nothing
    return ~seen


def _table(train: pd.DataFrame, rows: Codes, folds: Codes, scores: Scores | None) -> pd.DataFrame:
    """Predictions in the order of the train rows."""
    columns = {
        ROW_COLUMN: rows.astype(np.int64),
        ROW_HASH_COLUMN: train[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)[rows],
        FOLD_COLUMN: folds[rows].astype(np.int8),
    }
    if scores is not None:
        columns |= {"y": scores.y, **predictions_of("challenger", scores)}
    return pd.DataFrame(columns).sort_values(ROW_COLUMN).reset_index(drop=True)
