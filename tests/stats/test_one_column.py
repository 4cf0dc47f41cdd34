"""Tests of how much a single column tells of a target."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_basics.stats.one_column import binned, share_explained


def test_a_copy_of_the_target_explains_all_and_noise_nothing():
    """Of classes and of a quantity, whatever the order of the rows."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=4_000)
    order = np.argsort(y)
    for rows in (np.arange(4_000), order):
        assert share_explained(binned(y[rows]), y[rows]) > 0.9
        assert abs(share_explained(binned(rng.normal(size=4_000)), y[rows])) < 0.04
    classes = np.eye(3)[rng.integers(0, 3, 4_000)]
    assert share_explained(classes.argmax(axis=1), classes) > 0.99


def test_a_known_share_is_found():
    """Half of the variance is the column's: the share is a half, within four standard errors."""
    rng = np.random.default_rng(1)
    group = rng.integers(0, 10, 20_000)
    y = rng.normal(size=10)[group]
    y = (y - y.mean()) / y.std() + rng.normal(size=20_000)
    assert share_explained(group, y) == pytest.approx(0.5, abs=0.02)


def test_an_identifier_explains_nothing():
    """A value of one row alone is not known in the other half."""
    y = np.random.default_rng(2).normal(size=500)
    assert share_explained(np.arange(500), y) == pytest.approx(0, abs=0.02)


def test_missing_values_are_a_bin_of_their_own():
    """A column that is missing exactly where the target is 1 tells it."""
    y = (np.arange(1_000) % 3 == 0).astype(float)
    values = np.where(y == 1, np.nan, np.random.default_rng(3).normal(size=1_000))
    assert share_explained(binned(values), y) > 0.95
    assert binned([np.nan, np.nan]).tolist() == [0, 0]


def test_a_target_of_one_value_or_row_has_nothing_to_explain():
    """The share is 0, not a division by it."""
    assert share_explained(np.array([0, 1, 0, 1]), np.ones(4)) == 0
    assert share_explained(np.array([0]), np.array([1.0])) == 0


def test_lengths_have_to_agree():
    """As in every statistic."""
    with pytest.raises(ValueError, match="target"):
        share_explained(np.array([0, 1]), np.ones(3))
