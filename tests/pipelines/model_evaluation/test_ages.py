"""Rows of different ages: all of them count, the newer ones by themselves, too, and as a veto."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from mlops_basics.pipelines.model_evaluation.ages import AGE_COLUMN, FRESH, NEWEST, OLDER
from mlops_basics.pipelines.model_evaluation.nodes import decide
from mlops_basics.schemas import ROW_HASH_COLUMN, Decision, DecisionParams
from tests.support.artifacts import REFIT
from tests.support.contests import (
    TEST_METRICS,
    better_loss_worse_classes,
    challenge_of,
    contest,
    make_gate,
)
from tests.support.parameters import configured


def aged(*parts: tuple[pd.DataFrame, int]) -> pd.DataFrame:
    """Parts of a gate, each of one age."""
    gate = pd.concat([part.assign(**{AGE_COLUMN: age}) for part, age in parts], ignore_index=True)
    return gate.assign(**{ROW_HASH_COLUMN: np.arange(len(gate), dtype=np.uint64)})


def decided(gate: pd.DataFrame, **params: object) -> Decision:
    """What is decided on these rows."""
    section = configured(DecisionParams, **params)
    return decide(gate, contest(gate), challenge_of(), TEST_METRICS, REFIT, section)


def test_a_hundred_fresh_rows_do_not_throw_two_thousand_older_ones_away() -> None:
    """What the fresh ones cannot show by themselves, all rows can; as without any fresh ones."""
    rows = [make_gate(n=n, champion=1.0, challenger=1.3, seed=n) for n in (2_000, 100)]
    alone = decided(rows[1])
    both = decided(aged((rows[0], OLDER), (rows[1], NEWEST)))
    assert (alone.outcome, both.outcome) == ("kept", "promoted")
    assert both.rows == 2_100
    assert "half of it for the rows of newer batches" in both.reasons[1]
    assert both.alpha == pytest.approx(alone.alpha / 2)


def test_after_a_change_the_newer_rows_speak_by_themselves() -> None:
    """A challenger that is better only on what came after the champion is not held back by what
    lies before the change."""
    gate = aged(
        (make_gate(n=3_000, champion=1.5, challenger=1.45, seed=1), OLDER),
        (make_gate(n=300, champion=0.5, challenger=2.0, seed=2), NEWEST),
    )
    found = decided(gate)
    assert (found.outcome, found.rows) == ("promoted", 300)
    assert "batches that came after the champion" in found.which_rows


def test_what_fails_on_the_newer_rows_is_vetoed() -> None:
    """Better on many older rows, worse on what production looks like now."""
    gate = aged(
        (make_gate(n=3_000, champion=1.0, challenger=1.6, seed=3), OLDER),
        (make_gate(n=300, champion=2.0, challenger=0.5, seed=4), NEWEST),
    )
    found = decided(gate)
    assert found.outcome == "guard_veto"
    assert any(
        "on the 300 newer rows" in reason and "is shown to be worse" in reason
        for reason in found.reasons
    )


def test_a_veto_of_rows_before_the_change_is_lifted_by_the_newest() -> None:
    """Fresh rows that are mostly of the old regime do not veto what is no worse on the newest."""
    before = better_loss_worse_classes()
    now = make_gate(n=300, champion=0.2, challenger=2.5, seed=5)
    unaged = decided(pd.concat([before, before, now], ignore_index=True), guards=["accuracy"])
    gate = aged((pd.concat([before] * 2), FRESH), (now, NEWEST))
    found = decided(gate, guards=["accuracy"])
    assert found.outcome == "promoted"
    (guard,) = [each for each in found.guards if each.metric == "accuracy"]
    assert "is shown to be worse" in guard.reason
    assert "on the 300 newest rows it does no worse" in guard.reason
    assert not guard.shown_worse
    assert unaged.outcome == "guard_veto"
    worse = aged((now, FRESH), (pd.concat([before] * 2), NEWEST))
    assert decided(worse, guards=["accuracy"]).outcome == "guard_veto"


@pytest.mark.slow
def test_two_tests_share_one_level() -> None:
    """An equal challenger is promoted on either set of rows as rarely as on one."""
    alpha, lives = 0.4, 300
    level = decided(make_gate(n=150), alpha=alpha).alpha
    promoted = 0
    for seed in range(lives):
        gate = aged(
            (make_gate(n=150, seed=seed), OLDER),
            (make_gate(n=100, seed=-1 - seed & 0xFFFF), NEWEST),
        )
        promoted += decided(gate, alpha=alpha, guards=["accuracy"]).promote
    assert level is not None
    assert promoted <= binom.ppf(0.9999, lives, level)
    assert promoted > 0
