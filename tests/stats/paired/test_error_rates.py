"""What the default test is worth, measured: error rates and power, simulated and on real tables."""

import warnings

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_basics.stats._special import t_isf
from mlops_basics.stats.paired.compare import compare_losses, skewness_of_mean
from mlops_basics.stats.paired.hall import hall_p_value
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums

pytestmark = pytest.mark.slow

DRAWS = 1 << 16  # kinds of rows of a simulated population


def _log_loss(p, y):
    return log_loss_rows(np.full(len(p), y), np.stack([1 - p, p], axis=1))


def _overconfident(spread, temper):
    """Differences (champion's loss - challenger's) of a population, their mean exactly 0.

    The true logits are normal. The champion understates them by `temper`, the challenger
    overstates them by the factor that gives it the same expected log loss: it gains a little on
    nearly all rows and loses much on few.
    """
    z = spread * special.ndtri((np.arange(400) + 0.5) / 400)
    p = special.expit(z)

    def risk(factor):
        q = special.expit(factor * z)
        return np.mean(p * _log_loss(q, 1) + (1 - p) * _log_loss(q, 0))

    over = optimize.brentq(lambda factor: risk(factor) - risk(temper), 1, 60)
    rows = [
        _log_loss(special.expit(temper * z), y) - _log_loss(special.expit(over * z), y)
        for y in (1, 0)
    ]
    shares = np.cumsum(np.concatenate([p, 1 - p]))
    kind = np.searchsorted(shares / shares[-1], (np.arange(DRAWS) + 0.5) / DRAWS)
    d = np.concatenate(rows)[kind]
    return d - d.mean()


def _symmetric():
    d = special.ndtri((np.arange(DRAWS) + 0.5) / DRAWS)
    return d - d.mean()


def _lucky():
    """Skewed the other way: the challenger loses a little on most rows, gains much on few."""
    return -_overconfident(3, 0.6)


POPULATIONS = {
    "symmetric": _symmetric,
    "overconfident, skewness -2.9": lambda: _overconfident(2, 0.6),
    "overconfident, skewness -3.4": lambda: _overconfident(3, 0.6),
    "lucky, skewness 3.4": _lucky,
}


def _p_values(x):
    """p-values of the default test, a sample a row: the test's own functions, vectorised."""
    n = x.shape[1]
    mean = x.mean(axis=1)
    x = x - mean[:, None]
    squares = x * x
    m2, m3 = squares.sum(axis=1), np.einsum("ij,ij->i", squares, x)
    gamma = skewness_of_mean(np.sqrt(n) * m3 / m2**1.5, n)
    return hall_p_value(mean / np.sqrt(m2 / (n - 1) / n), gamma, n - 1)


def _small_p_values(d, rows):
    """Those of at most 5 % on these rows of a population.

    They are at least Student's (``test_it_is_the_larger_of_both_tails``): samples above 5 % by
    Student's t, nine in ten, are left out.
    """
    x, n = d[rows], rows.shape[1]
    mean, squares = x.mean(axis=1), np.einsum("ij,ij->i", x, x)
    variance = (squares - n * mean**2) / (n - 1)
    return _p_values(x[mean >= 0.999 * t_isf(0.05, n - 1) * np.sqrt(variance / n)])


def _draws(lives, n, rng):
    """Rows of samples, as many at a time as fit into the cache."""
    size = max(1, 200_000 // n)
    for start in range(0, lives, size):
        yield rng.integers(0, DRAWS, (min(size, lives - start), n), dtype=np.uint16)


def test_vectorised_p_values_are_those_of_the_test():
    """The simulations' p-values equal those that compare_losses returns on the same rows."""
    d = POPULATIONS["overconfident, skewness -3.4"]()
    rows = np.random.default_rng(0).integers(0, DRAWS, (500, 100), dtype=np.uint16)
    draws = d[rows]
    vectorised = _p_values(draws)
    one_by_one = [
        compare_losses(PairedSums.from_losses(x, np.zeros_like(x))).p_value for x in draws
    ]
    np.testing.assert_allclose(vectorised, one_by_one, rtol=1e-9)
    small = _small_p_values(d, rows)
    np.testing.assert_allclose(small[small <= 0.05], vectorised[vectorised <= 0.05])


@pytest.mark.parametrize(("n", "lives"), [(100, 1_000_000), (300, 200_000), (1000, 100_000)])
def test_no_better_challengers_are_promoted_with_at_most_alpha(n, lives):
    """Of challengers with equal true mean loss at most alpha (two standard errors) pass."""
    populations = {name: make() for name, make in POPULATIONS.items()}
    p_values = {name: [] for name in POPULATIONS}
    for rows in _draws(lives, n, np.random.default_rng(1)):
        for name, d in populations.items():
            p_values[name].append(_small_p_values(d, rows))
    for name, parts in p_values.items():
        p = np.concatenate(parts)
        for alpha in (0.05, 0.01, 0.0005):
            bound = alpha + 2 * np.sqrt(alpha * (1 - alpha) / lives)
            assert np.count_nonzero(p <= alpha) / lives <= bound, f"{name}, alpha {alpha}"


@pytest.mark.parametrize("population", ["overconfident, skewness -3.4"])
def test_plain_t_would_err_often(population):
    """The reason for the correction: Student's t alone errs twenty times alpha at 100 rows."""
    d = POPULATIONS[population]()
    x = d[np.random.default_rng(2).integers(0, DRAWS, (50_000, 100), dtype=np.uint16)]
    t = x.mean(axis=1) / (x.std(axis=1, ddof=1) / 10)
    plain = hall_p_value(t, 0.0, 99)
    assert np.mean(plain <= 0.0005) > 20 * 0.0005


def test_a_year_of_challengers_on_reused_rows():
    """52 no-better challengers on the same rows promote in at most 5 % of years, naively mostly."""
    rng, years, n = np.random.default_rng(3), 2000, 200
    levels = np.array([alpha_at(k) for k in range(1, 53)])
    ever, ever_naive, ever_flat = 0, 0, 0
    for _ in range(years):
        # equal expected losses; champion's luck on these rows is shared by all challenges
        champion = rng.gumbel(size=n)
        d = champion - rng.gumbel(size=(52, n))
        p = _p_values(d)
        ever += bool((p <= levels).any())
        ever_flat += bool((p <= 0.05).any())
        ever_naive += bool((d.mean(axis=1) > 0).any())
    assert ever / years <= 0.05
    assert ever_flat / years > 0.25  # a test at 5 % without spending
    assert ever_naive / years > 0.9  # new > old


def _fitted(spread, rng, n):
    """True classes and probabilities of a champion and a challenger with the given noise."""
    z = rng.normal(0, 2.5, n)
    y = (rng.random(n) < special.expit(z)).astype(int)
    noise = rng.normal(size=n)
    other = 0.9 * noise + np.sqrt(1 - 0.9**2) * rng.normal(size=n)
    shrink = [2.5**2 / (2.5**2 + s**2) for s in (1.6, spread)]
    return (
        y,
        special.expit((z + 1.6 * noise) * shrink[0]),
        special.expit((z + spread * other) * shrink[1]),
    )


def _rows(y, p):
    return log_loss_rows(y, np.stack([1 - p, p], axis=1))


@pytest.mark.parametrize(
    ("points", "spread", "n", "least"),
    [
        (1, 1.42, 1_000, 0.60),
        (2, 1.25, 1_000, 0.95),
        (1, 1.42, 10_000, 0.99),
        (2, 1.25, 10_000, 0.99),
    ],
)
def test_power_for_one_and_two_points(points, spread, n, least):
    """A challenger one or two points of accuracy better: log loss finds it, accuracy much later."""
    rng = np.random.default_rng(4)
    y, a, b = _fitted(spread, rng, 1_000_000)
    gained, lost = (
        (((b > 0.5) == y) & ((a > 0.5) != y)).mean(),
        (((b > 0.5) != y) & ((a > 0.5) == y)).mean(),
    )
    assert gained - lost == pytest.approx(points / 100, abs=0.001)
    by_loss = by_accuracy = 0
    lives = 400 if n == 1_000 else 100
    for _ in range(lives):
        y, a, b = _fitted(spread, rng, n)
        sums = PairedSums.from_losses(_rows(y, a), _rows(y, b))
        by_loss += compare_losses(sums).significant
        counts = PairedCounts.from_predictions(y, a > 0.5, b > 0.5)
        by_accuracy += mcnemar(counts).significant
    assert by_loss / lives >= least
    assert by_loss >= by_accuracy


def _splits(load):
    """100 splits of a real table: promotions by both tests, and the truth on the large rest."""
    x, y = load(return_X_y=True)
    n, gate = len(y), round(0.2 * len(y))
    outcomes = []
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(n)
        gated, train, rest = np.split(order, [gate, gate + round(0.4 * n)])
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=500)).fit(
                x[rows], y[rows]
            )
            for rows in (train[: len(train) // 4], train)
        ]
        old, new = (model.predict_proba(x) for model in models)
        d = log_loss_rows(y, old) - log_loss_rows(y, new)
        right = [(p.argmax(axis=1) == y).astype(int) for p in (old, new)]
        sums = PairedSums.from_losses(log_loss_rows(y, old)[gated], log_loss_rows(y, new)[gated])
        counts = PairedCounts.from_predictions(
            y[gated], old[gated].argmax(axis=1), new[gated].argmax(axis=1)
        )
        outcomes.append(
            (
                compare_losses(sums).significant,
                mcnemar(counts).significant,
                d[rest].mean() > 0,
                (right[1] - right[0])[rest].mean() > 0,
            )
        )
    return np.array(outcomes).T


@pytest.mark.parametrize(
    ("load", "least", "accuracy_most"),
    [(load_iris, 0.80, 0.40), (load_breast_cancer, 0.65, 0.15)],
    ids=["iris", "breast cancer"],
)
def test_real_tables(load, least, accuracy_most):
    """Log loss promotes most truly better challengers and hardly a worse one, accuracy few.

    Champion: trained on a quarter of the training rows (40 % of the table), challenger: on all of
    them, gate: 20 % of the table, truth: the remaining 40 %.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_loss, by_accuracy, better, more_accurate = _splits(load)
    assert by_loss[better].mean() >= least
    assert by_accuracy[more_accurate].mean() <= accuracy_most
    assert (by_loss & ~better).sum() <= 0.03 * by_loss.sum()
