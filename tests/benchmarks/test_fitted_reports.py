"""A challenger that is fitted to what runs show, and what guards let through: a few lives each."""

import numpy as np
import pytest
from benchmarks import fitted_reports
from benchmarks.configured import configured
from scipy import stats


@pytest.mark.slow
def test_nobody_can_fit_to_what_is_shown_now():
    """Fitted to test metrics or to p-values a worse challenger is promoted nearly always; to what
    a run tells now no more often than its level allows."""
    lives = 20
    for shown in (fitted_reports.metrics_shown, fitted_reports.p_value_shown):
        assert fitted_reports.fitted(50, shown, lives).value > 0.5
    told = fitted_reports.fitted(50, fitted_reports.as_told, lives)
    assert told.value * lives <= stats.binom.ppf(1 - 1e-4, lives, 0.05)


def test_the_first_challenge_alone_shows_its_figures():
    """By the decision's own rule."""
    assert fitted_reports.as_told(1, 0.01, 0.2) == 0.01
    assert fitted_reports.as_told(2, 0.01, 0.2) is None


@pytest.mark.slow
def test_the_rare_class_has_the_recalls_as_stated():
    """And the challenger is better on the others, as the drawn rows show."""
    y, p = fitted_reports.rare_class(200_000, np.random.default_rng(0))
    right = p.argmax(axis=2) == y
    for model, (common, rare) in enumerate(((0.85, 0.8), (0.88, 0.6))):
        assert right[model][y < 2].mean() == pytest.approx(common, abs=0.01)
        assert right[model][y == 2].mean() == pytest.approx(rare, abs=0.04)


@pytest.mark.slow
def test_a_worst_class_is_vetoed_where_its_rows_suffice():
    """On 10,000 rows 200 are of the class."""
    lives = 3
    found = fitted_reports.outcomes(fitted_reports.rare_class, 10_000, configured(), lives)
    assert found["guard_veto"].value == 1.0
