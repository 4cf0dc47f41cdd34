"""The decision as a part of a page: what was compared, what was found, and what it could see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_basics.schemas import NO_CHAMPION, ChallengeRequest, Decision

from .decision_figures import gain_figure
from .metric_text import metric_name
from .page import (
    Html,
    Plot,
    Section,
    badge,
    facts,
    join,
    note,
    paragraph,
    small,
    strong,
    table,
    text,
)
from .style import number

OUTCOMES = {
    "first_release": "first release",
    "promoted": "promoted",
    "kept": "kept: not shown to be better",
    "identical": "kept: predicts the same",
    "overfitted": "refused: overfitted",
    "guard_veto": "refused: a guard vetoes",
    "below_floor": "refused: below the quality floor",
    "not_better_than_baseline": "refused: no better than a constant",
    "too_few_rows": "refused: too few rows, or groups of rows, to compare on",
    "champion_unusable": "not compared: the champion cannot score these rows",
}
MOST_CLASSES = 20


def outcome_text(decision: Decision) -> str:
    """The outcome in a few words."""
    return OUTCOMES[decision.outcome]


def decision_badge(decision: Decision) -> Html:
    """The outcome as a badge."""
    return badge(outcome_text(decision), "good" if decision.promote else "neutral")


def decision_section(decision: Decision, request: ChallengeRequest, gate: pd.DataFrame) -> Section:
    """Write the decision.

    Args:
        decision: What was decided.
        request: On which rows, and by which classes.
        gate: Both models' predictions: ``y``, and ``champion``, ``challenger`` or a column a class.
    """
    blocks: list[Html | Plot] = [
        paragraph(decision_badge(decision)),
        *(paragraph(text(reason, 600)) for reason in decision.reasons),
        _facts(decision),
    ]
    if decision.gain is not None:
        blocks.append(Plot("The gain, with its interval", gain_figure(decision)))
    if decision.guards:
        blocks.append(_guards(decision))
    if request.status in ("comparable", "identical") and "champion_0" in gate.columns:
        blocks += _changes(gate, request.classes, decision.champion_version)
    if decision.champion_version != NO_CHAMPION:
        blocks.append(
            paragraph(
                small(
                    text(
                        "The level holds for all challengers of a champion together, whatever "
                        "they learned from earlier refusals. It does not hold for a challenger "
                        "that was made by looking at the rows on which the two disagree.",
                        400,
                    )
                )
            )
        )
    return Section("The decision", blocks)


def _facts(decision: Decision) -> Html:
    pairs = [("Rows", text(f"{decision.rows:,}: {decision.which_rows}", 300))]
    if decision.groups is not None:
        told = f"{decision.groups:,} ({decision.grouped_by}): rows of one group may err together"
        pairs.append(("Independent groups", text(told, 300)))
    if decision.gain is not None:
        around = "not defined"
        if decision.low is not None and decision.high is not None:
            around = f"{number(decision.low)} to {number(decision.high)}"
        level = 100 * (1 - 2 * (decision.alpha or 0))
        pairs += [
            ("Tested", text(f"{metric_name(decision.metric)}, in {decision.unit}")),
            (
                "Gain",
                join(
                    [
                        strong(text(number(decision.gain))),
                        text(f"({level:.4g} % interval {around})"),
                        text(f"to exceed: {decision.min_gain:g}"),
                    ],
                    " ",
                ),
            ),
            (
                "p-value",
                text(f"{decision.p_value:.3g} at a level of {decision.alpha:.3g}"),
            ),
            ("Smallest gain it could see", text(number(decision.smallest_gain))),
        ]
    if decision.challenge.number:
        pairs.append(
            (
                "Challenge",
                text(
                    f"number {decision.challenge.number} against "
                    f"{_champion(decision.champion_version)}"
                ),
            )
        )
    if decision.level_note:
        pairs.append(("Note", note(text(decision.level_note, 300))))
    return facts(pairs)


def _guards(decision: Decision) -> Html:
    rows = []
    for guard in decision.guards:
        around = ""
        if guard.low is not None and guard.high is not None:
            around = f"{number(guard.low)} to {number(guard.high)}"
        rows.append(
            [
                text(metric_name(guard.metric)),
                text(number(guard.effect)),
                text(around),
                badge("worse", "bad") if guard.shown_worse else text("not shown to be worse"),
            ]
        )
    head = [text("Guard"), text("Gain"), text("Interval"), text("Verdict")]
    return table(head, rows, "A guard vetoes when it is shown to be worse; not being is no proof.")


def _changes(gate: pd.DataFrame, classes: Sequence[str], champion: str) -> list[Html | Plot]:
    """Per class: how many each model gets right; over all: on how many rows only one is right."""
    y = gate["y"].to_numpy()
    right = {
        name: gate[[f"{name}_{k}" for k in range(len(classes))]].to_numpy().argmax(axis=1) == y
        for name in ("champion", "challenger")
    }
    present = [code for code in np.unique(y) if code < len(classes)]
    present = sorted(present, key=lambda code: -int((y == code).sum()))[:MOST_CLASSES]
    lines = []
    for code in present:
        of_class = y == code
        rows = int(of_class.sum())
        hits = {name: int(each[of_class].sum()) for name, each in right.items()}
        lines.append(
            [
                text(classes[code]),
                text(f"{rows:,}"),
                *(text(f"{hits[name]:,} ({100 * hits[name] / rows:.1f} %)") for name in right),
                text(f"{hits['challenger'] - hits['champion']:+,}"),
            ]
        )
    head = [text("Class"), text("Rows"), text(_champion(champion)), text("challenger"), text("±")]
    both = right["champion"] & right["challenger"]
    neither = ~right["champion"] & ~right["challenger"]
    disagreement = [
        [text("right"), text(f"{both.sum():,}"), text(f"{(right['champion'] & ~both).sum():,}")],
        [
            text("wrong"),
            text(f"{(right['challenger'] & ~both).sum():,}"),
            text(f"{neither.sum():,}"),
        ],
    ]
    return [
        table(head, lines, "Rows that each model gets right, by their true class."),
        table(
            [text(_champion(champion)), text("challenger right"), text("challenger wrong")],
            disagreement,
            "On how many rows the two disagree.",
        ),
    ]


def _champion(version: str) -> str:
    return "a constant prediction" if version == NO_CHAMPION else f"version {version}"
