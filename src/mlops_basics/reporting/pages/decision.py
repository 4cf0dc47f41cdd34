"""The decision as a part of a page: what was compared, what was found, and what it could see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.reporting.decision_text import champion_text, decision_badge
from mlops_basics.reporting.figures.decision import gain_figure
from mlops_basics.reporting.text import Badge, Shortened, limits
from mlops_basics.safe_text import with_environment
from mlops_basics.schemas import NO_CHAMPION, ChallengeRequest, Decision
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.stats.paired.guards import Guard

MOST_CLASSES = 20
MOST_DOUBTFUL = 0.05  # p-value of a guard above which its table says enough

Rows = Shortened[list[str]]


@dataclass(frozen=True)
class DecisionView:
    """What ``decision.html`` shows.

    Attributes:
        interval: Of the gain, in words; its confidence is ``level`` percent.
        reasons: Those that the table of guards does not tell.
        champion: What the challenger was compared with, in words.
        first_release: Whether there was no champion: then no level holds for all its challengers.
        gain: None where nothing was tested.
        classes: For each class: name, rows, hits of both models and their difference.
        disagreement: On how many rows both models, one or none are right.
    """

    decision: Decision
    badge: Badge
    reasons: tuple[str, ...]
    champion: str
    first_release: bool
    interval: str
    level: float
    gain: go.Figure | None
    guards: Shortened[Guard]
    classes: Rows | None
    disagreement: Rows | None


def view_decision(
    decision: Decision, request: ChallengeRequest, gate: pd.DataFrame, env: str | None = None
) -> DecisionView:
    """Compute what a page shows of a decision: all, unless figures of the test rows are withheld.

    Args:
        decision: What was decided.
        request: On which rows, and by which classes.
        gate: Both models' predictions: ``y``, and ``champion``, ``challenger`` or a column a class.
        env: The run's environment, which the commands that are suggested name.
    """
    classes, disagreement = None, None
    is_told = request.status in ("comparable", "identical") and not decision.withheld
    if is_told and "champion_0" in gate.columns:
        classes, disagreement = _changes(gate, request.classes)
    decision = decision.shown()
    told = {guard.reason for guard in decision.guards if guard.p_worse > MOST_DOUBTFUL}
    return DecisionView(
        decision=decision,
        badge=decision_badge(decision),
        reasons=tuple(
            with_environment(reason, env) for reason in decision.reasons if reason not in told
        ),
        champion=champion_text(decision.champion_version),
        first_release=decision.champion_version == NO_CHAMPION,
        interval=limits(decision.low, decision.high) or "not defined",
        level=100 * (1 - 2 * (decision.alpha or 0)),
        gain=None if decision.gain is None else gain_figure(decision),
        guards=Shortened(decision.guards, ""),
        classes=classes,
        disagreement=disagreement,
    )


def _changes(gate: pd.DataFrame, classes: Sequence[str]) -> tuple[Rows, Rows]:
    """Per class: how many each model gets right; over all: on how many rows only one is right."""
    y = gate["y"].to_numpy()
    champion, challenger = (
        gate_scores(gate, name).predicted == y for name in ("champion", "challenger")
    )
    present = [code for code in np.unique(y) if code < len(classes)]
    present = sorted(present, key=lambda code: -int((y == code).sum()))[:MOST_CLASSES]
    rows = []
    for code in present:
        of_class = y == code
        hits = [int(right[of_class].sum()) for right in (champion, challenger)]
        shares = [f"{count:,} ({100 * count / of_class.sum():.1f} %)" for count in hits]
        rows.append([classes[code], f"{of_class.sum():,}", *shares, f"{hits[1] - hits[0]:+,}"])
    counts = [
        [
            verdict,
            f"{(of_champion & challenger).sum():,}",
            f"{(of_champion & ~challenger).sum():,}",
        ]
        for verdict, of_champion in (("right", champion), ("wrong", ~champion))
    ]
    return Shortened(rows, ""), Shortened(counts, "")
