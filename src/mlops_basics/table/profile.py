"""The profile of a table's features: what drift is judged by."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from mlops_basics.stats.data_drift.table_drift import TableProfile


def feature_profile(features: pd.DataFrame, leave_out: Collection[str] = ()) -> TableProfile:
    """Summarise typed features: numbers by their distribution, all else by its levels.

    Args:
        features: As ``typed_features`` makes them.
        leave_out: Columns that are no subject of drift.
    """
    kept = {str(name): features[name] for name in features if name not in leave_out}
    text = [name for name, values in kept.items() if values.dtype != np.float64]
    return TableProfile.from_columns(kept, categorical=text)


def time_columns(features: pd.DataFrame) -> tuple[str, ...]:
    """Columns of times: they move on by themselves, so that their drift would say nothing."""
    return tuple(
        str(name) for name in features if pd.api.types.is_datetime64_any_dtype(features[name].dtype)
    )
