"""Tables as users' files hold them."""

from __future__ import annotations

import io

import pandas as pd


def as_parquet(table: pd.DataFrame) -> bytes:
    """The bytes of a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()
