"""Rows that are there more than once though chance would not repeat them: one witness each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import Parts

from .row_hash import hashes_of_parts, repeated_rows
from .seen_columns import SeenColumns

Codes = npt.NDArray[np.int64]
Features = pd.DataFrame | Parts | SeenColumns

#: A row that chance would repeat less often than this is a copy when it is there again.
LIKELY_REPEATS = 0.05
#: Share of pairs of rows, equal in all features, that must agree in the target for them to be
#: copies: equal rows of few categories disagree now and then.
AGREEMENT = 0.95
#: Share of the rows up to which copies may be overlooked: they narrow no interval by more than 1 %.
NEGLIGIBLE = 0.02


def copy_sets(features: Features, target: pd.Series) -> Codes | None:
    """Number the rows so that copies of a row share a number, and other rows have their own.

    How often chance would repeat a row is the product of the probabilities that its values come
    again in their columns, times the other rows. Of a value it is its share, times the coverage of
    its column: the probability that the next value is one of those that are known, by how many
    came once only [1]. So 17.3 is not expected again in a column of measurements, "red" is in one
    of colours. Where columns depend on each other rows are repeated more often. Therefore the
    target is asked, too: rows of few categories that are equal in all features have different
    targets now and then, copies never have.

    Args:
        features: Typed, shape (rows, features); read one column at a time.
        target: Shape (rows,), none missing.

    Returns:
        Shape (rows,), int64; None where no row is a copy, or hardly any.

    References:
        [1] I. J. Good, "The population frequencies of species and the estimation of population
            parameters", Biometrika 40, 237-264 (1953).
    """
    n = len(target)
    if isinstance(features, Parts) and not _may_repeat(features):
        return None
    same_features = _codes_of_rows(features, n)
    counts = np.bincount(same_features)
    again = np.flatnonzero(counts[same_features] > 1)
    if again.size == 0:
        return None
    first_of_each = np.unique(same_features, return_index=True)[1]
    log_share = np.zeros(again.size)
    for _, values in features.items():
        codes = pd.factorize(values, use_na_sentinel=False)[0]
        once = (np.bincount(codes[first_of_each]) == 1).sum()
        coverage = max(1 - once / first_of_each.size, 0.5 / first_of_each.size)
        log_share += np.log(np.bincount(codes)[codes[again]] / n * coverage)
    unlikely = again[np.log(n - 1) + log_share < np.log(LIKELY_REPEATS)]
    whole = _paired(same_features[unlikely], pd.factorize(target.iloc[unlikely])[0])
    if _pairs(whole) < AGREEMENT * _pairs(same_features[unlikely]):
        return None
    if whole.size - len(np.unique(whole)) <= NEGLIGIBLE * n:
        return None
    sets = np.arange(n, dtype=np.int64)
    first = np.full(int(whole.max()) + 1, n, dtype=np.int64)
    np.minimum.at(first, whole, unlikely)
    sets[unlikely] = first[whole]
    return sets


def one_of_each(
    features: Features, target: pd.Series, rank: Codes | None = None
) -> npt.NDArray[np.bool_]:
    """A mask of the rows that are no copy of an earlier one, shape (rows,).

    Args:
        features: As for ``copy_sets``.
        target: As there.
        rank: How many rows are earlier than each, shape (rows,); None: those before it.
    """
    sets = copy_sets(features, target)
    if sets is None:
        return np.ones(len(target), dtype=bool)
    order = np.arange(len(target)) if rank is None else np.argsort(rank)
    first = np.zeros(len(target), dtype=bool)
    first[order] = ~pd.Series(sets[order]).duplicated().to_numpy()
    return first


def _may_repeat(features: Parts) -> bool:
    """Whether rows of a table that memory need not hold have one hash: it takes less than codes."""
    few = len(features.parts) == 1
    return few or repeated_rows(hashes_of_parts(features, features.columns)) > 0


def _codes_of_rows(table: Features, rows: int) -> Codes:
    codes = np.zeros(rows, dtype=np.int64)
    for _, values in table.items():
        codes = _paired(codes, pd.factorize(values, use_na_sentinel=False)[0])
        if len(codes) and codes.max() + 1 == len(codes):  # no two are equal: the rest is not needed
            break
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
