"""Reads what a release holds for the monitor, from bytes that were verified."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    BatchRecord,
    CollectionReport,
    Hashes,
    MonitoringReference,
    Recipe,
    ReleaseReference,
)
from mlops_basics.storage.arrays import read_arrays

BATCHES_FILE = "collection_report.json"
RECIPE_FILE, FITTED_ROWS_FILE = "recipe.json", "fitted_rows.parquet"
_INFO, _PROFILE = "monitoring_reference.json", "reference_profile.npz"
_LOSSES, _SAMPLE = "reference_losses.parquet", "reference.parquet"
REFERENCE = (_INFO, _PROFILE, _LOSSES, _SAMPLE)


def read_reference(files: Mapping[str, bytes]) -> ReleaseReference:
    """The reference, from the files of ``REFERENCE``."""
    return ReleaseReference(
        info=MonitoringReference.model_validate_json(files[_INFO]),
        profile=read_arrays(files[_PROFILE]),
        losses=pd.read_parquet(io.BytesIO(files[_LOSSES])),
        sample=pd.read_parquet(io.BytesIO(files[_SAMPLE])),
    )


def read_batches(content: bytes | None) -> tuple[BatchRecord, ...]:
    """The batches that the release was made from; none where it does not tell."""
    if content is None:
        return ()
    return CollectionReport.model_validate_json(content).batches


def read_recipe(content: bytes | None) -> Recipe | None:
    """What the release's model is fitted by; None where it does not tell."""
    return None if content is None else Recipe.model_validate_json(content)


def read_fitted_rows(content: bytes | None) -> Hashes | None:
    """Hashes of the rows that the release's model was fitted or tuned on, shape (rows,)."""
    if content is None:
        return None
    return pd.read_parquet(io.BytesIO(content))[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)
