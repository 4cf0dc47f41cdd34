"""Paired bootstrap over the cells of the joint table."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from mlops_basics.stats.paired import confusion
from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
from mlops_basics.stats.paired.confusion_metrics import (
    accuracy,
    balanced_accuracy,
    macro_f1,
    mcc,
)

rows = st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=60)


def _table(triples, k=3):
    y, a, b = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    return PairedTable.from_codes(y, a, b, n_classes=k)


def _codes(seed, n=400, errors=(0.25, 0.15), k=3):
    """True classes and predictions of two models with independent errors."""
    rng = np.random.default_rng(seed)
    y = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    return y, *(np.where(rng.random(n) < e, (y + rng.integers(1, k, n)) % k, y) for e in errors)


def _numbers(result):
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    return [v for v in fields.values() if isinstance(v, float)] + list(result.interval or ())


@settings(deadline=None, max_examples=40)
@given(rows)
def test_cells_hold_every_row(triples):
    """The table counts each triple as often as it occurs, and knows both confusion matrices."""
    table = _table(triples)
    cells = dict(zip(map(tuple, table.cells.tolist()), table.counts.tolist(), strict=True))
    assert cells == {triple: triples.count(triple) for triple in triples}
    assert table.n == len(triples)
    assert table.disagreements == sum(a != b for _, a, b in triples)
    if triples:
        y, a, b = zip(*triples, strict=True)
        for found, p in ((table.champion, a), (table.challenger, b)):
            expected = metrics.confusion_matrix(y, p, labels=[0, 1, 2])
            np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=40)
@given(rows, rows, rows)
def test_merging_is_associative_and_equals_counting_at_once(a, b, c):
    """Tables of parts, merged in any order, are the table of all rows."""
    parts = [_table(part) for part in (a, b, c)]
    whole = _table([*a, *b, *c])
    for merged in (
        parts[0].merge(parts[1]).merge(parts[2]),
        parts[0].merge(parts[1].merge(parts[2])),
        parts[2].merge(parts[0]).merge(parts[1]),
    ):
        np.testing.assert_array_equal(merged.cells, whole.cells)
        np.testing.assert_array_equal(merged.counts, whole.counts)


def test_counting_in_blocks_and_with_many_classes_is_the_same(monkeypatch):
    """Neither the block length nor the sparse path for many classes changes the table."""
    y, a, b = _codes(0)
    whole = PairedTable.from_codes(y, a, b, n_classes=3)
    monkeypatch.setattr(confusion, "_BLOCK", 37)
    blocks = PairedTable.from_codes(y, a, b, n_classes=3)
    many = PairedTable.from_codes(y * 400, a * 400, b * 400, n_classes=1000)
    for other, scale in ((blocks, 1), (many, 400)):
        np.testing.assert_array_equal(other.cells, whole.cells * scale)
        np.testing.assert_array_equal(other.counts, whole.counts)


def _recall_of_two(counts):
    """Recall of class 2; 0 where it does not occur."""
    return counts[..., 2, 2] / np.maximum(counts[..., 2, :].sum(axis=-1), 1)


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy, macro_f1, mcc, _recall_of_two])
def test_it_is_the_bootstrap_of_rows(metric):
    """Interval and spread agree with the naive bootstrap that draws rows, for every metric."""
    y, a, b = _codes(1)
    rng = np.random.default_rng(2)
    naive = []
    for _ in range(3000):
        draw = rng.integers(0, len(y), len(y))
        old, new = (
            np.bincount(3 * y[draw] + p[draw], minlength=9).reshape(3, 3).astype(float)
            for p in (a, b)
        )
        naive.append(float(metric(new) - metric(old)))
    table = PairedTable.from_codes(y, a, b, n_classes=3)
    result = paired_bootstrap(table, {"m": metric}, rng=rng, replicates=20_000)["m"]
    spread = np.std(naive)
    low, high = np.quantile(naive, [0.05, 0.95])
    assert result.interval[0] == pytest.approx(low, abs=0.12 * spread)
    assert result.interval[1] == pytest.approx(high, abs=0.12 * spread)
    found = (result.smallest_gain - result.min_gain) / (1.6448536 + 0.8416212)
    assert found == pytest.approx(spread, rel=0.06)


def test_p_value_counts_replicates_and_is_never_zero():
    """p is (1 + #) / (1 + R): with an overwhelming gain exactly 1 / (1 + R)."""
    y, a, _ = _codes(3, n=20_000, errors=(0.5, 0.5))
    table = PairedTable.from_codes(y, a, y, n_classes=3)
    rng = np.random.default_rng(0)
    result = paired_bootstrap(table, {"accuracy": accuracy}, rng=rng, replicates=999)["accuracy"]
    assert (result.p_value, result.p_worse) == (1 / 1000, 1.0)
    assert result.replicates == 999


@pytest.mark.parametrize(("gained", "lost"), [(8, 0), (20, 6), (40, 25)])
def test_few_disagreements_have_the_exact_p_value_of_accuracy(gained, lost):
    """Where the bootstrap alone is too sure, p is that of the exact binomial test."""
    y = np.zeros(500, dtype=int)
    a, b = y.copy(), y.copy()
    a[:gained] = 1
    b[gained : gained + lost] = 1
    table = PairedTable.from_codes(y, a, b, n_classes=2)
    rng = np.random.default_rng(1)
    result = paired_bootstrap(table, {"accuracy": accuracy}, rng=rng, replicates=100_000)[
        "accuracy"
    ]
    exact = stats.binomtest(gained, gained + lost, alternative="greater").pvalue
    error = np.sqrt(exact / 100_000)
    assert result.p_value == pytest.approx(exact, abs=5 * error)


def test_interval_inverts_the_test():
    """The gain is significant beyond min_gain exactly when the lower limit exceeds min_gain."""
    table = PairedTable.from_codes(*_codes(4, n=3000, errors=(0.5, 0.2)), n_classes=3)
    assert table.disagreements > 1000  # the bootstrap alone
    results = [
        paired_bootstrap(
            table,
            {"f1": macro_f1},
            rng=np.random.default_rng(5),
            min_gain=gain,
            replicates=2000,
        )["f1"]
        for gain in (-0.05, 0.0, 0.25, 0.3, 0.32, 0.35, 0.4)
    ]
    assert len({r.interval for r in results}) == 1
    assert [r.significant for r in results] == [r.interval[0] > r.min_gain for r in results]
    assert {r.significant for r in results} == {True, False}


def test_interval_agrees_with_the_randomisation_test():
    """With few disagreements too, a positive lower limit means significant."""
    for seed in range(20):
        table = PairedTable.from_codes(*_codes(seed, n=80, errors=(0.3, 0.2)), n_classes=3)
        result = paired_bootstrap(
            table, {"f1": macro_f1}, rng=np.random.default_rng(seed), replicates=500
        )["f1"]
        assert (result.interval[0] > 0) <= result.significant
        assert result.interval[0] >= 0 or not result.significant
        assert (result.interval[1] < 0) <= (result.p_worse <= 0.05)


def test_the_generator_alone_decides(monkeypatch):
    """The same seed gives the same result with any number of threads."""
    table = PairedTable.from_codes(*_codes(6), n_classes=3)
    monkeypatch.setattr(confusion, "_CHUNK_BYTES", 50_000)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(confusion, "_THREADS", threads)
        rng = np.random.default_rng(7)
        results.append(paired_bootstrap(table, {"f1": macro_f1}, rng=rng)["f1"])
    assert results[0].interval == results[1].interval
    assert results[0].p_value == results[1].p_value


@settings(deadline=None, max_examples=40)
@given(rows, st.permutations([0, 1, 2]))
def test_renaming_classes_and_swapping_models(triples, order):
    """Effects do not depend on class names, and change sign when the models are exchanged."""
    renamed = [tuple(order[c] for c in triple) for triple in triples]
    swapped = [(y, b, a) for y, a, b in triples]
    effects = [
        paired_bootstrap(_table(t), {"f1": macro_f1}, rng=np.random.default_rng(0), replicates=100)[
            "f1"
        ].effect
        for t in (triples, renamed, swapped)
    ]
    if triples:
        assert effects[1] == pytest.approx(effects[0], abs=1e-12)
        assert effects[2] == pytest.approx(-effects[0], abs=1e-12)
    else:
        assert effects == [None] * 3


def _nan_without_class_two(counts):
    true = counts.sum(-1)[..., 2]
    return np.where(true > 0, counts[..., 2, 2], np.nan) / np.maximum(true, 1)


@pytest.mark.parametrize(
    ("triples", "metric", "reason"),
    [
        ([], accuracy, "no rows"),
        ([(0, 1, 0)], accuracy, "1 row,"),
        ([(0, 1, 0)] * 19, accuracy, "19 rows"),
        ([(0, 0, 0), (1, 1, 1)] * 50, macro_f1, "identical on all 100 rows"),
        ([(0, 1, 0)] * 100, accuracy, "same on every replicate"),
        ([(0, 1, 0), (1, 1, 1)] * 50, _recall_of_two, "same on every replicate"),
        ([(0, 1, 0), (1, 1, 1)] * 50, _nan_without_class_two, "not defined"),
    ],
    ids=["none", "one", "few", "identical", "always", "absent class", "own metric is NaN"],
)
def test_degenerate_cases_claim_nothing(triples, metric, reason):
    """What cannot be computed has p-values of 1, no interval, no NaN, and a reason."""
    rng = np.random.default_rng(0)
    result = paired_bootstrap(_table(triples), {"m": metric}, rng=rng, replicates=200)["m"]
    assert (result.p_value, result.p_worse, result.significant) == (1.0, 1.0, False)
    assert result.interval is None
    assert reason in result.reason
    assert np.isfinite(_numbers(result)).all()


def test_an_absent_class_does_not_disturb():
    """With a class that does not occur, metrics over all classes are those of the other two."""
    y, a, b = _codes(8, k=2)
    two = PairedTable.from_codes(y, a, b, n_classes=2)
    three = PairedTable.from_codes(y, a, b, n_classes=3)
    for metric in (balanced_accuracy, macro_f1, mcc):
        first, second = (
            paired_bootstrap(t, {"m": metric}, rng=np.random.default_rng(9))["m"]
            for t in (two, three)
        )
        assert (first.effect, first.interval) == (second.effect, second.interval)


def test_nan_on_a_replicate_counts_against_the_claim():
    """A metric undefined on some replicates has finite results, and p-values raised by them."""
    triples = [(0, 1, 0)] * 1100 + [(2, 1, 2)] * 2
    result = paired_bootstrap(
        _table(triples), {"m": _nan_without_class_two}, rng=np.random.default_rng(0)
    )["m"]
    assert result.effect == 1.0
    assert result.p_value == pytest.approx(np.exp(-2), rel=0.1)  # the class is missing that often
    assert np.isfinite(_numbers(result)).all()


def test_replicates_follow_the_level():
    """By default there are enough replicates for the level; too few are reported."""
    table = PairedTable.from_codes(*_codes(10, n=3000, errors=(0.5, 0.1)), n_classes=3)
    rng = np.random.default_rng(0)
    enough = paired_bootstrap(table, {"m": accuracy}, rng=rng, alpha=0.0002)["m"]
    assert enough.replicates == 100_000
    assert enough.significant
    few = paired_bootstrap(table, {"m": accuracy}, rng=rng, alpha=0.0002, replicates=1000)["m"]
    assert not few.significant
    assert "1000 replicates cannot reach the level, take 5000" in few.reason


@pytest.mark.parametrize(
    ("triples", "note"),
    [
        ([(0, 1, 0), (1, 1, 1)] * 30, "60 rows"),
        ([(0, 1, 0), (1, 1, 1)] * 60 + [(2, 2, 2)] * 3, "rarest class has only 3"),
        ([(0, 1, 0), (1, 1, 1)] * 60, ""),
    ],
)
def test_few_rows_are_marked(triples, note):
    """Less than 100 rows, or 20 of some class, mark the level as approximate."""
    rng = np.random.default_rng(0)
    result = paired_bootstrap(_table(triples), {"m": macro_f1}, rng=rng, replicates=100)["m"]
    assert result.level_approximate == bool(note)
    assert note in result.level_note


def test_non_inferiority_needs_a_margin():
    """A slightly worse model is not better, but shown to be less than five points worse."""
    table = PairedTable.from_codes(*_codes(11, n=5000, errors=(0.1, 0.105)), n_classes=3)
    better, close = (
        paired_bootstrap(
            table, {"m": balanced_accuracy}, rng=np.random.default_rng(0), min_gain=gain
        )["m"]
        for gain in (0.0, -0.05)
    )
    assert not better.significant
    assert close.significant
    assert "less than 0.05 m worse" in close.reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _table([], k=1), "n_classes must be an integer not less than 2, got 1"),
        (lambda: _table([(0, 3, 0)]), r"champion must be in 0 \.\.\. 2, got 3"),
        (lambda: _table([]).merge(_table([], k=2)), "n_classes must be 3, got 2"),
        (
            lambda: PairedTable.from_codes([0], [0], [0, 1], n_classes=2),
            "challenger must be of length 1, got 2",
        ),
        (
            lambda: paired_bootstrap(_table([]), {}, rng=np.random.default_rng(0), alpha=1),
            r"alpha must be between 0 and 0\.5, got 1",
        ),
        (
            lambda: paired_bootstrap(_table([]), {}, rng=np.random.default_rng(0), replicates=99),
            "replicates must be an integer not less than 100, got 99",
        ),
        (
            lambda: paired_bootstrap(_table([]), {}, rng=np.random.default_rng(0), min_gain=np.nan),
            "min_gain must be finite, got nan",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each bad argument is refused with its name, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "shares", "error"),
    [(100, (0.4, 0.3, 0.3), 0.1), (100, (0.8, 0.15, 0.05), 0.1), (400, (0.8, 0.15, 0.05), 0.05)],
)
def test_equal_models_are_promoted_with_at_most_alpha(n, shares, error):
    """Simulated: of models with equal true metrics at most 5 % (two standard errors) pass."""
    rng, lives = np.random.default_rng(12), 1000
    tested = {"accuracy": accuracy, "balanced": balanced_accuracy, "f1": macro_f1, "mcc": mcc}
    promoted = dict.fromkeys(tested, 0)
    for life in range(lives):
        y = rng.choice(3, n, p=shares)
        a, b = (np.where(rng.random(n) < error, (y + rng.integers(1, 3, n)) % 3, y) for _ in "ab")
        table = PairedTable.from_codes(y, a, b, n_classes=3)
        # with no gain on these rows about half of the replicates have none: never significant,
        # as the first lives show, in which those without a gain are tested too
        old, new = table.champion, table.challenger
        ahead = {name for name, metric in tested.items() if metric(new) > metric(old)}
        compared = {name: tested[name] for name in tested if life < 50 or name in ahead}
        results = paired_bootstrap(table, compared, rng=rng, replicates=500)
        for name, result in results.items():
            assert name in ahead or not result.significant
            promoted[name] += result.significant
    assert max(promoted.values()) <= lives * 0.05 + 2 * np.sqrt(lives * 0.05 * 0.95)
