"""Tests of the demo's page: it reports what happened and does not embellish it."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from mlops_basics.commands.demo.page import (
    Gain,
    LookResult,
    MonthResult,
    ReleaseResult,
    YearResult,
    changes_of_policy,
    demo_page,
    searches,
)
from mlops_basics.commands.demo.rivals import ALWAYS, NEVER, RIVALS, WINDOW
from mlops_basics.schemas import ConceptResult, Decision, Verdict
from tests.support import artifacts
from tests.support.artifacts import HOSTILE
from tests.support.parsed_page import ParsedPage, assert_needs_no_network

SAME = Gain(0.25, 0.25, 0.0, 0.0, 0.0, same=True)
BETTER = Gain(0.30, 0.28, 0.02, 0.01, 0.03)
WORSE = Gain(0.20, 0.24, -0.04, -0.05, -0.03)
UNCLEAR = Gain(0.25, 0.24, 0.01, -0.01, 0.03)


def beside(never: Gain, always: Gain, window: Gain) -> dict[str, Gain]:
    """The gains over each rival."""
    return {NEVER: never, ALWAYS: always, WINDOW: window}


def first_decision() -> Decision:
    """The decision of the first release, with a hostile reason."""
    return artifacts.make_decision(
        "none", 1, promote=True, reasons=(HOSTILE[0],), gain=0.0123, low=0.004, high=0.02
    )


def planned(outcome: str, reason: str, policy: str) -> Decision:
    """The decision of a release that a policy has planned."""
    values = {"rule": "prequential", "policy": policy, "low": None, "high": None}
    return artifacts.make_decision(
        "1", 1, promote=True, outcome=outcome, reasons=(reason,), gain=0.01, **values
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


def make_look(
    month: str,
    labels: str,
    moved: tuple[str | None, str],
    verdict: Verdict | None = None,
    code: int = 0,
    text: str = "told",
    policy: str = "all",
) -> LookResult:
    """A look that took 10 CPU seconds."""
    return LookResult(month, labels, code, text, *moved, verdict, policy, (), 10.0, 8.0)


@pytest.fixture
def year() -> YearResult:
    """Three months: one model, then a switch, then a refresh and a search that changed nothing."""
    sizes = {"rows": 1000, "labelled": 900, "positive": 0.25}
    calm, again = beside(SAME, SAME, SAME), beside(BETTER, UNCLEAR, WORSE)
    searched = make_verdict("retrain", HOSTILE[1])
    refreshed = "Refreshed: version 3 replaces 2. Fitted again with m-05."
    return YearResult(
        months=[
            MonthResult("m-04", **sizes, version="1", policy="all", error=calm, log_loss=calm),
            MonthResult("m-05", **sizes, version="2", policy="last 3", error=again, log_loss=again),
            MonthResult("m-06", **sizes, version="3", policy="last 3", error=calm, log_loss=again),
        ],
        looks=[
            make_look("m-03", "", (None, "1"), None, 3),
            make_look("m-04", "", ("1", "1"), make_verdict("no_drift", "all is calm")),
            make_look(
                "m-05",
                "m-04",
                ("1", "2"),
                make_verdict("waiting", "wait a little"),
                3,
                "Switched: version 2 replaces 1. The policy 'last 3' has done better.",
                "last 3",
            ),
            make_look(
                "m-06",
                "m-05",
                ("2", "3"),
                searched,
                3,
                f"{refreshed}\nRetrained, and version 2 is kept: same.\n{HOSTILE[1]}",
                "last 3",
            ),
        ],
        releases=[
            ReleaseResult("1", "m-03", ("m-01", "m-02", "m-03"), "all", first_decision()),
            ReleaseResult(
                "2",
                "m-05",
                ("m-02", "m-03", "m-04"),
                "last 3",
                planned("switched", "The policy 'last 3' has done better.", "last 3"),
            ),
            ReleaseResult(
                "3", "m-06", ("m-05",), "last 3", planned("refreshed", "Fitted again.", "last 3")
            ),
        ],
        error=beside(WORSE, UNCLEAR, BETTER),
        log_loss=again,
        first_months=["m-01", "m-02", "m-03"],
        about={"Data": HOSTILE[0]},
    )


def words(page: str) -> str:
    """The visible words of the page."""
    return ParsedPage(page).words


def test_page_says_first_how_it_went_beside_each_rival(year: YearResult) -> None:
    """A year in which a simpler way did better says so in its first lines, in both losses."""
    top = words(demo_page(year)).split("What happens here")[0]
    assert "0.2800 kept up, 0.3000 never retrained, 0.2500 always retrained, 0.2000 best" in top
    assert "never retrained: kept up is better" in top
    assert "always retrained: no difference shown" in top
    assert "best window: kept up is worse" in top
    assert "Share of wrong predictions: 0.2400 kept up, 0.2000 never retrained" in top
    assert "4 looks, 2 releases after the first, 1 changes of the policy, 1 searches" in top
    assert "40 CPU seconds" in top


def test_each_rival_is_told_with_its_gain_over_all_months(year: YearResult) -> None:
    """What it is, its losses, and the gain over it with interval and verdict."""
    page = words(demo_page(year))
    about, table = page.split("Over all months")[0], page.split("Over all months")[1]
    for name, words_about in RIVALS.items():
        assert f"{name} {words_about}" in about
    table = table.split("Kept up, and the others")[0]
    better, worse = "kept up is better", "kept up is worse"
    assert f"never retrained 0.3000 +0.0200 +0.0100 to +0.0300 {better} 0.2000 -0.0400" in table
    assert f"best window 0.2000 -0.0400 -0.0500 to -0.0300 {worse} 0.3000 +0.0200" in table
    assert "always retrained 0.2500 +0.0100 -0.0100 to +0.0300 no difference shown" in table


def test_figures_have_a_line_a_model_and_a_mark_where_the_policy_changed(year: YearResult) -> None:
    """Four lines of loss by name; a guess beside errors alone; a switch, and no refresh."""
    figures = words(demo_page(year)).split("Kept up, and the others")[1].split("Month by month")[0]
    loss = figures.split("Gain in log loss")[0]
    for name in ("kept up", *RIVALS):
        assert name in loss
    assert loss.count("last 3") == 1
    assert "always “on time”" not in loss
    assert "always “on time”" in figures.split("Share of wrong predictions")[1]
    assert changes_of_policy(year) == {"m-05": "last 3"}


def test_page_has_each_month_with_its_gains(year: YearResult) -> None:
    """Gains with their intervals over each rival; months of one model have none."""
    table = words(demo_page(year)).split("Month by month")[1].split("Each look")[0]
    same = "the same model"
    assert f"m-04 900 of 1,000 25 % 1 all 0.250 0.2500 {same} {same} {same}" in table
    assert re.search(r"m-05 .* 2 last 3 0\.280 0\.2800 \+0\.0200 \+0\.0100 to \+0\.0300", table)
    assert re.search(r"m-06 .* -0\.0400 -0\.0500 to -0\.0300", table)
    assert re.search(r"all 2,700 of 3,000", table)


def test_page_has_each_verdict_and_what_came_of_it(year: YearResult) -> None:
    """Verdict, reason, exit code, and what followed: once, not as reason and outcome both."""
    looks = words(demo_page(year)).split("Each look of kedro ct")[1].split("Each release")[0]
    for reason in ("all is calm", "wait a little"):
        assert looks.count(reason) == 1
    assert "exit 3: trained and published" in looks
    assert "exit 0: production stays" in looks
    assert "exit 3: a new release Switched: version 2 replaces 1. The policy 'last 3'" in looks
    assert "Refreshed: version 3 replaces 2. Fitted again with m-05. Retrained, and" in looks


def test_page_has_each_release_and_what_it_came_from(year: YearResult) -> None:
    """Its policy, what it was fitted and tested on, why, and how many months it predicted."""
    releases = words(demo_page(year)).split("Each release")[1].split("What it cost")[0]
    assert "1 m-03 all fitted on m-01 to m-02 tested on m-03" in releases
    assert "over a constant prediction +0.0123 (+0.0040 to +0.0200) on 1,234 rows" in releases
    assert "2 m-05 last 3 fitted on m-02 to m-04 switched: another policy" in releases
    assert "3 m-06 last 3 fitted on m-05 refreshed: the same recipe" in releases
    assert releases.strip().endswith("Fitted again. 1")


def test_cost_is_divided_among_kinds_of_looks(year: YearResult) -> None:
    """The costs of all kinds add up to the total."""
    cost = words(demo_page(year)).split("What it cost")[1]
    assert "First release 1 10" in cost
    assert "Looks that changed nothing 1 10 10.0" in cost
    assert "Looks that fitted a new release 1 10 10.0" in cost
    assert "Looks that searched for a new recipe 1 10 10.0" in cost
    assert "All 4 40" in cost
    assert len(searches(year)) == 1


def test_page_is_deterministic_escaped_and_needs_no_network(year: YearResult) -> None:
    """Equal results give equal bytes, names are escaped, and nothing is loaded."""
    page = demo_page(year)
    assert page == demo_page(year)
    assert_needs_no_network(page)
    assert "<script" not in page
    assert len(page) < 60_000


def test_a_year_without_any_change_is_a_page_too(year: YearResult) -> None:
    """A year in which one model served, of which each month has one day, is a page."""
    unknown = Gain(0.25, 0.26, -0.01, -math.inf, math.inf)
    calm = dataclasses.replace(
        year,
        months=[
            dataclasses.replace(year.months[0], log_loss=beside(SAME, unknown, unknown)),
        ],
        looks=year.looks[:2],
        releases=year.releases[:1],
        error=beside(SAME, SAME, SAME),
        log_loss=beside(SAME, unknown, unknown),
    )
    page = demo_page(calm)
    assert "2 looks, 0 releases after the first, 0 changes of the policy, 0 searches" in words(page)
    assert "never retrained: no difference shown" in words(page)
    assert not re.search(r'd="[^"]*(inf|nan)', page)
