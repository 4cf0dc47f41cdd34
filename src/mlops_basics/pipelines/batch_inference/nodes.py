"""Nodes of the batch_inference pipeline."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.features import typed_features
from mlops_basics.row_hash import row_hashes
from mlops_basics.schemas import BATCH_COLUMN, Batch, Release, TableInfo
from mlops_basics.scoring import class_probabilities


def score_batches(inference_source: list[Batch], production: Release) -> pd.DataFrame:
    """Predict every row of every batch with the release in production.

    Rows with missing values are scored like all others; none is dropped.

    Returns:
        A row a row: its stable id, batch, position in it, prediction, probabilities by class
        (classification), and the version that made them.

    Raises:
        DataError: If a batch lacks a column of the model, or holds text where it needs numbers.
    """
    parts = [_score(batch, production) for batch in inference_source]
    return pd.concat(parts, ignore_index=True)


def prediction_ids(batch: Batch, table: TableInfo) -> list[str]:
    """Ids that labels can be joined to later: unique, and the same when the batch is scored again.

    Of the batch's name, the row's values in the key columns (all features, where the user named
    none), and how often these occurred before in the batch.
    """
    columns = [name for name in table.key_columns if name in batch.table.columns]
    hashes = pd.Series(row_hashes(batch.table, columns))
    occurrence = hashes.groupby(hashes).cumcount()
    seeds = [f"{batch.name}|{h:016x}|{n}" for h, n in zip(hashes, occurrence, strict=True)]
    return [hashlib.sha256(seed.encode()).hexdigest()[:20] for seed in seeds]


def _score(batch: Batch, release: Release) -> pd.DataFrame:
    table = release.table
    try:
        features = typed_features(batch.table, table.features)
    except DataError as error:
        raise DataError(f"The batch '{batch.name}' does not fit the model: {error}") from error
    for name in table.numeric:
        if features[name].dtype != np.float64 and features[name].notna().any():
            stray = features[name].dropna().iloc[0]
            raise DataError(
                f"The batch '{batch.name}' does not fit the model: its column '{name}' must hold "
                f"numbers, but holds {stray!r}. Mend the batch."
            )
        features[name] = features[name].astype("float64")
    scored = pd.DataFrame(
        {
            "prediction_id": prediction_ids(batch, table),
            BATCH_COLUMN: batch.name,
            "row": np.arange(1, len(features) + 1),
        }
    )
    if table.task == "regression":
        scored["prediction"] = np.asarray(release.model.predict(features), dtype=np.float64)
    else:
        probabilities = class_probabilities(release.model, features, table)
        classes = np.array(table.classes, dtype=object)
        scored["prediction"] = pd.Series(classes[probabilities.argmax(axis=1)], dtype="str")
        for code, name in enumerate(table.classes):
            scored[f"probability_{name}"] = probabilities[:, code]
    scored["model_version"] = release.manifest.version
    return scored
