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
    PreprocessingParams,
    TableInfo,
)

from .columns import batch_features
from .copies import copy_sets
from .joined import join_tables
from .labels import LabelBook
from .row_groups import raw_groups
from .row_hash import row_hashes
from .target import target_values

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelledRows:
    """Rows whose target is known.

    Attributes:
        features: Typed as the model takes them, shape (rows, features).
        target: Values of a regression, or names of classes; shape (rows,).
        batch: Name of each row's batch, shape (rows,).
        position: Position of each row in its batch's file, shape (rows,).
        hashes: Of the rows' key columns, shape (rows,).
        groups: What may err together, a number a row; None where each row stands for itself.
    """

    features: pd.DataFrame
    target: npt.NDArray[Any]
    batch: npt.NDArray[Any]
    position: npt.NDArray[np.int64]
    hashes: Hashes
    groups: Codes | None

    def __len__(self) -> int:
        return len(self.target)

    def where(self, rows: npt.NDArray[np.bool_]) -> LabelledRows:
        """Some of the rows, in their order."""
        return LabelledRows(
            features=self.features[rows].reset_index(drop=True),
            target=self.target[rows],
            batch=self.batch[rows],
            position=self.position[rows],
            hashes=self.hashes[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def of(self, batches: Collection[str]) -> LabelledRows:
        """The rows of some batches."""
        return self.where(np.isin(self.batch, list(batches)))

    def of_classes(self, classes: Sequence[str]) -> LabelledRows:
        """The rows of some classes, which a model that knows these can learn; all without any."""
        return self.where(np.isin(self.target.astype(str), classes)) if classes else self


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
    parts = {}
    for batch in batches:
        part = batch.table.copy()
        part[table.target], part[BATCH_COLUMN] = book.fill(batch)[0], batch.name
        parts[batch.name] = part
    columns = list(dict.fromkeys(name for part in parts.values() for name in part.columns))
    needed = {*table.features, *table.key_columns, *params.group_columns, params.split.time_column}
    raw = join_tables(
        {name: part.reindex(columns=columns) for name, part in parts.items()},
        mixed_allowed=[name for name in columns if name not in needed],
    )
    position = np.concatenate([np.arange(len(part)) for part in parts.values()])
    return labelled_rows(raw, position, table, params)


def labelled_rows(
    raw: pd.DataFrame,
    position: npt.NDArray[np.int64],
    table: TableInfo,
    params: PreprocessingParams,
) -> LabelledRows:
    """The rows of a raw table whose target is known.

    Args:
        raw: Columns as collected, with each row's batch; shape (rows, columns).
        position: Of each row in its batch's file, shape (rows,).
        table: Of the model.
        params: Key columns, groups and time column.
    """
    features = batch_features(Batch.of("the labelled batches", "", raw), table)
    target = target_values(raw[table.target], table.task, table.positive_above)
    keys = [name for name in table.key_columns if name in raw.columns]
    known = target.notna().to_numpy()
    groups = raw_groups(raw, table, params).codes
    rows = LabelledRows(
        features=features,
        target=target.to_numpy(),
        batch=raw[BATCH_COLUMN].to_numpy(dtype=object),
        position=position.astype(np.int64),
        hashes=row_hashes(raw, keys),
        groups=groups,
    ).where(known)
    if groups is None and params.group_by != "none":
        rows = replace(rows, groups=copy_sets(rows.features, target[known]))
    return rows


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
