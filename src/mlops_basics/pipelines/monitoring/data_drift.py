"""Has a batch moved away from the release's reference by more than what matters?"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import MonitoringParams, ReleaseReference
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from mlops_basics.table.profile import feature_profile

LEAST_ROWS = 100  # of each side, for a classifier to learn anything from a half of them

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def ignored_columns(reference: ReleaseReference, params: MonitoringParams) -> set[str]:
    """Columns that are no subject of drift."""
    return {*reference.info.times, *params.ignore_columns}


def reference_profile(reference: ReleaseReference, params: MonitoringParams) -> TableProfile:
    """The reference's profile, without the columns that are no subject of drift."""
    whole = TableProfile.from_dict(reference.profile)
    ignored = ignored_columns(reference, params)
    if not ignored & set(whole.columns):
        return whole
    columns = {name: part for name, part in whole.columns.items() if name not in ignored}
    return TableProfile(
        columns=columns,
        joint=whole.joint.select([name for name in whole.joint.names if name in columns]),
    )


def judge_batch(
    features: pd.DataFrame,
    number: int,
    reference: ReleaseReference,
    profile: TableProfile,
    params: MonitoringParams,
) -> tuple[tuple[DriftResult, ...], TableProfile]:
    """Verdicts about every column of the release's ``number``-th batch, and about joint changes.

    Args:
        features: Of the batch, shape (rows, columns).
        number: From 1.
        reference: The release's; a sample of it is what a classifier learns to tell apart.
        profile: What ``reference_profile`` gave.
        params: Level, thresholds, and how many rows the classifier may use.

    Returns:
        The verdicts, and the batch's profile.
    """
    ignored = ignored_columns(reference, params)
    current = feature_profile(features, ignored)
    results = judge_table(
        profile,
        current,
        number,
        alpha=params.data_alpha,
        thresholds=params.thresholds,
        classifier=two_sample_scores(
            reference.sample[list(features.columns)], features, ignored, params, number
        ),
    )
    return tuple(results), current


def two_sample_scores(
    before: pd.DataFrame,
    now: pd.DataFrame,
    ignored: Collection[str],
    params: MonitoringParams,
    number: int,
) -> tuple[Ints, Floats] | None:
    """Teach a classifier to tell both tables apart, and let it score rows it has not seen.

    Returns:
        Labels (0 reference, 1 batch) and scores of the held-out halves; None where a side has too
        few rows, no column is left, or the classifier is switched off.
    """
    columns = [name for name in now.columns if name not in ignored]
    few = min(len(before), len(now), params.classifier_rows) < LEAST_ROWS
    if few or not columns:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng([params.seed, number])
    parts = [_draw(table[columns], params.classifier_rows, rng) for table in (before, now)]
    sides = np.repeat([0, 1], [len(part) for part in parts])
    coded = _coded(pd.concat(parts, ignore_index=True))
    learns = rng.permutation(len(sides)) < len(sides) // 2
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=params.seed
    )
    model.fit(coded[learns], sides[learns])
    return sides[~learns], model.predict_proba(coded[~learns])[:, 1]


def effects(columns: Collection[DriftResult]) -> dict[str, float]:
    """By column, the surely exceeded share of the threshold: above 1 is drift."""
    shares: dict[str, float] = {}
    for column in columns:
        nothing = 0.5 if column.kind == "classifier" else 0.0
        room = column.threshold - nothing
        share = (column.lower - nothing) / room if room > 0 else float(column.drifted) * 2
        shares[column.column] = round(max(shares.get(column.column, 0.0), share), 4)
    return shares


def _draw(table: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    if len(table) <= most:
        return table
    return table.iloc[np.sort(rng.choice(len(table), most, replace=False))]


def _coded(table: pd.DataFrame) -> Floats:
    """Numbers as they are, levels as numbers, missing values as NaN."""
    columns = []
    for name in table:
        values = table[name]
        if values.dtype == np.float64:
            columns.append(values.to_numpy())
        else:
            # In their own order: numbered by first appearance, a level that only one side drew
            # would tell that side by its number alone.
            codes, _ = pd.factorize(values.astype(object), sort=True)
            columns.append(np.where(codes < 0, np.nan, codes.astype(np.float64)))
    return np.column_stack(columns)
