"""Results about one column."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.columns import judge_categorical, judge_missing, judge_numeric
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftThresholds

number, label = NumericProfile.from_values, CategoricalProfile.from_values
NAN = float("nan")
counts = st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(0, 300), max_size=12)


def _clopper_pearson(k, n, alpha):
    low = beta.ppf(alpha, k, n - k + 1) if k else 0.0
    return low, beta.isf(alpha, k + 1, n - k) if k < n else 1.0


@given(counts, counts, st.integers(0, 50), st.integers(1, 50))
def test_shares_follow_the_definition(a, b, missing_a, missing_b):
    """The bound is the largest distance of scipy's Clopper-Pearson limits over the cells."""
    before = CategoricalProfile(counts=a, missing=missing_a)
    now = CategoricalProfile(counts=b, missing=missing_b)
    result = judge_categorical("c", before, now, 0.01)
    if before.rows == 0:
        assert result.effect is None
        return
    cells = [(missing_a, missing_b)]
    rare = [0, 0]
    for name in set(a) | set(b):
        pair = a.get(name, 0), b.get(name, 0)
        if sum(pair) >= 10:
            cells.append(pair)
        else:
            rare = [rare[0] + pair[0], rare[1] + pair[1]]
    cells += [tuple(rare)] if sum(rare) else []
    best = 0.0
    for r, c in cells:
        low_r, high_r = _clopper_pearson(r, before.rows, 0.01 / 4 / len(cells))
        low_c, high_c = _clopper_pearson(c, now.rows, 0.01 / 4 / len(cells))
        best = max(best, low_c - high_r, low_r - high_c)
    assert result.lower == pytest.approx(best, abs=1e-9)
    assert result.drifted == (result.lower > result.threshold)
    largest = max(abs(r / before.rows - c / now.rows) for r, c in cells)
    assert result.effect == pytest.approx(largest)


@given(counts, counts, st.permutations("abcdefghijkl"))
def test_names_of_levels_do_not_matter(a, b, names):
    """Relabelling the levels on both sides leaves effect, bound and decision."""
    new = dict(zip("abcdefghijkl", names, strict=True))
    first = judge_categorical("c", CategoricalProfile(counts=a), CategoricalProfile(counts=b), 0.01)
    second = judge_categorical(
        "c",
        CategoricalProfile(counts={new[k]: v for k, v in a.items()}),
        CategoricalProfile(counts={new[k]: v for k, v in b.items()}),
        0.01,
    )
    assert (first.effect, first.lower, first.drifted) == (
        second.effect,
        second.lower,
        second.drifted,
    )


def test_many_levels_give_the_bound_of_all_cells():
    """Only limits that can matter are computed; the largest bound is found all the same."""
    rng = np.random.default_rng(0)
    before = CategoricalProfile(
        counts={f"l{i}": int(k) for i, k in enumerate(rng.poisson(40, 300))}
    )
    now = CategoricalProfile(counts={f"l{i}": int(k) for i, k in enumerate(rng.poisson(40, 300))})
    now.counts["l7"] += 900
    result = judge_categorical("c", before, now, 0.01)
    assert result.where == "l7"
    assert result.drifted


def test_unseen_rare_levels_do_not_alarm():
    """A tenth of the rows holds values the reference sample had not seen: chance, not drift."""
    rng = np.random.default_rng(0)
    reference = label(rng.zipf(1.3, 5000).astype(str))
    batch = rng.zipf(1.3, 500).astype(str)
    unseen = np.mean([value not in reference.counts for value in batch])
    assert unseen > 0.05
    assert not judge_categorical("c", reference, label(batch), 0.05).drifted


def test_a_column_of_identifiers_does_not_drift():
    """All levels new, each once: pooled on both sides, nothing has changed, bounded or not."""
    for bound in (10_000, 100):
        before = label([f"a{i}" for i in range(3000)], max_levels=bound)
        now = label([f"b{i}" for i in range(2000)], max_levels=bound)
        result = judge_categorical("id", before, now, 0.05)
        assert not result.drifted
        assert result.effect == 0


def test_a_level_that_vanished_and_one_that_came():
    """A fall is found like a rise, and named."""
    before = CategoricalProfile(counts={"a": 4500, "b": 500})
    after = CategoricalProfile(counts={"a": 5000})
    assert judge_categorical("c", before, after, 1e-4).drifted
    assert judge_categorical("c", after, before, 1e-4).drifted
    assert "'a' went from 90.0% to 100.0%" in judge_categorical("c", before, after, 1e-4).reason


DEGENERATE = [[], [NAN], [NAN] * 500, [1.0], [1.0] * 500, [np.inf], [1.0, NAN]]


@pytest.mark.parametrize("before", DEGENERATE)
@pytest.mark.parametrize("now", DEGENERATE)
def test_degenerate_columns_have_finite_results(before, now):
    """Empty, one row, only nulls, constant: no NaN anywhere, a reason, and JSON can hold it."""
    text = (
        [None if np.isnan(v) else str(v) for v in before],
        [None if np.isnan(v) else str(v) for v in now],
    )
    for result in (
        judge_numeric("x", number(before), number(now), 0.01),
        judge_missing("x", number(before), number(now), 0.01),
        judge_categorical("x", label(text[0]), label(text[1]), 0.01),
    ):
        json.dumps(dataclasses.asdict(result), allow_nan=False)
        assert result.reason.startswith("x")
        assert "nan" not in result.reason
        if not before or not now:
            assert not result.drifted
            assert "not judged" in result.reason


def test_only_nulls_is_missing_values_drift():
    """A column that lost all its values is caught as missing, not as a distribution."""
    full, gone = number(np.arange(500.0)), number([NAN] * 500)
    assert not judge_numeric("x", full, gone, 1e-4).drifted
    assert judge_missing("x", full, gone, 1e-4).drifted


def test_one_row_cannot_prove_anything():
    """A single row far away is not drift, and the result says that nothing could be."""
    result = judge_numeric("x", number(np.arange(500.0)), number([1e9]), 1e-4)
    assert result.effect == 1
    assert not result.drifted
    assert result.smallest is None
    assert "on so few rows no change could be shown" in result.reason


def test_smallest_effect_is_found_four_times_in_five():
    """A change of the stated smallest size is found in about 80 % of the runs, or more."""
    rng = np.random.default_rng(0)
    n = 4000
    before = number(np.where(np.arange(n) < 0.05 * n, NAN, 1.0))
    smallest = judge_missing("x", before, before, 1e-4).smallest
    found = 0
    for _ in range(300):
        now = number(np.where(rng.random(n) < 0.05 + smallest, NAN, 1.0))
        found += judge_missing("x", before, now, 1e-4).drifted
    assert 0.72 <= found / 300 <= 0.88
    uniform = rng.random(n)
    smallest = judge_numeric("x", number(uniform), number(uniform), 1e-4).smallest
    found = 0
    for _ in range(100):  # a share of the rows moves out of the reference's range
        now = np.where(rng.random(n) < smallest, 2.0, rng.random(n))
        found += judge_numeric("x", number(rng.random(n)), number(now), 1e-4).drifted
    assert found / 100 >= 0.72


def test_bad_levels_and_thresholds_are_named():
    """Levels and thresholds out of range are refused."""
    one = number([1.0])
    with pytest.raises(ValueError, match=r"level must be between 0 and 0\.5, got 0"):
        judge_numeric("x", one, one, 0)
    with pytest.raises(ValueError, match=r"numeric must be at least 0 and below 1, got 1\.5"):
        DriftThresholds(numeric=1.5)
    with pytest.raises(ValueError, match=r"auc must be at least 0\.5 and below 1, got 0\.4"):
        DriftThresholds(auc=0.4)
    with pytest.raises(ValueError, match=r"correlation must be at least 0, got -1"):
        DriftThresholds(correlation=-1)
