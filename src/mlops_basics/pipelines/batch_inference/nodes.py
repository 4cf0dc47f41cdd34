"""Nodes of the batch_inference pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.safe_text import short_text
from mlops_basics.schemas import BATCH_COLUMN, Batch, PreprocessingParams, Release
from mlops_basics.scoring.scores import class_probabilities, predicted_codes
from mlops_basics.table.columns import batch_features
from mlops_basics.table.guesses import require_exact_keys
from mlops_basics.table.labels import PREDICTION_ID, RowKeys, prediction_ids


def score_batches(
    inference_source: list[Batch], production: Release, params: PreprocessingParams
) -> pd.DataFrame:
    """Predict every row of every batch with the release in production.

    Rows with missing values are scored like all others; none is dropped.

    Returns:
        A row a row: its stable id, batch, position in it, prediction, probabilities by class
        (classification), and the version that made them.

    Raises:
        DataError: If a batch lacks a column of the model, or holds text where it needs numbers,
            or the model fails on its rows.
    """
    keys = RowKeys(params.target, params.exclude, params.key_columns)
    parts = [_score(batch, production, keys) for batch in inference_source]
    return pd.concat(parts, ignore_index=True)


def _score(batch: Batch, release: Release, keys: RowKeys) -> pd.DataFrame:
    table = release.table
    features = batch_features(batch, table)
    require_exact_keys(batch, keys.key_columns)  # two rows would share an id
    scored = pd.DataFrame(
        {
            PREDICTION_ID: prediction_ids(batch, keys),
            BATCH_COLUMN: batch.name,
            "row": np.arange(1, len(features) + 1),
        }
    )
    try:
        if table.task == "regression":
            scored["prediction"] = np.asarray(release.model.predict(features), dtype=np.float64)
        else:
            probabilities = class_probabilities(release.model, features, table)
            predicted = predicted_codes(release.model, probabilities, table)
    except Exception as error:  # of whatever library the model is made with
        raise DataError(
            f"The release {release.manifest.version} cannot score the rows of {batch.name}: "
            f"{short_text(str(error), 300) or type(error).__name__}. Correct the rows, or go back "
            "to another release: kedro rollback"
        ) from error
    if table.task != "regression":
        classes = np.array(table.classes, dtype=object)
        scored["prediction"] = pd.Series(classes[predicted], dtype="str")
        for code, name in enumerate(table.classes):
            scored[f"probability_{name}"] = probabilities[:, code]
    scored["model_version"] = release.manifest.version
    return scored
