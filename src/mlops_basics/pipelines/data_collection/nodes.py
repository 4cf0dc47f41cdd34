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
    Parts,
)
from mlops_basics.table.checks import require_batch_columns
from mlops_basics.table.guesses import guess_warnings, require_exact_keys
from mlops_basics.table.joined import join_parts
from mlops_basics.table.labels import LabelBook, RowKeys
from mlops_basics.table.learning import with_target
from mlops_basics.table.row_hash import digest_of_parts


def collect_batches(
    source: list[Batch], labels: list[Batch], params: CollectionParams
) -> tuple[Parts, CollectionReport]:
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
    order = list(first.parts.columns)
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
        target = None
        if params.target in order and book is not None:
            target, count = book.fill(batch)
            conflicting += count.conflicting
        tables[batch.name] = with_target(batch, (*order, BATCH_COLUMN), target)
        records.append(
            BatchRecord(
                name=batch.name,
                sha256=batch.sha256,
                rows=len(batch.parts),
                labelled=_labelled(batch, order, target, params),
                content=_content(batch, params),
            )
        )
    table = join_parts(tables, params.exclude).gathered().held()
    warnings = guess_warnings([*batches, *labels], params.exclude)
    if book is not None:
        warnings += book.unmatched(batches)
    if conflicting:
        warnings.append(f"{conflicting:,} labels were contradicted by a later file, which counts.")
    rows_in_source = len(table)
    if params.num_instances is not None:
        if params.num_instances < len(table):
            rng = np.random.default_rng(params.seed)
            drawn = np.zeros(len(table), dtype=bool)
            drawn[rng.choice(len(table), params.num_instances, replace=False)] = True
            table = table.where(drawn)
        elif params.num_instances > len(table):
            warnings.append(
                f"num_instances is {params.num_instances}, but the source has "
                f"{plural(len(table), 'row')}: "
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


def _labelled(
    batch: Batch, order: list[str], target: pd.Series | None, params: CollectionParams
) -> int | None:
    """How many rows of a batch have a target; None where no batch has one."""
    if params.target is None or params.target not in order:
        return None
    if target is None and params.target in batch.parts.columns:
        target = batch.parts[params.target]
    return 0 if target is None else int(target.notna().sum())


def _content(batch: Batch, params: CollectionParams) -> str:
    """A digest of a batch's rows; empty where a column cannot be compared."""
    if params.target is None:
        return ""
    columns = RowKeys(params.target, params.exclude).of(batch.parts.columns)
    try:
        return digest_of_parts(batch.parts, columns)
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
    return max(batches, key=lambda batch: len(late & set(batch.parts.columns)))
