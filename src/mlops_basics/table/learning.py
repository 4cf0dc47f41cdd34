"""The labelled rows of many batches: recipes learn from them, policies are tested on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    Hashes,
    Part,
    Parts,
    PreprocessingParams,
    TableInfo,
)

from .columns import batch_features
from .copies import copy_sets
from .joined import join_parts
from .labels import LabelBook
from .row_groups import raw_groups
from .row_hash import hashes_of_parts, smallest_hashes
from .target import target_values

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelledRows:
    """Rows whose target is known.

    Attributes:
        features: Typed as the model takes them, in parts; shape (rows, features).
        target: Values of a regression, or names of classes; shape (rows,).
        batch: Name of each row's batch, shape (rows,).
        position: Position of each row in its batch's file, shape (rows,).
        hashes: Of the rows' key columns, shape (rows,).
        groups: What may err together, a number a row; None where each row stands for itself.
    """

    features: Parts
    target: npt.NDArray[Any]
    batch: npt.NDArray[Any]
    position: npt.NDArray[np.int64]
    hashes: Hashes
    groups: Codes | None

    def __len__(self) -> int:
        return len(self.target)

    def where(self, rows: npt.NDArray[np.bool_]) -> LabelledRows:
        """Some of the rows, in their order."""
        if rows.all():
            return self
        at = _run(rows)
        return LabelledRows(
            features=self.features.where(rows).held(),
            target=self.target[at],
            batch=self.batch[at],
            position=self.position[at],
            hashes=self.hashes[at],
            groups=None if self.groups is None else self.groups[at],
        )

    def of(self, batches: Collection[str]) -> LabelledRows:
        """The rows of some batches."""
        return self.where(self.are_of(batches))

    def are_of(self, batches: Collection[str]) -> npt.NDArray[np.bool_]:
        """Which rows are of some batches, shape (rows,)."""
        return np.isin(self.batch, list(batches))

    def drawn(self, most: int | None, salt: str) -> LabelledRows:
        """All of the rows, or ``most`` of them: the sample of ``smallest_hashes``."""
        every = np.ones(len(self), dtype=bool)
        return self.where(smallest_hashes(self.hashes, every, salt, most))

    def of_classes(self, classes: Sequence[str]) -> LabelledRows:
        """The rows of some classes, which a model that knows these can learn; all without any."""
        return self.where(np.isin(self.target.astype(str), classes)) if classes else self


def _run(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | slice:
    """A mask, as a slice where its rows are neighbours, as those of a batch: it copies nothing."""
    if not rows.any():
        return rows
    begin, end = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
    return slice(begin, end) if rows[begin:end].all() else rows


def join_labelled(
    batches: Sequence[Batch], book: LabelBook, table: TableInfo, params: PreprocessingParams
) -> LabelledRows:
    """The labelled rows of several batches, in their order.

    Args:
        batches: At least one, each with the columns of the model; they were looked at before.
        book: The labels that came in files of their own.
        table: Of the model: its features, target and classes.
        params: Key columns, groups and time column.

    Raises:
        DataError: If a batch does not fit the model, or a label is no number where one is needed.
    """
    needed = {*table.features, *table.key_columns, *params.group_columns, params.split.time_column}
    columns = [
        name
        for name in dict.fromkeys(name for batch in batches for name in batch.parts.columns)
        if name in needed and name != table.target
    ]
    raw = join_parts({each.name: with_target(each, (*columns, BATCH_COLUMN)) for each in batches})
    filled = {each.name: Parts.of(book.fill(each)[0].to_frame()) for each in batches}
    target = join_parts(filled, mixed_allowed=[table.target])[table.target]
    position = np.concatenate([np.arange(len(batch.parts)) for batch in batches])
    return labelled_rows(raw.held(), target, position, table, params)


def with_target(batch: Batch, columns: Sequence[str], target: pd.Series | None = None) -> Parts:
    """Columns of a batch, missing where it lacks one, with its name and, where given, its target.

    Args:
        batch: As read.
        columns: Names, in order; ``BATCH_COLUMN`` may be one.
        target: Of its rows, named; in the place of what the batch holds.
    """
    parts = batch.parts
    values = [None if target is None else target.iloc[rows] for rows in parts.slices]
    names, known = [batch.name] * len(values), [parts.columns] * len(values)
    return parts.changed(_with_target, known, values, names, columns=columns)


def _with_target(
    part: Part, columns: list[str], known: tuple[str, ...], target: pd.Series | None, name: str
) -> pd.DataFrame:
    there = [each for each in columns if each in known]
    table = part.read(there) if there else pd.DataFrame(index=pd.RangeIndex(part.rows))
    table = table.reindex(columns=columns)
    if target is not None and target.name in table:
        table[target.name] = target.array
    if BATCH_COLUMN in table:
        table[BATCH_COLUMN] = pd.Series(name, index=table.index, dtype="str")
    return table


def labelled_rows(
    raw: Parts,
    target: pd.Series,
    position: npt.NDArray[np.int64],
    table: TableInfo,
    params: PreprocessingParams,
) -> LabelledRows:
    """The rows of a raw table whose target is known.

    Args:
        raw: Columns as collected, with each row's batch; shape (rows, columns).
        target: As collected, shape (rows,).
        position: Of each row in its batch's file, shape (rows,).
        table: Of the model.
        params: Key columns, groups and time column.
    """
    features = batch_features(Batch("the labelled batches", "", raw), table)
    target = target_values(target, table.task, table.positive_above)
    known = target.notna().to_numpy()
    keys = [name for name in table.key_columns if name in raw.columns]
    groups = raw_groups(raw, table, params).codes
    rows = LabelledRows(
        features=features,
        target=target.to_numpy() if target.dtype == np.float64 else _shared(target),
        batch=_shared(raw[BATCH_COLUMN]),
        position=position.astype(np.int64),
        hashes=hashes_of_parts(raw, keys),
        groups=groups,
    ).where(known)
    if groups is None and params.group_by != "none":
        rows = replace(rows, groups=copy_sets(rows.features, target[known]))
    return rows


def _shared(names: pd.Series) -> npt.NDArray[Any]:
    """Names as objects, of which equal ones are one."""
    codes, each = pd.factorize(names)
    return np.array([*each, np.nan], dtype=object)[codes]


def as_learned(target: npt.NDArray[Any], model: Any) -> npt.NDArray[Any]:
    """The target in the type that a model was fitted with: its predictions keep their type.

    Args:
        target: Names of classes, or values; shape (rows,).
        model: Fitted; the type of its ``classes_`` counts.
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        return target.astype(np.float64)
    if np.issubdtype(np.asarray(classes).dtype, np.integer):
        return target.astype(np.int64)
    return target.astype(object)
