"""Paired comparison of ROC AUC."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from mlops_basics.stats.paired.auc import compare_auc, midranks

# DeLong, DeLong and Clarke-Pearson's ovarian cancer patients, as in the SAS/STAT user's guide
# ("Comparing Receiver Operating Characteristic Curves"): albumin, total protein, K-G score, outcome
PATIENTS = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1
3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0
2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1
3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0
3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1
3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""


@pytest.fixture
def patients():
    """Outcome and the three screening tests."""
    rows = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4)
    return rows[:, 3].astype(int), rows[:, 0], rows[:, 1], 10 - rows[:, 2]


def _delong(y, a, b):
    """DeLong's variance of the difference by the definition: all pairs, covariance matrices."""
    components = []
    for score in (a, b):
        kernel = np.subtract.outer(score[y == 1], score[y == 0])
        kernel = (kernel > 0) + 0.5 * (kernel == 0)
        components.append((kernel.mean(1), kernel.mean(0)))
    s10 = np.cov([components[0][0], components[1][0]])
    s01 = np.cov([components[0][1], components[1][1]])
    s = s10 / (y == 1).sum() + s01 / (y == 0).sum()
    return s[0, 0] + s[1, 1] - 2 * s[0, 1]


def _multiclass(seed, n=300, k=3, noise=1.0):
    rng = np.random.default_rng(seed)
    y = rng.choice(k, n, p=[0.5, 0.3, 0.2])
    logits = np.eye(k)[y] * 1.5
    return y, *(
        np.exp(z) / np.exp(z).sum(1, keepdims=True)
        for z in (logits + rng.normal(0, noise, (n, k)), logits + rng.normal(0, 1, (n, k)))
    )


def test_published_areas_and_errors(patients):
    """SAS's areas (errors) are 0.7366 (0.0927), 0.6478 (0.1000), 0.7258 (0.1028) for the tests."""
    y, *scores = patients
    found = [compare_auc(y, np.zeros(43), score) for score in scores]
    assert [round(r.challenger, 4) for r in found] == [0.7366, 0.6478, 0.7258]
    assert [round(r.standard_error, 4) for r in found] == [0.0927, 0.1000, 0.1028]
    assert [r.champion for r in found] == [0.5] * 3


def test_paired_error_is_delongs_definition(patients):
    """The standard error of a paired gain equals DeLong's covariances over all pairs, with ties."""
    y, albumin, protein, kg = patients
    for a, b in ((kg, albumin), (kg, protein), (albumin, protein)):
        result = compare_auc(y, a, b)
        assert result.standard_error == pytest.approx(np.sqrt(_delong(y, a, b)), rel=1e-12)
        assert result.effect == pytest.approx(roc_auc_score(y, b) - roc_auc_score(y, a))


def test_large_samples_have_the_normal_p_value():
    """With many rows p is that of DeLong's z."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 20_000)
    a, b = y + rng.normal(0, 1.02, y.size), y + rng.normal(0, 1, y.size)
    result = compare_auc(y, a, b)
    z = result.effect / result.standard_error
    assert result.p_value == pytest.approx(stats.norm.sf(z), rel=0.02)


def test_macro_average_is_sklearns():
    """Over several classes each model's AUC is scikit-learn's one-vs-rest macro average."""
    y, a, b = _multiclass(1)
    result = compare_auc(y, a, b)
    for found, p in ((result.champion, a), (result.challenger, b)):
        assert found == pytest.approx(roc_auc_score(y, p, multi_class="ovr", average="macro"))


def test_macro_error_is_the_spread_over_samples():
    """The standard error of the macro gain is its spread over samples of fixed class counts."""
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1, 2], [60, 40, 20])
    gains, errors = [], []
    for _ in range(400):
        z = np.eye(3)[y] * 1.5 + rng.normal(0, 0.7, (120, 3))
        result = compare_auc(y, z + rng.normal(0, 0.7, (120, 3)), z)
        gains.append(result.effect)
        errors.append(result.standard_error)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(gains), rel=0.11)


def test_two_columns_are_the_binary_case():
    """With two complementary columns the macro average is the binary AUC, error included."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    a, b = rng.uniform(0, 1, (2, 200))
    one = compare_auc(y, a, b)
    two = compare_auc(y, np.stack([1 - a, a], 1), np.stack([1 - b, b], 1))
    assert two.effect == pytest.approx(one.effect, abs=1e-12)
    assert two.standard_error == pytest.approx(one.standard_error, rel=1e-9)
    assert two.p_value == pytest.approx(one.p_value, rel=1e-6)


def test_only_the_order_of_scores_and_no_order_of_rows_matters():
    """A rising transformation of the scores or a permutation of the rows changes nothing."""
    y, a, b = _multiclass(4)
    result = compare_auc(y, a, b)
    order = np.random.default_rng(0).permutation(y.size)
    for other in (compare_auc(y, a**3, np.log(b)), compare_auc(y[order], a[order], b[order])):
        assert other.effect == pytest.approx(result.effect, abs=1e-12)
        assert other.standard_error == pytest.approx(result.standard_error, rel=1e-9)


def test_permuted_labels_change_nothing():
    """Renaming the classes leaves the macro average and its error as they are."""
    y, a, b = _multiclass(5)
    order = np.array([2, 0, 1])
    result, other = (
        compare_auc(y, a, b),
        compare_auc(np.argsort(order)[y], a[:, order], b[:, order]),
    )
    assert other.effect == pytest.approx(result.effect, abs=1e-12)
    assert other.standard_error == pytest.approx(result.standard_error, rel=1e-9)


def test_swapping_the_models_mirrors_the_result():
    """With champion and challenger exchanged effect and interval change sign."""
    y, a, b = _multiclass(6, noise=2.0)
    one, two = compare_auc(y, a, b), compare_auc(y, b, a)
    assert (one.p_value, one.p_worse) == pytest.approx((two.p_worse, two.p_value))
    assert one.interval == pytest.approx((-two.interval[1], -two.interval[0]), abs=1e-12)
    assert one.significant
    assert one.interval[0] > 0


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_midranks_are_scipys(values):
    """Ranks with ties equal scipy's average ranks."""
    np.testing.assert_allclose(midranks(values), stats.rankdata(values))


@pytest.mark.parametrize(
    ("y", "old", "new", "reason"),
    [
        ([], [], [], "less than two classes"),
        ([1], [0.5], [0.6], "less than two classes"),
        ([1] * 40, np.arange(40.0), np.arange(40.0), "less than two classes"),
        ([0, 1] * 9, np.arange(18.0), np.arange(18.0), "18 rows"),
        ([0] * 39 + [1], np.arange(40.0), -np.arange(40.0), "single row"),
        ([0, 1] * 20, np.arange(40.0), np.arange(40.0), "no variance"),
        ([0, 1] * 20, [0.5] * 40, [0.5] * 40, "no variance"),
        ([0] * 20 + [1] * 20, -np.arange(40.0), np.arange(40.0), "no variance"),
    ],
    ids=["none", "one", "one class", "few", "single", "identical", "constant", "both certain"],
)
def test_degenerate_cases_claim_nothing(y, old, new, reason):
    """What cannot be computed has p-values of 1, no interval, no NaN, and a reason."""
    result = compare_auc(y, old, new)
    assert (result.p_value, result.p_worse, result.significant) == (1.0, 1.0, False)
    assert result.interval is None
    assert reason in result.reason
    values = [v for v in dataclasses.asdict(result).values() if isinstance(v, float)]
    assert np.isfinite(values).all()


def test_an_absent_class_is_left_out_of_the_macro_average():
    """The average is over the classes that occur, and the counts show which do not."""
    y, a, b = _multiclass(7)
    rows = y != 1
    result = compare_auc(y[rows], a[rows], b[rows])
    expected = np.mean([roc_auc_score(y[rows] == c, b[rows, c]) for c in (0, 2)])
    assert result.challenger == pytest.approx(expected)
    assert result.class_counts[1] == 0


@pytest.mark.parametrize(
    ("counts", "note"),
    [((30, 30), "60 rows"), ((500, 10), "rarest class has only 10"), ((500, 500), "")],
)
def test_few_rows_are_marked(counts, note):
    """Less than 100 rows, or 20 of some class, mark the level as approximate."""
    rng = np.random.default_rng(8)
    y = np.repeat([0, 1], counts)
    result = compare_auc(y, rng.normal(size=y.size), rng.normal(size=y.size))
    assert result.level_approximate == bool(note)
    assert note in result.level_note


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_auc([0], [0.1, 0.2], [0.1, 0.2]), "y must be of length 2, got 1"),
        (lambda: compare_auc([0], [0.1], [0.1, 0.2]), r"challenger must be of shape \(1, 1\)"),
        (lambda: compare_auc([2], [0.1], [0.1]), r"y must be in 0 \.\.\. 1, got 2"),
        (lambda: compare_auc([0], [np.nan], [0.1]), "champion must be finite, got nan"),
        (
            lambda: compare_auc([0], [[0.1]], [[0.1]]),
            r"champion must be of shape \(n,\) or \(n, K\)",
        ),
        (
            lambda: compare_auc([0], [0.1], [0.1], alpha=0),
            r"alpha must be between 0 and 0\.5, got 0",
        ),
        (lambda: compare_auc([0], [0.1], [0.1], min_gain=2), "min_gain must be between -1 and 1"),
        (lambda: midranks([[1.0]]), "x must be one-dimensional"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each bad argument is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "share", "alpha"), [(100, 0.5, 0.05), (300, 0.1, 0.05), (300, 0.5, 0.005)]
)
def test_equal_models_are_promoted_with_at_most_alpha(n, share, alpha):
    """Simulated: of models with equal true AUC at most alpha (two standard errors) are promoted."""
    rng, lives = np.random.default_rng(9), 3000
    promoted = 0
    for _ in range(lives):
        y = (rng.random(n) < share).astype(int)
        signal = y * 1.5 + rng.normal(size=n)
        a, b = signal + rng.normal(0, 0.5, (2, n))
        promoted += compare_auc(y, a, b, alpha=alpha).significant
    assert promoted <= lives * alpha + 2 * np.sqrt(lives * alpha * (1 - alpha))
