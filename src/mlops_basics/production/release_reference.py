"""Reads what a release holds beside its model, from bytes that were verified but not trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from mlops_basics.errors import ReleaseError
from mlops_basics.production.release_check import TABLE_FILE
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    BatchRecord,
    CollectionReport,
    Hashes,
    MonitoringReference,
    Recipe,
    ReleaseReference,
    TableInfo,
)
from mlops_basics.storage.arrays import read_arrays
from mlops_basics.storage.npy_file import FileError
from mlops_basics.storage.parquet import read_parquet

BATCHES_FILE = "collection_report.json"
RECIPE_FILE, FITTED_ROWS_FILE = "recipe.json", "fitted_rows.parquet"
_INFO, _PROFILE = "monitoring_reference.json", "reference_profile.npz"
_LOSSES, _SAMPLE = "reference_losses.parquet", "reference.parquet"
REFERENCE = (_INFO, _PROFILE, _LOSSES, _SAMPLE)


def read_table(content: bytes) -> TableInfo:
    """What the release's model was made for."""
    with _refusing(TABLE_FILE):
        return TableInfo.model_validate_json(content)


def read_reference(files: Mapping[str, bytes]) -> ReleaseReference:
    """The reference, from the files of ``REFERENCE``."""
    with _refusing(_INFO):
        info = MonitoringReference.model_validate_json(files[_INFO])
    with _refusing(_PROFILE):
        profile = read_arrays(files[_PROFILE])
    with _refusing(_LOSSES):
        losses = read_parquet(files[_LOSSES])
    with _refusing(_SAMPLE):
        sample = read_parquet(files[_SAMPLE])
    return ReleaseReference(info=info, profile=profile, losses=losses, sample=sample)


def read_batches(content: bytes | None) -> tuple[BatchRecord, ...]:
    """The batches that the release was made from; none where it does not tell."""
    if content is None:
        return ()
    with _refusing(BATCHES_FILE):
        return CollectionReport.model_validate_json(content).batches


def read_recipe(content: bytes | None) -> Recipe | None:
    """What the release's model is fitted by; None where it does not tell."""
    if content is None:
        return None
    with _refusing(RECIPE_FILE):
        return Recipe.model_validate_json(content)


def read_fitted_rows(content: bytes | None) -> Hashes | None:
    """Hashes of the rows that the release's model was fitted or tuned on, shape (rows,)."""
    if content is None:
        return None
    with _refusing(FITTED_ROWS_FILE):
        return read_parquet(content)[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Whatever a file's reader raises becomes a refusal that names the file, in few words."""
    try:
        yield
    except FileError as fault:
        raise ReleaseError(f"'{name}' {fault}") from fault
    except Exception as error:
        raise ReleaseError(f"'{name}' cannot be read ({type(error).__name__}).") from error
