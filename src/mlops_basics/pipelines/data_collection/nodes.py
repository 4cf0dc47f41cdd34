"""Nodes of the data_collection pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    BatchRecord,
    CollectionParams,
    CollectionReport,
)
from mlops_basics.table.checks import require_batch_columns
from mlops_basics.table.guesses import guess_warnings, require_exact_keys
from mlops_basics.table.joined import join_tables
from mlops_basics.table.labels import LabelBook, RowKeys
from mlops_basics.table.row_hash import content_digest, row_hashes


def collect_batches(
    source: list[Batch], labels: list[Batch], params: CollectionParams
) -> tuple[pd.DataFrame, CollectionReport]:
    """Join the batches into one table that names each row's batch, or draw a sample of it.

    Args:
        source: Batches, in the order of their names. One may lack the target, which is still to
            come, and what is excluded from the model; it then holds missing values.
        labels: Label files: their targets are filled in.
        params: Which batches to leave out, and how many rows to draw; these keep their order.

    Returns:
        The raw table and a report of the batches.

    Raises:
        DataError: If a batch cannot be read, does not have the columns of the others, or uses a
            reserved name.
    """
    batches = [batch for batch in source if batch.name not in params.skip]
    book = _read_labels([file for file in labels if file.name not in params.skip], params)
    for batch in batches:
        if batch.fault:
            raise DataError(batch.fault)
        require_exact_keys(batch, params.key_columns)
    if not batches:
        raise DataError(
            f"All of the source ({plural(len(source), 'file')}) is left out (collection.skip): "
            "nothing is left to learn from."
        )
    first = _fullest(batches, params)
    order = list(first.table.columns)
    for batch in batches:
        require_batch_columns(
            batch,
            order,
            {params.target, *params.exclude} & set(order),
            of=f"of '{first.name}'",
            remedy="All batches of a source need the same columns.",
        )
    tables, records, conflicting = {}, [], 0
    for batch in batches:
        table = batch.table.reindex(columns=order)
        if params.target in table and book is not None:
            table[params.target], count = book.fill(batch)
            conflicting += count.conflicting
        labelled = int(table[params.target].notna().sum()) if params.target in table else None
        tables[batch.name] = table.assign(**{BATCH_COLUMN: batch.name})
        records.append(
            BatchRecord(
                name=batch.name,
                sha256=batch.sha256,
                rows=len(table),
                labelled=labelled,
                content=_content(batch, params),
            )
        )
    table = join_tables(tables, params.exclude)
    warnings = guess_warnings([*batches, *labels], params.exclude)
    if book is not None:
        warnings += book.unmatched(batches)
    if conflicting:
        warnings.append(f"{conflicting:,} labels were contradicted by a later file, which counts.")
    table[BATCH_COLUMN] = table[BATCH_COLUMN].astype("str")
    rows_in_source = len(table)
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
    # Last: a terminal shows the first ones, and these are known.
    warnings += [
        f"The file '{name}' is left out, as asked for (collection.skip)."
        for name in params.skip
        if name in {file.name for file in (*source, *labels)}
    ]
    report = CollectionReport(
        batches=tuple(records),
        rows_in_source=rows_in_source,
        rows=len(table),
        columns=len(order),
        warnings=tuple(warnings),
    )
    return table, report


def _content(batch: Batch, params: CollectionParams) -> str:
    """A digest of a batch's rows; empty where a column cannot be compared."""
    if params.target is None:
        return ""
    columns = RowKeys(params.target, params.exclude).of(batch.table)
    try:
        return content_digest(row_hashes(batch.table, columns))
    except DataError:  # what it cannot be used for is said where it is used
        return ""


def _read_labels(labels: list[Batch], params: CollectionParams) -> LabelBook | None:
    if not labels or params.target is None:
        return None
    book = LabelBook(labels, RowKeys(params.target, params.exclude, params.key_columns))
    for fault in book.faults.values():
        raise DataError(fault)
    return book


def _fullest(batches: list[Batch], params: CollectionParams) -> Batch:
    """The batch whose columns all others need: the first one with the most of what may lack."""
    late = {params.target, *params.exclude}
    return max(batches, key=lambda batch: len(late & set(batch.table.columns)))
