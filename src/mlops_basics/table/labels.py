"""Labels that come later, in files of their own, joined to rows by prediction id or by key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import Batch, LabelCount
from mlops_basics.table.row_hash import row_hashes

PREDICTION_ID = "prediction_id"


@dataclass(frozen=True)
class RowKeys:
    """What identifies a row: the user's key columns, or everything but target and ``exclude``.

    What is excluded is often not known yet when a prediction is made, and would change the id.
    """

    target: str
    exclude: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()

    def of(self, table: pd.DataFrame) -> list[str]:
        """The key columns of a table."""
        unseen = {self.target, *self.exclude}
        named = self.key_columns or [name for name in table.columns if name not in unseen]
        return [str(name) for name in named if name in table.columns]


def prediction_ids(batch: Batch, keys: RowKeys) -> list[str]:
    """Ids that labels can be joined to later: unique, and the same whichever release predicts.

    Of the batch's name, the row's values in the key columns, and how often these occurred before
    in the batch.
    """
    hashes = pd.Series(row_hashes(batch.table, keys.of(batch.table)))
    occurrence = hashes.groupby(hashes).cumcount()
    seeds = [f"{batch.name}|{h:016x}|{n}" for h, n in zip(hashes, occurrence, strict=True)]
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
                by_id.append(_known(file.table[PREDICTION_ID].map(str), file.table[keys.target]))
            else:
                hashes = row_hashes(file.table, list(keys.key_columns))
                by_key.append(_known(pd.Series(hashes), file.table[keys.target]))
        self._by_id, self._by_key = _latest(by_id), _latest(by_key)

    def fill(self, batch: Batch, rows: slice | None = None) -> tuple[pd.Series, LabelCount]:
        """The target of a batch's rows, raw as it was delivered.

        Args:
            batch: The whole file: prediction ids count how often a row occurred before in it.
            rows: Which of its rows are asked for, all if none are named.

        Returns:
            The target, shape (rows,), missing where no label is known, and how many there are.
            Where a label file contradicts the batch, the file counts.
        """
        table, target = batch.table, self._keys.target
        delivered = (
            table[target] if target in table.columns else pd.Series(np.nan, index=table.index)
        )
        filled = delivered.astype(object).where(delivered.notna(), None).reset_index(drop=True)
        conflicts = np.zeros(len(table), dtype=bool)
        for latest, by_key in ((self._by_id, False), (self._by_key, True)):
            if latest.empty:
                continue
            ids = row_hashes(table, list(self._keys.key_columns)) if by_key else None
            labels = pd.Series(prediction_ids(batch, self._keys) if ids is None else ids).map(
                latest
            )
            is_labelled = labels.notna().to_numpy()
            differs = np.array(
                [
                    not _same(a, b)
                    for a, b in zip(filled[is_labelled], labels[is_labelled], strict=True)
                ]
            )
            conflicts[np.flatnonzero(is_labelled)[differs.astype(bool)]] |= True
            filled = filled.where(~is_labelled, labels)
        rows = rows or slice(None)
        filled, conflicts = filled.iloc[rows], conflicts[rows]
        labelled = int(filled.notna().sum())
        count = LabelCount(rows=len(filled), labelled=labelled, conflicting=int(conflicts.sum()))
        values = filled.infer_objects() if labelled else filled.astype("float64")
        values.name = target
        values.index = table.index[rows]
        return values, count

    def _fault_of(self, file: Batch) -> str:
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


def _known(ids: pd.Series, labels: pd.Series) -> pd.Series:
    present = labels.notna().to_numpy()
    return pd.Series(labels.astype(object).to_numpy()[present], index=ids.to_numpy()[present])


def _latest(parts: Sequence[pd.Series]) -> pd.Series:
    if not parts:
        return pd.Series(dtype=object)
    joined: pd.Series = pd.concat(parts)
    return joined[~joined.index.duplicated(keep="last")]


def _same(delivered: Any, filed: Any) -> bool:
    """Whether two labels agree; a missing one contradicts nothing."""
    if delivered is None or pd.isna(delivered):
        return True
    try:
        return float(delivered) == float(filed)
    except (TypeError, ValueError):
        return str(delivered) == str(filed)
