"""Nodes of the data_collection pipeline."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    BatchRecord,
    CollectionParams,
    CollectionReport,
    Part,
    Parts,
)
from mlops_basics.table.checks import require_batch_columns
from mlops_basics.table.engine import reduce_parts
from mlops_basics.table.guesses import guess_warnings, require_exact_keys
from mlops_basics.table.joined import join_parts
from mlops_basics.table.labels import LabelBook, RowKeys
from mlops_basics.table.row_hash import content_digest, joined_digest, row_hashes


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
        tables[batch.name] = _collected(batch, order, target)
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
            drawn = np.sort(rng.choice(len(table), params.num_instances, replace=False))
            table = _drawn(table, drawn)
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


def _collected(batch: Batch, order: list[str], target: pd.Series | None) -> Parts:
    """A batch's table with the columns of all, and its name; and its target, where given."""
    parts = batch.parts
    values = [None if target is None else target.iloc[rows] for rows in parts.slices]
    names = [batch.name] * len(parts.parts)
    return parts.changed(
        _with_name,
        [parts.columns] * len(parts.parts),
        values,
        names,
        columns=(*order, BATCH_COLUMN),
    )


def _with_name(
    part: Part, columns: list[str], known: tuple[str, ...], target: pd.Series | None, name: str
) -> pd.DataFrame:
    table = part.read([each for each in columns if each in known]).reindex(columns=columns)
    if target is not None and target.name in table:
        table[target.name] = target.array
    if BATCH_COLUMN in table:
        table[BATCH_COLUMN] = pd.Series(name, index=table.index, dtype="str")
    return table


def _labelled(
    batch: Batch, order: list[str], target: pd.Series | None, params: CollectionParams
) -> int | None:
    """How many rows of a batch have a target; None where no batch has one."""
    if params.target is None or params.target not in order:
        return None
    if target is None and params.target in batch.parts.columns:
        target = batch.parts[params.target]
    return 0 if target is None else int(target.notna().sum())


def _drawn(table: Parts, positions: npt.NDArray[np.int64]) -> Parts:
    """Some rows of a table, by their positions in order."""
    of_each = [
        positions[np.searchsorted(positions, rows.start) : np.searchsorted(positions, rows.stop)]
        - rows.start
        for rows in table.slices
    ]
    rows = [len(each) for each in of_each]
    return table.changed(_rows_at, of_each, columns=table.columns, rows=rows)


def _rows_at(part: Part, columns: list[str], positions: npt.NDArray[np.int64]) -> pd.DataFrame:
    return part.read(columns).iloc[positions]


def _content(batch: Batch, params: CollectionParams) -> str:
    """A digest of a batch's rows; empty where a column cannot be compared."""
    if params.target is None:
        return ""
    columns = RowKeys(params.target, params.exclude).of(batch.parts.columns)
    try:
        return reduce_parts(partial(_digest, columns), _joined, batch.parts.parts)
    except DataError:  # what it cannot be used for is said where it is used
        return ""


def _joined(one: str, other: str) -> str:
    return joined_digest([one, other])


def _digest(columns: list[str], part: Part) -> str:
    return content_digest(row_hashes(part.read(columns), columns))


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
