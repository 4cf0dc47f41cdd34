"""What all rows of a table say of its columns, one column at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlops_basics.schemas import BATCH_COLUMN, DateOrder, Parts

from .columns import typed_feature
from .short_texts import short_texts
from .typing_losses import rounding_warning, stray_warning
from .useless import may_identify, why_useless


@dataclass
class SeenColumns:
    """The typed features of a table that memory need not hold: by name, one at a time.

    Attributes:
        features: Those that something can be learned from.
        numeric: Features that are numbers.
        times: Columns that are times, with what comes first where a text writes them.
        dropped: Columns that nothing can be learned from, with the reason.
        identifying: Features that may identify rows.
        rounded: A line for each feature whose whole numbers a model sees rounded.
        stray: A line for each feature that is text because of a few values.
    """

    table: Parts
    text_columns: Collection[str]
    features: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    times: dict[str, DateOrder] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    identifying: tuple[str, ...] = ()
    rounded: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()

    def items(self) -> Iterator[tuple[str, pd.Series]]:
        """Name and typed rows of each feature, one after the other."""
        for name, values in self.table.items(self.features):
            yield name, typed_feature(values, self.text_columns)[0]


def see_columns(table: Parts, columns: Sequence[str], text_columns: Collection[str]) -> SeenColumns:
    """Look at each column once.

    Args:
        table: The rows that have a target, with their batch.
        columns: That may become features.
        text_columns: Those that are text whatever they look like.

    Raises:
        DataError: If a column cannot be typed.
    """
    seen = SeenColumns(short_texts(table).held(), text_columns)
    numeric, identifying, rounded, stray, features = [], [], [], [], []
    for name, raw in seen.table.items(columns):
        values, order = typed_feature(raw, text_columns)
        if why := why_useless(values):
            seen.dropped[name] = why
            continue
        features.append(name)
        if order is not None:
            seen.times[name] = order
        if values.dtype == np.float64:
            numeric.append(name)
        if may_identify(values):
            identifying.append(name)
        rounded.append(rounding_warning(raw))
        stray.append(stray_warning(values, lambda: table[BATCH_COLUMN], text_columns))
    seen.features, seen.numeric = tuple(features), tuple(numeric)
    seen.identifying = tuple(identifying)
    seen.rounded, seen.stray = (tuple(filter(None, lines)) for lines in (rounded, stray))
    return seen
