"""Hypothesis strategies that several tests share."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import pandas as pdst

#: Text that a CSV file gives back as it was: no number, no time, no missing value by its looks.
words = st.text(alphabet="abcdefghijklmnop äöü", min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text not in ("na", "nan", "null")
)


def tables(min_rows: int = 1, max_rows: int = 30) -> st.SearchStrategy[pd.DataFrame]:
    """Tables with an integer, a float, a text and a time column."""
    return pdst.data_frames(
        index=pdst.range_indexes(min_size=min_rows, max_size=max_rows),
        columns=[
            pdst.column("number", elements=st.integers(-(2**40), 2**40), dtype="int64"),
            pdst.column("real", elements=st.floats(-1e9, 1e9), dtype="float64"),
            pdst.column("word", elements=words, dtype=object),
            pdst.column(
                "time",
                elements=st.datetimes(
                    min_value=pd.Timestamp("1990-01-01").to_pydatetime(),
                    max_value=pd.Timestamp("2050-01-01").to_pydatetime(),
                ).map(lambda time: pd.Timestamp(time).floor("s")),
                dtype="datetime64[ns]",
            ),
        ],
    )
