"""The only inlet of data: one file or a folder of batch files, CSV or Parquet."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import fsspec
import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path

from mlops_basics.errors import DataError
from mlops_basics.safe_text import without_secrets
from mlops_basics.schemas import Batch, Guess, Parts, cut_rows
from mlops_basics.storage.memory import free_memory
from mlops_basics.storage.source_files import (
    check_file,
    read_file,
    sha256_of_fault,
    sha256_of_file,
    size_of_file,
    through_file,
)
from mlops_basics.storage.spill import Spill, table_bytes
from mlops_basics.table.batch_file import SUFFIXES, is_table, other_kind, parse_batch
from mlops_basics.table.batch_sample import sample_batch
from mlops_basics.table.large_file import HELD, TEXT_OF_PIECE, read_in_parts, refuse_bomb
from mlops_basics.table.spilled import parts_of
from mlops_basics.table.unpacked_size import fits_memory, require_fits_memory, too_large

_SHARE = 4  # a file's table may take a part of the free memory: what is made of it takes the rest
_DEPTH = 5  # of folders that are looked into
_SAMPLED = 24  # files of a source that rows are drawn from, at most


@dataclass(frozen=True)
class SourceSample:
    """Rows of a source that may be too large for being read in seconds.

    Attributes:
        batches: Rows of each file, or of files spread over all of them.
        rows: How many the source has; about so many where it was not read whole.
        files: How many the source has.
        whole: Whether every row was read.
    """

    batches: list[Batch]
    rows: int
    files: int
    whole: bool


class SourceDataset(AbstractDataset[NoReturn, list[Batch]]):
    """``SourceDataset`` reads every batch of a source: one file, or a folder's files by name.

    Example of a catalog entry::

        source:
          type: mlops_basics.datasets.SourceDataset
          path: data/source/flights      # or one file, or s3://bucket/flights
          csv_args: {sep: ";"}

    >>> import fsspec
    >>> with fsspec.open("memory://source/a.csv", "w") as file:
    ...     _ = file.write("x,y\\n1,2\\n")
    >>> [(batch.name, len(batch.parts)) for batch in SourceDataset(path="memory://source").load()]
    [('a.csv', 1)]
    """

    def __init__(
        self,
        *,
        path: str | None,
        optional: bool = False,
        text_columns: list[str] | None = None,
        csv_args: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: A file or a folder, local or with any protocol that fsspec knows.
            optional: Whether there may be nothing there (yet), or no path at all.
            text_columns: Columns that a CSV file is to be read as text for.
            csv_args: Arguments of ``pandas.read_csv``.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._protocol, self._path = get_protocol_and_path(path or "")
        self._fs = fsspec.filesystem(self._protocol, **(credentials or {}), **(fs_args or {}))
        self._shown_path = without_secrets(path or "")
        self._optional = optional
        self._text_columns = list(text_columns or [])
        self._csv_args = dict(csv_args or {})
        self.metadata = metadata

    def load(self) -> list[Batch]:
        files, passed_over = self._listing()
        batches, held = [], 0
        for file in files:
            batch, taken = self._read(file, HELD - held)
            batches.append(batch)
            held += taken
        closed = [batch for batch in batches if batch.sha256 == sha256_of_fault(batch.fault)]
        if batches and closed == batches and self.local_path is None:
            raise DataError(batches[0].fault)  # the storage gives out nothing: no fault of a batch
        if batches and passed_over:  # for whoever reads the report of the batches
            first = batches[0]
            batches[0] = replace(first, guesses=(*passed_over, *first.guesses))
        return batches

    def sample(self, most_bytes: int) -> SourceSample:
        """Read a small source whole, of a large one rows from all over it.

        Args:
            most_bytes: Of text that are read, about; of Parquet, as many cells as these make.
        """
        files, passed_over = self._listing()
        at = {round(step * (len(files) - 1) / (_SAMPLED - 1)) for step in range(_SAMPLED)}
        chosen = files if len(files) <= _SAMPLED else [files[each] for each in sorted(at)]
        batches, rows, whole = [], 0, len(chosen) == len(files)
        for file in chosen:
            batch, counted, complete = self._sample_of(file, most_bytes // len(chosen))
            batches.append(batch)
            rows, whole = rows + counted, whole and complete
        if batches and passed_over:
            batches[0] = replace(batches[0], guesses=(*passed_over, *batches[0].guesses))
        return SourceSample(batches, round(rows * len(files) / len(chosen)), len(files), whole)

    def _sample_of(self, file: str, most_bytes: int) -> tuple[Batch, int, bool]:
        """Rows of a file, how many it has, and whether these are all."""
        name, drawn = PurePosixPath(file).name, None
        if self._fs.isfile(file):
            try:
                check_file(self._fs, file)
            except DataError as error:
                return _unusable(name, sha256_of_fault(str(error)), error), 0, True
            with self._fs.open(file, "rb") as opened:
                size = int(self._fs.size(file))
                drawn = sample_batch(
                    name, opened, size, most_bytes, self._csv_args, self._text_columns
                )
        if drawn is None:
            batch, _ = self._read(file, HELD)
            return batch, len(batch.parts), True
        return Batch.of(name, "", drawn.table, guesses=drawn.guesses), drawn.rows, False

    @property
    def local_path(self) -> Path | None:
        """The file or folder on this machine, None where it is elsewhere or not configured."""
        return Path(self._path) if self._protocol == "file" and self._path else None

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of every batch file by its name, as ``load`` gives it; nothing is unpacked."""
        return {PurePosixPath(file).name: self._fingerprint(file) for file in self._listing()[0]}

    def save(self, data: NoReturn) -> NoReturn:
        raise DatasetError(f"{type(self).__name__} is a read only dataset type")

    def _exists(self) -> bool:
        return bool(self._fs.exists(self._path))

    def _describe(self) -> dict[str, Any]:
        return {"path": self._shown_path}

    def _listing(self) -> tuple[list[str], list[Guess]]:
        """The batch files, by name, and what else lies beside them; DataError without any."""
        if self._optional and not (self._path and self._fs.exists(self._path)):
            return [], []
        if not self._fs.exists(self._path):
            raise DataError(
                f"The source '{self._shown_path}' does not exist. "
                "Set `source` in conf/<env>/globals.yml to a CSV or Parquet file, or to a folder "
                "of them (the sample tables are made by `kedro sample NAME`)."
            )
        if self._fs.isfile(self._path):
            if not is_table(self._path):
                raise DataError(
                    f"The source '{self._shown_path}' is neither CSV nor Parquet by its name. "
                    f"Write it, or unpack it, as one that ends in {', '.join(SUFFIXES)}."
                )
            return [self._path], []
        files, passed_over = [], []
        for entry in sorted(self._fs.ls(self._path, detail=True), key=lambda each: each["name"]):
            path = str(entry["name"])
            name = PurePosixPath(path).name
            is_folder = entry["type"] == "directory"
            if name.startswith("."):
                passed_over.append(Guess("passed over", name, "hidden"))
            elif is_table(path) or other_kind(path) or (is_folder and self._tables_in(path)):
                files.append(path)
            elif PurePosixPath(path) != PurePosixPath(self._path):
                kind = "folder without tables" if is_folder else "neither CSV nor Parquet"
                passed_over.append(Guess("passed over", name, kind))
        if not files and not self._optional:
            raise DataError(
                f"The source folder '{self._shown_path}' holds no CSV or Parquet file. "
                "Put at least one batch file into it."
            )
        return files, passed_over

    def _tables_in(self, folder: str) -> list[str]:
        """Tables below a folder of the source, such as the parts of a partitioned table."""
        return [path for path in self._fs.find(folder, maxdepth=_DEPTH) if is_table(path)]

    def _read(self, file: str, room: int) -> tuple[Batch, int]:
        """A file's batch, and how much memory its table takes: none where it does not fit."""
        name, memory = PurePosixPath(file).name, free_memory() // _SHARE
        try:
            size = size_of_file(self._fs, file)
            if size > TEXT_OF_PIECE:
                digest = sha256_of_file(self._fs, file)
                large = self._read_large(file, memory)
                if large is not None:
                    return replace(large, sha256=digest), 0
            content = read_file(self._fs, file, memory)
        except DataError as error:
            return _unusable(name, self._fingerprint(file), error), 0
        return self._read_content(name, content, room, memory)

    def _read_large(self, file: str, memory: int) -> Batch | None:
        name = PurePosixPath(file).name
        spill = Spill(name)
        read = through_file(
            self._fs,
            file,
            lambda opened: read_in_parts(
                name, opened, self._csv_args, self._text_columns, spill, memory
            ),
        )
        return None if read is None else Batch(name, "", read[0], guesses=read[1])

    def _read_content(self, name: str, content: bytes, room: int, memory: int) -> tuple[Batch, int]:
        """The same for a file that memory holds."""
        digest = hashlib.sha256(content).hexdigest()
        spill = Spill(name)
        args = (self._csv_args, self._text_columns)
        try:
            if not fits_memory(name, content, min(HELD, memory)):
                refuse_bomb(name, content, memory)
                large = read_in_parts(name, lambda: io.BytesIO(content), *args, spill, memory)
                if large is not None:
                    return Batch(name, digest, large[0], guesses=large[1]), 0
                require_fits_memory(name, content, memory)
            table, guesses = parse_batch(name, content, *args)
            parts, taken = _held_or_not(table, spill, room)
            return Batch(name, digest, parts, guesses=guesses), taken
        except DataError as error:
            return _unusable(name, digest, error), 0
        except MemoryError:
            return _unusable(name, digest, too_large(name, memory)), 0

    def _fingerprint(self, file: str) -> str:
        try:
            return sha256_of_file(self._fs, file)
        except DataError as error:
            return sha256_of_fault(str(error))


def _unusable(name: str, sha256: str, fault: DataError) -> Batch:
    """A training raises the fault for its batch; the monitor goes on with the others."""
    return Batch.of(name=name, sha256=sha256, table=pd.DataFrame(), fault=str(fault))


def _held_or_not(table: pd.DataFrame, spill: Spill, room: int) -> tuple[Parts, int]:
    """A table in memory where there is room, or put away; and how much memory it takes."""
    taken = table_bytes(table)
    if np.dtype("object") in set(table.dtypes):  # they may come back as others, or be of one kind
        return Parts.of(table), taken
    pieces = cut_rows(table)
    if taken <= room:
        return Parts.of(*pieces), taken
    stored = [spill.put(number, rows) for number, rows in enumerate(pieces)]
    return parts_of(stored, dict(table.dtypes)), 0
