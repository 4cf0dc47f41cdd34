"""What more rows would bring, where not all of them are used."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.fitting.recipe import fit_tables
from mlops_basics.schemas import ROW_HASH_COLUMN, CurvePoint, Model, Recipe, TableInfo
from mlops_basics.scoring.scores import losses, score_rows
from mlops_basics.table.row_hash import smallest_hashes

#: Of the train rows; each is a sample of the next one.
SHARES = (0.125, 0.25, 0.5)


def measure_curve(
    recipe: Recipe, model: Model, train: pd.DataFrame, valid: pd.DataFrame, info: TableInfo
) -> tuple[CurvePoint, ...]:
    """Fit a recipe on shares of the train rows, and measure each fit on the valid rows.

    Args:
        recipe: What the search chose.
        model: Its fit on all train rows.
        train: Rows with their hash.
        valid: Rows that the recipe was chosen on: they judge all fits alike.
        info: Of both.

    Returns:
        A point a fit, from the fewest rows to all of them.
    """
    hashes = train[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)
    everything = np.ones(len(train), dtype=bool)
    points = []
    for share in SHARES:
        kept = smallest_hashes(hashes, everything, "learning curve", int(share * len(train)))
        rows = train[kept].reset_index(drop=True)
        try:
            fitted = fit_tables(recipe, [rows], info)
        except DataError:  # a class is missing in so few rows
            continue
        points.append(_point(fitted, len(rows), valid, info))
    return (*points, _point(model, len(train), valid, info))


def _point(model: Model, rows: int, valid: pd.DataFrame, info: TableInfo) -> CurvePoint:
    scores = score_rows(model, valid[list(info.features)], valid, info)
    return CurvePoint(rows=rows, loss=float(losses(scores).mean()))
