"""The profile of a table's features: what drift is judged by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_basics.schemas import Parts
from mlops_basics.stats.data_drift.alike import Likeness, group_size, measure_likeness
from mlops_basics.stats.data_drift.table_drift import TableProfile

from .copies import copy_sets
from .row_groups import NO_GROUPS, RowGroups


def feature_profile(
    features: pd.DataFrame | Parts, leave_out: Collection[str] = (), groups: RowGroups = NO_GROUPS
) -> TableProfile:
    """Summarise typed features: numbers by their distribution, all else by its levels.

    Args:
        features: As ``typed_features`` makes them; read one column at a time.
        leave_out: Columns that are no subject of drift.
        groups: Of the rows: how alike those of one group are is measured.
    """
    if isinstance(features, pd.DataFrame):
        features = Parts.of(features)
    kept = [name for name in features.columns if name not in leave_out]
    types = features.head(0).dtypes
    text = [name for name in kept if types[name] != np.float64]
    profile = TableProfile.from_columns(features.items(kept), categorical=text)
    if groups.codes is None:
        return profile
    columns = dict(features.items(kept))
    alike = measure_likeness(
        {name: columns[name].to_numpy() for name in kept if name not in text},
        {name: pd.factorize(columns[name])[0].astype(np.int64) for name in text},
        groups.codes,
        in_order=groups.in_order,
    )
    return replace(profile, alike=alike)


def batch_profile(
    features: Parts, leave_out: Collection[str] = (), groups: RowGroups = NO_GROUPS
) -> TableProfile:
    """The profile of a batch, with the sizes of its groups, and how often its rows are copied.

    Args:
        features: As ``typed_features`` makes them.
        leave_out: Columns that are no subject of drift.
        groups: Of the rows.
    """
    size = 1.0 if groups.codes is None else group_size(groups.codes)
    alike = Likeness(values={}, missing={}, size=size, copies=copies_of_a_row(features))
    return replace(feature_profile(features, leave_out), alike=alike)


def copies_of_a_row(features: pd.DataFrame | Parts) -> float:
    """How many copies there are of a row, itself included, in the mean over the rows."""
    sets = copy_sets(features, pd.Series(np.zeros(len(features), dtype=np.int8)))
    return 1.0 if sets is None else group_size(sets)


def time_columns(features: pd.DataFrame) -> tuple[str, ...]:
    """Columns of times: they move on by themselves, so that their drift would say nothing."""
    return tuple(
        str(name) for name in features if pd.api.types.is_datetime64_any_dtype(features[name].dtype)
    )
