"""Pieces of a file's table that were put away, as the parts of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from mlops_basics.schemas import Part, Parts
from mlops_basics.storage.spill import Spill, Stored

from .piece_types import as_types


def parts_of(stored: Sequence[Stored], types: dict[str, Any]) -> Parts:
    """Pieces that were put away as the parts of a table whose columns have these types."""
    return Parts(
        tuple(types),
        tuple(Part(each.rows, partial(_read_as, each, types), each.sizes) for each in stored),
    )


def _read_as(stored: Stored, types: dict[str, Any], columns: Sequence[str] | None) -> pd.DataFrame:
    return as_types(stored.read(columns), types)


def replace_columns(spill: Spill, stored: list[Stored], columns: Mapping[str, pd.Series]) -> None:
    """Put all rows of some columns in the place of what their pieces were taken for."""
    begin = 0
    for at, piece in enumerate(stored):
        table = piece.read()
        for name, values in columns.items():
            table[name] = values.iloc[begin : begin + piece.rows].array
        stored[at] = spill.put(piece.number, table)
        begin += piece.rows
