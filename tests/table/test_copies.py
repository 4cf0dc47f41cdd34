"""Tests of which rows are copies of others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.table.copies import copy_sets, one_of_each


def measured(n, seed=0):
    """Rows of measured columns, and a target."""
    rng = np.random.default_rng(seed)
    features = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"]).round(4)
    return features, pd.Series(rng.integers(0, 2, n))


def repeated(features, target, positions):
    """Rows at these positions, each as often as it is named."""
    return (
        features.iloc[positions].reset_index(drop=True),
        target.iloc[positions].reset_index(drop=True),
    )


def test_rows_without_an_equal_are_no_copies():
    """Measured rows that differ need no groups."""
    assert copy_sets(*measured(300)) is None


@pytest.mark.parametrize("times", [2, 10])
def test_concatenated_copies_are_one_witness_each(times):
    """Whatever the number of copies, as many sets as rows were there before."""
    sets = copy_sets(*repeated(*measured(300), np.tile(np.arange(300), times)))
    assert len(np.unique(sets)) == 300
    assert (sets == np.tile(np.arange(300), times)).all()


@given(st.permutations(list(range(30)) * 2))
def test_the_order_does_not_matter(positions):
    """Copies are found wherever they stand; the first of each stands for it."""
    sets = copy_sets(*repeated(*measured(30), positions))
    first = {row: positions.index(row) for row in positions}
    assert sets.tolist() == [first[row] for row in positions]


def test_a_copied_part_leaves_the_other_rows_alone():
    """A batch that came twice: its rows are pairs, every other row stands for itself."""
    features, target = repeated(*measured(400), np.r_[np.arange(400), np.arange(100)])
    assert one_of_each(features, target).tolist() == [True] * 400 + [False] * 100


def test_equal_rows_of_few_categories_are_honest():
    """Few categories repeat by chance: each row keeps its say."""
    rng = np.random.default_rng(1)
    features = pd.DataFrame({name: rng.integers(0, 3, 2_000) for name in "abcd"}).astype(str)
    assert copy_sets(features, pd.Series(rng.integers(0, 2, 2_000))) is None


def test_equal_features_with_other_targets_are_no_copies():
    """Offers of one product are equal in all that describes it, and differ in what is asked."""
    features, _ = measured(50)
    rng = np.random.default_rng(2)
    positions = rng.integers(0, 50, 3_000)
    features = features.iloc[positions].reset_index(drop=True)
    assert copy_sets(features, pd.Series(rng.integers(0, 2, 3_000))) is None


def test_a_few_copies_change_nothing():
    """Two equal flowers among a hundred and fifty are no reason for another test."""
    assert copy_sets(*repeated(*measured(150), np.r_[np.arange(150), 0, 1])) is None


def test_missing_values_are_equal():
    """A copy of a row with gaps is one."""
    features, target = measured(100)
    features.iloc[::3, 1] = np.nan
    sets = copy_sets(*repeated(features, target, np.tile(np.arange(100), 2)))
    assert len(np.unique(sets)) == 100


def test_an_empty_table_holds_none():
    """Nothing is no copy."""
    features, target = measured(0)
    assert copy_sets(features, target) is None
    assert one_of_each(features, target).shape == (0,)
