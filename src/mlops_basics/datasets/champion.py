"""The champion, as production holds it."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

import numpy as np
from kedro.io import AbstractDataset, DatasetError

from mlops_basics.errors import MlopsError
from mlops_basics.production.publish import (
    fetch_registered,
    is_lost,
    lost_production,
    require_own,
)
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_check import MODEL_FOLDER
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.production.signature import Signatures
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import (
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    Champion,
    CollectionReport,
    TableInfo,
)
from mlops_basics.storage.parquet import read_parquet
from mlops_basics.storage.skops_archive import MODEL_FILE, load_model

log = logging.getLogger(__name__)

#: What a champion raises that was damaged, or whose libraries have changed or gone since.
UNUSABLE = (
    MlopsError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    BadZipFile,
)


class ChampionDataset(AbstractDataset[NoReturn, Champion]):
    """``ChampionDataset`` loads what is in production, verified, and what is known of it.

    MLflow's copy is read only where a run was killed before it published its champion, and only if
    it is what that run made. No champion, or one that cannot be loaded any more, is a value too,
    not an error.

    Example of a catalog entry::

        champion:
          type: mlops_basics.datasets.ChampionDataset
          production: data/production
          model_name: iris
          trusted_types: [skrub._table_vectorizer.TableVectorizer]
    """

    def __init__(
        self,
        *,
        production: str,
        model_name: str,
        trusted_types: list[str],
        signing_key: str | None = None,
        verify_key: str | list[str] | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        server: Tracking = MLFLOW,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            production: Folder of all releases, with any protocol that fsspec knows.
            model_name: Name of the registered model.
            trusted_types: Import paths of the classes and functions that a model may hold.
            signing_key: Path of the private key, from which the public one can be derived.
            verify_key: Public keys, or paths of them, whose signatures are accepted.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            server: Where the model is registered.
            metadata: Ignored by Kedro, read by plugins.
        """
        signatures = Signatures(signing_key, verify_key)
        self._store = ReleaseStore(
            production, model_name, trusted_types, credentials, fs_args, signatures
        )
        self._registry = ModelRegistry(model_name, server)
        self._trusted_types = list(trusted_types)
        self.metadata = metadata

    def load(self) -> Champion:
        require_own(self._store, self._registry)
        version = self._registry.champion()
        if version is None:
            return Champion(version=NO_CHAMPION)
        if is_lost(self._store, self._registry, version):
            log.warning("%s The new model is judged as the first one.", lost_production(version))
            return Champion(version=NO_CHAMPION)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "release"
            try:
                pointer = self._store.pointer()
                if pointer is not None and pointer.version == version:
                    self._store.fetch(version, folder)
                else:
                    fetch_registered(self._store, self._registry, version, folder)
                champion = self._read(version, folder)
            except UNUSABLE as error:
                return Champion(version=version, unusable=f"it cannot be loaded ({error})")
        return replace(champion, looks=self._store.challenges.looks(version))

    def save(self, data: NoReturn) -> NoReturn:
        raise DatasetError(f"{type(self).__name__} is a read only dataset type")

    def _read(self, version: str, folder: Path) -> Champion:
        def text(name: str) -> str:
            return (folder / f"{name}.json").read_text(encoding="utf-8")

        rows = read_parquet((folder / "fitted_rows.parquet").read_bytes())
        collected = CollectionReport.model_validate_json(text("collection_report"))
        content = (folder / MODEL_FOLDER / MODEL_FILE).read_bytes()
        return Champion(
            version=version,
            model=load_model(content, self._trusted_types, f"version {version}"),
            table=TableInfo.model_validate_json(text("table_info")),
            fitted_rows=rows[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64),
            batches=tuple(batch.name for batch in collected.batches if batch.learned_from),
        )

    def _describe(self) -> dict[str, Any]:
        return {"model_name": self._registry.model_name}
