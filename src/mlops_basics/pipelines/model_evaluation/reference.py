"""What a release keeps of its test rows, for monitoring it in production."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import (
    CLASS_COLUMN,
    COPY_COLUMN,
    ROW_HASH_COLUMN,
    EvaluationParams,
    Model,
    MonitoringReference,
    PreprocessingParams,
    SplitReport,
    TableInfo,
)
from mlops_basics.schemas.monitoring import SAMPLE_GROUP
from mlops_basics.scoring.scores import error_clip, score_rows, watched_losses
from mlops_basics.stats.concept_drift.blocks import run_length
from mlops_basics.table.profile import feature_profile, time_columns
from mlops_basics.table.row_groups import row_groups


def sample_reference(
    test_data: pd.DataFrame,
    scores: pd.DataFrame,
    table_info: TableInfo,
    preprocessing: PreprocessingParams,
    params: EvaluationParams,
) -> pd.DataFrame:
    """Take the test rows, or a sample of them, with the model's scores: what later batches are
    compared with.

    Returns:
        A row a test row: its features, then target, prediction, loss and probabilities; and its
        group, where rows belong together.
    """
    groups = row_groups(test_data, preprocessing, for_proof=True)
    positions = np.arange(len(test_data))
    if len(positions) > params.reference_rows:
        rng = np.random.default_rng(params.seed)
        positions = np.sort(rng.choice(len(positions), params.reference_rows, replace=False))
    features = test_data[list(table_info.features)].iloc[positions].reset_index(drop=True)
    of_rows = scores.drop(columns=[ROW_HASH_COLUMN]).iloc[positions].reset_index(drop=True)
    sample = pd.concat([features, of_rows.add_prefix("__").add_suffix("__")], axis=1)
    if groups.codes is not None:
        sample[SAMPLE_GROUP] = groups.codes[positions]
    return sample


def describe_reference(
    judged_model: Model,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    split_report: SplitReport,
    params: PreprocessingParams,
) -> tuple[dict[str, Any], pd.DataFrame, MonitoringReference]:
    """Summarise all test rows: the distribution of each feature, and the loss of each row.

    Returns:
        Arrays of the features' ``TableProfile``; a column a watched loss, and one of the true
        classes, the rows in time order; and how these came about.
    """
    time_column = params.split.time_column
    rows = test_data.sort_values(time_column, kind="stable") if time_column else test_data
    if COPY_COLUMN in rows:  # as in the gate, copies of a row say what it has said
        rows = rows.drop_duplicates(COPY_COLUMN)
    features = rows[list(table_info.features)]
    times = time_columns(features)
    scores = score_rows(judged_model, features, rows, table_info)
    clip = error_clip(scores)
    losses = watched_losses(scores, clip)
    by_hash = split_report.method == "hash"
    groups = row_groups(rows, params, for_proof=True)
    divided = sum((split_report.of_rows or split_report.rows).values())
    info = MonitoringReference(
        rows=len(rows),
        thinned=max(round(divided / len(test_data)), 1) if by_hash else 1,
        losses=tuple(losses),
        clip=clip,
        times=times,
        run=run_length(groups.codes) if by_hash and groups.codes is not None else 1.0,
    )
    table = pd.DataFrame(losses)
    if table_info.task != "regression":
        table[CLASS_COLUMN] = scores.y
    return feature_profile(features, times, groups).to_dict(), table, info
