"""Alpha spending over the batches of a release."""

from fractions import Fraction

import pytest

from mlops_basics.stats.data_drift.spending import drift_alpha_at


@pytest.mark.parametrize("horizon", [1, 50, 5000])
def test_levels_sum_to_what_the_proof_says(horizon):
    """The partial sums are J / (J + 50) of alpha, so they stay below it."""
    spent = sum(drift_alpha_at(j, 0.05) for j in range(1, horizon + 1))
    assert spent == pytest.approx(0.05 * float(Fraction(horizon, horizon + 50)), rel=1e-12)
    assert spent < 0.05


@pytest.mark.parametrize(
    ("j", "alpha", "message"),
    [
        (0, 0.05, "j must be an integer not less than 1, got 0"),
        (1, 0.5, r"alpha must be between 0 and 0\.5, got 0\.5"),
    ],
)
def test_bad_arguments_are_named(j, alpha, message):
    """A batch number or a level out of range is refused."""
    with pytest.raises(ValueError, match=message):
        drift_alpha_at(j, alpha)
