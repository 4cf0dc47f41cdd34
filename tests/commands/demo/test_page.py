"""Tests of the demo's page: it reports what happened and does not embellish it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from mlops_basics.commands.demo.page import (
    Gain,
    LookResult,
    MonthResult,
    ReleaseResult,
    YearResult,
    demo_page,
    retrainings,
)
from mlops_basics.schemas import ConceptResult, Decision, Verdict
from tests.support import artifacts
from tests.support.artifacts import HOSTILE, make_guard
from tests.support.parsed_page import ParsedPage, assert_needs_no_network, without_plotly

SAME = Gain(0.25, 0.25, 0.0, 0.0, 0.0, same=True)
BETTER = Gain(0.30, 0.28, 0.02, 0.01, 0.03)
WORSE = Gain(0.20, 0.24, -0.04, -0.05, -0.03)
UNCLEAR = Gain(0.25, 0.26, -0.01, -0.03, 0.01)


def make_decision(champion: str, *, promote: bool) -> Decision:
    """A decision with a guard; one that vetoes where it does not promote."""
    guard = make_guard(
        "roc_auc", shown_worse=not promote, effect=-0.01, low=-0.02, high=-0.001, p_worse=0.01
    )
    return artifacts.make_decision(
        champion,
        1,
        promote=promote,
        outcome="promoted" if promote else "guard_veto",
        reasons=(HOSTILE[0],),
        gain=0.0123,
        low=0.004,
        high=0.02,
        p_value=0.001,
        alpha=0.005,
        guards=(guard,),
    )


def make_verdict(outcome: str, reason: str) -> Verdict:
    """A verdict with one reason."""
    concept = ConceptResult(
        status="no_drift",
        loss="error",
        rows=100,
        reference_rows=100,
        reference=0.2,
        reference_upper=0.22,
        tolerated=0.23,
        tolerance=0.01,
        observed=0.21,
        wealth=0.1,
        block=1,
        alpha=0.01,
        reason="",
    )
    return Verdict.model_validate(
        {
            "model_name": HOSTILE[0],
            "version": "1",
            "run_id": "r",
            "retrain": outcome == "retrain",
            "outcome": outcome,
            "evidence": (),
            "reasons": (reason,),
            "concept": concept,
        }
    )


def make_look(month: str, labels: str, code: int, verdict: Verdict | None) -> LookResult:
    """A look that took 10 CPU seconds."""
    before = None if verdict is None else "1"
    trained = make_decision(before or "none", promote=code == 3) if code in (3, 4) else None
    after = "2" if code == 3 and verdict else "1"
    return LookResult(month, labels, code, "told", before, after, verdict, trained, 10.0, 8.0)


@pytest.fixture
def year() -> YearResult:
    """Three months: one model, then better, then worse; one retraining vetoed, one promoted."""
    sizes = {"rows": 1000, "labelled": 900, "positive": 0.25}
    return YearResult(
        months=[
            MonthResult(month="m-04", **sizes, version="1", error=SAME, log_loss=SAME),
            MonthResult(month="m-05", **sizes, version="2", error=BETTER, log_loss=BETTER),
            MonthResult(month="m-06", **sizes, version="2", error=WORSE, log_loss=UNCLEAR),
        ],
        looks=[
            make_look("m-03", "", 3, None),
            make_look("m-04", "", 0, make_verdict("no_drift", "all is calm")),
            make_look("m-05", "m-04", 3, make_verdict("retrain", "the timetable has changed")),
            make_look("m-06", "m-05", 4, make_verdict("retrain", HOSTILE[1])),
            make_look("after", "m-06", 0, make_verdict("cooling_down", "wait a little")),
        ],
        releases=[
            ReleaseResult(
                "1", "m-03", ("m-01", "m-02", "m-03"), make_decision("none", promote=True)
            ),
            ReleaseResult("2", "m-05", ("m-02", "m-03", "m-04"), make_decision("1", promote=True)),
        ],
        error=WORSE,
        log_loss=UNCLEAR,
        first_months=["m-01", "m-02", "m-03"],
        about={"Data": HOSTILE[0]},
    )


def words(page: str) -> str:
    """The visible words of the page."""
    return ParsedPage(page).words


def test_page_says_first_that_keeping_up_was_worse(year: YearResult) -> None:
    """A demo in which retraining did harm says so in its first lines."""
    top = words(demo_page(year)).split("What happens here")[0]
    assert "0.240 kept up, 0.200 never retrained" in top
    assert "error: kept up is worse" in top
    assert "log loss: no difference shown" in top
    assert "5 looks, 2 retrainings, 1 of them promoted; 50 CPU seconds" in top


def test_page_has_each_month_with_its_gain(year: YearResult) -> None:
    """Gains with their intervals; months of one model have none."""
    table = words(demo_page(year)).split("Month by month")[1].split("Each look")[0]
    assert re.search(r"m-04 900 of 1,000 25 % 1 0\.250 0\.250 the same model", table)
    assert re.search(r"m-05 .* 2 0\.300 0\.280 \+0\.0200 \+0\.0100 to \+0\.0300", table)
    assert re.search(r"m-06 .* -0\.0400 -0\.0500 to -0\.0300", table)
    assert re.search(r"all 2,700 of 3,000", table)


def test_page_has_each_verdict_and_what_came_of_it(year: YearResult) -> None:
    """Verdict, reason, exit code, decision and veto."""
    looks = words(demo_page(year)).split("Each look of kedro ct")[1].split("Each release")[0]
    for reason in ("all is calm", "the timetable has changed", "wait a little"):
        assert reason in looks
    assert "exit 3: trained and published" in looks
    assert "exit 3: retrained and promoted" in looks
    assert "exit 4: retrained and kept refused: a guard vetoes" in looks
    assert "shown to be worse: ROC AUC" in looks


def test_page_has_each_release_and_what_it_came_from(year: YearResult) -> None:
    """What it was fitted, tuned and tested on, and how many months it predicted."""
    releases = words(demo_page(year)).split("Each release")[1].split("What it cost")[0]
    assert "1 m-03 fitted on m-01 tuned on m-02 tested on m-03" in releases
    assert "over a constant prediction +0.0123" in releases
    assert "over version 1 +0.0123 (+0.0040 to +0.0200) on 1,234 rows" in releases
    assert releases.strip().endswith("2")


def test_cost_is_divided_among_looks_and_retrainings(year: YearResult) -> None:
    """The costs of looks and retrainings add up to the total."""
    cost = words(demo_page(year)).split("What it cost")[1]
    assert "First release 1 10" in cost
    assert "Looks that did not retrain 2 20 10.0" in cost
    assert "Retrainings, each with its look 2 20 10.0" in cost
    assert "All 5 50" in cost
    assert len(retrainings(year)) == 2


def test_page_is_deterministic_escaped_and_needs_no_network(year: YearResult) -> None:
    """Equal results give equal bytes, names are escaped, and nothing is loaded."""
    page = demo_page(year)
    assert page == demo_page(year)
    assert_needs_no_network(page)
    assert "<script>alert" not in without_plotly(page)


def test_a_year_without_any_change_is_a_page_too(year: YearResult) -> None:
    """A year without a retraining gives a page without a gain."""
    calm = dataclasses.replace(
        year,
        months=year.months[:1],
        looks=year.looks[:2],
        releases=year.releases[:1],
        error=SAME,
        log_loss=SAME,
    )
    text = words(demo_page(calm))
    assert "2 looks, 0 retrainings, 0 of them promoted" in text
    assert "error: no difference shown" in text
