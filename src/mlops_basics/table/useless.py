"""Columns that nothing can be learned from, or that identify rows instead of describing them."""

from __future__ import annotations

import pandas as pd

_LOOKED_AT = 100_000  # rows


def why_useless(values: pd.Series) -> str:
    """Why nothing can be learned from a column, as ``typed_features`` makes it; empty if it can."""
    missing = values.isna()
    if missing.all():
        return "no value in any row"
    if not missing.any() and bool((values == values.iloc[0]).all()):
        return "one value in all rows"
    return ""


def may_identify(values: pd.Series) -> bool:
    """Whether a column may identify rows: text or whole numbers, each in one row only.

    Args:
        values: As ``typed_features`` makes them.
    """
    numbers = pd.api.types.is_float_dtype(values.dtype)
    if len(values) < 2 or not (numbers or isinstance(values.dtype, pd.StringDtype)):
        return False
    if values.isna().any() or (numbers and bool((values != values.round()).any())):
        return False
    # Of many rows the first ones tell as a rule, and cost little.
    return bool(values.iloc[:_LOOKED_AT].is_unique and values.is_unique)


def identifying_columns(features: pd.DataFrame) -> list[str]:
    """Columns that may identify rows.

    Args:
        features: As ``typed_features`` makes them.
    """
    return [str(name) for name in features if may_identify(features[name])]
