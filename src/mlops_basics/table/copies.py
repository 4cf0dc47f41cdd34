"""Rows that are there more than once though chance would not repeat them: one witness each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.int64]

#: A row that chance would repeat less often than this is a copy when it is there again.
LIKELY_REPEATS = 0.05
#: Share of pairs of rows, equal in all features, that must agree in the target for them to be
#: copies: equal rows of few categories disagree now and then.
AGREEMENT = 0.95


def copy_sets(features: pd.DataFrame, target: pd.Series) -> Codes | None:
    """Number the rows so that copies of a row share a number, and other rows have their own.

    How often chance would repeat a row is the product of the shares that its values have in their
    columns, times the other rows; where columns depend on each other it is more often. Therefore
    the target is asked, too: rows of few categories that are equal in all features have different
    targets now and then, copies never have.

    Args:
        features: Typed, shape (rows, features).
        target: Shape (rows,), none missing.

    Returns:
        Shape (rows,), int64; None where no row is a copy.
    """
    n = len(features)
    same_features = _codes_of_rows(features)
    counts = np.bincount(same_features)
    again = np.flatnonzero(counts[same_features] > 1)
    if again.size == 0:
        return None
    log_share = np.zeros(again.size)
    for name in features:
        codes = pd.factorize(features[name], use_na_sentinel=False)[0]
        log_share += np.log(np.bincount(codes)[codes[again]] / n)
    unlikely = again[np.log(n - 1) + log_share < np.log(LIKELY_REPEATS)]
    whole = _paired(same_features[unlikely], pd.factorize(target.iloc[unlikely])[0])
    if _pairs(whole) < AGREEMENT * _pairs(same_features[unlikely]):
        return None
    is_copied = np.bincount(whole)[whole] > 1 if whole.size else np.zeros(0, dtype=bool)
    if not is_copied.any():
        return None
    sets = np.arange(n, dtype=np.int64)
    first = np.full(int(whole.max()) + 1, n, dtype=np.int64)
    np.minimum.at(first, whole, unlikely)
    sets[unlikely] = first[whole]
    return sets


def one_of_each(features: pd.DataFrame, target: pd.Series) -> npt.NDArray[np.bool_]:
    """A mask of the rows that are no copy of an earlier one, shape (rows,)."""
    sets = copy_sets(features, target)
    return np.ones(len(features), dtype=bool) if sets is None else sets == np.arange(len(sets))


def _codes_of_rows(table: pd.DataFrame) -> Codes:
    codes = np.zeros(len(table), dtype=np.int64)
    for name in table:
        codes = _paired(codes, pd.factorize(table[name], use_na_sentinel=False)[0])
    return codes


def _paired(one: Codes, other: npt.NDArray[np.integer]) -> Codes:
    """A code for each pair of codes."""
    if one.size == 0:
        return one
    wide = one * (int(other.max()) + 1) + other
    codes: Codes = pd.factorize(wide)[0].astype(np.int64)
    return codes


def _pairs(codes: Codes) -> int:
    counts = np.bincount(codes) if codes.size else np.zeros(0, dtype=np.int64)
    return int((counts * (counts - 1) // 2).sum())
