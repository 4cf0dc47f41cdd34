"""Whether a batch can be watched now and trained on later, and why not.

What a training would refuse has to be named here: one bad file must not stop all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import (
    Batch,
    Parts,
    PreprocessingParams,
    Release,
    TableInfo,
    TargetRange,
)
from mlops_basics.table.checks import (
    column_kind,
    require_batch_columns,
    require_finite_batch,
    require_times,
    target_fault,
)
from mlops_basics.table.columns import batch_features, typed_column
from mlops_basics.table.guesses import require_exact_keys
from mlops_basics.table.joined import value_kind
from mlops_basics.table.plain import plain_column
from mlops_basics.table.target import target_range, target_values


def usable_features(
    batch: Batch, table: TableInfo, kinds: Mapping[str, str], params: PreprocessingParams
) -> Parts:
    """The features of a batch, shape (rows, features).

    Args:
        batch: As read.
        table: Of the release.
        kinds: What each column held when the release was trained, see ``column_kinds``.
        params: Target, excluded columns, key columns, time column.

    Raises:
        DataError: If it cannot be used; the message says why and what to do.
    """
    if batch.fault:
        raise DataError(batch.fault)
    _check_columns(batch, table, params)
    require_exact_keys(batch, params.key_columns)
    features = batch_features(batch, table)
    free = {params.target, params.split.time_column, *params.exclude}
    _check_kinds(batch, {name: kind for name, kind in kinds.items() if name not in free})
    if all(values.isna().all() for _, values in features.items()):
        raise DataError(
            f"The file '{batch.name}' holds no value in any of the model's {len(features.columns)} "
            "columns. Write it again."
        )
    require_finite_batch(batch, params.exclude)
    if params.split.time_column:
        known = (table.times or {}).get(params.split.time_column)
        require_times(batch.parts[params.split.time_column], batch.name, known)
    if params.target in batch.parts.columns:
        fault = target_fault(batch.parts[params.target], table)
        if fault:
            raise DataError(f"The file '{batch.name}' cannot be learned from: {fault}")
    return features


def column_kinds(release: Release, tables: Sequence[Parts]) -> dict[str, str]:
    """What each column held when the release was trained: "numbers", "times" or "text".

    Args:
        release: Whose features are known.
        tables: Batches that it was trained on, for the other columns.
    """
    info = release.table
    kinds: dict[str, str] = {}
    if info.times is not None:
        kinds = dict.fromkeys(info.features, "text") | dict.fromkeys(info.numeric, "numbers")
        kinds |= dict.fromkeys(info.times, "times")
    sample = release.reference.sample if release.reference else pd.DataFrame()
    features = [name for name in release.table.features if name in sample]
    for table in (Parts.of(sample[features]), *tables):
        for name in table.columns:
            if not kinds.get(name):
                kinds[name] = column_kind(table[name])
    return kinds


def checked_labels(files: Sequence[Batch], table: TableInfo) -> list[Batch]:
    """Label files; those whose labels no training could use become some with a fault.

    Args:
        files: As read, in the order of their names: a quantity may move on from file to file, but
            not jump into another unit.
        table: Of the release.
    """
    checked = []
    for file in files:
        if file.fault or table.target not in file.parts.columns:
            checked.append(file)
            continue
        target = file.parts[table.target]
        fault = target_fault(target, table)
        if fault:
            fault = f"The label file '{file.name}' cannot be used: {fault}"
        else:
            table = with_target_seen(table, target)
        checked.append(replace(file, fault=fault))
    return checked


def with_target_seen(table: TableInfo, target: pd.Series) -> TableInfo:
    """The table with the range that its target has by now, after a batch that can be used.

    Args:
        table: Of the release.
        target: Raw, missing labels included.
    """
    if table.target_range is None:
        return table
    seen = target_range(target_values(target, table.task, table.positive_above).dropna())
    if seen is None:
        return table
    known = table.target_range
    wider = TargetRange(
        low=min(known.low, seen.low), median=seen.median, high=max(known.high, seen.high)
    )
    return table.model_copy(update={"target_range": wider})


def _check_columns(batch: Batch, table: TableInfo, params: PreprocessingParams) -> None:
    time_column = params.split.time_column
    always = {*params.key_columns, *params.group_columns, *([time_column] if time_column else [])}
    require_batch_columns(
        batch,
        sorted({*table.features, *table.dropped_columns, *always}),
        {params.target, *params.exclude} - always,
        of="that the release was trained on",
        remedy="Mend the file; to make a new column a feature, add it to all files (empty values "
        "are allowed).",
    )


def _check_kinds(batch: Batch, kinds: Mapping[str, str]) -> None:
    for name, before in kinds.items():
        values = batch.parts[name] if name in batch.parts.columns else pd.Series(dtype="float64")
        typed_column(values)  # refuses lists and the like, also where nothing was known before
        kinds_now = {value_kind(plain_column(values)), column_kind(values)}  # "text", and "times"
        if "" not in kinds_now and before and before not in kinds_now:
            now = value_kind(plain_column(values))
            hint = ""
            if {now, before} == {"numbers", "text"}:
                hint = ", or, if it is text that looks like numbers, add it to `text_columns`"
            raise DataError(
                f"The file '{batch.name}' holds {now} in its column '{name}', which held {before} "
                f"when the release was trained. Mend the file{hint}."
            )
