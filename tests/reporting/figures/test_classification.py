"""Tests of a classifier's figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from mlops_basics.reporting.figures.classification import (
    calibration_figure,
    confusion_figure,
    ranking_figure,
    reliability_bins,
)
from tests.support.artifacts import HOSTILE
from tests.support.harmless import assert_harmless


def _matrix(counts: np.ndarray, names: list[str]) -> pd.DataFrame:
    matrix = pd.DataFrame(counts, columns=names)
    matrix.insert(0, "actual", names)
    return matrix


def test_confusion_shows_counts_and_shares_of_the_true_class() -> None:
    """A cell's text is its count, its colour the share of its row."""
    drawn = confusion_figure(_matrix(np.array([[8, 2], [1, 3]]), ["a", "b"]))
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
    drawn = confusion_figure(_matrix(np.eye(classes, dtype=int), names))
    assert list(drawn.layout.yaxis.ticktext) == names
    assert len(drawn.layout.xaxis.ticktext) <= 20
    assert (drawn.data[0].texttemplate is not None) == (classes <= 30)
    assert drawn.layout.title.text == f"{classes} of {classes} rows right"
    assert drawn.layout.height <= 860


def test_confusion_without_rows() -> None:
    """A class without rows has no share; no rows and no classes are said in words."""
    drawn = confusion_figure(_matrix(np.array([[0, 0], [0, 5]]), ["a", "b"]))
    np.testing.assert_allclose(drawn.data[0].z, [[0, 0], [0, 1]])
    empty = confusion_figure(_matrix(np.zeros((2, 2), dtype=int), ["a", "b"]))
    assert "no rows" in empty.layout.title.text
    assert "no classes" in confusion_figure(pd.DataFrame({"actual": []})).to_json()


def test_hostile_names_reach_no_matrix_unescaped() -> None:
    """No text of the figure holds markup from the data, or more of a name than fits."""
    drawn = confusion_figure(_matrix(np.ones((3, 3), dtype=int), list(HOSTILE)))
    assert_harmless(drawn)


def _binary(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=rows)
    return (rng.uniform(size=rows) < p).astype(int), np.column_stack([1 - p, p])


def test_binary_ranking_is_that_of_the_second_class() -> None:
    """The area below the thinned curve and the legend agree with scikit-learn."""
    y, p = _binary(20_000)
    drawn = ranking_figure(y, p, ("no", "yes"))
    guessing, roc, pr, share = drawn.data
    area, precision = roc_auc_score(y, p[:, 1]), average_precision_score(y, p[:, 1])
    assert len(roc.x) <= 500
    assert len(pr.x) <= 500
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(area, abs=0.003)
    assert -np.sum(np.diff(pr.x) * np.asarray(pr.y)[:-1]) == pytest.approx(precision, abs=0.003)
    assert roc.name == f"yes: AUC {area:.3f}, AP {precision:.3f}"
    assert share.y[0] == pytest.approx(y.mean())
    assert guessing.name == "guessing"


def test_multiclass_ranking_draws_the_ten_most_frequent_classes() -> None:
    """Of many classes the most frequent are drawn, and the title says so."""
    rng = np.random.default_rng(0)
    y = rng.choice(15, 2_000, p=np.arange(1, 16) / 120)
    drawn = ranking_figure(y, rng.dirichlet(np.ones(15), 2_000), tuple(map(str, range(15))))
    names = [trace.name.split(":")[0] for trace in drawn.data if "AUC" in (trace.name or "")]
    assert names == [str(c) for c in np.argsort(-np.bincount(y), kind="stable")[:10]]
    assert "10 most frequent of 15" in drawn.layout.title.text


@pytest.mark.parametrize("y", [[], [0], [0] * 20, [1] * 20])
def test_ranking_of_one_class_says_so(y: list[int]) -> None:
    """Where only one class occurs there is nothing to rank."""
    drawn = ranking_figure(np.array(y), np.full((len(y), 2), 0.5), ("a", "b"))
    assert "nothing to rank" in drawn.to_json()


def test_bins_hold_equal_rows_with_wilson_intervals() -> None:
    """Each bin's share and limits are scipy's for the rows it holds."""
    y, p = _binary(1_000)
    bins = reliability_bins(p[:, 1], y == 1)
    assert bins.rows.tolist() == [100] * 10
    order = np.argsort(p[:, 1])
    for index, members in enumerate(np.split(order, 10)):
        hits = int(y[members].sum())
        limits = stats.binomtest(hits, 100).proportion_ci(0.95, method="wilson")
        assert bins.predicted[index] == pytest.approx(p[members, 1].mean())
        assert bins.observed[index] == pytest.approx(hits / 100)
        assert (bins.low[index], bins.high[index]) == pytest.approx((limits.low, limits.high))


def test_bins_keep_equal_probabilities_together() -> None:
    """A model with two distinct probabilities has two bins of any sizes."""
    bins = reliability_bins(np.repeat([0.2, 0.9], [190, 10]), np.arange(200) % 2 == 0)
    assert bins.rows.tolist() == [190, 10]
    np.testing.assert_allclose(bins.predicted, [0.2, 0.9])


def test_calibration_marks_the_bins_that_miss_the_diagonal() -> None:
    """Honest probabilities are rarely orange, inflated ones mostly; counts cover all rows."""
    y, p = _binary(5_000)
    for scores, most in (
        (p, range(4)),
        (np.column_stack([1 - p[:, 1] ** 3, p[:, 1] ** 3]), range(6, 11)),
    ):
        _, dots, counts = calibration_figure(y, scores, ("no", "yes")).data
        assert sum(colour == "#d55e00" for colour in dots.marker.color) in most
        assert sum(counts.y) == 5_000
        np.testing.assert_allclose(dots.y + dots.error_y.array, dots.customdata[:, 1])


def test_calibration_of_many_classes_is_of_the_predicted_one() -> None:
    """Confidence against accuracy: the dots' average is the accuracy."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 300)
    y = rng.integers(0, 3, 300)
    _, dots, _ = calibration_figure(y, p, ("a", "b", "c")).data
    rows = dots.customdata[:, 2]
    assert np.average(dots.y, weights=rows) == pytest.approx((p.argmax(axis=1) == y).mean())
    assert np.average(dots.x, weights=rows) == pytest.approx(p.max(axis=1).mean())


@pytest.mark.parametrize("draw", [ranking_figure, calibration_figure])
@pytest.mark.parametrize("classes", [("a",), ("a", "b"), HOSTILE])
@pytest.mark.parametrize("rows", [0, 1, 2, 40])
def test_degenerate_rows_are_drawn(draw, classes, rows) -> None:
    """Few rows, one class, and constant or missing probabilities raise nothing."""
    y, p = np.arange(rows) % len(classes), np.full((rows, len(classes)), 1 / len(classes))
    for codes, scores in ((y, p), (y * 0, p), (y, p * np.nan), (y - 1.0, p)):
        text = str(draw(codes, scores, classes).to_dict())
        assert "<script" not in text
        assert "x" * 60 not in text
