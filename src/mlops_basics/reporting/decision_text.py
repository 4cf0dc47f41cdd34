"""How a decision is put into words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_basics.safe_text import short_text
from mlops_basics.schemas import NO_CHAMPION, Decision
from mlops_basics.table.row_groups import counted

from .metric_text import metric_name, within_a_sentence
from .text import Badge, number, share_text, unit_text

MARKUP = "\\`*_[]<>#|~!"  # what Markdown and HTML read as their own

OUTCOMES = {
    "first_release": "first release: better than a constant prediction",
    "promoted": "promoted: shown to be better",
    "kept": "kept: not shown to be better",
    "identical": "kept: predicts the same",
    "overfitted": "refused: overfitted",
    "guard_veto": "refused: better overall, but worse in one respect",
    "below_floor": "refused: below the quality floor",
    "not_better_than_constant": "refused: not shown to be better than a constant prediction",
    "too_few_rows": "refused: too few rows, or groups of rows, to compare on",
    "refreshed": "refreshed: the same recipe, fitted with newer batches",
    "switched": "switched: another policy or recipe has done better",
    "champion_unusable": "not compared: the champion cannot score these rows",
}


def decision_badge(decision: Decision) -> Badge:
    """The outcome in a few words; a model that is not promoted is no bad news."""
    words = OUTCOMES[decision.outcome]
    if decision.outcome == "promoted" and decision.min_gain < 0:
        words = "promoted: shown to be hardly worse, which is enough here"
    return Badge(words, "good" if decision.promote else "neutral")


def way_out(decision: Decision, run_id: str) -> str:
    """What can be done where nothing is in production, and this model is refused; else empty.

    Args:
        decision: About the model.
        run_id: MLflow's id of the run; empty if there is none.
    """
    if decision.promote or decision.champion_version != NO_CHAMPION:
        return ""
    learn = "collect more rows, or columns that tell more of the target, and run again"
    if decision.outcome == "below_floor":
        learn += "; or lower `decision.quality_floor`"
    if decision.outcome == "overfitted":
        learn += "; or give the search simpler candidates"
    told = f"The report shows where the model errs; {learn}."
    if not run_id:
        return told
    command = f'kedro promote {run_id[:8]} --reason "..."'
    return f"{told} To put it into production all the same: {command}"


def champion_text(version: str) -> str:
    """What a challenger was compared with."""
    return "a constant prediction" if version == NO_CHAMPION else f"version {version}"


def against_champion(decision: Decision | None) -> str:
    """Both models' values, where there is a champion and they are told; else empty."""
    if decision is None or decision.withheld or decision.champion_version == NO_CHAMPION:
        return ""
    if decision.challenger_value is None or decision.champion_value is None:
        return ""
    name = within_a_sentence(metric_name(decision.metric))
    return (
        f"{name} {number(decision.challenger_value)}, and "
        f"{champion_text(decision.champion_version)} has {number(decision.champion_value)}"
    )


def gain_text(decision: Decision, grouped: str = "") -> str:
    """What was measured: both models' values, on how many rows, and the gain with its interval.

    Args:
        decision: With a gain.
        grouped: What the groups of the rows are, to be said behind their number.
    """
    values = ""
    if decision.challenger_value is not None and decision.champion_value is not None:
        values = f" {number(decision.challenger_value)} against {number(decision.champion_value)}"
    around = ""
    if decision.low is not None and decision.high is not None:
        around = f" [{number(decision.low)}, {number(decision.high)}]"
    by_folds = f" ({decision.fold_rows:,} out of fold)" if decision.fold_rows else ""
    if decision.looks:
        by_folds += f", with challenge {', '.join(map(str, decision.looks))}"
    return (
        f"{metric_name(decision.metric)}{values} on {counted(decision.rows, decision.groups)}"
        f"{grouped}{by_folds}: gain {number(decision.gain)}{unit_text(decision.unit)}{around}"
    )


def chance_text(probability: float) -> str:
    """A probability in percent, the small ones in two digits.

    >>> chance_text(0.0058), chance_text(2e-15)
    ('0.58 %', 'less than 0.0001 %')
    """
    if probability >= 0.01:
        return share_text(probability)
    return f"{100 * probability:.2g} %" if probability >= 1e-6 else "less than 0.0001 %"


def luck_text(decision: Decision) -> str:
    """How often luck alone would do so well, and how often it may."""
    return (
        f"By luck alone, a challenger {_no_better(decision)} looks so good in "
        f"{chance_text(decision.p_value or 0)} of such comparisons (the p-value); "
        f"{chance_text(decision.alpha or 0)} is allowed (the level)."
    )


def _no_better(decision: Decision) -> str:
    """The challenger that the test is to keep out."""
    if decision.min_gain == 0:
        return "that is no better"
    return "that is no better than that" if decision.min_gain > 0 else "that is worse by more"


def decision_markdown(decision: Decision) -> str:
    """A decision as MLflow's page shows it: the outcome, then the reasons with their figures."""
    return outcome_markdown(decision_badge(decision).words, decision.reasons)


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
