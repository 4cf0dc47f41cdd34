"""Mergeable summaries of columns."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from tests.support.profiles import rank_error

values = st.lists(
    st.one_of(st.integers(-5, 5).map(float), st.floats(allow_nan=True, width=32)), max_size=60
)
labels = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), max_size=60)


ROWS = 200_000
COLUMNS = {
    "normal": lambda rng: rng.normal(size=ROWS),
    "skewed": lambda rng: np.exp(3 * rng.normal(size=ROWS)),
    "heavy tails": lambda rng: rng.standard_cauchy(ROWS),
    "mostly one value": lambda rng: np.where(rng.random(ROWS) < 0.7, 0.0, rng.normal(size=ROWS)),
    "tied": lambda rng: np.round(rng.normal(size=ROWS), 1),
    "whole numbers": lambda rng: np.round(100 * np.exp(rng.normal(size=ROWS))),
    "just too many": lambda rng: rng.permutation(np.arange(ROWS) % 8193).astype(float),
    "constant": lambda _: np.ones(ROWS),
    "infinities": lambda rng: np.where(rng.random(ROWS) < 0.004, -np.inf, rng.normal(size=ROWS)),
    "many infinities": lambda rng: np.where(rng.random(ROWS) < 0.3, np.inf, rng.normal(size=ROWS)),
    "huge": lambda rng: rng.uniform(-1, 1, ROWS) * 1.7e308,
    "tiny": lambda rng: rng.normal(size=ROWS) * 5e-320,
    "far from zero": lambda rng: 1e15 + rng.normal(size=ROWS),
    "sorted": lambda rng: np.sort(rng.normal(size=ROWS)),
    "signed zeros": lambda rng: rng.choice([-0.0, 0.0, 1.0, -1.0], ROWS),
}


def _same(a, b):
    assert [*a.to_dict()] == [*b.to_dict()]
    for key, value in a.to_dict().items():
        np.testing.assert_array_equal(value, b.to_dict()[key], err_msg=key)


def _counted(values, missing=0, max_points=8192):
    """The profile by its definition: distinct values with their counts, or those at even ranks."""
    distinct, counts = np.unique(values + 0.0, return_counts=True)
    at_most = np.cumsum(counts)
    exact = len(distinct) <= max_points
    if not exact:
        ranks = np.linspace(0, len(values) - 1, max_points).astype(int)
        kept = np.unique(np.searchsorted(at_most, ranks, side="right"))
        distinct, counts, at_most = distinct[kept], counts[kept], at_most[kept]
    return NumericProfile(
        points=distinct,
        low=at_most,
        high=at_most,
        below=at_most - counts,
        n=len(values),
        missing=missing,
        exact=exact,
        max_points=max_points,
    )


@pytest.mark.parametrize("column", COLUMNS)
def test_a_long_column_has_the_profile_of_its_counts(column):
    """This holds for each distribution, in any order, with or without missing values."""
    rng = np.random.default_rng(0)
    values = COLUMNS[column](rng)
    _same(NumericProfile.from_values(values), _counted(values))
    holes = np.insert(values, rng.integers(0, ROWS, 500), np.nan)
    _same(NumericProfile.from_values(holes), _counted(values, missing=500))


@given(
    arrays(np.float64, st.integers(0, 80), elements=st.floats(allow_nan=False)),
    st.integers(2, 12),
)
def test_a_short_column_has_the_profile_of_its_counts(values, size):
    """For any few values too, all kept or not."""
    profile = NumericProfile.from_values(values, max_points=size)
    _same(profile, _counted(values, max_points=size))


def test_zeros_have_one_sign():
    """Which of -0 and 0 stands in the profile does not depend on the order of the rows."""
    for values in ([0.0, -0.0], [-0.0, 0.0], np.tile([-0.0, 1.0, 2.0], 60_000)):
        assert not np.signbit(NumericProfile.from_values(values).points).any()


@given(values, values, values)
def test_numeric_merge_is_associative_and_the_whole(a, b, c):
    """While all distinct values fit, any grouping of merges is the profile of all rows."""
    x, y, z = map(NumericProfile.from_values, (a, b, c))
    whole = NumericProfile.from_values(a + b + c)
    _same(x.merge(y).merge(z), whole)
    _same(x.merge(y.merge(z)), whole)
    assert whole.exact
    assert rank_error(whole) == 0


@given(values, st.randoms(use_true_random=False))
def test_numeric_profile_ignores_the_order_of_rows(a, random):
    """Shuffled rows have the same profile."""
    shuffled = list(a)
    random.shuffle(shuffled)
    _same(NumericProfile.from_values(a), NumericProfile.from_values(shuffled))


@given(st.lists(values, min_size=1, max_size=6), st.integers(2, 12))
def test_bounds_hold_however_compressed_profiles_are_merged(parts, size):
    """The number of values at or below any place is between the bounds, and below any point too."""
    profile = NumericProfile.from_values([], max_points=size)
    for part in parts:
        profile = profile.merge(NumericProfile.from_values(part, max_points=size))
    everything = np.array([v for part in parts for v in part if not np.isnan(v)])
    places = np.unique(np.concatenate([everything, everything + 0.5, [-9.0, 0.25]]))
    low, high = profile.bounds(places)
    truth = (everything[None, :] <= places[:, None]).sum(axis=1)
    assert (low <= truth).all()
    assert (truth <= high).all()
    strictly = (everything[None, :] < profile.points[:, None]).sum(axis=1)
    assert (strictly <= profile.below).all()
    assert profile.n == len(everything)
    assert len(profile.points) <= size


def test_what_is_bounded():
    """Of 100,000 different values 1,000 are kept, with exact ranks; merging doubles the error."""
    x = np.random.default_rng(0).normal(size=(4, 100_000))
    parts = [NumericProfile.from_values(part, max_points=1000) for part in x]
    assert all(len(part.points) == 1000 and not part.exact for part in parts)
    assert max(rank_error(part) for part in parts) <= 1.1e-3
    merged = parts[0].merge(parts[1]).merge(parts[2].merge(parts[3]))
    assert len(merged.points) <= 1000
    assert rank_error(merged) <= 3.3e-3


def test_a_column_with_few_values_is_kept_whole():
    """Ties cost nothing: a million rows of ten values are ten points."""
    x = np.random.default_rng(0).integers(0, 10, 1_000_000)
    profile = NumericProfile.from_values(x)
    assert profile.exact
    np.testing.assert_array_equal(profile.high, np.cumsum(np.bincount(x)))


@pytest.mark.parametrize("column", [[], [np.nan] * 3, [1.0], [2.0] * 9, [np.inf, -np.inf, 0.0]])
def test_numeric_state_comes_back(column, tmp_path):
    """A profile survives npz, also an empty or constant one; lists do as well as arrays."""
    profile = NumericProfile.from_values(column)
    np.savez(tmp_path / "profile.npz", **profile.to_dict())
    with np.load(tmp_path / "profile.npz") as stored:
        _same(NumericProfile.from_dict(stored), profile)
    plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in profile.to_dict().items()}
    _same(NumericProfile.from_dict(json.loads(json.dumps(plain))), profile)


@given(labels, labels, labels)
def test_categorical_merge_is_associative_and_the_whole(a, b, c):
    """Any grouping of merges is the profile of all rows."""
    x, y, z = map(CategoricalProfile.from_values, (a, b, c))
    whole = CategoricalProfile.from_values(a + b + c)
    assert x.merge(y).merge(z) == whole
    assert x.merge(y.merge(z)) == whole
    assert list(x.merge(y).merge(z).counts) == list(whole.counts)


@given(labels)
def test_codes_are_counted_like_values(a):
    """A coded column has the profile of its values."""
    levels = sorted({v for v in a if v is not None})
    codes = np.array([-1 if v is None else levels.index(v) for v in a], dtype=np.int8)
    assert CategoricalProfile.from_codes(codes, levels) == CategoricalProfile.from_values(a)


def test_missing_values_and_whole_numbers_have_one_name():
    """None, NaN and NaT are missing; 1 and 1.0 are one level, as after a missing value came in."""
    mixed = np.array(["1", 1, 1.0, None, float("nan"), np.datetime64("NaT"), 1.5], dtype=object)
    profile = CategoricalProfile.from_values(mixed)
    assert profile.counts == {"1": 3, "1.5": 1}
    assert profile.missing == 3
    assert profile.rows == 7


def test_the_most_frequent_levels_are_kept():
    """Beyond the bound levels are counted together, without losing rows."""
    column = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2
    profile = CategoricalProfile.from_values(column, max_levels=2)
    assert profile.counts == {"a": 5, "b": 4}
    assert (profile.other, profile.rows) == (5, 14)
    assert profile.merge(profile).rows == 28


def test_categorical_state_comes_back(tmp_path):
    """A profile survives npz."""
    for column in ([], ["a", None, "ä b"]):
        profile = CategoricalProfile.from_values(column)
        np.savez(tmp_path / "profile.npz", **profile.to_dict())
        with np.load(tmp_path / "profile.npz") as stored:
            assert CategoricalProfile.from_dict(stored) == profile


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: NumericProfile.from_values([[1.0]]),
            r"values must be one-dimensional, got \(1, 1",
        ),
        (
            lambda: NumericProfile.from_values([1.0], max_points=1),
            "max_points must be an integer not less than 2, got 1",
        ),
        (
            lambda: CategoricalProfile.from_values([["a"]]),
            r"values must be one-dimensional, got \(1, 1",
        ),
        (
            lambda: CategoricalProfile.from_values(["a"], max_levels=0),
            "max_levels must be an integer not less than 1, got 0",
        ),
        (lambda: CategoricalProfile.from_codes([2], ["a"]), r"codes \+ 1 must be in 0 \.\.\. 1"),
    ],
)
def test_bad_arguments_are_named(make, message):
    """A table in place of a column, or a bound out of range, is refused."""
    with pytest.raises(ValueError, match=message):
        make()
