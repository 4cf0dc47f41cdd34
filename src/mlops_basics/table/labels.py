"""Labels that come later, in files of their own, joined to rows by prediction id or by key."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, Hashes, LabelCount
from mlops_basics.table.guesses import require_exact_keys
from mlops_basics.table.row_hash import hashes_of_parts, row_hashes

PREDICTION_ID = "prediction_id"

#: Positions of a batch's rows for which a label was filed, and its place among the labels.
Found = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True)
class RowKeys:
    """What identifies a row: the user's key columns, or everything but target and ``exclude``.

    What is excluded is often not known yet when a prediction is made, and would change the id.
    """

    target: str
    exclude: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()

    def of(self, columns: Iterable[str]) -> list[str]:
        """Those of a table's columns that are keys."""
        unseen = {self.target, *self.exclude}
        there = list(columns)
        named = self.key_columns or [name for name in there if name not in unseen]
        return [str(name) for name in named if name in there]


def row_occurrences(batch: Batch, keys: RowKeys) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """The hash of each row's key columns, and how often it occurred before in the batch."""
    hashes = hashes_of_parts(batch.parts, keys.of(batch.parts.columns))
    before = pd.Series(hashes).groupby(hashes).cumcount().to_numpy()
    return hashes, before.astype(np.int64)


def ids_of_rows(name: str, hashes: Hashes, occurrences: npt.NDArray[np.int64]) -> list[str]:
    """Ids that labels can be joined to later: unique, and the same whichever release predicts.

    Of the batch's name, the row's values in the key columns, and how often these occurred before
    in the batch.

    Args:
        name: Of the batch.
        hashes: What ``row_occurrences`` says of some of its rows.
        occurrences: Likewise.
    """
    seeds = [f"{name}|{h:016x}|{n}" for h, n in zip(hashes, occurrences, strict=True)]
    return [hashlib.sha256(seed.encode()).hexdigest()[:20] for seed in seeds]


class LabelBook:
    """The labels of all label files; of two for the same row, that of the later file counts.

    Files are ordered by name, as batches are. A file names rows by ``prediction_id``, as
    ``batch_inference`` gave them, or by all of the user's key columns.
    """

    def __init__(self, files: Sequence[Batch], keys: RowKeys) -> None:
        """
        Args:
            files: Label files as read.
            keys: What identifies a row.
        """
        self.faults: dict[str, str] = {}
        self._keys = keys
        by_id, by_key = [], []
        for file in files:
            if fault := file.fault or self._fault_of(file):
                self.faults[file.name] = fault
            elif PREDICTION_ID in file.table.columns:
                ids = file.table[PREDICTION_ID].map(str)
                by_id.append(_known(ids, file.table[keys.target], file.name))
            else:
                hashes = row_hashes(file.table, list(keys.key_columns))
                by_key.append(_known(pd.Series(hashes), file.table[keys.target], file.name))
        filed = ((_latest(by_id), False), (_latest(by_key), True))
        self._filed = [(latest, by_key) for latest, by_key in filed if not latest.empty]
        self._found: dict[tuple[str, bool], Found] = {}  # ids take a second a million

    def fill(self, batch: Batch, rows: slice | None = None) -> tuple[pd.Series, LabelCount]:
        """The target of a batch's rows, raw as it was delivered.

        Args:
            batch: The whole file: prediction ids count how often a row occurred before in it.
            rows: Which of its rows are asked for, all if none are named.

        Returns:
            The target, shape (rows,), missing where no label is known, and how many there are.
            Where a label file contradicts the batch, the file counts.
        """
        table, target = batch.parts, self._keys.target
        index = pd.RangeIndex(len(table))
        delivered = table[target] if target in table.columns else pd.Series(np.nan, index=index)
        filled = delivered.reset_index(drop=True)
        conflicts = np.zeros(len(table), dtype=bool)
        both = [(of, *self._found_in(batch, of, by_key=key)) for of, key in self._filed]
        both = [(of, at, places) for of, at, places in both if at.size]
        if both or not _takes_little(delivered):
            filled = filled.astype(object).where(filled.notna(), None)
        for latest, at, places in both:
            labels = latest["label"].to_numpy(dtype=object)[places]
            differs = [not _same(a, b) for a, b in zip(filled.iloc[at], labels, strict=True)]
            contradicted = latest["contradicted"].to_numpy(dtype=bool)[places]
            conflicts[at] |= contradicted | np.array(differs, dtype=bool)
            filled.iloc[at] = labels
        rows = rows or slice(None)
        filled, conflicts = filled.iloc[rows], conflicts[rows]
        labelled = int(filled.notna().sum())
        count = LabelCount(rows=len(filled), labelled=labelled, conflicting=int(conflicts.sum()))
        values = filled.infer_objects() if labelled else filled.astype("float64")
        values.name = target
        values.index = index[rows]
        return values, count

    def unmatched(
        self, batches: Sequence[Batch], files: Collection[str] | None = None
    ) -> list[str]:
        """A line for each label file of which some labels match no row.

        Args:
            batches: All that there are.
            files: Names of the label files that are asked about, all if none are named.
        """
        counts: dict[str, list[int]] = {}
        for latest, by_key in self._filed:
            matched = np.zeros(len(latest), dtype=bool)
            for batch in batches:
                if not batch.fault:
                    matched[self._found_in(batch, latest, by_key=by_key)[1]] = True
            for name, of_file in pd.Series(matched).groupby(latest["file"].to_numpy()):
                counts[str(name)] = [int((~of_file).sum()), len(of_file)]
        by = "prediction_id or key columns" if self._keys.key_columns else PREDICTION_ID
        return [
            f"{none:,} of {every:,} labels in '{name}' match no row: check their {by}."
            for name, (none, every) in counts.items()
            if none and (files is None or name in files)
        ]

    def _found_in(self, batch: Batch, latest: pd.DataFrame, *, by_key: bool) -> Found:
        known = (batch.name, by_key)
        if known not in self._found:
            none = np.zeros(0, dtype=np.intp)
            ids = self._ids_of(batch, by_key=by_key)
            places = np.concatenate(
                [none, *(latest.index.get_indexer(pd.Index(each)) for each in ids)]
            )
            at = np.flatnonzero(places >= 0)
            self._found[known] = at, places[at]
        return self._found[known]

    def _ids_of(self, batch: Batch, *, by_key: bool) -> Iterator[Hashes | list[str]]:
        """What a batch's rows are found by, part by part: ids take much memory."""
        if not by_key:
            hashes, occurrences = row_occurrences(batch, self._keys)
            for rows in batch.parts.slices:
                yield ids_of_rows(batch.name, hashes[rows], occurrences[rows])
        elif set(self._keys.key_columns) <= set(batch.parts.columns):  # else it cannot be used
            yield hashes_of_parts(batch.parts, list(self._keys.key_columns))

    def _fault_of(self, file: Batch) -> str:
        try:
            require_exact_keys(file, self._keys.key_columns)
        except DataError as error:
            return str(error)
        columns, target = file.table.columns, self._keys.target
        if target not in columns:
            return f"The label file '{file.name}' lacks the target column '{target}'."
        if PREDICTION_ID in columns:
            return ""
        lacking = [name for name in self._keys.key_columns if name not in columns]
        if not self._keys.key_columns or lacking:
            named = ", ".join(f"'{name}'" for name in lacking)
            return (
                f"The label file '{file.name}' does not say which rows it labels: it needs the "
                f"column '{PREDICTION_ID}'"
                + (f", or the key columns ({named} missing)." if lacking else ".")
            )
        return ""


def _takes_little(values: pd.Series) -> bool:
    """Whether a column is of a type that its objects would come back as."""
    return isinstance(values.dtype, pd.StringDtype) or values.dtype in (np.int64, np.float64)


def _known(ids: pd.Series, labels: pd.Series, file: str) -> pd.DataFrame:
    present = labels.notna().to_numpy()
    known = labels.astype(object).to_numpy()[present]
    return pd.DataFrame({"label": known, "file": file}, index=ids.to_numpy()[present])


def _latest(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The label of each id in the last file that has one, and whether another one was before."""
    if not parts:
        return pd.DataFrame({"label": [], "file": [], "contradicted": []}).astype(object)
    joined = pd.concat(parts)
    latest = joined[~joined.index.duplicated(keep="last")]
    again = joined[joined.index.duplicated(keep="last")]
    counts = latest["label"].reindex(again.index)
    differs = [not _same(a, b) for a, b in zip(again["label"], counts, strict=True)]
    return latest.assign(contradicted=latest.index.isin(again.index[differs]))


def _same(delivered: Any, filed: Any) -> bool:
    """Whether two labels agree; a missing one contradicts nothing."""
    if delivered is None or pd.isna(delivered):
        return True
    try:
        return float(delivered) == float(filed)
    except (TypeError, ValueError):
        return str(delivered) == str(filed)
