"""Nodes of the data_preprocessing pipeline. Nothing here is fitted: that is the model's part."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError, LineageError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    BATCH_COLUMN,
    COPY_COLUMN,
    ROW_HASH_COLUMN,
    Hashes,
    Part,
    Parts,
    PreprocessingParams,
    SplitParams,
    SplitReport,
    TableInfo,
    TargetInfo,
    TrainingParams,
)
from mlops_basics.table.checks import require_columns, require_times
from mlops_basics.table.columns import features_of
from mlops_basics.table.copies import Codes, copy_sets
from mlops_basics.table.engine import map_parts
from mlops_basics.table.row_groups import Mask
from mlops_basics.table.row_hash import (
    hashes_of_parts,
    repeated_rows,
    row_hashes,
    salted_fractions,
    smallest_hashes,
    with_values,
)
from mlops_basics.table.seen_columns import see_columns
from mlops_basics.table.target import alike_classes, class_names, read_target, target_range

SIDES = ("train", "valid", "test")
LEFT_OUT = len(SIDES)
Sides = npt.NDArray[np.int8]  # positions in SIDES, or LEFT_OUT

MIN_PERIOD_SHARE = 0.1  # of the median period's rows; a last period with fewer has only begun


def label_rows(raw_data: Parts, params: PreprocessingParams) -> tuple[Parts, TargetInfo]:
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
    kept = [has_target[rows] for rows in raw_data.slices]
    labelled = raw_data.changed(
        partial(_labelled, keys, params.target),
        kept,
        [target.iloc[rows][of] for rows, of in zip(raw_data.slices, kept, strict=True)],
        columns=(ROW_HASH_COLUMN, *raw_data.columns),
        rows=[int(of.sum()) for of in kept],
    )
    info = TargetInfo(
        target=params.target,
        task=task,
        task_asked=params.task,
        positive_above=params.positive_above,
        key_columns=tuple(sorted(keys)),
        missing_target_rows=int((~has_target).sum()),
    )
    return labelled.held(), info


def _labelled(
    keys: list[str], name: str, part: Part, columns: list[str], kept: Mask, target: pd.Series
) -> pd.DataFrame:
    with_hash = ROW_HASH_COLUMN in columns
    needed = [*columns, *(keys if with_hash else ())]
    rows = part.read([each for each in dict.fromkeys(needed) if each != ROW_HASH_COLUMN])[kept]
    if name in rows:
        is_whole = str(target.dtype) == "Int64"
        rows[name] = (target.astype("int64") if is_whole else target).array
    if with_hash:
        rows[ROW_HASH_COLUMN] = row_hashes(rows, keys)
    return rows[columns]


def preprocess_data(
    labelled_data: Parts, target_info: TargetInfo, params: PreprocessingParams
) -> tuple[Parts, TableInfo]:
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
    seen = see_columns(
        labelled_data, [name for name in candidates if name != time_column], params.text_columns
    )
    if not seen.features:
        raise DataError(
            "No feature column remains beside the target: all others are excluded, empty or "
            "constant. Check `exclude` in globals.yml."
        )
    hashes = labelled_data[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)
    target = labelled_data[params.target]
    of_all_columns = set(target_info.key_columns) == set(candidates)
    whole_rows = hashes if of_all_columns else hashes_of_parts(labelled_data, candidates)
    times, added = dict(seen.times), {}
    if time_column:
        read, times[time_column] = require_times(labelled_data[time_column])
        added[time_column] = read.to_numpy()
    copies = None
    if params.group_by != "none":
        of_features = hashes_of_parts(labelled_data, seen.features) if time_column else whole_rows
        copies = copy_sets(seen, target) if repeated_rows(of_features) else None
    if copies is not None:
        added[COPY_COLUMN] = copies
    duplicates = repeated_rows(with_values(whole_rows, target))
    classification = target_info.task != "regression"
    missing = target_info.missing_target_rows
    info = TableInfo(
        task=target_info.task,
        target=params.target,
        classes=class_names(target) if classification else (),
        features=seen.features,
        numeric=seen.numeric,
        times=times,
        key_columns=target_info.key_columns,
        positive_above=params.positive_above,
        target_range=None if classification else target_range(target),
        rows=len(labelled_data),
        duplicate_rows=duplicates,
        missing_target_rows=missing,
        dropped_columns=seen.dropped,
        warnings=(
            *_warnings(target, classification, params, seen.dropped, missing, duplicates),
            *_identifiers(seen.identifying),
            *seen.rounded,
            *seen.stray,
            *_copies(copies),
        ),
    )
    groups = (params.group_column,) if params.group_column else ()
    of_parts = [
        {name: values[rows] for name, values in added.items()} for rows in labelled_data.slices
    ]
    typed = labelled_data.changed(
        partial(_typed, info, params),
        of_parts,
        columns=(
            ROW_HASH_COLUMN,
            BATCH_COLUMN,
            *((COPY_COLUMN,) if copies is not None else ()),
            *((time_column,) if time_column else ()),
            *groups,
            *info.features,
            params.target,
        ),
    )
    return typed.held(), info


def _typed(
    info: TableInfo,
    params: PreprocessingParams,
    part: Part,
    columns: list[str],
    added: dict[str, npt.NDArray[Any]],
) -> pd.DataFrame:
    """Columns of a part in the types of the whole table."""
    stored = [name for name in columns if name not in added and name != params.group_column]
    rows = part.read([*stored, *(each for each in params.group_columns if each not in stored)])
    features = [name for name in stored if name in info.features]
    typed = features_of(rows, info.model_copy(update={"features": tuple(features)}))
    table = {}
    for name in columns:
        if name in added:
            table[name] = pd.Series(added[name])
        elif name == params.group_column:
            table[name] = pd.Series(row_hashes(rows, params.group_columns))
        else:
            table[name] = typed[name] if name in typed else rows[name]
    return pd.DataFrame(table, columns=columns)


def split_data(
    preprocessed_data: Parts,
    table_info: TableInfo,
    params: PreprocessingParams,
    training: TrainingParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, SplitReport]:
    """Divide the rows into train, valid and test, by their hash or by time: see ``divide``."""
    return divide(preprocessed_data, table_info, params, training.max_rows)


def divide(
    preprocessed_data: Parts,
    table_info: TableInfo,
    params: PreprocessingParams,
    max_rows: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, SplitReport]:
    """Divide the rows into train, valid and test, by their hash or by time.

    By hash, a row's side depends on its key columns and the salt alone: it never changes, and
    equal rows stay together. By time, the latest period is test, the one before it valid.

    Of more train rows than ``max_rows``, those with the smallest hash under a salt of its
    own are kept, and of valid and test rows those with a hash as small: a sample that depends on
    the rows alone, not on their order or their files.

    Returns:
        Train, valid and test rows, and how they were divided.

    Raises:
        DataError: If a set is smaller than ``min_rows``, or train has one class only.
    """
    split = params.split
    hashes = preprocessed_data[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)
    if split.time_column is None:
        side = _sides_by_hash(hashes, split)
        boundaries: dict[str, str] = {}
    else:
        side, boundaries = _sides_by_time(preprocessed_data[split.time_column], split)
    of_rows = {name: int((side == code).sum()) for code, name in enumerate(SIDES)}
    is_train = side == SIDES.index("train")
    side[~smallest_hashes(hashes, is_train, split.salt, max_rows)] = LEFT_OUT
    sides = [side[rows] for rows in preprocessed_data.slices]
    found = map_parts(_divided, list(zip(preprocessed_data.parts, sides, strict=True)))
    parts = {}
    for name, tables in zip(SIDES, [list(each) for each in zip(*found, strict=True)], strict=True):
        parts[name] = pd.concat(tables, ignore_index=True)
        tables.clear()  # memory holds them twice no longer than it has to
    rows = {name: len(part) for name, part in parts.items()}
    for name, count in rows.items():
        if count < split.min_rows:
            remedy = "Collect more rows, or change the split."
            if of_rows[name] >= split.min_rows:
                remedy = (
                    f"training.max_rows is {max_rows:,}, and rows whose features are the same are "
                    f"used or left out together: there were {of_rows[name]:,}. Set it higher."
                )
            raise DataError(
                f"Of {len(preprocessed_data)} rows, {rows['train']} are train, {rows['valid']} "
                f"valid and {rows['test']} test: {name} needs at least {split.min_rows} "
                f"(preprocessing.split.min_rows). {remedy}"
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
    if rows["train"] < of_rows["train"]:
        warnings.append(
            f"{rows['train']:,} of {of_rows['train']:,} train rows are used, {rows['valid']:,} of "
            f"{of_rows['valid']:,} valid and {rows['test']:,} of {of_rows['test']:,} test rows, "
            f"drawn by their hash: training.max_rows is {max_rows:,}."
        )
    report = SplitReport(
        method="hash" if split.time_column is None else "time",
        rows=rows,
        of_rows=of_rows if rows != of_rows else {},
        boundaries=boundaries,
        class_shares=shares,
        warnings=tuple(warnings),
    )
    return parts["train"], parts["valid"], parts["test"], report


def _divided(part: tuple[Part, Sides]) -> tuple[pd.DataFrame, ...]:
    """The rows of each set in a part."""
    rows, side = part
    table = rows.read(None)
    return tuple(table[side == code] for code in range(len(SIDES)))


def _candidates(table: Parts, params: PreprocessingParams) -> list[str]:
    """The columns that may become features, and the time column."""
    unseen = {params.target, BATCH_COLUMN, ROW_HASH_COLUMN, *params.exclude}
    return [column for column in table.columns if column not in unseen]


def _require_named_columns(table: Parts, params: PreprocessingParams) -> None:
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


def _identifiers(names: Iterable[str]) -> list[str]:
    """Warnings of columns that may identify rows."""
    return [
        f"Column '{name}' has another value in every row: if it identifies rows, add it "
        "to `exclude` in globals.yml."
        for name in names
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


def _sides_by_hash(hashes: Hashes, split: SplitParams) -> Sides:
    fractions = salted_fractions(hashes, split.salt)
    side = (fractions >= 1 - split.valid_fraction - split.test_fraction).astype(np.int8)
    side[fractions >= 1 - split.test_fraction] = SIDES.index("test")
    return side


def _sides_by_time(times: pd.Series, split: SplitParams) -> tuple[Sides, dict[str, str]]:
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
    side = (periods >= valid).to_numpy().astype(np.int8)
    side[(periods >= test).to_numpy()] = SIDES.index("test")
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
