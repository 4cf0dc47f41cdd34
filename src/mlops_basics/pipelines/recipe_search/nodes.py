"""Nodes of the recipe_search pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    Parts,
    PreprocessingParams,
    TableInfo,
    TrainingParams,
)
from mlops_basics.schemas.policy import ENOUGH_ROWS, MOST_ROWS
from mlops_basics.table.row_hash import smallest_hashes


def hold_out_newest(
    preprocessed_data: Parts,
    table_info: TableInfo,
    params: PreprocessingParams,
    training: TrainingParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the rows into train and valid: the newest labelled batches are valid.

    They are taken from the newest on until they hold 300 rows, or ``valid_fraction`` of all. Where
    they hold 1,300 rows or more, the first 1,000 of them are valid, and the others in neither:
    what the search has not seen may speak for or against what it finds. Of more train rows than
    ``training.max_rows`` a sample by hash is taken.

    Returns:
        Train and valid rows, in the order of the table.

    Raises:
        DataError: If either has fewer than ``min_rows`` rows, or train has one class only.
    """
    batches = preprocessed_data[BATCH_COLUMN]
    counts = batches.value_counts().sort_index(ascending=False)
    split = params.split
    wanted = min(ENOUGH_ROWS, split.valid_fraction * len(batches))
    before = counts.cumsum() - counts  # rows of the batches that are newer
    is_valid = batches.isin(set(counts.index[before < wanted])).to_numpy()
    hashes = preprocessed_data[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)
    kept = smallest_hashes(hashes, ~is_valid, split.salt, training.max_rows)
    train = preprocessed_data.take(np.flatnonzero(~is_valid & kept))
    of_valid = np.flatnonzero(is_valid)
    if len(of_valid) >= MOST_ROWS + ENOUGH_ROWS:
        of_valid = of_valid[:MOST_ROWS]
    valid = preprocessed_data.take(of_valid)
    if min(len(train), len(valid)) < split.min_rows:
        raise DataError(
            f"A search needs {split.min_rows} rows before the newest labelled batches and in them "
            f"(preprocessing.split.min_rows), but there are {len(train)} and {len(valid)}. "
            "Collect more labelled batches."
        )
    if table_info.task != "regression" and train[table_info.target].nunique() < 2:
        raise DataError(
            f"All {len(train)} rows before the newest labelled batches are of one class: no recipe "
            "can be chosen on them. Collect more labelled batches."
        )
    return train, valid
