"""Alpha spending over a champion's life."""

import itertools
from fractions import Fraction

import pytest

from mlops_basics.stats.paired.spending import alpha_at


@pytest.mark.parametrize("horizon", [1, 52, 2000])
def test_levels_sum_to_what_the_proof_says(horizon):
    """The partial sums are those of the telescoped series, so they stay below alpha."""
    spent = sum(alpha_at(k, 0.05) for k in range(1, horizon + 1))
    exact = Fraction(2, 10) * (1 - Fraction(1, horizon + 1)) + Fraction(8, 10) * 52 * (
        Fraction(1, 52) - Fraction(1, horizon + 52)
    )
    assert spent == pytest.approx(0.05 * float(exact), rel=1e-12)
    assert spent < 0.05


def test_levels_fall_without_a_cliff():
    """Each level is below the one before; after the second, by less than two fifths."""
    levels = [alpha_at(k) for k in range(1, 200)]
    ratios = [b / a for a, b in itertools.pairwise(levels)]
    assert max(ratios) < 1
    assert min(ratios[1:]) > 3 / 5


def test_level_is_proportional_to_alpha():
    """Half the alpha gives half of each level."""
    assert alpha_at(7, 0.02) == pytest.approx(alpha_at(7, 0.04) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("k", "alpha", "message"),
    [
        (0, 0.05, "k must be an integer not less than 1, got 0"),
        (1.0, 0.05, r"k must be an integer not less than 1, got 1\.0"),
        (True, 0.05, "k must be an integer not less than 1, got True"),
        (1, 0.5, r"alpha must be between 0 and 0\.5, got 0\.5"),
        (1, 0.0, r"alpha must be between 0 and 0\.5, got 0\.0"),
        (1, float("nan"), r"alpha must be between 0 and 0\.5, got nan"),
    ],
)
def test_bad_arguments_are_named(k, alpha, message):
    """A challenge number or a level out of range is refused."""
    with pytest.raises(ValueError, match=message):
        alpha_at(k, alpha)
