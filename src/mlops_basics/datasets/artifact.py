"""A small typed JSON artifact."""

from __future__ import annotations

import json
from typing import Any

from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview
from kedro_datasets.json import JSONDataset

from mlops_basics.schemas import Artifact


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

    def preview(self) -> JSONPreview:
        """What kedro-viz shows beside the node."""
        artifact = self.load.__wrapped__(self)  # type: ignore[attr-defined]
        return JSONPreview(artifact.model_dump_json(indent=2))
