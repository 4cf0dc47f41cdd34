"""Groups as the independent units: another derivation, invariances, and the level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.sums import PairedSums
from tests.support.paired_sums import moments


@st.composite
def grouped(draw):
    """Losses of both models, and the group of each row."""
    n = draw(st.integers(2, 60))
    values = draw(arrays.arrays(np.float64, (2, n), elements=st.floats(0, 10)))
    return (*values, draw(arrays.arrays(np.int64, n, elements=st.integers(-3, 3))))


@given(grouped())
def test_the_variance_is_the_jackknifes(table):
    """The variance equals the jackknife's, which leaves out each group in turn."""
    champion, challenger, groups = table
    sums = group_sums(champion, challenger, groups)
    d, names = champion - challenger, set(groups)
    count = len(names)
    assert sums.n == count
    assert sums.gain == pytest.approx(d.mean(), abs=1e-9)
    if count > 1:
        moved = [d[groups != g].mean() - d.mean() for g in names]
        jackknife = (count - 1) / count * np.square(moved).sum()
        assert sums.m2 / (count - 1) / count == pytest.approx(jackknife, abs=1e-9)
    else:
        assert sums.m2 == 0


@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 1000))
def test_with_groups_of_one_size_it_is_the_cluster_robust_one(count, size, seed):
    """The sandwich of a regression of the differences on a constant, times G / (G - 1)."""
    rng = np.random.default_rng(seed)
    d, groups = rng.normal(size=count * size), np.repeat(np.arange(count), size)
    x = np.ones((len(d), 1))
    bread = np.linalg.inv(x.T @ x)
    left = d - x @ (bread @ x.T @ d)
    meat = sum(np.outer(s, s) for s in (x[groups == g].T @ left[groups == g] for g in range(count)))
    robust = (bread @ meat @ bread)[0, 0] * count / (count - 1)
    sums = group_sums(d, np.zeros_like(d), groups)
    assert sums.m2 / (count - 1) / count == pytest.approx(robust, abs=1e-12)


@given(grouped())
def test_groups_of_one_row_are_the_rows(table):
    """Groups of one row each give the result of the rows, with any labels."""
    champion, challenger, groups = table
    labels = [f"row {i}" for i in range(len(groups))]
    alone = group_sums(champion, challenger, labels)
    expected = PairedSums.from_losses(champion, challenger)
    np.testing.assert_allclose(moments(alone), moments(expected), rtol=1e-9, atol=1e-9)


@given(grouped(), st.randoms(use_true_random=False))
def test_neither_order_nor_labels_matter(table, random):
    """The same groups by other names, in another order."""
    champion, challenger, groups = table
    order = list(range(len(groups)))
    random.shuffle(order)
    names = np.array([f"day {7 - g}" for g in groups])
    other = group_sums(champion[order], challenger[order], names[order])
    expected = moments(group_sums(champion, challenger, groups))
    np.testing.assert_allclose(moments(other), expected, rtol=1e-9, atol=1e-9)


@given(grouped())
def test_repeated_rows_add_no_evidence(table):
    """Each row three times in its group: the same gain with the same error."""
    champion, challenger, groups = table
    once = group_sums(champion, challenger, groups)
    thrice = group_sums(*(np.repeat(values, 3) for values in table))
    np.testing.assert_allclose(moments(thrice), moments(once), rtol=1e-9, atol=1e-9)


def test_sums_of_groups_are_not_merged():
    """Sums of groups are not merged, since a group may have rows in both parts."""
    groups = group_sums([1.0, 2.0], [0.0, 0.5], [0, 0])
    rows = PairedSums.from_losses([1.0], [0.0])
    for one, other in ((groups, groups), (groups, rows), (rows, groups), (PairedSums(), groups)):
        with pytest.raises(ValueError, match="cannot be merged"):
            one.merge(other)


def test_what_cannot_be_grouped_is_refused():
    """Each row has one group."""
    with pytest.raises(ValueError, match="groups must be of length 2, got 1"):
        group_sums([1.0, 2.0], [1.0, 2.0], [0])
    with pytest.raises(ValueError, match="one-dimensional"):
        group_sums([1.0], [1.0], [[0]])
    assert group_sums([], [], []).n == 0


def test_few_groups_are_reported_as_groups():
    """The reason counts groups, not rows, of which there may be many."""
    rng = np.random.default_rng(0)
    d = rng.normal(size=3000)
    few = compare_losses(group_sums(d, np.zeros(3000), np.repeat(np.arange(19), 158)[:3000]))
    assert few.reason == "refused: 19 groups, at least 20 are needed for a claim"
    some = compare_losses(group_sums(d, np.zeros(3000), np.repeat(np.arange(30), 100)))
    assert some.level_approximate
    assert "30 groups may hold none of" in some.level_note


def equal_models(rng, sizes, common, skewed):
    """Differences of equally good models; the rows of a group share an effect."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    draws = 1 - rng.exponential(size=len(sizes)) if skewed else rng.normal(size=len(sizes))
    return common * draws[groups] + rng.normal(size=len(groups)), groups


@pytest.mark.slow
@pytest.mark.parametrize(("skewed", "at_most"), [(False, 0.075), (True, 0.085)])
def test_the_level_holds_where_rows_err_together(skewed, at_most):
    """Of 1,000 lives of 30 groups of 30 to 300 rows; rows taken as independent err twice as often.

    The bounds are those of the docstring (5.0 and 6.2 %) and three standard errors.
    """
    rng = np.random.default_rng(1)
    lives, wrong = 1000, {"groups": 0, "rows": 0}
    for _ in range(lives):
        sizes = (100 * 10 ** rng.uniform(-0.5, 0.5, 30)).astype(int)
        d, groups = equal_models(rng, sizes, 0.1, skewed)
        zero = np.zeros_like(d)
        wrong["groups"] += compare_losses(group_sums(d, zero, groups)).significant
        wrong["rows"] += compare_losses(PairedSums.from_losses(d, zero)).significant
    assert wrong["groups"] / lives <= at_most
    assert wrong["rows"] > 2 * wrong["groups"]


@pytest.mark.slow
@pytest.mark.parametrize("giant", [5_000, 20_000])
def test_one_group_that_holds_most_rows_is_no_proof(giant):
    """Of 500 lives of 200 groups of 20 rows and a giant; without its factor 40 % are wrong."""
    rng = np.random.default_rng(3)
    sizes = np.append(np.full(200, 20), giant)
    wrong = 0
    for _ in range(500):
        d, groups = equal_models(rng, sizes, 0.3, skewed=False)
        wrong += compare_losses(group_sums(d, np.zeros_like(d), groups)).significant
    assert wrong / 500 <= 0.08


@pytest.mark.slow
def test_independent_rows_lose_little():
    """Where groups mean nothing, a hundred of them find a gain about as often as 5,000 rows."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(100), 50)
    found = {"groups": 0, "rows": 0}
    for _ in range(500):
        d = rng.normal(0.04, 1, 5000)
        zero = np.zeros(5000)
        found["groups"] += compare_losses(group_sums(d, zero, groups)).significant
        found["rows"] += compare_losses(PairedSums.from_losses(d, zero)).significant
    assert found["rows"] > 400
    assert found["groups"] > 0.95 * found["rows"]
