"""How a decision is put into words, the same on every page and in the terminal."""

from __future__ import annotations

from mlops_basics.schemas import NO_CHAMPION, Decision

from .text import Badge

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
