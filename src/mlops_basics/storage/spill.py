"""Tables that are too large for memory: kept in a temporary folder for as long as they are used."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa

from mlops_basics.errors import DataError
from mlops_basics.schemas import text_sizes
from mlops_basics.storage.faults import readable_faults

#: Of the free space of the temporary folder: what a run makes of a table takes space as well.
_SHARE = 2


class _Folder:
    """A temporary folder that is removed with the last object that knows it, or at exit."""

    def __init__(self) -> None:
        with readable_faults("write", tempfile.gettempdir()):
            self.path = tempfile.mkdtemp(prefix="mlops_basics_")
        weakref.finalize(self, _remove, self.path, os.getpid())

    def __fspath__(self) -> str:
        return self.path


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # not where it is known by a fork alone
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Stored:
    """A table that was put away.

    Attributes:
        folder: Where it is.
        number: Which of the folder's tables it is.
        rows: How many it has.
        sizes: Bytes of its texts in memory, by the name of the column.
    """

    folder: os.PathLike[str]
    number: int
    rows: int
    sizes: Mapping[str, int]

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The table, or some of its columns in the order of their names as given."""
        path = _path(self.folder, self.number)
        with readable_faults("read", str(path)):
            return read_columns(path, columns)

    def __reduce__(self) -> tuple[Any, ...]:  # another machine has no such folder
        path = _path(self.folder, self.number)
        with readable_faults("read", str(path)):
            return _Sent, (path.read_bytes(), self.rows, self.sizes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Stored:
        return self


@dataclass(frozen=True)
class _Sent:
    """A table that another process has put away."""

    content: bytes
    rows: int
    sizes: Mapping[str, int]

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """As ``Stored.read``."""
        return read_columns(io.BytesIO(self.content), columns)


class Spill:
    """Where the tables of one file are put away."""

    def __init__(self, name: str) -> None:
        """
        Args:
            name: Of the file, for messages.
        """
        self._name = name
        self._most_bytes = 0
        self._bytes: dict[int, int] = {}

    @cached_property
    def _folder(self) -> _Folder:  # most files need none
        folder = _Folder()
        self._most_bytes = shutil.disk_usage(folder).free // _SHARE
        return folder

    def put(self, number: int, table: pd.DataFrame) -> Stored:
        """Put a table away, in the place of the one that has its number.

        Raises:
            DataError: If the file's tables take more than the disk may have.
            StorageError: If the disk is full nevertheless.
        """
        path = _path(self._folder, number)
        self._bytes[number] = table_bytes(table)
        self._require_space()
        try:
            with readable_faults("write", str(path)):
                table.to_parquet(path, index=False)
        except pa.ArrowException as error:
            raise DataError(
                f"The file '{self._name}' holds values that are no numbers, times or texts, and "
                f"is too large for memory ({error}). Write it without them."
            ) from error
        return Stored(self._folder, number, len(table), text_sizes(table))

    def _require_space(self) -> None:
        if sum(self._bytes.values()) > self._most_bytes:
            raise DataError(
                f"The file '{self._name}' holds a table of more than {self._most_bytes / 1e6:,.0f} "
                f"MB, half of what is free in {tempfile.gettempdir()}, where it is kept while it "
                "is used. Free some space, set TMPDIR to a folder of a larger disk, or split the "
                "file."
            )


def read_columns(file: Path | BinaryIO, columns: Sequence[str] | None) -> pd.DataFrame:
    """Columns of a Parquet file in the order of their names as given, or all of them."""
    return pd.read_parquet(file, columns=None if columns is None else list(columns))


def table_bytes(table: pd.DataFrame) -> int:
    """How much memory a table takes."""
    return int(table.memory_usage(index=False).sum())


def _path(folder: os.PathLike[str], number: int) -> Path:
    return Path(folder) / f"{number:05}.parquet"
