"""Tests of a regression's figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.reporting.figures.regression import actual_figure, residual_figure


@pytest.mark.parametrize("rows", [1, 5_000])
def test_actual_draws_the_same_rows_each_time(rows: int) -> None:
    """At most 2,000 rows are drawn, the same ones each time, with the diagonal below them."""
    y = np.random.default_rng(0).normal(size=rows)
    first, second = (actual_figure(y, y + 1) for _ in range(2))
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
    dots, low, high, median = residual_figure(y, predicted).data
    table = pd.DataFrame({"p": predicted, "r": y - predicted}).sort_values("p")
    groups = table.groupby(np.repeat(np.arange(30), 10))
    np.testing.assert_allclose(median.y, groups["r"].median())
    np.testing.assert_allclose(low.y, groups["r"].quantile(0.1))
    np.testing.assert_allclose(high.y, groups["r"].quantile(0.9))
    np.testing.assert_allclose(dots.y, y - predicted)


@pytest.mark.parametrize("draw", [actual_figure, residual_figure])
@pytest.mark.parametrize(
    ("y", "predicted"), [([], []), ([1.0], [2.0]), ([3.0] * 50, [3.0] * 50), ([np.nan, 1], [1, 2])]
)
def test_regression_figures_of_degenerate_rows(draw, y, predicted) -> None:
    """No row, one row, constants and missing values are drawn, not raised."""
    assert draw(np.array(y), np.array(predicted)).to_json()
