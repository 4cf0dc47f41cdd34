"""Ids of a batch's rows, as inference gives them."""

from __future__ import annotations

from mlops_basics.schemas import Batch
from mlops_basics.table.labels import RowKeys, ids_of_rows, row_occurrences


def prediction_ids(batch: Batch, keys: RowKeys) -> list[str]:
    """Of all its rows."""
    return ids_of_rows(batch.name, *row_occurrences(batch, keys))
