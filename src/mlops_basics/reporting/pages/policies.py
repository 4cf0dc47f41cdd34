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
from mlops_basics.schemas.policy import CONSTANT, PRODUCTION, TestedBatch

MOST_EVENTS = 20


@dataclass(frozen=True)
class PolicySection:
    """What a page tells of the policies.

    Attributes:
        policy, why: The present one, and the sentence that says why.
        pin: Why the release stays; empty without a pin.
        lines: What follows from this look.
        losses: Cumulative mean loss, production beside each policy; empty before the first batch.
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
    events = [(batch.name, batch.event) for batch in reversed(tested) if batch.event]
    return PolicySection(
        policy=policy.policy,
        why=policy.why,
        pin=policy.pin,
        lines=policy_lines(verdict),
        losses=_losses_figure(tested) if tested else None,
        evidence=_evidence_figure(tested) if tested else None,
        means=[(name, number(value)) for name, value in _means(tested)],
        events=events[:MOST_EVENTS],
    )


def _losses_figure(tested: Sequence[TestedBatch]) -> Markup:
    return line_chart(
        _cumulative(tested),
        x=[batch.name for batch in tested],
        title="Mean loss so far, by policy",
        y_label="mean loss",
        marks={at: "change" for at, batch in enumerate(tested) if batch.changed},
    )


def _evidence_figure(tested: Sequence[TestedBatch]) -> Markup:
    return line_chart(
        _strengths(tested),
        x=[batch.name for batch in tested],
        title="Evidence for each policy",
        y_label="share of what is needed",
        threshold=1.0,
    )


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
