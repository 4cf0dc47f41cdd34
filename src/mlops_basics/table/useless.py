"""Columns that nothing can be learned from, or that identify rows instead of describing them."""

from __future__ import annotations

import pandas as pd


def useless_columns(features: pd.DataFrame) -> dict[str, str]:
    """Columns that hold nothing to learn, with the reason.

    Args:
        features: As ``typed_features`` makes them.
    """
    counts = {str(column): features[column].nunique(dropna=False) for column in features}
    return {
        column: "no value in any row" if features[column].isna().all() else "one value in all rows"
        for column, count in counts.items()
        if count <= 1
    }


def identifying_columns(features: pd.DataFrame) -> list[str]:
    """Columns that may identify rows: text or whole numbers, each in one row only.

    Args:
        features: As ``typed_features`` makes them.
    """
    found = []
    for name in features:
        values = features[name]
        if len(values) < 2 or not values.is_unique or values.isna().any():
            continue
        numbers = pd.api.types.is_float_dtype(values.dtype)
        text = isinstance(values.dtype, pd.StringDtype)
        if text or (numbers and bool((values == values.round()).all())):
            found.append(str(name))
    return found
