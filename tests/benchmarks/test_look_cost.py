"""The benchmark of a look's cost: its stream, and what it takes for growth."""

from __future__ import annotations

import pytest
from benchmarks import look_cost
from benchmarks.look_cost import Age


def test_batches_differ_and_come_again():
    """300 rows each, the same at each call; no two alike."""
    assert look_cost.batch(3).equals(look_cost.batch(3))
    assert len(look_cost.batch(3)) == 300
    assert not look_cost.batch(3).equals(look_cost.batch(4))
    assert set(look_cost.batch(3)["kind"]) == {"good", "bad"}


def test_growth_is_told_of_looks_of_one_kind():
    """A look that ends with a release takes longer, and says nothing of the others."""
    released = [False, True] * 6
    seconds = [9.0 if moved else 1.0 + 0.1 * at for at, moved in enumerate(released)]
    age = Age(seconds, [5] * 12, [1000 + 150 * at for at in range(12)], released)
    assert age.growth(released=False) == pytest.approx((1.8 + 2.0) / (1.0 + 1.2))
    assert age.growth(released=True) == 1.0
    assert age.bytes_a_batch == 150
    time, size = look_cost.growth_of(age)
    assert time[1] > time[2]
    assert size[1] < size[2]
    assert "12 batches" in time[0]
