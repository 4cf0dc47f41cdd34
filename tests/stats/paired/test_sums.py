"""Sums of paired loss differences: moments, merging, cancellation."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from mlops_basics.stats.paired import sums
from mlops_basics.stats.paired.sums import PairedSums
from tests.support.paired_sums import moments, pairs, skewed


def _sums(pair):
    return PairedSums.from_losses(*pair)


@settings(deadline=None, max_examples=40)
@given(pairs(least=2))
def test_sums_are_numpys_and_scipysmoments(pair):
    """Mean, standard deviation and skewness equal those computed from the differences."""
    found, d = _sums(pair), pair[0] - pair[1]
    assert found.gain == pytest.approx(d.mean(), abs=1e-12)
    assert found.champion == pytest.approx(pair[0].mean())
    assert found.sd == pytest.approx(d.std(ddof=1), abs=1e-10)
    if found.sd > 1e-3:
        assert found.skewness == pytest.approx(stats.skew(d), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(pairs(), pairs(), pairs())
def test_merging_is_associative_and_equals_summing_at_once(a, b, c):
    """Summaries of parts, merged in any order, are the summary of all rows."""
    whole = _sums(np.concatenate([a, b, c], axis=1))
    x, y, z = map(_sums, (a, b, c))
    for merged in (x.merge(y).merge(z), x.merge(y.merge(z)), z.merge(y).merge(x)):
        np.testing.assert_allclose(moments(merged), moments(whole), rtol=1e-9, atol=1e-8)
    assert x.merge(PairedSums()) == x
    assert PairedSums().merge(x) == x


def test_blocks_change_nothing(monkeypatch):
    """Long inputs are summed block by block, to the same result."""
    pair = skewed(0, 1000)
    whole = _sums(pair)
    monkeypatch.setattr(sums, "_BLOCK", 64)
    np.testing.assert_allclose(moments(_sums(pair)), moments(whole), rtol=1e-10)


def test_small_differences_of_large_losses_are_kept():
    """Where plain sums of d and d^2 over a million offset rows cancel, merged moments do not."""
    rng = np.random.default_rng(1)
    d = rng.normal(1e4, 1e-3, 100_000)
    total = PairedSums()
    for part in np.split(d, 10):
        total = total.merge(PairedSums.from_losses(part, np.zeros_like(part)))
    assert total.sd == pytest.approx(d.std(ddof=1), rel=1e-6)
