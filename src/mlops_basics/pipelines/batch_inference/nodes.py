"""Nodes of the batch_inference pipeline."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.safe_text import short_text
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    Hashes,
    Part,
    Parts,
    PreprocessingParams,
    Release,
    TableInfo,
)
from mlops_basics.scoring.scores import class_probabilities, predicted_codes
from mlops_basics.table.columns import batch_features
from mlops_basics.table.guesses import require_exact_keys
from mlops_basics.table.labels import PREDICTION_ID, RowKeys, ids_of_rows, row_occurrences


def score_batches(
    inference_source: list[Batch], production: Release, params: PreprocessingParams
) -> Parts:
    """Predict every row of every batch with the release in production.

    Rows with missing values are scored like all others; none is dropped.

    Returns:
        A row a row: its stable id, batch, position in it, prediction, probabilities by class
        (classification), and the version that made them.

    Raises:
        DataError: If a batch lacks a column of the model, or holds text where it needs numbers,
            or the model fails on its rows. Of a large table that may be found when it is saved.
    """
    keys = RowKeys(params.target, params.exclude, params.key_columns)
    scored = [part for batch in inference_source for part in _scored(batch, production, keys).parts]
    return Parts(_columns(production.table), tuple(scored)).gathered().held()


def _scored(batch: Batch, release: Release, keys: RowKeys) -> Parts:
    if batch.fault:
        raise DataError(batch.fault)
    require_exact_keys(batch, keys.key_columns)  # two rows would share an id
    try:
        hashes, occurrences = row_occurrences(batch, keys)
    except DataError:
        batch_features(batch, release.table)  # says more of what is wrong
        raise
    slices = batch.parts.slices
    return batch.parts.changed(
        partial(_score, batch.name, release),
        [rows.start for rows in slices],
        [hashes[rows] for rows in slices],
        [occurrences[rows] for rows in slices],
        columns=_columns(release.table),
    )


def _columns(table: TableInfo) -> tuple[str, ...]:
    probabilities = [f"probability_{name}" for name in table.classes]
    return (PREDICTION_ID, BATCH_COLUMN, "row", "prediction", *probabilities, "model_version")


def _score(
    name: str,
    release: Release,
    part: Part,
    columns: list[str],
    begin: int,
    hashes: Hashes,
    occurrences: npt.NDArray[np.int64],
) -> pd.DataFrame:
    table = release.table
    features = batch_features(Batch.of(name, "", part.read(None)), table).read()
    scored = pd.DataFrame(
        {
            PREDICTION_ID: ids_of_rows(name, hashes, occurrences),
            BATCH_COLUMN: name,
            "row": np.arange(begin + 1, begin + len(features) + 1),
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
            f"The release {release.manifest.version} cannot score the rows of {name}: "
            f"{short_text(str(error), 300) or type(error).__name__}. Correct the rows, or go back "
            "to another release: kedro rollback"
        ) from error
    if table.task != "regression":
        classes = np.array(table.classes, dtype=object)
        scored["prediction"] = pd.Series(classes[predicted], dtype="str")
        for code, of_class in enumerate(table.classes):
            scored[f"probability_{of_class}"] = probabilities[:, code]
    scored["model_version"] = release.manifest.version
    return scored[columns]
