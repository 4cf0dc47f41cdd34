"""Influences of rows on metrics: known ones, their sums, and the errors that follow from them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from mlops_basics.stats.paired import confusion_metrics
from mlops_basics.stats.paired.auc import auc_influence, compare_auc
from mlops_basics.stats.paired.groups import compare_groups
from mlops_basics.stats.paired.influence import compare_left_out, confusion_influence

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")


def predictions(seed, n=600, k=3):
    """True classes, and two models' predictions of different skill."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    old = np.where(rng.random(n) < 0.6, y, rng.integers(0, k, n))
    new = np.where(rng.random(n) < 0.7, old, np.where(rng.random(n) < 0.9, y, old))
    return y, old, new


def scores(seed, n=600, k=2):
    """True classes, and two models' scores."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    signal = np.eye(k)[y] + rng.normal(0, 1, (n, k))
    noisy = signal + rng.normal(0, 0.7, (n, k))
    return (y, noisy[:, 1], signal[:, 1]) if k == 2 else (y, noisy, signal)


def of_confusion(metric, y, old, new):
    """The metric of both models, with influences."""
    function = getattr(confusion_metrics, metric)
    return confusion_influence(function, y, old, new, n_classes=int(y.max()) + 1)


def jackknife(found_of, arrays, groups):
    """The standard error of the gain by leaving each group out: no derivative in it."""
    names = np.unique(groups)
    gains = []
    for name in names:
        rest = found_of(*(values[groups != name] for values in arrays))
        gains.append(rest.challenger - rest.champion)
    return np.sqrt((len(names) - 1) * np.var(gains))


@given(st.integers(0, 1000))
def test_the_influence_on_accuracy_is_the_rows_own_part(seed):
    """The influence of a row on accuracy is (right - right before - gain) / n."""
    y, old, new = predictions(seed, 60)
    found = of_confusion("accuracy", y, old, new)
    own = (new == y).astype(float) - (old == y)
    np.testing.assert_allclose(found.influence, (own - own.mean()) / 60, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 1000))
def test_influences_sum_to_zero(metric, seed):
    """The metric does not depend on how many rows there are."""
    found = of_confusion(metric, *predictions(seed))
    assert found.influence.sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("k", [2, 3])
@given(seed=st.integers(0, 1000))
def test_influences_on_the_auc_sum_to_zero_and_give_delongs_error(k, seed):
    """They sum to zero, and the error is DeLong's up to the factor n_k / (n_k - 1)."""
    y, old, new = scores(seed, k=k)
    found = auc_influence(y, old, new)
    expected = compare_auc(y, old, new)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    assert (found.champion, found.challenger) == (expected.champion, expected.challenger)
    error = np.sqrt((found.influence**2).sum())
    assert error == pytest.approx(expected.standard_error, rel=0.005)


@pytest.mark.parametrize("metric", [*METRICS, "roc_auc"])
@pytest.mark.parametrize("k", [2, 3])
def test_the_error_by_groups_is_the_jackknifes(metric, k):
    """With 60 groups of 1 to 39 rows the standard error is the jackknife's."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(60), rng.integers(1, 40, 60))
    n = len(groups)
    if metric == "roc_auc":
        arrays, found_of = scores(6, n, k), auc_influence
        arrays[2][rng.random(60)[groups] < 0.2] = 0.0
    else:
        y, old, new = predictions(6, n, k)
        new = np.where(rng.random(60)[groups] < 0.2, 0, new)
        arrays = (y, old, new)

        def found_of(*parts):
            return of_confusion(metric, *parts)

    result = compare_groups(found_of(*arrays), groups, arrays[0], metric=metric)
    assert result.n == 60
    error = result.sums.sd / np.sqrt(60)
    assert error == pytest.approx(jackknife(found_of, arrays, groups), rel=0.1)


@pytest.mark.parametrize("metric", ["roc_auc", "macro_f1", "balanced_accuracy"])
def test_groups_of_one_class_each_change_the_mixture(metric):
    """A customer has one class: how often each class occurs is chance, too."""
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(90), rng.integers(5, 60, 90))
    n, y = len(groups), rng.integers(0, 3, 90)[groups]
    if metric == "roc_auc":
        # The challenger confuses 1 with 0, the champion 2 with 0.
        found_of, scores_of = auc_influence, np.eye(3)[y] + rng.normal(0, 0.3, (2, n, 3))
        scores_of[0][y == 2] = scores_of[0][y == 2][:, [2, 1, 0]]
        scores_of[1][y == 1] = scores_of[1][y == 1][:, [1, 0, 2]]
        arrays = (y, *scores_of)
    else:
        arrays = (y, np.where(y == 2, rng.integers(0, 3, n), y), np.where(y == 1, 0, y))

        def found_of(*parts):
            return of_confusion(metric, *parts)

    result = compare_groups(found_of(*arrays), groups, y, metric=metric)
    expected = jackknife(found_of, arrays, groups)
    assert result.sums.sd / np.sqrt(90) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("held_by", [1, 2, 19, 20])
@pytest.mark.parametrize("metric", ["roc_auc", "macro_f1", "balanced_accuracy"])
def test_a_class_in_few_groups_is_reported(metric, held_by):
    """A class in one group is no evidence; in fewer than twenty the level is approximate."""
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(100), 30)
    y = (groups < held_by) & (rng.random(3000) < 0.5)
    y = y.astype(int)
    signal = y + rng.normal(0, 1, 3000)
    if metric == "roc_auc":
        found = auc_influence(y, rng.normal(size=3000), signal)
    else:
        found = of_confusion(metric, y, np.zeros(3000, dtype=int), (signal > 0.5).astype(int))
    result = compare_groups(found, groups, y, metric=metric)
    assert result.effect == pytest.approx(found.challenger - found.champion)
    if held_by == 1:
        assert (result.significant, result.p_value, result.interval) == (False, 1.0, None)
        assert "a class lies in a single group" in result.reason
    else:
        assert result.interval is not None
        assert result.level_approximate == (held_by < 20)
        assert ("lies in only" in result.level_note) == (held_by < 20)


@pytest.mark.parametrize("metric", METRICS)
def test_rounding_is_no_variance(metric):
    """The same rows in each group: no measure of chance."""
    y, old, new = (np.tile(values, 40) for values in ([0, 1, 1], [0, 0, 1], [0, 1, 1]))
    result = compare_groups(
        of_confusion(metric, y, old, new), np.arange(120) // 3, y, metric=metric
    )
    assert not result.significant
    assert "the gain is the same in every group" in result.reason


def test_many_classes_take_little_memory():
    """With a hundred classes the influences take little memory."""
    rng = np.random.default_rng(9)
    y, old, new = rng.integers(0, 100, (3, 2000))
    y[:100] = np.arange(100)
    tracemalloc.start()
    found = of_confusion("macro_f1", y, old, new)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.influence.sum() == pytest.approx(0, abs=1e-6)
    assert peak < 20_000_000


def test_auc_needs_two_classes():
    """A single class, or a wrong shape, is an error that says so."""
    with pytest.raises(ValueError, match="at least two classes, got 1"):
        auc_influence([1, 1], [0.1, 0.2], [0.1, 0.3])
    with pytest.raises(ValueError, match="challenger must be of shape"):
        auc_influence([1, 0], [0.1, 0.2], [[0.1, 0.3], [0.2, 0.1]])


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_left_out_is_counted_as_if_it_had_never_been(metric):
    """The error is the jackknife's, each row left out one by one; the values are the metric's."""
    arrays = predictions(7, 150, 5)
    function = getattr(confusion_metrics, metric)
    found = compare_left_out(function, *arrays, n_classes=5, metric=metric)
    expected = of_confusion(metric, *arrays)
    assert (found.champion, found.challenger) == pytest.approx(
        (expected.champion, expected.challenger)
    )
    error = jackknife(lambda *of: of_confusion(metric, *of), arrays, np.arange(150))
    assert found.sums.sd / np.sqrt(150) == pytest.approx(error, rel=0.01)


def test_few_rows_of_a_class_are_told_and_equal_models_prove_nothing():
    """A class of three rows makes the level approximate; equal predictions are refused."""
    y, old, new = predictions(3, 300, 3)
    y = np.concatenate([y, [3, 3, 3]])
    old, new = np.append(old, [0, 0, 0]), np.append(new, [3, 3, 3])
    macro_f1 = confusion_metrics.macro_f1
    rare = compare_left_out(macro_f1, y, old, new, n_classes=4, metric="macro_f1")
    assert "rarest class has only 3 rows" in rare.level_note
    same = compare_left_out(macro_f1, y, old, old, n_classes=4, metric="macro_f1")
    assert (same.p_value, same.effect) == (1.0, 0.0)


def test_models_of_many_small_classes_are_told_apart_no_more_often_than_promised():
    """200 classes of ten rows, where derivatives would err in 2.5 % instead of 1.25."""
    rng, classes, lives, errors = np.random.default_rng(0), 200, 200, 0
    for _ in range(lives):
        y = rng.integers(0, classes, 2_000)
        models = rng.integers(0, classes, (2, 2_000))
        right = rng.random(2_000) < 0.75  # of both
        models[:, right] = y[right]
        found = compare_left_out(
            confusion_metrics.macro_f1, y, *models, n_classes=classes, metric="macro_f1"
        )
        errors += found.p_value <= 0.0125
    assert errors <= binom.isf(1e-3, lives, 0.0125)
