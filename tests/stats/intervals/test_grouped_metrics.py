"""Tests of the metrics' intervals where groups, not rows, are independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from mlops_basics.stats.intervals import metrics
from mlops_basics.stats.intervals.grouped_metrics import (
    auc_of_groups,
    confusion_metric_of_groups,
    share_of_groups,
)
from mlops_basics.stats.paired import confusion_metrics

OF_ALL = {
    "balanced_accuracy": lambda y, p: reference.balanced_accuracy_score(y, p),
    "macro_f1": lambda y, p: reference.f1_score(y, p, average="macro"),
    "mcc": lambda y, p: reference.matthews_corrcoef(y, p),
}


def rows_of(rng, groups=40, size=100, spread=0.8):
    """Classes, scores that know much of them in some groups and little in others, the groups."""
    group = np.repeat(np.arange(groups), rng.integers(size // 2, 3 * size // 2, groups))
    y = rng.integers(0, 2, len(group))
    skill = rng.normal(1, spread, groups)[group]
    score = stats.norm.cdf(skill * (y - 0.5) + rng.normal(0, 1, len(group)))
    return y, score, group


def jackknife(metric, arrays, groups):
    """The standard error of a metric by leaving each group out: no derivative in it."""
    names = np.unique(groups)
    left = [metric(*(values[groups != name] for values in arrays)) for name in names]
    return np.sqrt((len(names) - 1) * np.var(left))


def half_width(result):
    """What stands for the standard error, times Student's quantile."""
    return (result.high - result.low) / 2


@given(st.integers(0, 10_000))
def test_the_interval_of_a_mean_is_the_jackknifes(seed):
    """The interval equals the jackknife's to the last digit, also with unequal groups."""
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=60), rng.integers(0, 7, 60)
    result = metrics.mean(values, 0.9, groups=groups)
    error = jackknife(np.mean, [values], groups)
    # The jackknife about its own mean and about the estimate differ by the square of its bias.
    left = [values[groups != name].mean() for name in np.unique(groups)]
    error = np.sqrt(error**2 + (len(left) - 1) * (np.mean(left) - values.mean()) ** 2)
    quantile = stats.t.ppf(0.95, len(np.unique(groups)) - 1)
    assert half_width(result) == pytest.approx(quantile * error)


@pytest.mark.parametrize("name", OF_ALL)
def test_metrics_of_the_confusion_matrix_agree_with_the_jackknife(name):
    """The standard errors are within 3 % of the jackknife's, which needs no derivatives."""
    y, score, groups = rows_of(np.random.default_rng(3))
    predicted = (score > 0.5).astype(int)
    function = getattr(confusion_metrics, name)
    result = confusion_metric_of_groups(function, y, predicted, groups, 2, 0.95)
    assert result.value == pytest.approx(OF_ALL[name](y, predicted))
    error = jackknife(OF_ALL[name], (y, predicted), groups)
    assert half_width(result) == pytest.approx(stats.t.ppf(0.975, 39) * error, rel=0.03)


def test_the_auc_agrees_with_the_jackknife():
    """The standard error of the AUC equals the jackknife's on the logit scale."""
    y, score, groups = rows_of(np.random.default_rng(4))
    result = auc_of_groups(y, np.column_stack([1 - score, score]), groups, 0.95)
    assert result.value == pytest.approx(reference.roc_auc_score(y, score))
    logits = np.log(np.array([result.low, result.high]) / (1 - np.array([result.low, result.high])))
    error = (logits[1] - logits[0]) / 2 * result.value * (1 - result.value)
    expected = stats.t.ppf(0.975, 39) * jackknife(reference.roc_auc_score, (y, score), groups)
    assert error == pytest.approx(expected, rel=0.03)


@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_a_share_of_single_rows_is_wilsons(seed, p):
    """The interval is Wilson's with Student's quantile, which is a little wider."""
    rng = np.random.default_rng(seed)
    hits = rng.random(2000) < p
    result = share_of_groups(hits, np.arange(2000), 0.95)
    expected = metrics.share(int(hits.sum()), 2000, 0.95)
    assert result.value == expected.value
    assert [result.low, result.high] == pytest.approx([expected.low, expected.high], abs=2e-4)


@given(st.integers(0, 10_000))
def test_a_share_stays_a_share_and_holds_its_value(seed):
    """For any groups the limits are in [0, 1] and contain the value."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    hits, groups = rng.random(n) < rng.random(), rng.integers(0, 5, n)
    result = share_of_groups(hits, groups, 0.95)
    if len(set(groups)) == 1:
        assert (result.low, result.high, result.note) == (None, None, metrics.ONE_GROUP)
    else:
        assert 0 <= result.low <= result.value <= result.high <= 1


def test_groups_without_an_error_still_have_an_interval():
    """Forty days right are worth forty rows, not four thousand."""
    result = share_of_groups(np.ones(4000, dtype=bool), np.arange(4000) // 100, 0.95)
    assert result.high == 1
    assert result.low == pytest.approx(metrics.share(40, 40).low, abs=0.01)


def test_only_the_groups_of_errors_show_how_they_are_spread():
    """One error says no more than none; errors on many days show that days do not matter."""
    lows = []
    for errors in (0, 1, 2, 3, 6):
        hits = np.ones(4000, dtype=bool)
        hits[100 * np.arange(errors)] = False
        lows.append(share_of_groups(hits, np.arange(4000) // 100, 0.95).low)
    assert lows[1] == pytest.approx(lows[0], abs=0.001)
    assert lows[1] < lows[2] < lows[3] < lows[4]
    assert lows[4] > 0.995


@pytest.mark.slow
@pytest.mark.parametrize(("p", "within"), [(0.9, 0.05), (0.99, 0.05), (0.995, 0.2)])
def test_coverage_of_rare_errors_that_come_together(p, within):
    """Shares of 30 groups by a beta distribution, with this correlation within a group."""
    rng, groups = np.random.default_rng(1), np.repeat(np.arange(30), 100)
    a, b = (each * (1 - within) / within for each in (p, 1 - p))
    covered = 0
    for _ in range(500):
        hits = rng.random(3000) < rng.beta(a, b, 30)[groups]
        result = share_of_groups(hits, groups, 0.95)
        covered += result.low <= p <= result.high
    assert covered / 500 > 0.92


@pytest.mark.slow
@pytest.mark.parametrize("known_in", [3, 5, 10])
def test_coverage_where_a_class_lies_in_few_groups(known_in):
    """Of 30 groups only those with the class are informative, and the note says so."""
    covered = {"auc": 0, "balanced_accuracy": 0}
    truths = {
        "auc": stats.norm.cdf(1 / np.sqrt(2.5)),
        "balanced_accuracy": stats.norm.cdf(0.5 / np.sqrt(1.25)),
    }
    groups = np.repeat(np.arange(30), 50)
    for seed in range(500):
        rng = np.random.default_rng([seed, known_in])
        y = ((groups < known_in) & (rng.random(1500) < 0.3)).astype(int)
        raw = y + rng.normal(0, 0.5, 30)[groups] + rng.normal(0, 1, 1500)
        score, predicted = stats.norm.cdf(raw), (raw > 0.5).astype(int)
        function = confusion_metrics.balanced_accuracy
        found = {
            "auc": auc_of_groups(y, np.column_stack([1 - score, score]), groups, 0.95),
            "balanced_accuracy": confusion_metric_of_groups(
                function, y, predicted, groups, 2, 0.95
            ),
        }
        for name, result in found.items():
            covered[name] += result.low <= truths[name] <= result.high
            assert f"only {known_in} groups" in result.note
    assert min(covered.values()) / 500 > 0.92


def test_what_cannot_be_known_has_no_limits():
    """One group, a class in one group and no error at all give no limits."""
    y, score, groups = rows_of(np.random.default_rng(5))
    p, predicted = np.column_stack([1 - score, score]), (score > 0.5).astype(int)
    f1 = confusion_metrics.macro_f1
    lonely = np.where(y == 1, 7, groups)  # class 1 lies in group 7 only
    for of, note in ((np.zeros_like(groups), "single group"), (lonely, "single group")):
        for result in (
            auc_of_groups(y, p, of, 0.95),
            confusion_metric_of_groups(f1, y, predicted, of, 2, 0.95),
        ):
            assert result.value is not None
            assert (result.low, result.high) == (None, None)
            assert note in result.note
    assert metrics.mean(score, groups=np.zeros_like(groups)).note == metrics.ONE_GROUP
    assert metrics.root_mean_square(score, groups=np.zeros_like(groups)).low is None
    perfect = confusion_metric_of_groups(f1, y, y, groups, 2, 0.95)
    assert (perfect.value, perfect.low) == (1, None)
    assert "no variation" in perfect.note
    assert auc_of_groups(np.zeros_like(y), p, groups, 0.95).value is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["share", "mean", "r_squared", "auc", "balanced_accuracy"])
def test_coverage(name):
    """95 % intervals cover the truth in about 95 % of 500 samples of 40 groups.

    Those that take rows as independent cover it in less than 80 %.
    """
    of_groups = of_rows = 0
    for seed in range(500):
        found, alone, truth = interval_of(name, np.random.default_rng([seed, 9]))
        of_groups += found.low <= truth <= found.high
        of_rows += alone.low <= truth <= alone.high
    assert 0.92 < of_groups / 500 < 0.975
    assert of_rows / 500 < 0.8


def interval_of(name, rng):
    """By groups, by rows, and the truth."""
    y, score, groups = rows_of(rng)
    if name == "mean":
        values = rng.normal(1, 0.5, 40)[groups] + rng.normal(0, 1, len(groups))
        return metrics.mean(values, groups=groups), metrics.mean(values), 1.0
    if name == "r_squared":
        error = np.sqrt(rng.uniform(0.2, 1.8, 40))[groups] * rng.normal(0, 1, len(groups))
        target = rng.normal(0, 1, len(groups)) + error
        by_group = metrics.r_squared(target, error, groups=groups)
        return by_group, metrics.r_squared(target, error), 0.5
    right = (score > 0.5) == y
    accuracy = stats.norm.cdf(0.5 / np.sqrt(1 + 0.8**2 / 4))
    if name == "share":
        alone = metrics.share(int(right.sum()), len(right))
        return share_of_groups(right, groups, 0.95), alone, accuracy
    if name == "auc":
        p = np.column_stack([1 - score, score])
        truth = stats.norm.cdf(1 / np.sqrt(2 + 0.8**2 / 2))  # of rows of two groups
        return auc_of_groups(y, p, groups, 0.95), metrics.roc_auc(y, p), truth
    predicted = (score > 0.5).astype(int)
    function = confusion_metrics.balanced_accuracy
    counts = np.bincount(y * 2 + predicted, minlength=4).reshape(2, 2)
    alone = metrics.confusion_metric(counts, function, 0.95, 500, np.random.default_rng(0))
    return confusion_metric_of_groups(function, y, predicted, groups, 2, 0.95), alone, accuracy


def test_wrong_shapes_are_named():
    """Each message gives name and rule."""
    with pytest.raises(ValueError, match="groups must be of length 3"):
        metrics.mean([1.0, 2.0, 3.0], groups=[1, 2])
    with pytest.raises(ValueError, match="groups must be one-dimensional"):
        share_of_groups([True, False], [[1], [2]], 0.95)
