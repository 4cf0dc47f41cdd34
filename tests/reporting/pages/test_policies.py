"""What the monitoring page tells of the policies."""

from __future__ import annotations

import re

import pytest

from mlops_basics.reporting.figures.style import RED, line_style
from mlops_basics.reporting.monitoring_text import lately_text
from mlops_basics.reporting.pages.monitoring import write_monitoring_page
from mlops_basics.reporting.pages.policies import (
    MOST_SHARE,
    STYLES,
    _beside_production,
    _events,
    policy_section,
)
from mlops_basics.schemas.policy import Adaptation, PolicyState, TestedBatch
from mlops_basics.stats.prequential.evidence import begin
from tests.support.monitored import make_monitored
from tests.support.policies import slope_recipe

WHY = "The policy 'last 3' has done better than what is in production."
VETO = "Not refreshed: on <b>.csv the model did worse."


def _tested(number: int, event: str = "", *, changed: bool = False) -> TestedBatch:
    """Production loses 2, 'last 3' 1, and a policy that could not be fitted at first 3."""
    losses = {"production": 2.0, "last 3": 1.0} | ({"last 1": 3.0} if number else {})
    return TestedBatch(
        name=f"m{number}.csv",
        rows=10 * (number + 1),
        losses=losses,
        strengths={"last 3": 0.4 * number, "last 1": 0.0},
        event=event,
        changed=changed,
    )


@pytest.fixture
def monitored():
    """A look after four batches: a switch, a veto, a refresh."""
    found = make_monitored()
    events = ["", WHY, VETO, "Fitted again with m3.csv, on the last 3 batches."]
    tested = [_tested(n, event, changed=event == WHY) for n, event in enumerate(events)]
    policy = PolicyState(
        version=found.verdict.version,
        policy="last 3",
        recipe=slope_recipe(),
        pin="ann went back to it",
        evidence=begin(("last 1",), 0.05).to_dict(),
        constant=begin(("constant",), 0.05).to_dict(),
        tested=tuple(tested),
        why=WHY,
    )
    adaptation = Adaptation(
        action="refresh", policy="last 3", reasons=("Fitted again.",), worse_than_constant=True
    )
    found.verdict = found.verdict.model_copy(update={"adaptation": adaptation})
    found.state = found.state.model_copy(update={"policy": policy})
    return found


def test_the_page_tells_policy_reason_evidence_and_what_followed(monitored):
    """Each switch, veto and refresh in its sentence, the figures drawn, hostile names escaped."""
    page = write_monitoring_page(*monitored.page_arguments)
    assert "How production follows the data" in page
    assert "last 3: The policy &#39;last 3&#39; has done better" in page
    assert "ann went back to it. It stays until" in page
    assert "A refresh is due. Fitted again." in page
    assert "worse than a constant prediction" in page
    assert page.index("Fitted again with m3.csv") < page.index("on &lt;b&gt;.csv")
    assert page.count("<svg") >= 4


def test_losses_are_means_over_all_rows_so_far(monitored):
    """Weighted by rows; where a policy had no model its line has a gap."""
    section = policy_section(monitored.verdict, monitored.state)
    assert section.means == [("last 3", "1.000"), ("in production", "2.000"), ("last 1", "3.000")]
    assert "change" in section.losses


def test_without_a_policy_the_page_has_no_such_section():
    """Where releases are shown one by one there is nothing to tell."""
    found = make_monitored()
    assert policy_section(found.verdict, found.state) is None
    assert "How production follows" not in write_monitoring_page(*found.page_arguments)


def test_each_policy_looks_the_same_in_both_figures(monitored):
    """And none as another one, nor as the threshold."""
    section = policy_section(monitored.verdict, monitored.state)
    colours = [
        dict(re.findall(r'stroke="(#\w+)"[^>]*/>\n<text[^>]*>(last \d)<', str(figure)))
        for figure in (section.losses, section.evidence)
    ]
    assert colours[0] == colours[1]
    assert set(colours[0].values()) == {"last 1", "last 3"}
    looks = [tuple(line_style(at).values()) for at in STYLES.values()]
    assert len(set(looks)) == len(looks)
    assert (RED, "dash") not in looks


def test_losses_are_drawn_beside_productions(monitored):
    """As a share of production's mean; what is far off is drawn at the edge, not beyond."""
    tested = [*monitored.state.policy.tested, _tested(4)]
    far = tested[-1].model_copy(update={"losses": {"production": 2.0, "last 3": 900.0}})
    assert _beside_production(tested)["production"] == [1.0] * 5
    assert _beside_production(tested)["last 3"] == [0.5] * 5
    assert _beside_production([*tested[:-1], far])["last 3"][-1] == MOST_SHARE


def test_refreshes_that_followed_each_other_are_one_line(monitored):
    """The newest of them stands for all, which are counted; a switch or a veto has its own."""
    events = [WHY, "Fitted again with m1.", "Fitted again with m2.", "Fitted again with m3.", VETO]
    tested = [_tested(n, event, changed=event == WHY) for n, event in enumerate(events)]
    assert _events(tested) == [
        ("m4.csv", VETO),
        ("m3.csv", "Fitted again with m3. Before, it was fitted again 2 times in a row."),
        ("m0.csv", WHY),
    ]


def test_the_headline_is_the_error_of_the_last_batches(monitored):
    """Each scored before it was learned from; a long-gone reference is no headline."""
    page = write_monitoring_page(*monitored.page_arguments)
    head = page[: page.index("<h2>Why</h2>")]
    words = "Mean absolute error 2.000 on the last 4 labelled batches (100 rows), predicted before"
    assert words in head
    assert head.index(words) < head.index('class="badge')
    tested = tuple(_tested(n).model_copy(update={"rows": 1}) for n in range(9))
    policy = monitored.state.policy.model_copy(update={"tested": tested})
    assert "on the last 6 labelled batches (6 rows)" in lately_text(monitored.verdict, policy)
    one = policy.model_copy(update={"tested": tested[:1]})
    assert "on the last labelled batch (1 row)" in lately_text(monitored.verdict, one)


def test_without_policies_the_headline_is_the_newest_rows(monitored):
    """In the watched loss's own words; before the first labels nothing is claimed."""
    update = {"newest": 0.25, "newest_rows": 340}
    concept = monitored.verdict.concept.model_copy(update=update)
    verdict = monitored.verdict.model_copy(update={"concept": concept})
    text = "Share of wrong predictions 0.250 on the newest 340 labelled rows, predicted before"
    assert lately_text(verdict, None).startswith(text)
    assert lately_text(monitored.verdict, None) == ""
