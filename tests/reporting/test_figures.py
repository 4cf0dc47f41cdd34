"""Tests of the figures of every task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.reporting import figures
from tests.support.artifacts import HOSTILE

from .conftest import make_trials


def _matrix(counts: np.ndarray, names: list[str]) -> pd.DataFrame:
    matrix = pd.DataFrame(counts, columns=names)
    matrix.insert(0, "actual", names)
    return matrix


def test_confusion_shows_counts_and_shares_of_the_true_class() -> None:
    """A cell's text is its count, its colour the share of its row."""
    drawn = figures.confusion_figure(_matrix(np.array([[8, 2], [1, 3]]), ["a", "b"]))
    heat = drawn.data[0]
    np.testing.assert_allclose(heat.z, [[0.8, 0.2], [0.25, 0.75]])
    assert np.asarray(heat.text).tolist() == [["8", "2"], ["1", "3"]]
    assert drawn.layout.title.text == (
        "11 of 14 rows right<br>most frequent mistake, 2 times:<br>a taken for b"
    )


@pytest.mark.parametrize("classes", [1, 2, 12, 31, 60])
def test_confusion_at_any_number_of_classes(classes: int) -> None:
    """Every class has its label, few below the matrix; text only where a cell can hold it."""
    names = [f"class_{i}" for i in range(classes)]
    drawn = figures.confusion_figure(_matrix(np.eye(classes, dtype=int), names))
    assert list(drawn.layout.yaxis.ticktext) == names
    assert len(drawn.layout.xaxis.ticktext) <= 20
    assert (drawn.data[0].texttemplate is not None) == (classes <= 30)
    assert drawn.layout.title.text == f"{classes} of {classes} rows right"
    assert drawn.layout.height <= 860


def test_confusion_without_rows() -> None:
    """A class without rows has no share; no rows and no classes are said in words."""
    drawn = figures.confusion_figure(_matrix(np.array([[0, 0], [0, 5]]), ["a", "b"]))
    np.testing.assert_allclose(drawn.data[0].z, [[0, 0], [0, 1]])
    empty = figures.confusion_figure(_matrix(np.zeros((2, 2), dtype=int), ["a", "b"]))
    assert "no rows" in empty.layout.title.text
    assert "no classes" in figures.confusion_figure(pd.DataFrame({"actual": []})).to_json()


def test_importance_draws_the_twenty_largest_on_top() -> None:
    """The largest rises come first, and the title says how many features there are."""
    rises = np.random.default_rng(0).normal(size=25)
    table = pd.DataFrame({"feature": [f"f{i}" for i in range(25)], "rise": rises, "spread": 0.1})
    drawn = figures.importance_figure(table)
    np.testing.assert_allclose(drawn.data[0].x, np.sort(rises)[::-1][:20])
    assert drawn.layout.yaxis.ticktext[0] == f"f{rises.argmax()}"
    assert drawn.layout.yaxis.autorange == "reversed"
    assert "top 20 of 25" in drawn.layout.title.text
    np.testing.assert_allclose(drawn.data[0].error_x.array, 0.1)
    assert "no features" in figures.importance_figure(table[:0]).to_json()


def test_importance_keeps_features_apart_whose_short_names_agree() -> None:
    """Two long names that look alike when shortened are still two bars."""
    names = ["a" * 50 + "1" + "b" * 50, "a" * 50 + "2" + "b" * 50]
    table = pd.DataFrame({"feature": names, "rise": [1.0, 2.0], "spread": 0.0})
    assert list(figures.importance_figure(table).data[0].y) == [0, 1]


def test_search_draws_the_best_so_far_among_sound_trials() -> None:
    """An overfitted trial sets the line only until there is one that is not."""
    trials = make_trials(4).assign(
        valid_loss=[0.2, 0.5, 0.1, 0.4], overfitted=[True, False, True, False], candidate="c"
    )
    drawn = figures.search_figure(trials, "log_loss")
    line, marks, crosses = drawn.data
    np.testing.assert_allclose(line.y, [0.2, 0.5, 0.5, 0.4])
    np.testing.assert_allclose(marks.y, trials["valid_loss"])
    assert list(crosses.x) == [0, 2]
    assert "depth=3" in marks.customdata[0][2]
    assert drawn.layout.yaxis.type is None


def test_search_with_wide_or_missing_losses() -> None:
    """Losses of different magnitude get a log scale; a trial without a loss is left out."""
    trials = make_trials(3).assign(valid_loss=[1.0, 1000.0, np.nan], overfitted=False)
    drawn = figures.search_figure(trials, "squared_error")
    assert drawn.layout.yaxis.type == "log"
    assert sum(len(trace.x) for trace in drawn.data[1:]) == 2
    none = figures.search_figure(trials.assign(valid_loss=np.inf), "squared_error")
    assert "No trial" in none.to_json()


@pytest.mark.parametrize("rows", [1, 5_000])
def test_actual_draws_the_same_rows_each_time(rows: int) -> None:
    """At most 2,000 rows are drawn, the same ones each time, with the diagonal below them."""
    y = np.random.default_rng(0).normal(size=rows)
    first, second = (figures.actual_figure(y, y + 1) for _ in range(2))
    assert first.to_json() == second.to_json()
    diagonal, dots = first.data
    assert len(dots.x) == min(rows, 2_000)
    assert set(dots.x) <= set(y)
    np.testing.assert_allclose(dots.y, np.asarray(dots.x) + 1)
    assert list(diagonal.x) == list(diagonal.y)


def test_residual_quantiles_agree_with_an_independent_computation() -> None:
    """The median and the band are those of equally filled bins of the prediction."""
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0, 10, 300)
    y = predicted + rng.normal(0, 1, 300)
    dots, low, high, median = figures.residual_figure(y, predicted).data
    table = pd.DataFrame({"p": predicted, "r": y - predicted}).sort_values("p")
    groups = table.groupby(np.repeat(np.arange(30), 10))
    np.testing.assert_allclose(median.y, groups["r"].median())
    np.testing.assert_allclose(low.y, groups["r"].quantile(0.1))
    np.testing.assert_allclose(high.y, groups["r"].quantile(0.9))
    np.testing.assert_allclose(dots.y, y - predicted)


@pytest.mark.parametrize("draw", [figures.actual_figure, figures.residual_figure])
@pytest.mark.parametrize(
    ("y", "predicted"), [([], []), ([1.0], [2.0]), ([3.0] * 50, [3.0] * 50), ([np.nan, 1], [1, 2])]
)
def test_regression_figures_of_degenerate_rows(draw, y, predicted) -> None:
    """No row, one row, constants and missing values are drawn, not raised."""
    assert draw(np.array(y), np.array(predicted)).to_json()


def test_hostile_names_reach_no_figure_unescaped() -> None:
    """No text of a figure holds markup from the data, or more of a name than fits."""
    table = pd.DataFrame({"feature": HOSTILE, "rise": [0.3, 0.2, 0.1], "spread": 0.0})
    drawn = [
        figures.confusion_figure(_matrix(np.ones((3, 3), dtype=int), list(HOSTILE))),
        figures.importance_figure(table),
        figures.search_figure(make_trials(), "<i>loss</i>"),
    ]
    for each in drawn:
        text = str(each.to_dict())
        assert not any(tag in text for tag in ("<script", "</script", "<b>", "<i>", "x" * 60))
        assert "&lt;script&gt;" in text
