"""Tests of the decision as the node makes it: every outcome, its words, and its error rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t

from mlops_basics.pipelines.model_evaluation.nodes import decide
from mlops_basics.schemas import NO_CHAMPION, ROW_HASH_COLUMN, Decision, DecisionParams, RefitReport
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.spending import alpha_at
from tests.support.artifacts import REFIT, make_metrics
from tests.support.contests import (
    FIT,
    TEST_METRICS,
    assert_finite,
    better_loss_worse_classes,
    challenge_of,
    contest,
    make_gate,
)
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged

OVERFITTED = FIT.model_copy(update={"overfitted": True, "reason": "It learned the rows by heart."})
BETTER = {"champion": 0.5, "challenger": 3.0}


def decided(gate, number=1, version="3", metrics=TEST_METRICS, request=None, refit=REFIT, **params):
    """Call the node."""
    request = request or contest(gate, version, **params)
    if gate is None:
        gate = pd.DataFrame({ROW_HASH_COLUMN: np.array([], dtype=np.uint64)})
    challenge = challenge_of(number if request.status == "comparable" else 0, version)
    section = configured(DecisionParams, **params)
    return assert_inputs_unchanged(decide, gate, request, challenge, metrics, refit, section)


OUTCOMES = {
    "promoted": lambda: decided(make_gate(**BETTER)),
    "kept": lambda: decided(make_gate()),
    "guard_veto": lambda: decided(better_loss_worse_classes()),
    "first_release": lambda: decided(make_gate(**BETTER), version=NO_CHAMPION),
    "not_better_than_constant": lambda: decided(make_gate(), version=NO_CHAMPION),
    "below_floor": lambda: decided(
        make_gate(**BETTER), version=NO_CHAMPION, quality_floor={"accuracy": 0.99}
    ),
    "identical": lambda: decided(identical()),
    "overfitted": lambda: decided(
        make_gate(**BETTER), request=contest(make_gate(**BETTER), overfit=OVERFITTED)
    ),
    "too_few_rows": lambda: decided(make_gate(n=19, **BETTER)),
    "champion_unusable": lambda: decided(
        None, request=contest(None, unusable="it cannot be loaded (skops)")
    ),
}


def identical():
    """A gate on which both models say the same."""
    gate = make_gate()
    for k in range(2):
        gate[f"challenger_{k}"] = gate[f"champion_{k}"]
    return gate


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_outcome_is_reached_and_explained(outcome):
    """Two of ten promote; all have reasons, none a NaN, and JSON gives each back as it was."""
    decision = OUTCOMES[outcome]()
    assert decision.outcome == outcome
    assert decision.promote == (outcome in ("promoted", "first_release"))
    assert len(decision.reasons) >= 2
    assert all(reason.strip() for reason in decision.reasons)
    assert_finite(decision.model_dump())
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    first = outcome in ("first_release", "not_better_than_constant", "below_floor")
    assert decision.champion_version == (NO_CHAMPION if first else "3")
    if not decision.promote:
        stays = "Nothing is published." if first else "Version 3 stays in production."
        assert decision.reasons[-1] == stays


def test_the_outcomes_are_all_of_them():
    """These tests cover every outcome but those of policies, which no gate decides."""
    annotation = Decision.model_fields["outcome"].annotation
    assert set(OUTCOMES) == set(annotation.__args__) - {"refreshed", "switched"}


@pytest.mark.parametrize("outcome", ["identical", "overfitted", "too_few_rows"])
def test_what_was_not_tested_has_no_numbers(outcome):
    """Nothing was computed, and the request's reason comes first."""
    decision = OUTCOMES[outcome]()
    for name in ("gain", "low", "high", "p_value", "alpha", "smallest_gain", "challenger_value"):
        assert getattr(decision, name) is None
    assert decision.guards == ()
    first = {
        "identical": "Both models predict the same on every row.",
        "overfitted": OVERFITTED.reason,
        "too_few_rows": "19 rows remain",
    }
    assert decision.reasons[0].startswith(first[outcome])


def test_a_first_decision_says_that_it_met_a_constant():
    """A first model's decision names a constant prediction, not a version."""
    decision = OUTCOMES["not_better_than_constant"]()
    assert decision.reasons[0].startswith("Not shown to be better than a constant prediction.")


def test_an_unusable_champion_says_so():
    """The decision gives the reason, and the champion stays."""
    decision = OUTCOMES["champion_unusable"]()
    assert decision.reasons[0] == ("The champion cannot be compared: it cannot be loaded (skops).")


def test_an_unknown_metric_in_the_floor_is_no_promotion():
    """A floor of an unknown metric does not promote, and the reason lists the known metrics."""
    decision = decided(
        make_gate(**BETTER),
        version=NO_CHAMPION,
        metrics=make_metrics(accuracy=0.9),
        quality_floor={"acuracy": 0.5},
    )
    assert decision.outcome == "below_floor"
    assert "quality_floor names 'acuracy', which was not measured (accuracy)." in decision.reasons


def test_a_regression_that_was_not_tested_names_its_own_metric():
    """A regression without rows to compare still names its own metric."""
    request = contest(None).model_copy(update={"classes": ()})
    decision = decided(None, request=request)
    assert (decision.outcome, decision.metric, decision.unit) == (
        "too_few_rows",
        "huber",
        "units of the target",
    )
    tested = decided(make_gate("regression", champion=1.0, challenger=0.3))
    assert (tested.outcome, tested.metric) == ("promoted", "huber")


def test_the_decision_repeats_what_it_was_about():
    """Rows, challenge, levels and rule."""
    decision = decided(make_gate(**BETTER), number=4, alpha=0.1, min_gain=0.001)
    assert decision.challenge == challenge_of(4)
    assert decision.rows == 200
    assert decision.which_rows == "test rows that neither model was trained or tuned on"
    assert (decision.total_alpha, decision.alpha) == (0.1, pytest.approx(alpha_at(4, 0.1)))
    assert (decision.rule, decision.min_gain) == ("superiority", 0.001)


def test_the_decision_is_seeded():
    """Equal inputs give equal decisions in any order of calls."""
    gate = make_gate("multiclass", champion=1.0, challenger=1.6)
    one = decided(gate, metric="macro_f1")
    np.random.default_rng(0).random(5)
    assert decided(gate, metric="macro_f1") == one
    assert decided(gate, metric="macro_f1", seed=1).model_dump(exclude={"reasons"}) != one


@pytest.mark.parametrize("outcome", [BETTER, {}], ids=["promoted", "kept"])
def test_a_release_that_was_fitted_on_test_rows_says_so(outcome):
    """One sentence more, before what stays the champion, and nothing else in the decision."""
    gate = make_gate(**outcome)
    as_judged = decided(gate)
    on_all = decided(gate, refit=RefitReport(rule="all", rows=1500))
    assert on_all.model_dump(exclude={"reasons"}) == as_judged.model_dump(exclude={"reasons"})
    (sentence,) = set(on_all.reasons) - set(as_judged.reasons)
    assert "fitted on all 1,500 rows" in sentence
    assert [reason for reason in on_all.reasons if reason != sentence] == [*as_judged.reasons]
    assert (on_all.reasons[-1] == sentence) == on_all.promote == bool(outcome)


def equal_life(rng, rows, models):
    """Reused rows, and models that are equally good by construction.

    Each model sees the same signal through its own noise, drawn in the same way, so that any
    two of them are exchangeable: their true mean losses are equal.
    """
    y = rng.integers(0, 2, rows)
    logits = (2 * y - 1) + rng.normal(size=rows) + 0.7 * rng.normal(size=(models, rows))
    return y, 1 / (1 + np.exp(-logits))


def gate_of(y, champion, challenger):
    """A gate from both models' probabilities of class 1."""
    return pd.DataFrame(
        {
            ROW_HASH_COLUMN: np.arange(len(y), dtype=np.uint64),
            "y": y,
            "champion_0": 1 - champion,
            "champion_1": champion,
            "challenger_0": 1 - challenger,
            "challenger_1": challenger,
        }
    )


@pytest.mark.slow
def test_equally_good_challengers_are_hardly_ever_promoted():
    """In 52 challenges on reused rows, at most alpha of the champions' lives see a promotion.

    The naive rule, "better on these rows", disturbs nearly all of them. A life ends with its first
    promotion, so each counts once; the bound is exact binomial, with a tail of 0.01 %. To be fast,
    ``decide`` is asked where Student's t, never the larger of its two p-values, allows a
    promotion, and once more in each life, to see that it keeps what t does not allow.
    """
    rng = np.random.default_rng(20)
    lives, challengers, rows, alpha = 400, 52, 150, 0.05
    params = configured(DecisionParams, alpha=alpha, guards=("brier",))
    levels = np.array([alpha_at(k, alpha) for k in range(1, challengers + 1)])
    assert levels.sum() < alpha
    wrong = naive = 0
    for _ in range(lives):
        y, p = equal_life(rng, rows, 1 + challengers)
        both = np.stack([1 - p, p], axis=-1).reshape(-1, 2)
        losses = log_loss_rows(np.tile(y, 1 + challengers), both).reshape(-1, rows)
        gains = losses[0] - losses[1:]
        statistic = gains.mean(axis=1) / gains.std(axis=1, ddof=1) * np.sqrt(rows)
        allowed = t.sf(statistic, rows - 1) <= levels
        naive += (gains.mean(axis=1) > 0).any()
        asked = [*np.flatnonzero(allowed).tolist(), int(np.argmin(allowed))]
        request = contest(gate_of(y, p[0], p[1]))
        promoted = [
            decide(
                gate_of(y, p[0], p[1 + k]),
                request,
                challenge_of(k + 1),
                TEST_METRICS,
                REFIT,
                params,
            ).promote
            for k in asked
        ]
        assert not promoted[-1]
        wrong += any(promoted)
    assert wrong <= binom.isf(1e-4, lives, alpha)
    assert naive >= 0.9 * lives


def test_a_decision_of_an_earlier_run_is_read_in_the_words_of_today():
    """A constant prediction was called a baseline, too."""
    decision = OUTCOMES["not_better_than_constant"]()
    old = decision.model_dump() | {"outcome": "not_better_than_baseline"}
    assert type(decision).model_validate(old) == decision
