"""Nodes of the data_preprocessing pipeline. Nothing here is fitted: that is the model's part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError, LineageError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    COPY_COLUMN,
    ROW_HASH_COLUMN,
    PreprocessingParams,
    SplitParams,
    SplitReport,
    TableInfo,
    TargetInfo,
)
from mlops_basics.table.checks import require_columns, require_times
from mlops_basics.table.columns import typed_features
from mlops_basics.table.copies import Codes, copy_sets
from mlops_basics.table.row_hash import row_hashes, salted_fractions
from mlops_basics.table.target import alike_classes, class_names, read_target, target_range
from mlops_basics.table.typing_losses import rounding_warnings, stray_warnings
from mlops_basics.table.useless import identifying_columns, useless_columns

MIN_PERIOD_SHARE = 0.1  # of the median period's rows; a last period with fewer has only begun


def label_rows(
    raw_data: pd.DataFrame, params: PreprocessingParams
) -> tuple[pd.DataFrame, TargetInfo]:
    """Read the target, leave out the rows that have none, and give each row its hash.

    Args:
        raw_data: The collected table.
        params: What the table means.

    Returns:
        The rows with a target (row hash, then the columns as collected, the target as it is
        learned), and how the target was read.

    Raises:
        ConfigurationError: If a named column does not exist.
        DataError: If the target cannot be learned.
    """
    _require_named_columns(raw_data, params)
    target, task = read_target(raw_data[params.target], params.task, params.positive_above)
    has_target = target.notna().to_numpy()
    keys = list(params.key_columns) or _candidates(raw_data, params)
    target = target[has_target]
    labelled = raw_data[has_target].copy()
    labelled[params.target] = target.astype("int64") if str(target.dtype) == "Int64" else target
    labelled.insert(0, ROW_HASH_COLUMN, row_hashes(labelled, keys))
    info = TargetInfo(
        target=params.target,
        task=task,
        task_asked=params.task,
        positive_above=params.positive_above,
        key_columns=tuple(sorted(keys)),
        missing_target_rows=int((~has_target).sum()),
    )
    return labelled.reset_index(drop=True), info


def preprocess_data(
    labelled_data: pd.DataFrame, target_info: TargetInfo, params: PreprocessingParams
) -> tuple[pd.DataFrame, TableInfo]:
    """Type the columns, and drop those that nothing can be learned from.

    Args:
        labelled_data: The rows that have a target.
        target_info: How it was read.
        params: What the table means.

    Returns:
        The typed table (row hash, batch, time column and groups if any, features, target) and what
        is known about it.

    Raises:
        ConfigurationError: If a named column does not exist.
        LineageError: If the target was read under other parameters.
        DataError: If no feature remains, or a time cannot be read.
    """
    _require_named_columns(labelled_data, params)
    candidates = _candidates(labelled_data, params)
    _require_same_target(target_info, candidates, params)
    time_column = params.split.time_column
    features, times = typed_features(
        labelled_data,
        [column for column in candidates if column != time_column],
        params.text_columns,
    )
    dropped = useless_columns(features)
    features = features.drop(columns=list(dropped))
    if features.columns.empty:
        raise DataError(
            "No feature column remains beside the target: all others are excluded, empty or "
            "constant. Check `exclude` in globals.yml."
        )
    hashes, target = labelled_data[ROW_HASH_COLUMN], labelled_data[params.target]
    result = features.copy()
    result.insert(0, ROW_HASH_COLUMN, hashes)
    result.insert(1, BATCH_COLUMN, labelled_data[BATCH_COLUMN])
    if params.group_column:
        result.insert(2, params.group_column, row_hashes(labelled_data, params.group_columns))
    if time_column:
        read, times[time_column] = require_times(labelled_data[time_column])
        result.insert(2, time_column, read)
    copies = None if params.group_by == "none" else copy_sets(features, target)
    if copies is not None:
        result.insert(2, COPY_COLUMN, copies)
    result[params.target] = target
    of_all_columns = set(target_info.key_columns) == set(candidates)
    whole_rows = hashes if of_all_columns else row_hashes(labelled_data, candidates)
    duplicates = int(pd.DataFrame({"row": whole_rows, "target": target}).duplicated().sum())
    classification = target_info.task != "regression"
    missing = target_info.missing_target_rows
    info = TableInfo(
        task=target_info.task,
        target=params.target,
        classes=class_names(target) if classification else (),
        features=tuple(features.columns),
        numeric=tuple(str(column) for column in features if features[column].dtype == np.float64),
        times={name: order for name, order in times.items() if name in result},
        key_columns=target_info.key_columns,
        positive_above=params.positive_above,
        target_range=None if classification else target_range(target),
        rows=len(result),
        duplicate_rows=duplicates,
        missing_target_rows=missing,
        dropped_columns=dropped,
        warnings=(
            *_warnings(target, classification, params, dropped, missing, duplicates),
            *_identifiers(features),
            *rounding_warnings(labelled_data, features.columns),
            *stray_warnings(features, labelled_data[BATCH_COLUMN], params.text_columns),
            *_copies(copies),
        ),
    )
    return result, info


def split_data(
    preprocessed_data: pd.DataFrame, table_info: TableInfo, params: PreprocessingParams
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, SplitReport]:
    """Divide the rows into train, valid and test, by their hash or by time.

    By hash, a row's side depends on its key columns and the salt alone: it never changes, and
    equal rows stay together. By time, the latest period is test, the one before it valid.

    Returns:
        Train, valid and test rows, and how they were divided.

    Raises:
        DataError: If a set is smaller than ``min_rows``, or train has one class only.
    """
    split = params.split
    if split.time_column is None:
        side = _sides_by_hash(preprocessed_data, split)
        boundaries: dict[str, str] = {}
    else:
        side, boundaries = _sides_by_time(preprocessed_data[split.time_column], split)
    parts = {
        name: preprocessed_data[side == name].reset_index(drop=True)
        for name in ("train", "valid", "test")
    }
    rows = {name: len(part) for name, part in parts.items()}
    for name, count in rows.items():
        if count < split.min_rows:
            raise DataError(
                f"Of {len(preprocessed_data)} rows, {rows['train']} are train, {rows['valid']} "
                f"valid and {rows['test']} test: {name} needs at least {split.min_rows} "
                "(preprocessing.split.min_rows). Collect more rows, or change the split."
            )
    shares: dict[str, dict[str, float]] = {}
    warnings: list[str] = []
    if table_info.task != "regression":
        shares = {name: _class_shares(part[table_info.target]) for name, part in parts.items()}
        warnings = _class_warnings(table_info, shares)
        if len(shares["train"]) < 2:
            raise DataError(
                f"All {rows['train']} train rows are of one class, '{next(iter(shares['train']))}'."
                " Collect more rows of the others, or change split_salt in globals.yml."
            )
    report = SplitReport(
        method="hash" if split.time_column is None else "time",
        rows=rows,
        boundaries=boundaries,
        class_shares=shares,
        warnings=tuple(warnings),
    )
    return parts["train"], parts["valid"], parts["test"], report


def _candidates(table: pd.DataFrame, params: PreprocessingParams) -> list[str]:
    """The columns that may become features, and the time column."""
    unseen = {params.target, BATCH_COLUMN, ROW_HASH_COLUMN, *params.exclude}
    return [column for column in table.columns if column not in unseen]


def _require_named_columns(table: pd.DataFrame, params: PreprocessingParams) -> None:
    """Raise ConfigurationError for an option that names no column, or the target twice."""
    time_column = params.split.time_column
    require_columns("target", [params.target], table)
    require_columns("exclude", params.exclude, table)
    require_columns("key_columns", params.key_columns, table)
    require_columns("group_by", params.group_columns, table)
    require_columns("time_column", [time_column] if time_column else [], table)
    if params.target in (*params.exclude, *params.key_columns, time_column):
        raise ConfigurationError(
            f"The target '{params.target}' cannot also be excluded, a key or the time column. "
            "Correct globals.yml."
        )
    if params.target in params.group_columns:
        raise ConfigurationError(
            f"The target '{params.target}' cannot also be `group_by`: rows of one class would "
            "count as one. Name another column in globals.yml, or none."
        )


def _require_same_target(
    info: TargetInfo, candidates: list[str], params: PreprocessingParams
) -> None:
    keys = tuple(sorted(params.key_columns or candidates))
    read = (info.target, info.task_asked, info.positive_above, info.key_columns)
    if read != (params.target, params.task, params.positive_above, keys):
        raise LineageError(
            f"The target '{info.target}' and the rows' hashes were read under other options "
            "(target, task, positive_above, exclude or key_columns). "
            "Run again from there: kedro run --from-nodes data_preprocessing.label_rows"
        )


def _warnings(
    target: pd.Series,
    classification: bool,
    params: PreprocessingParams,
    dropped: dict[str, str],
    missing: int,
    duplicates: int,
) -> list[str]:
    warnings = [f"Column '{name}' is dropped: {reason}." for name, reason in dropped.items()]
    if missing:
        warnings.append(f"{plural(missing, 'row')} without a target left out.")
    if duplicates:
        warnings.append(
            f"{plural(duplicates, 'row')} exactly like another; equal rows are kept in one set."
        )
    if classification:
        counts = target.value_counts()
        rare = counts[counts < params.rare_class_rows]
        warnings += alike_classes(class_names(target))
        warnings += [
            f"Class '{name}' has {plural(count, 'row')} only: its predictions cannot be judged."
            for name, count in rare.items()
        ]
    return warnings


def _identifiers(features: pd.DataFrame) -> list[str]:
    """Warnings of columns that may identify rows."""
    return [
        f"Column '{name}' has another value in every row: if it identifies rows, add it "
        "to `exclude` in globals.yml."
        for name in identifying_columns(features)
    ]


def _copies(copies: Codes | None) -> list[str]:
    if copies is None:
        return []
    further = len(copies) - len(np.unique(copies))
    return [
        f"{plural(further, 'row')} repeated, target included, which chance would not do: copies "
        "of a row count as one in every comparison and interval. Where each is an observation "
        "of its own, say so in globals.yml: `group_by: none`."
    ]


def _sides_by_hash(table: pd.DataFrame, split: SplitParams) -> np.ndarray:
    fractions = salted_fractions(table[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64), split.salt)
    train_below = 1 - split.valid_fraction - split.test_fraction
    side = np.where(fractions < train_below, "train", "valid")
    return np.where(fractions >= 1 - split.test_fraction, "test", side)


def _sides_by_time(times: pd.Series, split: SplitParams) -> tuple[np.ndarray, dict[str, str]]:
    periods = times.dt.to_period(split.period)
    present = sorted(periods.unique())
    if len(present) > 3 and _has_only_begun(periods, present[-1]):
        present.pop()  # what it holds is judged with the period before
    if len(present) < 3:
        raise DataError(
            f"The time column '{times.name}' covers {len(present)} periods of length "
            f"'{split.period}', but train, valid and test need one each. Choose a shorter `period` "
            "in globals.yml, or set time_column: null."
        )
    valid, test = present[-2], present[-1]
    side = np.where(periods < valid, "train", np.where(periods < test, "valid", "test"))
    boundaries = {
        "train_from": times.min().isoformat(),
        "valid_from": valid.start_time.isoformat(),
        "test_from": test.start_time.isoformat(),
        "test_to": times.max().isoformat(),
    }
    return side, boundaries


def _has_only_begun(periods: pd.Series, last: pd.Period) -> bool:
    begun = int((periods == last).sum())
    return bool(begun < MIN_PERIOD_SHARE * periods.value_counts().median())


def _class_shares(target: pd.Series) -> dict[str, float]:
    shares = target.map(str).value_counts(normalize=True).sort_index()
    return {str(name): float(share) for name, share in shares.items()}


def _class_warnings(info: TableInfo, shares: dict[str, dict[str, float]]) -> list[str]:
    warnings = []
    for name in info.classes:
        absent = [side for side in ("train", "valid", "test") if name not in shares[side]]
        if "train" in absent:
            warnings.append(f"Class '{name}' has no train row: it can never be predicted.")
        elif absent:
            warnings.append(f"Class '{name}' has no row in {' and '.join(absent)}.")
        elif max(shares[s][name] for s in shares) > 2 * min(shares[s][name] for s in shares):
            warnings.append(
                f"Class '{name}' has "
                + ", ".join(f"{100 * shares[side][name]:.1f} % of {side}" for side in shares)
                + " rows: the sets differ by chance."
            )
    return warnings
