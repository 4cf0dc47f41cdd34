"""A small typed JSON artifact."""

from __future__ import annotations

import json
from typing import Any

from kedro.io.core import VersionNotFoundError
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview
from kedro_datasets.json import JSONDataset

from mlops_basics.schemas import Artifact
from mlops_basics.storage.faults import readable_faults
from mlops_basics.storage.s3_objects import is_s3, newest_version


class ArtifactDataset(JSONDataset):  # type: ignore[misc] # kedro-datasets has no types
    """``ArtifactDataset`` saves an artifact of ``schemas.py`` as JSON and loads it as its type.

    Example of a catalog entry::

        table_info:
          type: mlops_basics.datasets.ArtifactDataset
          filepath: data/silver/table_info.json
          model: mlops_basics.schemas.TableInfo
          versioned: true

    >>> from mlops_basics.schemas import BatchRecord
    >>> dataset = ArtifactDataset(
    ...     filepath="memory://batch.json", model="mlops_basics.schemas.BatchRecord"
    ... )
    >>> dataset.save(BatchRecord(name="a.csv", sha256="00", rows=3))
    >>> dataset.load().rows
    3
    """

    _cached_load_version: str | None  # Kedro's

    def __init__(self, *, model: str, **kwargs: Any) -> None:
        """
        Args:
            model: Import path of the artifact's type.
            kwargs: Arguments of ``kedro_datasets.json.JSONDataset``.
        """
        super().__init__(**kwargs)
        self._model: type[Artifact] = load_obj(model)

    def load(self) -> Artifact:
        return self._model.model_validate(super().load())

    def save(self, data: Any) -> None:
        super().save(json.loads(data.model_dump_json()))

    def _fetch_latest_load_version(self) -> str:
        """The newest version; on S3 by a handful of requests, where Kedro makes two a version."""
        if self._cached_load_version is not None or not is_s3(self._fs):
            return str(super()._fetch_latest_load_version())
        folder = str(self._filepath)
        with readable_faults("list", f"{self._protocol}://{folder}"):
            newest = newest_version(self._fs, folder, self._filepath.name)
        if newest is None:
            raise VersionNotFoundError(f"Did not find any versions for {self}")
        self._cached_load_version = newest
        return newest

    def preview(self) -> JSONPreview:
        """What kedro-viz shows beside the node."""
        artifact = self.load.__wrapped__(self)  # type: ignore[attr-defined]
        return JSONPreview(artifact.shown().model_dump_json(indent=2))
