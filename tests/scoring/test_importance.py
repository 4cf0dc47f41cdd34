"""Tests of permutation importance: its cost, and what it takes as one column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.schemas import TableInfo
from mlops_basics.scoring import importance
from mlops_basics.scoring.importance import permutation_importance
from tests.support.fitted import fit_pipeline, make_table


class Counting:
    """A regression that counts the cells that it predicts."""

    def __init__(self):
        self.cells = 0

    def predict(self, features):
        """Twice the first column."""
        self.cells += features.size
        return features["c0"].to_numpy() * 2.0


def info_of(table, task="regression", classes=()):
    """What is known of a table whose target is y."""
    return TableInfo(
        task=task, target="y", classes=classes, features=tuple(table.columns), numeric=(),
        key_columns=(), rows=len(table), duplicate_rows=0, missing_target_rows=0,
        dropped_columns={},
    )  # fmt: skip


def wide(columns, rows=400):
    """Numbers, of which the first is the target's half."""
    values = np.random.default_rng(0).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)])


@pytest.mark.parametrize("columns", [10, 100, 400])
def test_the_cost_of_a_column_does_not_grow_with_their_number(columns, monkeypatch):
    """Fewer rows are predicted of a wide table, and the result says how many."""
    monkeypatch.setattr(importance, "MOST_CELLS", 50_000)
    table, model = wide(columns), Counting()
    given = table.assign(y=table["c0"] * 2.0)
    found = permutation_importance(model, given, info_of(table), 5, np.random.default_rng(0))
    rows = {10: 400, 100: 100, 400: 25}[columns]
    assert model.cells == rows * columns * (1 + 5 * columns)
    assert model.cells / columns <= 50_000 * 1.2
    assert found["rows"].unique().tolist() == [rows]
    assert found["feature"][0] == "c0"
    assert (found["rise"][1:] == 0).all()


@pytest.mark.parametrize("dense", [True, False])
def test_columns_are_encoded_once(dense, monkeypatch):
    """And what comes out is that of encoding each shuffled table anew."""
    table = make_table(200)
    model = fit_pipeline(table, dense=dense)
    given = table.assign(y=np.where(table["number"].fillna(0) > 0, "yes", "no"))
    info = info_of(table, "binary", ("no", "yes"))
    once = permutation_importance(model, given, info, 3, np.random.default_rng(0))
    monkeypatch.setattr(
        importance, "_encoded", lambda model, rows: (model, rows, {c: [c] for c in rows})
    )
    each = permutation_importance(model, given, info, 3, np.random.default_rng(0))
    pd.testing.assert_frame_equal(once, each)
    assert once["feature"][0] == "number"
