"""How the policies did, for the monitoring page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mlops_basics.reporting.monitoring_text import policy_lines
from mlops_basics.reporting.svg import line_chart
from mlops_basics.reporting.text import number
from mlops_basics.schemas import MonitoringState, Verdict
from mlops_basics.schemas.policy import CONSTANT, NEW_RECIPE, POLICIES, PRODUCTION, TestedBatch

MOST_EVENTS = 20
MOST_SHARE = 2.0  # of production's loss; what is further off is drawn at the edge
#: Lines of one name look the same in both figures; a constant is dashed, in grey.
STYLES = {name: at for at, name in enumerate((PRODUCTION, *reversed(POLICIES), NEW_RECIPE))}
STYLES[CONSTANT] = 13


@dataclass(frozen=True)
class PolicySection:
    """What a page tells of the policies.

    Attributes:
        policy, why: The present one, and the sentence that says why.
        pin: Why the release stays; empty without a pin.
        lines: What follows from this look.
        losses: Mean loss so far of each policy beside production; empty before the first batch.
        evidence: How far the evidence for each alternative has come; 1 is enough.
        means: Name and mean loss over the batches that are shown, the least first.
        events: Batch and sentence of each switch, refresh and veto, the newest first.
    """

    policy: str
    why: str
    pin: str
    lines: list[str]
    losses: Markup | None
    evidence: Markup | None
    means: list[tuple[str, str]]
    events: list[tuple[str, str]]


def policy_section(verdict: Verdict, state: MonitoringState) -> PolicySection | None:
    """What the page tells of the policies; None where none is followed.

    Args:
        verdict: This look's.
        state: After it.
    """
    policy = state.policy
    if policy is None:
        return None
    tested = policy.tested
    return PolicySection(
        policy=policy.policy,
        why=policy.why,
        pin=policy.pin,
        lines=policy_lines(verdict),
        losses=_losses_figure(tested) if tested else None,
        evidence=_evidence_figure(tested) if tested else None,
        means=[(name, number(value)) for name, value in _means(tested)],
        events=_events(tested)[:MOST_EVENTS],
    )


def _losses_figure(tested: Sequence[TestedBatch]) -> Markup:
    return line_chart(
        _beside_production(tested),
        x=[batch.name for batch in tested],
        title="Mean loss so far, as a share of production's, by policy",
        y_label="mean loss so far, % of production's",
        marks={at: "change" for at, batch in enumerate(tested) if batch.changed},
        styles=STYLES,
        percent=True,
    )


def _evidence_figure(tested: Sequence[TestedBatch]) -> Markup:
    return line_chart(
        _strengths(tested),
        x=[batch.name for batch in tested],
        title="Evidence for each policy",
        y_label="% of what is needed",
        threshold=1.0,
        styles=STYLES,
        percent=True,
    )


def _beside_production(tested: Sequence[TestedBatch]) -> dict[str, list[float | None]]:
    """Each policy's mean loss so far as a share of production's, cut where it is far off.

    In units of the loss, whatever is far off would press all that matters into one line.
    """
    means = _cumulative(tested)
    of_production = means[PRODUCTION]
    return {
        name: [
            min(value / known, MOST_SHARE) if value is not None and known else None
            for value, known in zip(values, of_production, strict=True)
        ]
        for name, values in means.items()
    }


def _events(tested: Sequence[TestedBatch]) -> list[tuple[str, str]]:
    """What followed, the newest first; of refreshes that followed each other the newest alone."""
    found: list[tuple[str, str]] = []
    passed = 0
    newer = None  # whether what followed the batch after this one was a refresh
    for batch in reversed(tested):
        if not batch.event:
            continue
        is_refresh = not batch.changed and not batch.event.startswith("Not refreshed")
        if is_refresh and newer:
            passed += 1
            continue
        found = _with_passed(found, passed)
        passed, newer = 0, is_refresh
        found.append((batch.name, batch.event))
    return _with_passed(found, passed)


def _with_passed(events: list[tuple[str, str]], passed: int) -> list[tuple[str, str]]:
    if not passed:
        return events
    times = "once" if passed == 1 else f"{passed} times"
    name, event = events[-1]
    return [*events[:-1], (name, f"{event} Before, it was fitted again {times} in a row.")]


def _names(tested: Sequence[TestedBatch]) -> list[str]:
    names = dict.fromkeys(name for batch in tested for name in batch.losses)
    return [PRODUCTION, *(name for name in names if name != PRODUCTION)]


def _cumulative(tested: Sequence[TestedBatch]) -> dict[str, list[float | None]]:
    """Mean loss over all batches so far; a policy that could not be fitted has a gap."""
    rows = np.array([batch.rows for batch in tested], dtype=np.float64)
    found: dict[str, list[float | None]] = {}
    for name in _names(tested):
        losses = np.array([batch.losses.get(name, np.nan) for batch in tested])
        known = np.isfinite(losses)
        sums = np.cumsum(np.where(known, losses * rows, 0.0))
        counts = np.cumsum(np.where(known, rows, 0.0))
        # The present policy is not among its own alternatives: it is production.
        found[name] = [
            float(total / count) if is_known and count else None
            for total, count, is_known in zip(sums, counts, known, strict=True)
        ]
    return found


def _strengths(tested: Sequence[TestedBatch]) -> dict[str, list[float | None]]:
    names = dict.fromkeys(name for batch in tested for name in batch.strengths)
    return {name: [batch.strengths.get(name) for batch in tested] for name in names}


def _means(tested: Sequence[TestedBatch]) -> list[tuple[str, float]]:
    last = {name: values[-1] for name, values in _cumulative(tested).items()} if tested else {}
    shown = [(name, value) for name, value in last.items() if value is not None]
    named = [
        ("a constant" if name == CONSTANT else "in production" if name == PRODUCTION else name, v)
        for name, v in shown
    ]
    return sorted(named, key=lambda pair: pair[1])
