"""Losses per row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from mlops_basics.stats.paired.losses import (
    absolute_rows,
    brier_rows,
    huber_delta,
    huber_rows,
    log_loss_rows,
    squared_rows,
)


@pytest.fixture
def predictions():
    """True codes and probabilities of three classes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, 200), rng.dirichlet([0.3, 0.3, 0.3], 200)


def test_log_loss_is_the_cross_entropy_of_smoothed_truth_and_prediction(predictions):
    """Rows equal scipy's cross entropy of the mixtures; unsmoothed, scikit-learn's log loss."""
    y, p = predictions
    truth, mixed = 0.99 * np.eye(3)[y] + 0.01 / 3, 0.99 * p + 0.01 / 3
    expected = special.rel_entr(truth, mixed).sum(1) + special.entr(truth).sum(1)
    np.testing.assert_allclose(log_loss_rows(y, p), expected, rtol=1e-12)
    p = 0.9 * p + 0.1 / 3
    vanishing = log_loss_rows(y, p, smoothing=1e-12).mean()
    assert vanishing == pytest.approx(metrics.log_loss(y, p), rel=1e-9)


def test_log_loss_is_bounded():
    """A sure mistake costs less than -log(e / K), being undecided exactly log K."""
    wrong, undecided = log_loss_rows([0, 1], [[0.0, 1.0], [0.5, 0.5]])
    assert wrong == pytest.approx(-0.995 * np.log(0.005) - 0.005 * np.log(0.995), rel=1e-14)
    assert undecided == pytest.approx(np.log(2), rel=1e-14)


@given(
    truth=st.lists(st.floats(0.01, 1), min_size=2, max_size=6),
    other=st.lists(st.floats(0.0, 1), min_size=6, max_size=6),
)
def test_log_loss_and_brier_are_proper(truth, other):
    """No prediction has a lower expected loss than the true probabilities."""
    q = np.array(truth) / sum(truth)
    p = np.array(other[: len(q)]) + 1e-3
    p /= p.sum()
    y = np.arange(len(q))
    for loss in (log_loss_rows, brier_rows):
        honest, dishonest = (q @ loss(y, np.tile(r, (len(q), 1))) for r in (q, p))
        assert honest <= dishonest + 1e-12


def test_smoothing_the_prediction_alone_would_reward_sharpening():
    """-log((1 - e) p + e / K) prefers a prediction sharper than the truth, ours does not."""
    truth = np.array([0.9, 0.1])
    sharper = (truth - 0.005) / 0.99
    honest, sharp = (-truth @ np.log(0.99 * p + 0.005) for p in (truth, sharper))
    assert sharp < honest
    honest, sharp = (truth @ log_loss_rows([0, 1], [p, p]) for p in (truth, sharper))
    assert honest < sharp


def test_clipping_would_reward_a_liar():
    """Of 100 classes clipped at 0.005, overstating one looks better; smoothed it does not."""
    truth = np.full(100, 0.002)
    truth[0] = 1 - 99 * 0.002
    liar = np.zeros(100)
    liar[0] = 1.0
    y = np.arange(100)
    clipped = [truth @ -np.log(np.clip(p, 0.005, 1)) for p in (truth, liar)]
    smoothed = [truth @ log_loss_rows(y, np.tile(p, (100, 1))) for p in (truth, liar)]
    assert clipped[1] < clipped[0]
    assert smoothed[0] < smoothed[1]


def test_brier_is_the_squared_distance_from_the_one_hot_truth(predictions):
    """The rows equal the sum over classes of (p - 1{y = k})^2."""
    y, p = predictions
    np.testing.assert_allclose(brier_rows(y, p), ((p - np.eye(3)[y]) ** 2).sum(1), atol=1e-14)


def test_regression_losses_agree_with_sklearn_and_scipy():
    """Squared and absolute error have scikit-learn's means, Huber's loss equals scipy's."""
    rng = np.random.default_rng(1)
    y, p = rng.standard_t(2, 500), rng.normal(size=500)
    assert squared_rows(y, p).mean() == pytest.approx(metrics.mean_squared_error(y, p))
    assert absolute_rows(y, p).mean() == pytest.approx(metrics.mean_absolute_error(y, p))
    np.testing.assert_allclose(huber_rows(y, p, 1.3), special.huber(1.3, p - y), rtol=1e-12)


def test_huber_delta_is_a_quantile_of_the_champions_errors():
    """The default is numpy's 95 % quantile of the absolute residuals."""
    rng = np.random.default_rng(2)
    y, p = rng.normal(size=300), rng.normal(size=300)
    assert huber_delta(y, p) == np.quantile(np.abs(y - p), 0.95)


@pytest.mark.parametrize(
    ("residuals", "delta"),
    [([], 1.0), ([0.0] * 40, 1.0), ([0.0] * 39 + [7.0], 7.0)],
    ids=["no rows", "always exact", "exact on most rows"],
)
def test_huber_delta_is_positive_in_degenerate_cases(residuals, delta):
    """Without rows or errors the delta is 1, with few errors the largest of them."""
    assert huber_delta(np.zeros(len(residuals)), residuals) == delta


def test_no_rows_give_no_losses():
    """Empty inputs are allowed and give empty outputs."""
    assert log_loss_rows([], np.zeros((0, 2))).shape == (0,)
    assert brier_rows([], np.zeros((0, 2))).shape == (0,)
    assert squared_rows([], []).shape == (0,)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0], [0.5, 0.5], r"p must be of shape \(n, K\) with K >= 2, got \(2,\)"),
        ([2], [[0.5, 0.5]], r"y must be in 0 \.\.\. 1, got 2"),
        ([-1], [[0.5, 0.5]], r"y must be in 0 \.\.\. 1, got -1"),
        ([0.0], [[0.5, 0.5]], "y must be integer class codes, got 'float64'"),
        ([0, 1], [[0.5, 0.5]], "y must be of length 1, got 2"),
        ([[0]], [[0.5, 0.5]], r"y must be one-dimensional, got \(1, 1\)"),
        ([0], [[1.5, -0.5]], r"p must be probabilities in \[0, 1\], got -0\.5"),
        ([0], [[np.nan, 0.5]], r"p must be probabilities in \[0, 1\], got nan"),
        ([0], [[0.5, 0.4]], r"p must be rows that sum to 1, got 0\.9"),
    ],
)
@pytest.mark.parametrize("loss", [log_loss_rows, brier_rows])
def test_classification_losses_name_what_is_wrong(loss, y, p, message):
    """Each bad input is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        loss(y, p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: log_loss_rows([0], [[1.0, 0.0]], smoothing=0),
            "smoothing must be between 0 and 1",
        ),
        (lambda: squared_rows([0.0], [1.0, 2.0]), "predicted must be of length 1, got 2"),
        (lambda: squared_rows([np.inf], [1.0]), "y must be finite, got inf"),
        (lambda: absolute_rows([[0.0]], [1.0]), "y must be one-dimensional"),
        (lambda: huber_rows([0.0], [1.0], 0.0), r"delta must be positive and finite, got 0\.0"),
        (lambda: huber_rows([0.0], [1.0], np.nan), "delta must be positive and finite, got nan"),
        (lambda: huber_delta([0.0], [1.0], quantile=1.0), "quantile must be between 0 and 1"),
    ],
)
def test_other_losses_name_what_is_wrong(call, message):
    """Each bad input is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()
