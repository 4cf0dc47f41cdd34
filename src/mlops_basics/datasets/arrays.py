"""Named arrays in one file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import get_filepath_str, get_protocol_and_path

from mlops_basics.storage.arrays import Arrays, read_arrays, write_arrays


class ArraysDataset(AbstractVersionedDataset[Arrays, Arrays]):
    """``ArraysDataset`` saves arrays and plain numbers by their names as ``.npz``.

    Example of a catalog entry::

        reference_profile:
          type: mlops_basics.datasets.ArraysDataset
          filepath: data/reporting/reference_profile.npz
          versioned: true

    >>> dataset = ArraysDataset(filepath="memory://arrays.npz")
    >>> dataset.save({"x": [1.0, 2.0], "n": 2})
    >>> dataset.load()["x"].tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            filepath: The file, with any protocol that fsspec knows.
            version: Versions to load and to save, by Kedro.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(self._protocol, **(credentials or {}), **(fs_args or {}))
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._fs.exists,
            glob_function=self._fs.glob,
        )

    def load(self) -> Arrays:
        path = get_filepath_str(self._get_load_path(), self._protocol)
        return read_arrays(self._fs.cat_file(path))

    def save(self, data: Arrays) -> None:
        path = get_filepath_str(self._get_save_path(), self._protocol)
        self._fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        self._fs.pipe_file(path, write_arrays(data))

    def _exists(self) -> bool:
        return bool(self._fs.exists(get_filepath_str(self._get_load_path(), self._protocol)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "protocol": self._protocol}
