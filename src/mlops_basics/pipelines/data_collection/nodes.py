"""Nodes of the data_collection pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import (
    BATCH_COLUMN,
    RESERVED_COLUMNS,
    Batch,
    BatchRecord,
    CollectionParams,
    CollectionReport,
)


def collect_batches(
    source: list[Batch], params: CollectionParams
) -> tuple[pd.DataFrame, CollectionReport]:
    """Join the batches into one table that names each row's batch, or draw a sample of it.

    Args:
        source: Batches, in the order of their names.
        params: How many rows to draw; the rows drawn keep their order.

    Returns:
        The raw table and a report of the batches.

    Raises:
        DataError: If the batches do not have the same columns, or use a reserved name.
    """
    first = source[0]
    for batch in source:
        _check_columns(batch, first)
    order = list(first.table.columns)
    tables = [batch.table[order].assign(**{BATCH_COLUMN: batch.name}) for batch in source]
    table = pd.concat(tables, ignore_index=True)
    table[BATCH_COLUMN] = table[BATCH_COLUMN].astype("str")
    rows_in_source, warnings = len(table), []
    if params.num_instances is not None:
        if params.num_instances < len(table):
            rng = np.random.default_rng(params.seed)
            drawn = np.sort(rng.choice(len(table), params.num_instances, replace=False))
            table = table.iloc[drawn].reset_index(drop=True)
        elif params.num_instances > len(table):
            warnings.append(
                f"num_instances is {params.num_instances}, but the source has {len(table)} rows: "
                "all are used."
            )
    report = CollectionReport(
        batches=tuple(
            BatchRecord(name=batch.name, sha256=batch.sha256, rows=len(batch.table))
            for batch in source
        ),
        rows_in_source=rows_in_source,
        rows=len(table),
        columns=len(order),
        warnings=tuple(warnings),
    )
    return table, report


def _check_columns(batch: Batch, first: Batch) -> None:
    reserved = [name for name in RESERVED_COLUMNS if name in batch.table.columns]
    if reserved:
        raise DataError(
            f"The file '{batch.name}' has a column '{reserved[0]}', a name that is reserved here. "
            "Rename the column."
        )
    lacking = [str(name) for name in first.table.columns if name not in batch.table.columns]
    added = [str(name) for name in batch.table.columns if name not in first.table.columns]
    if lacking or added:
        parts = [
            f"{what} {', '.join(repr(name) for name in names[:5])}"
            for what, names in (("lacks", lacking), ("adds", added))
            if names
        ]
        raise DataError(
            f"The file '{batch.name}' does not have the columns of '{first.name}': it "
            f"{' and '.join(parts)}. All batches of a source need the same columns."
        )
