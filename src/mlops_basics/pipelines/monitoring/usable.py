"""Whether a batch can be watched now and trained on later, and why not.

Whatever a training would refuse has to be named here: one bad file must not stop all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import (
    Batch,
    PreprocessingParams,
    Release,
    TableInfo,
)
from mlops_basics.table.checks import column_difference, refuse_reserved
from mlops_basics.table.columns import batch_features, read_times, typed_column
from mlops_basics.table.target import target_values


def usable_features(
    batch: Batch, table: TableInfo, kinds: Mapping[str, str], params: PreprocessingParams
) -> pd.DataFrame:
    """The features of a batch, shape (rows, features).

    Args:
        batch: As read.
        table: Of the release.
        kinds: What each column held when the release was trained, see ``column_kinds``.
        params: Target, excluded columns, key columns, time column.

    Raises:
        DataError: If it cannot be used; the message says why and what to do.
    """
    features = batch_features(batch, table)
    _check_columns(batch, table, params)
    _check_kinds(batch, {name: kind for name, kind in kinds.items() if name != params.target})
    if features.isna().all(axis=None):
        raise DataError(
            f"The file '{batch.name}' holds no value in any of the model's {len(features.columns)} "
            "columns. Write it again."
        )
    _check_finite(batch, params)
    if params.split.time_column:
        _check_times(batch, params.split.time_column)
    if params.target in batch.table.columns:
        fault = target_fault(batch.table[params.target], table)
        if fault:
            raise DataError(f"The file '{batch.name}' cannot be learned from: {fault}")
    return features


def target_fault(values: pd.Series, table: TableInfo) -> str:
    """Why a target cannot be one of the release's, empty if it can (also if none is known yet)."""
    try:
        labels = target_values(values, table.task, table.positive_above).dropna()
    except DataError as error:
        return str(error)
    if table.task == "regression":
        infinite = int(np.isinf(labels.to_numpy(dtype=np.float64)).sum())
        return f"its target is infinite in {infinite} rows. Mend it." if infinite else ""
    if labels.empty or labels.isin(table.classes).any():
        return ""
    return (
        f"its target holds none of the release's classes ({', '.join(table.classes[:5])}), but "
        f"{str(labels.iloc[0])[:60]!r}. Were they renamed? Mend it; to learn new classes on "
        "purpose: kedro run"
    )


def column_kinds(release: Release, tables: Sequence[pd.DataFrame]) -> dict[str, str]:
    """What each column holds, "number", "time" or "text", in the reference and in older tables."""
    kinds: dict[str, str] = {}
    sample = release.reference.sample if release.reference else pd.DataFrame()
    features = [name for name in release.table.features if name in sample]
    for table in (sample[features], *tables):
        for name in table.columns:
            if not kinds.get(str(name)):
                kinds[str(name)] = kind_of(table[name])
    return kinds


def kind_of(values: pd.Series) -> str:
    """What a column holds; empty where no value is known, or none of these."""
    if values.isna().all():
        return ""
    try:
        dtype = typed_column(values).dtype
    except DataError:
        return "a mixture"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "time"
    return "number" if dtype == np.float64 else "text"


def _check_columns(batch: Batch, table: TableInfo, params: PreprocessingParams) -> None:
    refuse_reserved(batch)
    time_column = params.split.time_column
    always = {*params.key_columns, *params.group_columns, *([time_column] if time_column else [])}
    needed = {*table.features, *table.dropped_columns, *always}
    may_lack = {params.target, *params.exclude} - always
    lacking = sorted(needed - may_lack - set(batch.table.columns))
    added = [str(name) for name in batch.table.columns if name not in needed | may_lack]
    if difference := column_difference(lacking, added):
        raise DataError(
            f"The file '{batch.name}' does not have the columns that the release was trained on: "
            f"it {difference}. Mend the file; to make a new column a feature, add it to "
            "all files (empty values are allowed)."
        )


def _check_kinds(batch: Batch, kinds: Mapping[str, str]) -> None:
    for name, before in kinds.items():
        now = kind_of(batch.table[name]) if name in batch.table.columns else ""
        if now and before and now != before:
            hint = ""
            if {now, before} == {"number", "text"}:
                hint = ", or, if it is text that looks like numbers, add it to `text_columns`"
            raise DataError(
                f"The file '{batch.name}' holds {now} in its column '{name}', which held {before} "
                f"when the release was trained. Mend the file{hint}."
            )


def _check_finite(batch: Batch, params: PreprocessingParams) -> None:
    for name in batch.table.columns:
        values = batch.table[name]
        if name in params.exclude or not pd.api.types.is_float_dtype(values.dtype):
            continue
        infinite = int(np.isinf(values.to_numpy(dtype=np.float64, na_value=np.nan)).sum())
        if infinite:
            raise DataError(
                f"The file '{batch.name}' is infinite in {infinite} rows of its column '{name}'. "
                "Replace these by a number or by a missing value."
            )


def _check_times(batch: Batch, name: str) -> None:
    try:
        times = read_times(batch.table[name])
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The file '{batch.name}' holds a value in its time column '{name}' that is no time "
            f"({error}). Mend it."
        ) from error
    if times.isna().any():
        raise DataError(
            f"The time column '{name}' of the file '{batch.name}' is missing in "
            f"{int(times.isna().sum())} of {len(times)} rows. Fill it in, or remove these rows."
        )
