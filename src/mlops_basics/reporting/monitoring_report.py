"""What the monitor says of the release in production, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlops_basics.schemas import MonitoringState, Verdict, Watch, WatchedBatch
from mlops_basics.stats.data_drift.table_drift import TableProfile

from .drift_figures import error_figure, history_figure
from .drift_section import change_plots, drift_tables
from .monitoring_text import (
    CONCEPT_STATUSES,
    LOSSES,
    Tone,
    error_text,
    labelled_text,
    outcome_text,
    outcome_tone,
    sentence_that_matters,
    share_text,
)
from .page import (
    Html,
    Plot,
    Section,
    badge,
    facts,
    join,
    note,
    page,
    paragraph,
    strong,
    table,
    text,
    warning_list,
)
from .style import number, plain
from .watch_history import history_table

LONG = 600  # characters of a reason
MOST_BATCHES = 40
MOST_NAMES = 5  # columns in a cell
BADGES: dict[str, Tone] = {
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
NOT_SEEN = (
    "What it cannot see: it trusts the model's own probabilities, so it is right only where they "
    "are. When the relation between the features and the target changes, the model is wrong and "
    "does not know it, and this number stays where it was. It never triggers a retraining."
)


def write_monitoring_page(
    verdict: Verdict,
    state: MonitoringState,
    findings_profiles: Mapping[str, TableProfile],
    reference: TableProfile,
) -> str:
    """Write the page; the same findings give the same bytes, and it opens without a network.

    Args:
        verdict: What the monitor says.
        state: What it remembers, after this run.
        findings_profiles: By name, the profile of each batch that was judged in this run.
        reference: The release's profile.
    """
    watch = state.watches.get(verdict.version) or Watch(
        version=verdict.version, loss=verdict.concept.loss, sequential={}
    )
    sections = []
    if verdict.warnings:
        shown = _first(verdict.warnings, MOST_BATCHES, "warnings")
        sections.append(Section("Know before you read on", [warning_list(shown)]))
    sections.append(Section("Why", _why(verdict)))
    out = [batch for batch in watch.batches if batch.outcome != "used"]
    if out:
        sections.append(Section("Batches that cannot be used as they are", [_put_aside(out)]))
    sections += [
        Section("The model's error", _concept(verdict)),
        Section(
            "Error over time",
            [Plot("Each batch, and what is tolerated", error_figure(watch, verdict.concept))],
        ),
        Section("Early warning, while labels are missing", _early(verdict, watch)),
        Section("Batches", _batches(watch)),
        Section(
            "Drift of the columns",
            [Plot("All batches of this release", history_figure(watch))],
        ),
        Section("What this run found, batch by batch", drift_tables(verdict.batches)),
    ]
    plots = change_plots(verdict.batches, findings_profiles, reference)
    if plots:
        sections.append(Section("The columns that have drifted most", plots))
    sections += [
        Section("Releases and retrainings", [history_table(verdict, state)]),
        Section("What these methods cannot see", _limits(verdict)),
    ]
    return page(f"Monitoring: {verdict.model_name}", _headline(verdict), sections)


def _headline(verdict: Verdict) -> Html:
    tones: dict[str, Tone] = {"drift": "bad", "no_drift": "good"}
    drifted = {name for item in verdict.batches for name in item.batch.drifted}
    badges = [
        badge(outcome_text(verdict), outcome_tone(verdict)),
        badge(
            CONCEPT_STATUSES[verdict.concept.status],
            tones.get(verdict.concept.status, "neutral"),
        ),
    ]
    judged = sum(1 for item in verdict.batches if item.columns)
    if judged:
        told = f"{len(drifted)} drifted columns" if len(drifted) != 1 else "1 drifted column"
        badges.append(badge(told if drifted else "no column has drifted", _bad_if(drifted)))
    looked = f"{len(verdict.batches)} new or changed batches, {judged} of them judged for drift"
    return join(
        [
            paragraph(text(f"Version {verdict.version} in production, run {verdict.run_id}")),
            paragraph(text(sentence_that_matters(verdict), LONG), "lead"),
            paragraph(join(badges, " ")),
            paragraph(text(looked if verdict.batches else "No batch and no label is new.")),
        ]
    )


def _why(verdict: Verdict) -> list[Html | Plot]:
    shown = _first(verdict.reasons, MOST_BATCHES, "reasons")
    blocks: list[Html | Plot] = [paragraph(text(reason, LONG)) for reason in shown]
    if not blocks:
        blocks.append(paragraph(text("No reason was given.")))
    pairs = [("Labelled rows", text(f"{verdict.labelled_rows:,} have come after the release"))]
    if verdict.skip:
        told = _first(verdict.skip, 20, "files")
        pairs.append(("A training leaves out", join((text(name, 80) for name in told), "<br>")))
    return [*blocks, facts(pairs)]


def _put_aside(batches: Sequence[WatchedBatch]) -> Html:
    rows = [
        [
            text(batch.name, 80),
            badge(batch.outcome, BADGES[batch.outcome]),
            text(f"{batch.rows:,}"),
            note(text(batch.reason or "no reason was given", LONG)),
            note(text(WHAT_TO_DO[batch.outcome])),
            text("yes" if batch.skip else "no"),
        ]
        for batch in reversed(batches)
    ]
    head = ("Batch", "What it is", "Rows", "Reason", "What to do", "Left out of a training")
    return table([text(each) for each in head], _rows(rows, "batches"))


def _concept(verdict: Verdict) -> list[Html | Plot]:
    found = verdict.concept
    observed = "no labelled batch counts yet"
    if found.observed is not None:
        observed = f"in {found.rows:,} labelled rows"
    blocks = "row by row" if found.block == 1 else f"in blocks of {found.block:,} rows"
    pairs = [
        ("Watched", text(LOSSES[found.loss])),
        (
            "Observed",
            join([strong(text(number(found.observed))), text(observed)], " ")
            if found.observed is not None
            else text(observed),
        ),
        (
            "Reference",
            text(
                f"{number(found.reference)} on {found.reference_rows:,} test rows of the release; "
                f"surely not above {number(found.reference_upper)}"
            ),
        ),
        (
            "Tolerated",
            text(
                f"{number(found.tolerated)}: that upper limit and a tolerance of "
                f"{found.tolerance:g}"
            ),
        ),
        ("Evidence of a rise", text(_evidence_of_rise(verdict))),
        ("Tested", text(f"{blocks}; a false alarm ever: probability {found.alpha:g} at most")),
    ]
    if found.alarm_row is None:
        would = f"no rise within {found.horizon:,} more rows"
        if found.smallest is not None:
            would = (
                f"an error of {number(found.smallest)} within {found.horizon:,} more rows, "
                "about every second time"
            )
        pairs.append(("Would be found", text(would)))
    return [
        paragraph(join([strong(text("Verdict:")), text(found.reason, LONG)], " ")),
        facts(pairs),
    ]


def _evidence_of_rise(verdict: Verdict) -> str:
    found = verdict.concept
    if found.alarm_row is not None:
        return f"enough for an alarm, at labelled row {found.alarm_row:,}"
    if found.status != "no_drift":
        return "none yet"
    # The logarithm is what the artifact holds; 100 % raise the alarm.
    return f"at its peak {share_text(max(found.wealth, 0.0))} of what raises the alarm"


def _early(verdict: Verdict, watch: Watch) -> list[Html | Plot]:
    expecting = [each for each in watch.batches if each.number and each.expected_error is not None]
    if not expecting:
        return [paragraph(text("The model gives no probabilities from which to expect an error."))]
    waits = [each for each in expecting if not each.entered]
    both = [each for each in expecting if each.error is not None]
    pairs = []
    if both:
        pairs.append(
            (
                f"{len(both)} batches with labels",
                text(
                    f"expected {number(_mean([each.expected_error for each in both]))}, "
                    f"observed {number(_mean([each.error for each in both]))} "
                    "(mean of the batches): how far the expectation can be trusted"
                ),
            )
        )
    told = "none: all have their labels"
    if waits:
        told = (
            f"expected {number(_mean([each.expected_error for each in waits]))}; reference "
            f"{number(verdict.concept.reference)}, tolerated {number(verdict.concept.tolerated)}"
        )
    pairs.append((f"{len(waits)} batches that wait for labels", text(told)))
    return [facts(pairs), paragraph(text(NOT_SEEN))]


def _batches(watch: Watch) -> list[Html | Plot]:
    if not watch.batches:
        return [paragraph(text("No batch has come after the release."))]
    rows = []
    for batch in reversed(watch.batches):
        error = error_text(batch)
        if batch.labels and not batch.entered:
            error = "waits for labels"
        rows.append(
            [
                text(batch.name, 36),
                text(f"{batch.rows:,}"),
                _what_it_is(batch),
                text(labelled_text(batch)),
                join([text(error), *([badge("alarm", "bad")] if batch.alarm else [])], " "),
                text(number(batch.expected_error) if batch.expected_error is not None else ""),
                _names(batch.drifted),
            ]
        )
    head = (
        "Batch",
        "Rows",
        "What it is",
        "Labelled",
        "Error (95 % interval)",
        "Expected error",
        "Drifted columns",
    )
    return [table([text(each) for each in head], _rows(rows, "earlier batches"), "Newest first")]


def _what_it_is(batch: WatchedBatch) -> Html:
    parts = [badge(batch.outcome, BADGES[batch.outcome])]
    if batch.reason:
        parts.append(note(text(batch.reason, 200)))
    return join(parts, "<br>")


def _limits(verdict: Verdict) -> list[Html | Plot]:
    block = verdict.concept.block
    told = (
        "Errors that come in bursts. The test takes "
        + ("single rows" if block == 1 else f"blocks of {block:,} rows")
        + " as independent, as the release's test rows suggest. Bursts that last longer than these "
        "rows could show (days, sites, outages) can raise a false alarm.",
        "Which rows get labels, and in which order. A batch counts when enough of its labels are "
        "there, in the order of time where a time column is configured. Where rows that the model "
        "got wrong are labelled sooner or more often, the error looks worse than it is "
        "(monitoring.strict counts unlabelled rows as right).",
        "The reference. It was measured on the release's test rows, and the release was chosen "
        "over others on these rows: it may have been lucky there. Then its error in production is "
        "higher from the first day on, without any drift.",
        'Small changes. "No drift" means: not shown to be larger than what matters. What would '
        "be found stands beside each verdict; with few rows that is a lot.",
        "Drift of the columns says nothing about the error. A column that the model hardly uses "
        "may drift without harm. Rows of a batch are taken as independent: where they come in "
        "groups, the bounds are too sure.",
        "Columns of times move on by themselves, and are no subject of drift.",
    )
    return [paragraph(text(each, LONG)) for each in told]


def _names(names: Sequence[str]) -> Html:
    return note(text(", ".join(plain(each, 40) for each in _first(names, MOST_NAMES, "")), 300))


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([each for each in values if each is not None]))


def _bad_if(drifted: object) -> Tone:
    return "bad" if drifted else "good"


def _rows(rows: list[list[Html]], what: str) -> list[list[Html]]:
    left = len(rows) - MOST_BATCHES
    return rows if left <= 0 else [*rows[:MOST_BATCHES], [text(f"and {left:,} more {what}")]]


def _first(items: Sequence[str], most: int, what: str) -> list[str]:
    """The first items, and how many more there are."""
    left = len(items) - most
    more = [f"and {left:,} more {what}".strip()] if left > 0 else []
    return [*items[:most], *more]
