"""A table as Parquet files, of which one at a time is in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pandas as pd
from kedro.io import AbstractVersionedDataset, DatasetError, Version
from kedro.io.core import get_filepath_str, get_protocol_and_path

from mlops_basics.schemas import Part, Parts
from mlops_basics.storage.spill import read_columns
from mlops_basics.table.engine import map_parts
from mlops_basics.table.parquet_sizes import sizes_of_texts

#: Ends the name under which a table is written that takes another one's place.
_BESIDE = ".saving"


class PartsDataset(AbstractVersionedDataset[pd.DataFrame | Parts, pd.DataFrame | Parts]):
    """``PartsDataset`` saves a table in parts, and loads them when they are needed.

    A table of one part is a Parquet file, one of several a folder of them; ``pandas.read_parquet``
    reads either whole.

    Example of a catalog entry::

        raw_data:
          type: mlops_basics.datasets.PartsDataset
          filepath: data/bronze/raw_data.parquet
          versioned: true

    >>> dataset = PartsDataset(filepath="memory://table.parquet")
    >>> dataset.save(Parts.of(pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3]})))
    >>> dataset.load()["x"].tolist()
    [1, 2, 3]
    """

    def __init__(
        self,
        *,
        filepath: str,
        whole: bool = False,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            filepath: The file or folder, with any protocol that fsspec knows.
            whole: Whether ``load`` gives a ``pandas.DataFrame`` with all rows, for who wants one.
            version: Versions to load and to save, by Kedro.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(self._protocol, **(credentials or {}), **(fs_args or {}))
        self._whole, self.metadata = whole, metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._fs.exists,
            glob_function=self._fs.glob,
        )

    def load(self) -> Parts | pd.DataFrame:
        path = get_filepath_str(self._get_load_path(), self._protocol)
        files = sorted(file for file in self._fs.find(path) if file.endswith(".parquet"))
        if not files:
            raise DatasetError(f"{path} holds no part of a table.")
        names = [PurePosixPath(file).name for file in files]
        if names != [PurePosixPath(file).name for file in _files_of(path, len(files))]:
            # What a worker wrote that the run which was lost could not tell to stop.
            some = ", ".join(names[:3])
            raise DatasetError(
                f"{path} holds some parts of a table whose save has failed: {some}. Remove it, or "
                "load another version."
            )
        shapes = [_shape(self._fs, file) for file in files]
        table = Parts(
            shapes[0][1],
            tuple(
                Part(rows, partial(_read, self._fs, file), sizes)
                for file, (rows, _, sizes) in zip(files, shapes, strict=True)
            ),
        )
        return table.read() if self._whole else table

    def save(self, data: pd.DataFrame | Parts) -> None:
        path = get_filepath_str(self._get_save_path(), self._protocol)
        try:
            if self._version or not self._fs.exists(path):
                self._write_all(path, data)
            else:  # what is saved may be read from what is there
                beside = f"{path}{_BESIDE}"
                self._remove(beside)  # of a run that was killed
                self._write_all(beside, data)
                self._fs.rm(path, recursive=True)
                self._fs.mv(beside, path, recursive=True)
        finally:
            self._fs.invalidate_cache()

    def _write_all(self, path: str, data: pd.DataFrame | Parts) -> None:
        parts = data.parts if isinstance(data, Parts) else Parts.of(data).parts
        files = _files_of(path, len(parts))
        self._fs.makedirs(str(PurePosixPath(files[0]).parent), exist_ok=True)
        try:
            for _ in map_parts(partial(_write, self._fs), list(zip(files, parts, strict=True))):
                pass
        except BaseException:  # half a table is none, and ``load`` takes it for none
            self._remove(path)
            raise

    def _remove(self, path: str) -> None:
        with contextlib.suppress(Exception):  # what is on its way says more
            self._fs.rm(path, recursive=True)

    def _exists(self) -> bool:
        path = get_filepath_str(self._get_load_path(), self._protocol)
        return bool(self._fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}


def _files_of(path: str, parts: int) -> list[str]:
    """Where the parts of a table lie. Each name tells how many there are: fewer are no table."""
    if parts == 1:
        return [path]
    return [f"{path}/part-{number:05}-of-{parts:05}.parquet" for number in range(parts)]


def _write(fs: Any, part: tuple[str, Part]) -> None:
    path, rows = part
    table = rows.read(None)
    with fs.open(path, "wb") as file:
        table.to_parquet(file)


def _read(fs: Any, path: str, columns: Sequence[str] | None) -> pd.DataFrame:
    with fs.open(path, "rb") as file:
        return read_columns(file, columns)


def _shape(fs: Any, path: str) -> tuple[int, tuple[str, ...], dict[str, int]]:
    """How many rows a file has, its columns, and how much memory its texts take."""
    import pyarrow.parquet as pq

    with fs.open(path, "rb") as file:
        stored = pq.ParquetFile(file)
        columns = tuple(stored.schema_arrow.names)
        return stored.metadata.num_rows, columns, sizes_of_texts(stored)
