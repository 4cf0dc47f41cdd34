"""Ranks by buckets are those of a sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_basics.stats.data_drift import numeric_profile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.order_statistics import rank_by_buckets

ROWS = 200_000
COLUMNS = {
    "normal": lambda rng: rng.normal(size=ROWS),
    "skewed": lambda rng: np.exp(3 * rng.normal(size=ROWS)),
    "heavy tails": lambda rng: rng.standard_cauchy(ROWS),
    "mostly one value": lambda rng: np.where(rng.random(ROWS) < 0.7, 0.0, rng.normal(size=ROWS)),
    "tied": lambda rng: np.round(rng.normal(size=ROWS), 1),
    "whole numbers": lambda rng: np.round(100 * np.exp(rng.normal(size=ROWS))),
    "just too many": lambda rng: rng.permutation(np.arange(ROWS) % 8193).astype(float),
    "constant": lambda _: np.ones(ROWS),
    "infinities": lambda rng: np.where(rng.random(ROWS) < 0.004, -np.inf, rng.normal(size=ROWS)),
    "many infinities": lambda rng: np.where(rng.random(ROWS) < 0.3, np.inf, rng.normal(size=ROWS)),
    "huge": lambda rng: rng.uniform(-1, 1, ROWS) * 1.7e308,
    "tiny": lambda rng: rng.normal(size=ROWS) * 5e-320,
    "far from zero": lambda rng: 1e15 + rng.normal(size=ROWS),
    "sorted": lambda rng: np.sort(rng.normal(size=ROWS)),
    "signed zeros": lambda rng: rng.choice([-0.0, 0.0, 1.0, -1.0], ROWS),
}


def _same(profile, sorted_profile):
    for key, value in sorted_profile.to_dict().items():
        np.testing.assert_array_equal(profile.to_dict()[key], value, err_msg=key)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_long_column_has_the_profile_of_its_sort(column):
    """Whatever the distribution, in any order, with or without missing values."""
    rng = np.random.default_rng(0)
    values = COLUMNS[column](rng)
    expected = NumericProfile.from_sorted(np.sort(values))
    _same(NumericProfile.from_values(values), expected)
    holes = np.insert(values, rng.integers(0, ROWS, 500), np.nan)
    with_holes = NumericProfile.from_values(holes)
    assert with_holes.missing == 500
    _same(with_holes, NumericProfile.from_sorted(np.sort(values), missing=500))


@given(
    arrays(np.float64, st.integers(0, 80), elements=st.floats(allow_nan=False)),
    st.integers(2, 12),
)
def test_ranks_are_those_of_a_sort(values, size):
    """For any few values too; None is an answer that the caller replaces by a sort."""
    ranked = rank_by_buckets(values, size)
    expected = NumericProfile.from_sorted(np.sort(values), max_points=size)
    if ranked is not None:
        np.testing.assert_array_equal(ranked.points, expected.points)
        np.testing.assert_array_equal(ranked.at_most, expected.low)
        np.testing.assert_array_equal(ranked.below, expected.below)
        assert ranked.exact == expected.exact


def test_zeros_have_one_sign():
    """Which of -0 and 0 stands in the profile does not depend on the order of the rows."""
    for values in ([0.0, -0.0], [-0.0, 0.0], np.tile([-0.0, 1.0, 2.0], 60_000)):
        assert not np.signbit(NumericProfile.from_values(values).points).any()


def test_long_columns_take_the_buckets(monkeypatch):
    """Ordinary columns of 200,000 rows are not sorted."""
    monkeypatch.delattr(numeric_profile.np, "sort")
    for column in ("normal", "skewed", "heavy tails", "tied", "infinities"):
        assert NumericProfile.from_values(COLUMNS[column](np.random.default_rng(0))).n == ROWS
