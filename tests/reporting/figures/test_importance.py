"""Tests of the figure of the features' importance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.reporting.figures.importance import importance_figure
from tests.support.artifacts import HOSTILE
from tests.support.harmless import assert_harmless


def test_importance_draws_the_twenty_largest_on_top() -> None:
    """The largest rises come first, and the title says how many features there are."""
    rises = np.random.default_rng(0).normal(size=25)
    table = pd.DataFrame({"feature": [f"f{i}" for i in range(25)], "rise": rises, "spread": 0.1})
    table["rows"] = 1_234
    drawn = importance_figure(table, "log_loss")
    assert "Measured on 1,234 test rows." in drawn.to_json()
    np.testing.assert_allclose(drawn.data[0].x, np.sort(rises)[::-1][:20])
    assert drawn.layout.yaxis.ticktext[0] == f"f{rises.argmax()}"
    assert drawn.layout.yaxis.autorange == "reversed"
    assert drawn.layout.title.text == "Rise of the log loss when shuffled"
    assert drawn.layout.meta["reading"].startswith("The 20 largest of 25.")
    assert drawn.layout.xaxis.title.text.startswith("rise of the log loss")
    np.testing.assert_allclose(drawn.data[0].error_x.array, 0.1)
    assert "no features" in importance_figure(table[:0], "log_loss").to_json()


def test_importance_keeps_features_apart_whose_short_names_agree() -> None:
    """Two long names that look alike when shortened are still two bars."""
    names = ["a" * 50 + "1" + "b" * 50, "a" * 50 + "2" + "b" * 50]
    table = pd.DataFrame({"feature": names, "rise": [1.0, 2.0], "spread": 0.0, "rows": 9})
    assert list(importance_figure(table, "log_loss").data[0].y) == [0, 1]


def test_hostile_names_reach_no_figure_unescaped() -> None:
    """No text of the figure holds markup from the data, or more of a name than fits."""
    table = pd.DataFrame({"feature": HOSTILE, "rise": [0.3, 0.2, 0.1], "spread": 0.0, "rows": 9})
    assert_harmless(importance_figure(table, "log_loss"))
