"""Tests of what a run keeps to itself."""

from __future__ import annotations

import pytest

from mlops_basics.runs.withheld import shown_artifacts, withheld
from mlops_basics.schemas import Decision
from tests.support.artifacts import make_decision, make_guard, make_metrics

FIGURES = {"gain": 0.0123, "p_value": 0.0456, "alpha": 0.001, "smallest_gain": 0.0789}


def refused(champion: str, number: int, outcome: str = "kept", **changes) -> Decision:
    """A challenger that is not promoted, with all that its test has found."""
    return make_decision(
        champion,
        number,
        promote=False,
        outcome=outcome,
        reasons=("Gain 0.0123, p = 0.0456.", "These rows could prove 0.0789.", "It stays."),
        **FIGURES | changes,
    )


@pytest.mark.parametrize(
    ("decision", "hidden"),
    [
        (refused("3", 2), True),
        (refused("3", 7, "guard_veto"), True),
        (refused("3", 1), False),  # the first on these rows
        (refused("none", 9, "not_better_than_constant"), False),
        (make_decision("3", 7), False),  # promoted: its rows have served
        (make_decision(), False),
        (refused("3", 0, "identical", gain=None), False),  # they are the champion's own figures
        (refused("3", 0, "overfitted", gain=None), True),  # nobody has counted it
        (refused("3", 0, "champion_unusable", gain=None), True),
    ],
)
def test_figures_are_withheld_from_the_second_challenge_on(decision, hidden):
    """Of refused challengers of a champion; first releases, promotions and the first are shown."""
    artifacts = {"decision": decision, "test_metrics": make_metrics(accuracy=0.9)}
    assert decision.withheld is hidden
    assert ("test_metrics" in shown_artifacts(artifacts)) is not hidden
    assert ("scores" in withheld(artifacts)) is hidden
    assert (decision.shown() == decision) is not hidden


def test_a_withheld_decision_holds_no_figure_of_the_rows_in_any_field():
    """Gain, p-value, smallest gain and guards say as much of the rows as the metrics do."""
    told = refused("3", 7, guards=(make_guard("accuracy", effect=0.0321),)).shown()
    text = told.model_dump_json()
    assert [figure for figure in ("0123", "0456", "0789", "0321") if figure in text] == []
    assert "used 7 times against version 3" in told.reasons[0]
    assert told.reasons[-1] == "It stays."
    assert told.shown() == told


def test_a_challenger_that_was_not_tested_keeps_its_reasons():
    """Why it was not says nothing of the test rows."""
    told = refused("3", 0, "overfitted", gain=None, p_value=None).shown()
    assert told.reasons[:2] == ("Gain 0.0123, p = 0.0456.", "These rows could prove 0.0789.")
    assert "--show-test" in told.reasons[3]


def test_a_veto_says_that_it_is_one():
    """That the test was passed is no figure."""
    assert "but worse in one respect" in refused("3", 7, "guard_veto").shown().reasons[0]


def test_a_run_without_a_decision_shows_no_test_metrics():
    """A part of the loop, or a reproduction: nobody has counted it."""
    artifacts = {"test_metrics": make_metrics(accuracy=0.9), "valid_metrics": make_metrics()}
    assert set(shown_artifacts(artifacts)) == {"valid_metrics"}
