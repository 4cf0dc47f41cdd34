"""How a decision is put into words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_basics.safe_text import short_text
from mlops_basics.schemas import NO_CHAMPION, Decision

from .metric_text import metric_name
from .text import Badge, number

MARKUP = "\\`*_[]<>#|~!"  # what Markdown and HTML read as their own

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
    "refreshed": "refreshed: the same recipe, fitted with newer batches",
    "switched": "switched: another policy or recipe has done better",
    "champion_unusable": "not compared: the champion cannot score these rows",
}


def decision_badge(decision: Decision) -> Badge:
    """The outcome in a few words; a model that is not promoted is no bad news."""
    return Badge(OUTCOMES[decision.outcome], "good" if decision.promote else "neutral")


def champion_text(version: str) -> str:
    """What a challenger was compared with."""
    return "a constant prediction" if version == NO_CHAMPION else f"version {version}"


def decision_markdown(decision: Decision) -> str:
    """A decision as MLflow's page shows it: the outcome, the figures, then the reasons."""
    lines = []
    if decision.challenger_value is not None and decision.champion_value is not None:
        gain = ""
        if decision.gain is not None:
            gain = f"; gain {number(decision.gain)} {decision.unit}"
        if decision.low is not None and decision.high is not None:
            gain += f" ({number(decision.low)} to {number(decision.high)})"
        lines.append(
            f"{metric_name(decision.metric)} on {decision.rows:,} rows: "
            f"{number(decision.challenger_value)}, of {champion_text(decision.champion_version)} "
            f"{number(decision.champion_value)}{gain}"
        )
    return outcome_markdown(OUTCOMES[decision.outcome], [*lines, *decision.reasons])


def outcome_markdown(outcome: str, reasons: Sequence[str]) -> str:
    """An outcome and its reasons as Markdown; names from a user's table stay plain text."""
    lines = [f"**{outcome[:1].upper()}{outcome[1:]}**", ""]
    return "\n".join([*lines, *(f"- {plain_markdown(reason)}" for reason in reasons)])


def plain_markdown(text: str) -> str:
    """Text on one line in which Markdown finds no markup, link or HTML.

    >>> plain_markdown("the column [a](http://b) of <img>")
    'the column \\\\[a\\\\](http://b) of \\\\<img\\\\>'
    """
    line = " ".join(short_text(text).split())
    return "".join(f"\\{sign}" if sign in MARKUP else sign for sign in line)
