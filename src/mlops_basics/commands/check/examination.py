"""Looks at a table as a run would: by the nodes and the rules that a run goes by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.pipelines.data_collection.nodes import collect_batches
from mlops_basics.pipelines.data_preprocessing.nodes import (
    divide,
    label_rows,
    preprocess_data,
)
from mlops_basics.schemas import (
    BATCH_COLUMN,
    CollectionParams,
    Parts,
    PreprocessingParams,
    TableInfo,
)
from mlops_basics.stats.one_column import binned, share_explained
from mlops_basics.stats.paired.hall import hall_critical
from mlops_basics.stats.paired.mcnemar import smallest_gain
from mlops_basics.stats.paired.result import MIN_ROWS, POWER_Z
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.table.checks import require_finite, require_one_type
from mlops_basics.table.columns import typed_features
from mlops_basics.table.plain import plain_text
from mlops_basics.table.target import read_target
from mlops_basics.table.useless import identifying_columns

from .findings import ColumnFinding, Findings, Suggestion, TargetFindings, TimeFinding
from .judgement import DISAGREEMENT
from .reading import ReadTable

PERIODS = ("Y", "Q", "M", "W", "D")
FEWEST_PERIODS = 5  # the last one is test, and should be no more than a fifth or so
GAIN_SPREAD = 0.25  # of the target's standard deviation: how much rows' gains differ, often so
MOST_SUGGESTED = 5
MOST_CLASSES = 20  # of a suggested target
TELLING_ROWS = 20_000
#: Names that targets often have, whole or as a part.
TARGET_NAMES = ("target", "label", "class", "outcome", "churn", "default", "fraud", "survived", "y")


def examine_table(
    source: str, read: ReadTable, collection: CollectionParams, params: PreprocessingParams | None
) -> Findings:
    """What a run would make of these rows.

    Args:
        source: As it was named.
        read: Its rows.
        collection: As a run would collect them.
        params: What the table means; None: the target is not known.

    Raises:
        DataError: If a run would refuse the batches or the target.
        ConfigurationError: If an option names no column.
    """
    collected, report = collect_batches(read.sample.batches, [], collection)
    raw = collected.read()
    text = params.text_columns if params else ()
    names = [str(name) for name in raw.columns if name != BATCH_COLUMN]
    found: list[ColumnFinding] = []
    typed: dict[str, pd.Series] = {}
    for name in names:
        finding, values = _column(raw, name, text)
        found.append(finding)
        if values is not None:
            typed[name] = values
    rows = read.sample.rows if not read.sample.whole else len(raw)
    return Findings(
        source=source,
        rows=rows,
        read=len(raw),
        files=read.sample.files,
        columns=tuple(found),
        times=tuple(_times(name, values) for name, values in typed.items() if _is_time(values)),
        warnings=report.warnings,
        target=None if params is None else _with_target(raw, found, params, rows),
        suggestions=() if params else _suggestions(raw, typed),
    )


def _column(
    raw: pd.DataFrame, name: str, text_columns: Sequence[str]
) -> tuple[ColumnFinding, pd.Series | None]:
    values = raw[name]
    present = values.dropna()
    example = str(present.iloc[len(present) // 2]) if len(present) else ""
    missing = float(values.isna().mean())
    try:
        require_finite(raw, name)
        if name not in text_columns:
            require_one_type(raw, name)
        typed = typed_features(raw, [name], text_columns)[0][name]
    except DataError as error:
        return ColumnFinding(name, "unusable", 0, missing, example, str(error)), None
    kind = "time" if _is_time(typed) else "number" if typed.dtype == np.float64 else "text"
    return ColumnFinding(name, kind, int(typed.nunique()), missing, example), typed


def _is_time(values: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values.dtype)


def _times(name: str, values: pd.Series) -> TimeFinding:
    known = values.dropna()
    if known.empty or values.isna().any():  # a split by time needs one in every row
        first, last = ("", "") if known.empty else (str(known.min())[:10], str(known.max())[:10])
        return TimeFinding(name, first, last, "", 0)
    first, last = (str(time)[:10] for time in (known.min(), known.max()))
    for period in PERIODS:
        covered = int(known.dt.to_period(period).nunique())
        if covered >= FEWEST_PERIODS:
            return TimeFinding(name, first, last, period, covered)
    return TimeFinding(name, first, last, "", 0)


def _with_target(
    raw: pd.DataFrame, found: Sequence[ColumnFinding], params: PreprocessingParams, rows: int
) -> TargetFindings:
    excluded = tuple(params.exclude)
    unusable = [each.name for each in found if each.fault and each.name != params.target]
    if unusable:
        exclude = tuple(dict.fromkeys([*params.exclude, *unusable]))
        params = params.model_copy(update={"exclude": exclude})
    collected = Parts.of(raw)
    preprocessed, info = preprocess_data(*label_rows(collected, params), params)
    identifiers = tuple(identifying_columns(preprocessed.read(info.features)))
    if identifiers:  # the lines leave them out, and a row without them lies elsewhere in the split
        params = params.model_copy(update={"exclude": (*params.exclude, *identifiers)})
        preprocessed, info = preprocess_data(*label_rows(collected, params), params)
    *_, test, split = divide(preprocessed, info, params)
    table = preprocessed.read()
    scale = rows / len(raw)
    time_column = params.split.time_column
    days = int(test[time_column].dt.floor("D").nunique()) if time_column else None
    units = days if days is not None and params.group_by == "auto" else round(len(test) * scale)
    target = table[params.target]
    gain, unit = _smallest_gain(info, units, target)
    classes = info.task != "regression"
    quantiles = None
    if not classes:
        low, middle, high = np.quantile(target, [0.01, 0.5, 0.99])
        quantiles = (float(low), float(middle), float(high))
    shares = target.map(str).value_counts(normalize=True) if classes else pd.Series(dtype=float)
    return TargetFindings(
        table=info,
        split=split.model_copy(
            update={"rows": {name: round(count * scale) for name, count in split.rows.items()}}
        ),
        balance={str(name): float(share) for name, share in shares.items()},
        spread=quantiles,
        telling=_telling(table, info),
        identifiers=identifiers,
        excluded=excluded,
        smallest_gain=gain,
        gain_unit=unit,
        units=units,
    )


def _smallest_gain(info: TableInfo, units: int, target: pd.Series) -> tuple[float | None, str]:
    """What a first challenger has to be better by, in four cases of five."""
    alpha = alpha_at(1)
    if units < MIN_ROWS:
        return None, ""
    if info.task != "regression":
        return smallest_gain(units, DISAGREEMENT, alpha), "accuracy"
    error = GAIN_SPREAD * float(np.std(target)) / np.sqrt(units)
    critical = float(hall_critical(alpha, 0.0, units - 1))
    return error * (critical + POWER_Z), "mean absolute error"


def _telling(table: pd.DataFrame, info: TableInfo) -> dict[str, float]:
    """How much each feature explains of the target alone, the most telling first."""
    step = -(-len(table) // TELLING_ROWS)
    rows = table.iloc[::step]
    target = rows[info.target]
    if info.task == "regression":
        y = target.rank().to_numpy(dtype=np.float64)  # a few huge values would decide alone
    else:
        codes, names = pd.factorize(target)
        y = np.eye(len(names))[codes]
    shares = {}
    for name in info.features:
        values = rows[name]
        if values.dtype == np.float64:
            codes = binned(values)
        elif _is_time(values):
            codes = binned(values.astype("int64").where(values.notna()).astype("float64"))
        else:
            codes = pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
        shares[name] = share_explained(codes, y)
    return dict(sorted(shares.items(), key=lambda each: -each[1]))


def _suggestions(raw: pd.DataFrame, typed: dict[str, pd.Series]) -> tuple[Suggestion, ...]:
    """Columns that may be the target: by name, then by how few values they have."""
    found: list[tuple[tuple[bool, bool, int], Suggestion]] = []
    for at, (name, values) in enumerate(typed.items()):
        if _is_time(values):
            continue
        try:
            target, task = read_target(raw[name])
        except DataError:
            continue
        present = target.dropna()
        distinct = present.nunique()
        if task == "regression":
            text = f"{present.min():.4g} to {present.max():.4g}"
        elif distinct > MOST_CLASSES:
            continue
        else:
            shares = plain_text(present).value_counts(normalize=True)
            text = ", ".join(f"{each} {100 * share:.0f} %" for each, share in shares[:3].items())
            text += ", ..." if distinct > 3 else ""
        words = name.lower().replace("-", "_").split("_")
        named = any(word in words for word in TARGET_NAMES)
        last = at == len(typed) - 1
        rank = (not named, not last, distinct if task != "regression" else 1_000)
        found.append((rank, Suggestion(name, task, text)))
    return tuple(each for _, each in sorted(found, key=lambda each: each[0])[:MOST_SUGGESTED])
