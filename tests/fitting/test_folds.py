"""Tests of folds: what belongs together stays together, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_basics.fitting import folds as folds_module
from mlops_basics.fitting.folds import divide, fit_folds, fold_keys
from tests.support.artifacts import make_recipe


@settings(max_examples=50, deadline=None)
@given(
    hashes=st.lists(st.integers(0, 40), min_size=1, max_size=80),
    groups=st.integers(1, 30),
    folds=st.integers(2, 8),
    seed=st.integers(0, 99),
)
def test_neither_order_nor_the_numbers_of_groups_matter(hashes, groups, folds, seed):
    """A row's fold follows from what the rows are; equal rows and groups are never divided."""
    rng = np.random.default_rng(seed)
    hashes = np.array(hashes, dtype=np.uint64) * np.uint64(2**57)
    of_group = (hashes // np.uint64(2**57)).astype(np.int64) % groups
    for codes in (None, of_group):
        keys = fold_keys(hashes, codes)
        found = divide(keys, folds)
        order = rng.permutation(len(hashes))
        renamed = None if codes is None else 1_000 - codes[order]
        assert divide(fold_keys(hashes[order], renamed), folds).tolist() == found[order].tolist()
        together = hashes if codes is None else of_group
        assert all(len(set(found[together == each])) == 1 for each in np.unique(together))
        sizes = [len(np.unique(keys[found == fold])) for fold in np.unique(found)]
        assert set(np.unique(found)) == set(range(1, min(folds, len(np.unique(keys))) + 1))
        assert max(sizes) - min(sizes) <= 1


def test_a_fit_has_seen_nothing_of_the_rows_that_it_is_to_predict(monkeypatch):
    """Nor of their group among the rows that do not speak."""
    fitted = []

    def fit(_recipe, tables, _info):
        fitted.append(tables[0]["x"])

    monkeypatch.setattr(folds_module, "fit_tables", fit)
    rows = pd.DataFrame({"x": range(12)})
    keys = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 1, 5, 6], dtype=np.uint64)
    folds = np.array([1, 1, 2, 2, 1, 1, 2, 2, 0, 0, 0, 0])
    numbers = [fold for fold, _ in fit_folds(make_recipe(), rows, keys, folds, None)]
    assert numbers == [1, 2]
    assert [x.tolist() for x in fitted] == [[2, 3, 6, 7, 9, 10, 11], [0, 1, 4, 5, 8, 10, 11]]


@pytest.mark.parametrize("groups", [None, np.zeros(0, dtype=np.int64)])
def test_no_rows_are_no_folds(groups):
    """Nothing to divide is no error."""
    assert len(divide(fold_keys(np.zeros(0, dtype=np.uint64), groups), 5)) == 0
