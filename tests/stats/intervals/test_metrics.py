"""Tests of the metrics' intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from mlops_basics.stats.intervals import metrics
from mlops_basics.stats.paired.confusion_metrics import macro_f1

RNG = np.random.default_rng(0)


def test_share_is_wilsons_interval():
    """27 of 30: the limits that statsmodels' proportion_confint(27, 30, method="wilson") prints."""
    result = metrics.share(27, 30)
    assert (round(result.low, 4), round(result.high, 4)) == (0.7438, 0.9654)


def test_share_without_an_error_still_has_an_interval():
    """31 of 31 right does not mean always right."""
    result = metrics.share(31, 31)
    assert result.high == pytest.approx(1)
    assert result.low < 0.9


def test_mean_is_students_interval():
    """The interval equals that of scipy's one-sample t test."""
    values = RNG.normal(3, 2, 40)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    result = metrics.mean(values, 0.9)
    assert result.low == pytest.approx(expected.low)
    assert result.high == pytest.approx(expected.high)


def test_a_loss_is_not_below_zero():
    """The lower limit of a mean that cannot be negative is not."""
    assert metrics.mean([0.0, 0.0, 5.0], at_least=0).low == 0


def test_regression_metrics_equal_scikit_learn():
    """R2 and RMSE equal scikit-learn's."""
    y = RNG.normal(size=50)
    predicted = y + RNG.normal(size=50)
    assert metrics.r_squared(y, y - predicted).value == pytest.approx(
        reference.r2_score(y, predicted)
    )
    assert metrics.root_mean_square(y - predicted).value == pytest.approx(
        reference.root_mean_squared_error(y, predicted)
    )


def test_r2_is_not_defined_for_a_constant_target():
    """No NaN, no division by zero."""
    result = metrics.r_squared([1.0, 1.0], [0.1, -0.1])
    assert result.value is None
    assert "does not vary" in result.note


def test_limits_do_not_leave_the_range_of_a_metric():
    """Of R2 it ends at 1, however few groups there are; of a mean where the caller says."""
    rng = np.random.default_rng(6)
    groups = np.arange(40) % 2
    y = rng.normal(size=40)
    result = metrics.r_squared(y, (0.2 + 0.6 * groups) * rng.normal(size=40), groups=groups)
    assert result.low < 0
    assert result.high == 1
    assert metrics.mean([0.0, 1.0, 2.0], at_least=0, at_most=2).high == 2


def test_auc_equals_scikit_learn_and_stays_within_bounds():
    """Binary and macro one-against-rest values, limits inside (0, 1)."""
    y = RNG.integers(0, 3, 90)
    p = RNG.dirichlet([1, 1, 1], 90) + 0.3 * np.eye(3)[y]
    p /= p.sum(axis=1, keepdims=True)
    result = metrics.roc_auc(y, p)
    expected = reference.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert result.value == pytest.approx(expected)
    assert 0 < result.low < result.value < result.high < 1
    binary = metrics.roc_auc((y > 0).astype(int), np.column_stack([p[:, 0], 1 - p[:, 0]]))
    assert binary.value == pytest.approx(reference.roc_auc_score(y > 0, 1 - p[:, 0]))


def test_auc_of_one_class_or_of_a_perfect_ranking():
    """One class: not defined. Perfect: a value, but no limits that nothing supports."""
    assert metrics.roc_auc([0, 0], [[0.4, 0.6], [0.5, 0.5]]).value is None
    perfect = metrics.roc_auc([0, 0, 1, 1], [[1, 0], [0.9, 0.1], [0.2, 0.8], [0, 1]])
    assert (perfect.value, perfect.low) == (1, None)


def test_confusion_metric_is_the_bootstrap_of_rows():
    """The multinomial draws give the quantiles that resampling rows gives."""
    y, predicted = RNG.integers(0, 3, 200), RNG.integers(0, 3, 200)
    predicted = np.where(RNG.random(200) < 0.7, y, predicted)
    counts = np.bincount(y * 3 + predicted, minlength=9).reshape(3, 3)
    rng = np.random.default_rng(1)
    result = metrics.confusion_metric(counts, macro_f1, 0.95, 4_000, rng)
    assert result.value == pytest.approx(reference.f1_score(y, predicted, average="macro"))
    naive = []
    for _ in range(400):
        rows = rng.integers(0, 200, 200)
        naive.append(reference.f1_score(y[rows], predicted[rows], average="macro"))
    assert np.quantile(naive, [0.025, 0.975]) == pytest.approx([result.low, result.high], abs=0.02)


def test_confusion_metric_without_errors_has_no_limits():
    """The bootstrap of a perfect table is [1, 1], which would be a lie."""
    result = metrics.confusion_metric(np.diag([9, 9]), macro_f1, 0.95, 100, RNG)
    assert (result.value, result.low, result.high) == (1, None, None)
    assert "no variation" in result.note


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mean", "root_mean_square", "r_squared", "roc_auc"])
def test_coverage(name):
    """95 % intervals cover the truth in about 95 % of 2,000 samples of 100 rows."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(2_000):
        y = rng.normal(size=100)
        if name == "mean":
            result, truth = metrics.mean(y + 1), 1
        elif name == "root_mean_square":
            result, truth = metrics.root_mean_square(2 * y), 2
        elif name == "r_squared":
            error = rng.normal(size=100)
            result, truth = metrics.r_squared(y + error, error), 0.5
        else:
            label = (rng.random(100) < 0.5).astype(int)
            score = stats.norm.cdf(y + label)  # AUC = Phi(1 / sqrt(2))
            result = metrics.roc_auc(label, np.column_stack([1 - score, score]))
            truth = stats.norm.cdf(1 / np.sqrt(2))
        covered += result.low <= truth <= result.high
    assert 0.925 < covered / 2_000 < 0.965


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mean([1.0]), "values must be of shape"),
        (lambda: metrics.share(1, 2, 1.5), r"confidence must be in \(0, 1\), got 1.5"),
        (lambda: metrics.r_squared([1.0, 2.0], [1.0, 2.0, 3.0]), "errors must be of shape"),
        (
            lambda: metrics.confusion_metric(np.zeros((2, 3)), macro_f1, 0.9, 10, RNG),
            "counts must be of shape",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    """Each message gives name and rule."""
    with pytest.raises(ValueError, match=message):
        call()
