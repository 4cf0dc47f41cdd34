"""Joint changes."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mlops_basics.stats.data_drift.joint import JointMoments, judge_classifier, judge_correlations

seeds = st.integers(0, 2**32 - 1)


def _columns(seed, n=200):
    z = np.random.default_rng(seed).normal(size=(4, n))
    z[1] += z[0]
    z[2] = np.round(z[2] + z[1])
    z[3, ::7] = np.nan
    return dict(zip("abcd", z, strict=True))


def _scores(x):
    return special.ndtri((stats.rankdata(x) - 0.5) / len(x))


def test_correlations_are_those_of_pairwise_normal_scores():
    """The same as scipy's ranks and numpy's corrcoef, over the rows that both columns have."""
    columns = _columns(0)
    r, _, n = JointMoments.from_columns(columns).correlations()
    names = list(columns)
    for i in range(4):
        for j in range(i):
            a, b = columns[names[i]], columns[names[j]]
            there = ~np.isnan(a) & ~np.isnan(b)
            scored = [np.full(200, np.nan), np.full(200, np.nan)]
            for score, x in zip(scored, (a, b), strict=True):
                score[~np.isnan(x)] = _scores(x[~np.isnan(x)])
            expected = np.corrcoef(scored[0][there], scored[1][there])[0, 1]
            assert r[i, j] == pytest.approx(expected, rel=1e-9)
            assert n[i, j] == there.sum()


def test_variance_is_that_of_the_influences():
    """n times the variance of r, over (1 - r^2)^2, is the mean square of each row's influence."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=5000)
    b = np.where(rng.random(5000) < 0.5, a, -a) + 0.3 * rng.normal(size=5000) + 0.4 * a
    r, variance, _ = JointMoments.from_columns({"a": a, "b": b}).correlations()
    x, y = ((s - s.mean()) / s.std() for s in (_scores(a), _scores(b)))
    influence = x * y - r[0, 1] * (x**2 + y**2) / 2
    assert variance[0, 1] == pytest.approx((influence**2).mean() / (1 - r[0, 1] ** 2) ** 2)
    assert variance[0, 1] > 1.5  # what a normal theory would miss


@given(seeds, seeds)
def test_merging_adds(first, second):
    """Merge is commutative and associative, and the empty table is its neutral element."""
    a, b = (JointMoments.from_columns(_columns(s, 40)) for s in (first, second))
    c = JointMoments.from_columns({name: [] for name in "abcd"})
    np.testing.assert_allclose(a.merge(b).sums, b.merge(a).sums)
    np.testing.assert_allclose(a.merge(b).merge(a).sums, a.merge(b.merge(a)).sums)
    np.testing.assert_array_equal(a.merge(c).sums, a.sums)


@given(seeds)
def test_monotone_maps_and_order_of_rows_change_nothing(seed):
    """Correlations of normal scores see neither units nor the order of rows."""
    columns = _columns(seed)
    order = np.random.default_rng(seed).permutation(200)
    mapped = {name: np.exp(x[order]) for name, x in columns.items()}
    first, second = (JointMoments.from_columns(c).sums for c in (columns, mapped))
    np.testing.assert_allclose(first, second, atol=1e-8)


@pytest.mark.parametrize("rows", [0, 1, 5, 500])
def test_degenerate_tables_have_finite_results(rows):
    """No rows, one row, constants, only nulls, equal columns, infinities: finite, and a reason."""
    good = JointMoments.from_columns(_columns(0))
    x = np.arange(float(rows))
    tables = [
        {"a": x, "b": np.ones(rows), "c": np.full(rows, np.nan), "d": x},
        {"a": np.ones(rows)},
        {"a": np.where(x > 2, np.inf, x), "b": -x},
        {},
    ]
    for table in tables:
        for result in (
            judge_correlations(good, JointMoments.from_columns(table), 1e-3),
            judge_correlations(JointMoments.from_columns(table), good, 1e-3),
        ):
            json.dumps(dataclasses.asdict(result), allow_nan=False)
            assert result.reason
            if rows < 20:
                assert not result.drifted


def test_at_most_so_many_rows_are_used():
    """Of more rows some are taken, evenly spaced: memory is bounded."""
    x = np.random.default_rng(0).normal(size=(2, 10_000))
    sums = JointMoments.from_columns({"a": x[0], "b": x[1]}, max_rows=100).sums
    assert sums[0, 0, 1] == 100


def test_at_most_so_many_columns_are_paired():
    """Of more columns the first ones are taken, on both sides the same."""
    x = np.random.default_rng(0).normal(size=(150, 50))
    moments = JointMoments.from_columns({f"c{i}": x[i] for i in range(150)})
    assert moments.names == tuple(f"c{i}" for i in range(100))
    assert moments.sums.shape == (9, 100, 100)


def test_state_comes_back(tmp_path):
    """The moments survive npz."""
    moments = JointMoments.from_columns(_columns(0))
    np.savez(tmp_path / "joint.npz", **moments.to_dict())
    with np.load(tmp_path / "joint.npz") as stored:
        again = JointMoments.from_dict(stored)
    assert again.names == moments.names
    np.testing.assert_array_equal(again.sums, moments.sums)


def test_classifier_is_sure_only_with_rows():
    """The same AUC is drift on many rows and not on few; chance scores never are."""
    rng = np.random.default_rng(0)
    for n, drifted in ((40, False), (4000, True)):
        labels = np.repeat([0, 1], n)
        result = judge_classifier(labels, labels * 0.5 + rng.normal(size=2 * n), 1e-4)
        assert result.drifted is drifted
        assert result.effect == pytest.approx(0.64, abs=0.1)
        assert not judge_classifier(labels, rng.normal(size=2 * n), 1e-4).drifted


def test_perfect_separation_is_drift_although_its_variance_is_zero():
    """A classifier that tells all rows apart has the exact bound of its disjoint pairs."""
    labels = np.repeat([0, 1], 400)
    result = judge_classifier(labels, labels * 1.0, 1e-4)
    assert result.drifted
    assert result.lower == pytest.approx(1e-4 ** (1 / 400))
    few = judge_classifier([0, 0, 1, 1], [0, 0, 1, 1], 1e-4)
    assert not few.drifted


@pytest.mark.parametrize("labels", [[], [0], [1] * 50, [0, 1], [0, 1] * 50])
def test_degenerate_scores_have_finite_results(labels):
    """No rows, one side only, equal scores: finite, not drifted, a reason."""
    result = judge_classifier(labels, np.ones(len(labels)), 1e-3)
    json.dumps(dataclasses.asdict(result), allow_nan=False)
    assert not result.drifted
    assert result.reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: JointMoments.from_columns({"a": [[1.0]]}),
            r"a must be one-dimensional, got \(1, 1\)",
        ),
        (
            lambda: JointMoments.from_columns({"a": [1.0], "b": [1.0, 2.0]}),
            "b must be of length 1, got 2",
        ),
        (
            lambda: JointMoments.from_columns({"a": []}).merge(JointMoments.from_columns({})),
            r"columns must be \('a',\), got \(\)",
        ),
        (
            lambda: judge_classifier([0, 2], [0.0, 1.0], 0.01),
            r"labels must be in 0 \.\.\. 1, got 2",
        ),
        (lambda: judge_classifier([0], [np.nan], 0.01), "scores must be finite, got nan"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Shapes and values out of range are refused."""
    with pytest.raises(ValueError, match=message):
        call()
