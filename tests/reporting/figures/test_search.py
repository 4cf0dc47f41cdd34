"""Tests of the figure of a search."""

from __future__ import annotations

import numpy as np

from mlops_basics.reporting.figures.search import search_figure
from tests.support.artifacts import make_trials
from tests.support.harmless import assert_harmless


def test_search_draws_the_best_so_far_among_sound_trials() -> None:
    """An overfitted trial sets the line only until there is one that is not."""
    trials = make_trials(4).assign(
        valid_loss=[0.2, 0.5, 0.1, 0.4], overfitted=[True, False, True, False], candidate="c"
    )
    drawn = search_figure(trials, "log_loss")
    line, marks, crosses = drawn.data
    np.testing.assert_allclose(line.y, [0.2, 0.5, 0.5, 0.4])
    np.testing.assert_allclose(marks.y, trials["valid_loss"])
    assert list(crosses.x) == [0, 2]
    assert "depth=3" in marks.customdata[0][2]
    assert drawn.layout.yaxis.type is None


def test_search_with_wide_or_missing_losses() -> None:
    """Losses of different magnitude get a log scale; a trial without a loss is left out."""
    trials = make_trials(3).assign(valid_loss=[1.0, 1000.0, np.nan], overfitted=False)
    drawn = search_figure(trials, "squared_error")
    assert drawn.layout.yaxis.type == "log"
    assert sum(len(trace.x) for trace in drawn.data[1:]) == 2
    none = search_figure(trials.assign(valid_loss=np.inf), "squared_error")
    assert "No trial" in none.to_json()


def test_hostile_names_reach_no_figure_unescaped() -> None:
    """No text of the figure holds markup from the data, or more of a name than fits."""
    assert_harmless(search_figure(make_trials(), "<i>loss</i>"))
