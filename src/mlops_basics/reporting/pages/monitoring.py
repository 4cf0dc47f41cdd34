"""What the monitor says of the release in production, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlops_basics.reporting.figures.monitoring import error_figure, history_figure
from mlops_basics.reporting.monitoring_text import (
    above_text,
    concept_badge,
    error_text,
    labelled_text,
    lately_text,
    outcome_badge,
    scaled,
    sentence_that_matters,
    watched_text,
)
from mlops_basics.reporting.text import Badge, Tone, number, plain, share_text, shorten
from mlops_basics.reporting.words import explained
from mlops_basics.safe_text import plural
from mlops_basics.schemas import ConceptResult, MonitoringState, Verdict, Watch, WatchedBatch
from mlops_basics.stats.data_drift.table_drift import TableProfile

from .column_drift import change_figures, drift_tables
from .history import MOST_EVENTS, history
from .policies import policy_section
from .render import render

MOST_BATCHES, MOST_FILES = 40, 20
MOST_NAMES = 5  # columns in a cell
WORDS_OF_ALL = (
    "batch",
    "concept drift",
    "data drift",
    "drift",
    "effect",
    "Fisher's z",
    "evidence",
    "false alarm",
    "interval",
    "KS distance",
    "label",
    "quarantined",
    "reference",
    "release",
    "shown",
    "threshold",
    "tolerance",
)
WORDS_OF_POLICIES = ("constant", "loss", "policy", "recipe", "refresh", "search", "switch")
TONES: dict[str, Tone] = {
    "used": "good",
    "duplicate": "neutral",
    "rewritten": "neutral",
    "quarantined": "bad",
}
WHAT_TO_DO = {
    "quarantined": "Mend or remove the file. A changed file is looked at again by the next run.",
    "duplicate": "Remove one of the two files. The rows count once as long as both are there.",
    "rewritten": "Put new rows into a file of their own, and leave files that came as they are.",
}


@dataclass(frozen=True)
class BatchRow:
    """A batch in a table.

    Attributes:
        badge: What it is.
        labelled, error, drifted: Words; empty where there is nothing to say.
        what_to_do: Where it cannot be used as it is.
    """

    batch: WatchedBatch
    badge: Badge
    labelled: str
    error: str
    drifted: str
    what_to_do: str


@dataclass(frozen=True)
class EarlyWarning:
    """What the model itself expects, in words.

    Attributes:
        labelled: Number of batches for which it can be compared with the error.
        comparison: Mean expectation and error of these.
        waiting: Number of batches without labels.
        expectation: Mean expectation of these.
    """

    labelled: int
    comparison: str
    waiting: int
    expectation: str


def write_monitoring_page(
    verdict: Verdict,
    state: MonitoringState,
    profiles: Mapping[str, TableProfile],
    reference: TableProfile,
) -> str:
    """Write the page; the same results give the same bytes, and it opens without a network.

    Args:
        verdict: What the monitor says.
        state: What it remembers, after this run.
        profiles: By name, the profile of each batch that was judged in this run.
        reference: The release's profile.
    """
    watch = state.watches.get(verdict.version) or Watch(
        version=verdict.version, loss=verdict.concept.loss, sequential={}
    )
    newest = [_batch_row(batch, verdict.concept) for batch in reversed(watch.batches)]
    unusable = [row for row in newest if row.batch.outcome != "used"]
    return render(
        "monitoring.html",
        title=f"Monitoring: {verdict.model_name}",
        verdict=verdict,
        words=explained(*WORDS_OF_ALL, *(WORDS_OF_POLICIES if state.policy else ())),
        sentence=sentence_that_matters(verdict),
        lately=lately_text(verdict, state.policy),
        badges=_badges(verdict),
        judged=sum(1 for result in verdict.batches if result.columns),
        warnings=shorten(verdict.warnings, MOST_BATCHES, "more warnings"),
        reasons=shorten(verdict.reasons, MOST_BATCHES, "more reasons"),
        skip=shorten(verdict.skip, MOST_FILES, "more files"),
        unusable=shorten(unusable, MOST_BATCHES, "more batches"),
        policies=policy_section(verdict, state),
        concept=verdict.concept,
        scaled=lambda loss: scaled(loss, verdict.concept),
        watched_loss=watched_text(verdict.concept),
        evidence_of_rise=_evidence_of_rise(verdict.concept),
        would_be_found=_would_be_found(verdict.concept),
        above=above_text(verdict.concept),
        error_figure=error_figure(watch, verdict.concept),
        early=_early_warning(verdict.concept, watch),
        batches=shorten(newest, MOST_BATCHES, "more earlier batches"),
        history_figure=history_figure(watch),
        drift=drift_tables(verdict.batches),
        changes=change_figures(verdict.batches, profiles, reference),
        history=shorten(history(verdict, state), MOST_EVENTS, "earlier ones"),
    )


def _badges(verdict: Verdict) -> list[Badge]:
    badges = [outcome_badge(verdict), concept_badge(verdict.concept)]
    if any(result.columns for result in verdict.batches):
        drifted = {name for result in verdict.batches for name in result.batch.drifted}
        if not drifted:
            badges.append(Badge("no column has drifted", "good"))
        else:
            columns = plural(len(drifted), "drifted column")
            badges.append(Badge(columns, "bad"))
    return badges


def _batch_row(batch: WatchedBatch, concept: ConceptResult) -> BatchRow:
    names = shorten(batch.drifted, MOST_NAMES, "more")
    drifted = [*names.shown, *([names.rest] if names.rest else [])]
    return BatchRow(
        batch=batch,
        badge=Badge(batch.outcome, TONES[batch.outcome]),
        labelled=labelled_text(batch),
        error="waits for labels"
        if batch.labels and not batch.entered
        else error_text(batch, concept),
        drifted=", ".join(plain(name, 40) for name in drifted),
        what_to_do=WHAT_TO_DO.get(batch.outcome, ""),
    )


def _evidence_of_rise(concept: ConceptResult) -> str:
    if concept.alarm_row is not None:
        return f"enough for an alarm, at labelled row {concept.alarm_row:,}"
    if concept.status != "no_drift":
        return "none yet"
    # The logarithm is what the artifact holds; 100 % raise the alarm.
    return f"at its peak {share_text(max(concept.wealth, 0.0))} of what raises the alarm"


def _would_be_found(concept: ConceptResult) -> str:
    """Nothing once the alarm was raised."""
    if concept.alarm_row is not None:
        return ""
    within = f"within {concept.horizon:,} more rows"
    if concept.smallest is None:
        return f"no rise {within}"
    return f"an error of {scaled(concept.smallest, concept)} {within}, about every second time"


def _early_warning(concept: ConceptResult, watch: Watch) -> EarlyWarning | None:
    """None where the model gives no probabilities."""
    expecting = [
        batch for batch in watch.batches if batch.number and batch.expected_error is not None
    ]
    if not expecting:
        return None
    waiting = [batch for batch in expecting if not batch.entered]
    labelled = [batch for batch in expecting if batch.error is not None]
    comparison, expectation = "", "none: all have their labels"
    if labelled:
        comparison = (
            f"expected {_mean([batch.expected_error for batch in labelled])}, "
            f"observed {_mean([batch.error for batch in labelled])} "
            "(mean of the batches): how far the expectation can be trusted"
        )
    if waiting:
        expectation = (
            f"expected {_mean([batch.expected_error for batch in waiting])}; reference "
            f"{number(concept.reference)}, tolerated {number(concept.tolerated)}"
        )
    return EarlyWarning(len(labelled), comparison, len(waiting), expectation)


def _mean(values: Sequence[float | None]) -> str:
    return number(float(np.mean([value for value in values if value is not None])))
