"""Folds: each of some rows is predicted by a fit of a recipe that has not seen it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import Hashes, Model, Recipe, TableInfo
from mlops_basics.table.row_hash import salted_fractions

from .recipe import fit_tables

Codes = npt.NDArray[np.int64]

_SALT = "folds"


def fold_keys(hashes: Hashes, groups: Codes | None) -> Hashes:
    """What has to stay in one fold has one key: equal rows, and all rows of a group.

    Args:
        hashes: Of the rows, shape (rows,).
        groups: The group of each row, shape (rows,), if rows belong together.

    Returns:
        The hash of each row, or the smallest of its group's; whatever the order of the rows, and
        however the groups are numbered. Shape (rows,).
    """
    if groups is None:
        return hashes
    _, codes = np.unique(groups, return_inverse=True)
    smallest = np.full(int(codes.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, codes, hashes)
    return smallest[codes]


def divide(keys: Hashes, folds: int) -> Codes:
    """Divide rows into folds of nearly equally many keys.

    Args:
        keys: Of the rows, shape (rows,); rows of one key stay together.
        folds: How many; fewer where there are fewer keys.

    Returns:
        A number a row from 1 on, shape (rows,), whatever the order of the rows.
    """
    known, codes = np.unique(keys, return_inverse=True)
    order = np.argsort(salted_fractions(known, _SALT), kind="stable")
    of_key = np.empty(len(known), dtype=np.int64)
    of_key[order] = np.arange(len(known)) % folds + 1
    return of_key[codes]


def fit_folds(
    recipe: Recipe, rows: pd.DataFrame, keys: Hashes, folds: Codes, info: TableInfo
) -> Iterator[tuple[int, Model]]:
    """Fit a recipe once a fold, on all rows but those of the fold's keys; errors as ``fit_recipe``.

    Args:
        recipe: What to fit.
        rows: All rows that it learns from, with their target; shape (n, columns).
        keys: Of these rows, shape (n,).
        folds: The fold of each row, shape (n,); 0 for rows that are in every fit, unless their key
            is held out.
        info: Names features and target.

    Yields:
        The number of a fold, and the model of all other rows.
    """
    for fold in np.unique(folds[folds > 0]):
        held = np.isin(keys, keys[folds == fold])
        yield int(fold), fit_tables(recipe, [rows[~held]], info)
