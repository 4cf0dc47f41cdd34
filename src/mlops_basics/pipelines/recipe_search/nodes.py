"""Nodes of the recipe_search pipeline."""

from __future__ import annotations

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import BATCH_COLUMN, PreprocessingParams, TableInfo
from mlops_basics.schemas.policy import ENOUGH_ROWS, MOST_ROWS


def hold_out_newest(
    preprocessed_data: pd.DataFrame, table_info: TableInfo, params: PreprocessingParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the rows into train and valid: the newest labelled batches are valid.

    They are taken from the newest on until they hold 300 rows, or ``valid_fraction`` of all. Where
    they hold 1,300 rows or more, the first 1,000 of them are valid, and the others in neither:
    what the search has not seen may speak for or against what it finds.

    Returns:
        Train and valid rows, in the order of the table.

    Raises:
        DataError: If either has fewer than ``min_rows`` rows, or train has one class only.
    """
    counts = preprocessed_data[BATCH_COLUMN].value_counts().sort_index(ascending=False)
    split = params.split
    wanted = min(ENOUGH_ROWS, split.valid_fraction * len(preprocessed_data))
    before = counts.cumsum() - counts  # rows of the batches that are newer
    newest = set(counts.index[before < wanted])
    is_valid = preprocessed_data[BATCH_COLUMN].isin(newest)
    train, valid = (
        preprocessed_data[rows].reset_index(drop=True) for rows in (~is_valid, is_valid)
    )
    if len(valid) >= MOST_ROWS + ENOUGH_ROWS:
        valid = valid.head(MOST_ROWS)
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
