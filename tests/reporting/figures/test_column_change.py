"""Tests of the figure of a column that changed."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_basics.reporting.figures.column_change import column_figure
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftResult
from tests.support.artifacts import HOSTILE
from tests.support.harmless import assert_harmless


def make_column(name: str, kind: str = "numeric") -> DriftResult:
    """What was found about a column."""
    return DriftResult(
        column=name,
        kind=kind,
        measure="KS distance",
        where="",
        effect=0.2,
        lower=0.1,
        threshold=0.05,
        level=0.001,
        drifted=True,
        n_reference=1,
        n_current=1,
        smallest=None,
        reason="",
    )


def test_numbers_are_drawn_as_shares_in_shared_bins() -> None:
    """Shares equal numpy's histogram of the same values; outliers do not squeeze the rest."""
    rng = np.random.default_rng(0)
    before, now = rng.normal(0, 1, 4_000), rng.normal(1, 2, 3_000)
    before[0], now[0] = 1e9, -1e9
    drawn = column_figure(
        make_column("x"), NumericProfile.from_values(before), NumericProfile.from_values(now)
    )
    reference, batch = drawn.data
    edges = np.array(reference.x)
    low = min(np.quantile(before, 0.005), np.quantile(now, 0.005))
    high = max(np.quantile(before, 0.995), np.quantile(now, 0.995))
    assert edges[0] == pytest.approx(low, abs=0.2)
    assert edges[-1] == pytest.approx(high, abs=0.2)
    for values, side in ((before, reference), (now, batch)):
        counts, _ = np.histogram(values, edges)
        np.testing.assert_allclose(np.array(side.y)[:-1], counts / len(values), atol=2e-3)
        assert list(side.x) == list(edges)
    assert "are not drawn" in drawn.layout.meta["reading"]


def test_whole_numbers_have_bins_of_equal_content() -> None:
    """A uniform column of whole numbers is flat: no bin holds one number more than others."""
    values = np.repeat(np.arange(61.0), 50)
    profile = NumericProfile.from_values(values)
    shares = np.array(column_figure(make_column("x"), profile, profile).data[0].y)[:-1]
    inner = shares[1:-1]
    np.testing.assert_allclose(inner, inner[0])


def test_few_distinct_numbers_are_bars() -> None:
    """Each value is a bar with its share of the values that are there."""
    drawn = column_figure(
        make_column("x"),
        NumericProfile.from_values([0, 0, 0, 1, np.nan]),
        NumericProfile.from_values([1.0, 2.0]),
    )
    assert list(drawn.layout.yaxis.ticktext) == ["0", "1", "2"]
    np.testing.assert_allclose(drawn.data[0].x, [0.75, 0.25, 0])
    np.testing.assert_allclose(drawn.data[1].x, [0, 0.5, 0.5])
    assert "20 % before, 0 % now" in drawn.layout.meta["reading"]


def test_missing_values_that_drifted_are_drawn() -> None:
    """The figure shows the share of missing values, not the values."""
    drawn = column_figure(
        make_column("x", "missing"),
        NumericProfile.from_values([1.0] * 99 + [np.nan]),
        NumericProfile.from_values([1.0] * 9 + [np.nan]),
    )
    assert list(drawn.layout.yaxis.ticktext) == ["missing", "present"]
    np.testing.assert_allclose(drawn.data[0].x, [0.01, 0.99])
    np.testing.assert_allclose(drawn.data[1].x, [0.1, 0.9])


def test_levels_that_changed_most_are_drawn_and_the_rest_pooled() -> None:
    """Shares of the rows, missing ones included, add up to one on both sides."""
    before = CategoricalProfile(counts={f"l{i}": 10 for i in range(30)}, missing=20, other=5)
    now = CategoricalProfile(counts={"l7": 100, "new": 50, "l0": 30}, missing=20)
    drawn = column_figure(make_column("x", "categorical"), before, now)
    names = list(drawn.layout.yaxis.ticktext)
    assert names[:2] == ["l7", "new"]
    assert names[-1] == "(other levels)"
    assert "(missing)" in names
    assert len(names) == 13
    for side in drawn.data:
        assert sum(side.x) == pytest.approx(1)
    few = column_figure(
        make_column("x", "categorical"),
        CategoricalProfile(counts={"a": 1}),
        CategoricalProfile(counts={"b": 1}),
    )
    assert list(few.layout.yaxis.ticktext) == ["a", "b"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([], []),
        ([np.nan], [np.nan]),
        ([np.inf, -np.inf], [np.inf] * 30),
        ([1.0] * 20_000 + list(range(20_000)), [5.0]),
        (list(1.7e308 * np.linspace(-1, 1, 99)), [0.0]),
        ([3.0] * 5_000 + list(np.linspace(4, 9, 15)), [3.0] * 5_000),
        (list(np.linspace(0, 1e-320, 20)), [0.0]),
    ],
)
def test_odd_columns_are_drawn(before: list[float], now: list[float]) -> None:
    """Nothing, constants, infinities and the largest numbers there are: no error, no NaN."""
    sides = [NumericProfile.from_values(values) for values in (before, now)]
    for first, second in (sides, sides[::-1]):
        drawn = column_figure(make_column("x"), first, second)
        for side in drawn.data:
            assert np.isfinite(np.array(side.y, dtype=float)).all()
            assert np.isfinite(np.array(side.x, dtype=float)).all()


def test_compressed_profiles_are_drawn_like_exact_ones() -> None:
    """What a profile of 8,192 points does not know is too small to be seen."""
    values = np.random.default_rng(1).gamma(2, 10, 50_000)
    exact = NumericProfile.from_values(values, max_points=60_000)
    rough = NumericProfile.from_values(values)
    assert exact.exact
    assert not rough.exact
    reference, batch = column_figure(make_column("x"), exact, rough).data
    np.testing.assert_allclose(reference.y, batch.y, atol=5e-4)


def test_sides_of_different_kinds_are_said_not_to_be_comparable() -> None:
    """A change of the column's type gives a note instead of a figure."""
    drawn = column_figure(
        make_column("x"), NumericProfile.from_values([1.0]), CategoricalProfile(counts={"a": 1})
    )
    assert "not comparable" in drawn.to_json()


def test_hostile_names_reach_no_figure_unescaped() -> None:
    """No text of the figure holds markup from the data, or more of a name than fits."""
    hostile = (*HOSTILE, "two\nlines")
    profile = CategoricalProfile(counts=dict.fromkeys(hostile, 5))
    for name in hostile:
        drawn = column_figure(make_column(name, "categorical"), profile, profile)
        assert_harmless(drawn)
        assert "o\\nl" not in str(drawn.to_dict())
