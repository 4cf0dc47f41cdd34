"""The report of a training run as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from mlops_basics.schemas import (
    ChallengeRequest,
    CollectionReport,
    Decision,
    Estimate,
    Metrics,
    OverfitCheck,
    SearchReport,
    SplitReport,
    TableInfo,
)
from mlops_basics.table.row_groups import counted

from .decision_section import decision_badge, decision_section
from .metric_text import interval, leading_metric, metric_name, reading_order, verdict
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
    small,
    strong,
    table,
    text,
    warning_list,
)
from .style import number

MOST_ROWS = 20  # of a list; the artifacts beside the report hold the rest


@dataclass(frozen=True)
class RunFindings:
    """All that a run found.

    Attributes:
        metrics: By set of rows (``train``, ``valid``, ``test``).
        figures: By heading, in reading order.
        decision, request, gate: Whether it deserves to become a version, and the rows compared.
    """

    model_name: str
    collection: CollectionReport
    table: TableInfo
    split: SplitReport
    search: SearchReport
    overfit: OverfitCheck
    metrics: dict[str, Metrics]
    figures: dict[str, go.Figure]
    decision: Decision | None = None
    request: ChallengeRequest | None = None
    gate: pd.DataFrame | None = None


def run_report(findings: RunFindings) -> str:
    """Write the report; the same findings give the same bytes."""
    warnings = [
        *findings.collection.warnings,
        *findings.table.warnings,
        *findings.split.warnings,
    ]
    sections = []
    if warnings:
        sections.append(Section("Know before you read on", [warning_list(warnings)]))
    if findings.decision and findings.request is not None and findings.gate is not None:
        sections.append(decision_section(findings.decision, findings.request, findings.gate))
    sections += [
        Section("How good it is", [_metrics_table(findings.metrics), _overfit(findings.overfit)]),
        Section(
            "What the figures say", [Plot(name, each) for name, each in findings.figures.items()]
        ),
        Section("Data", _data(findings)),
        Section("Search", [_search(findings.search)]),
    ]
    return page(f"Run report: {findings.model_name}", _headline(findings), sections)


def _headline(findings: RunFindings) -> Html:
    info, parts = findings.table, []
    what = f"{info.task} model of {info.target}"
    if info.classes:
        what += f", {len(info.classes)} classes"
    parts.append(paragraph(text(what)))
    leading = leading_metric(findings.metrics)
    if leading:
        rows, name, estimate = leading
        found, around = findings.metrics[rows], interval(estimate)
        claim = [
            text(f"{metric_name(name)} on {found.rows:,} {rows} rows:"),
            strong(text(number(estimate.value))),
        ]
        if around:
            claim.append(text(f"({100 * found.confidence:g} % interval {around})"))
        parts.append(paragraph(join(claim, " "), "lead"))
    badges = [_verdict(findings.overfit)]
    if findings.decision:
        badges.append(decision_badge(findings.decision))
    parts.append(paragraph(join(badges, " ")))
    return join(parts)


def _verdict(overfit: OverfitCheck) -> Html:
    if overfit.low is None:
        return badge(verdict(overfit), "neutral")
    return badge(verdict(overfit), "bad" if overfit.overfitted else "good")


def _metrics_table(metrics: dict[str, Metrics]) -> Html:
    ordered = reading_order(metrics)
    head = [
        text("Metric"),
        *(
            join([text(rows), small(text(counted(each.rows, each.groups)))], "<br>")
            for rows, each in ordered.items()
        ),
    ]
    names = list(dict.fromkeys(name for each in ordered.values() for name in each.metrics))
    lines = []
    for name in names:
        estimates = [each.metrics.get(name) for each in ordered.values()]
        better = next(each.greater_is_better for each in estimates if each)
        direction = "higher is better" if better else "lower is better"
        first = join([text(metric_name(name)), small(text(direction))], "<br>")
        lines.append([first, *(_estimate_cell(each) for each in estimates)])
    return join([table(head, lines), note(text(_what_counts(ordered), 600))])


def _what_counts(metrics: dict[str, Metrics]) -> str:
    """What the intervals take as independent, for each set where the sets differ."""
    sets: dict[str, list[str]] = {}
    for name, each in metrics.items():
        units = "the rows"
        if each.groups is not None:
            units = f"the groups ({each.grouped_by}), since rows of one may err together,"
        remark = f" ({each.grouping_note})" if each.grouping_note else ""
        sets.setdefault(f"take {units} as independent{remark}.", []).append(name)
    return " ".join(
        f"Intervals{'' if len(sets) == 1 else ' of ' + ' and '.join(names)} {told}"
        for told, names in sets.items()
    )


def _estimate_cell(estimate: Estimate | None) -> Html:
    if estimate is None:
        return text("not measured")
    parts = [text(number(estimate.value))]
    around = interval(estimate)
    if around:
        parts.append(small(text(around)))
    if estimate.note:
        parts.append(note(text(estimate.note)))
    return join(parts, "<br>")


def _overfit(overfit: OverfitCheck) -> Html:
    return paragraph(join([strong(text("Overfitting:")), text(overfit.reason)], " "))


def _data(findings: RunFindings) -> list[Html]:
    collection, info, split = findings.collection, findings.table, findings.split
    batches = table(
        [text("Batch"), text("Rows"), text("SHA-256")],
        _first(
            [
                [text(batch.name, 80), text(f"{batch.rows:,}"), text(batch.sha256[:12])]
                for batch in collection.batches
            ],
            "batches",
        ),
    )
    about = [
        ("Rows", text(f"{info.rows:,} of {collection.rows_in_source:,} in the source")),
        ("Duplicates", text(f"{info.duplicate_rows:,}")),
        ("Rows without target", text(f"{info.missing_target_rows:,}")),
        ("Features", text(f"{len(info.features)} ({len(info.numeric)} numeric)")),
        ("Split", text(f"by {split.method}: " + _counts(split.rows))),
    ]
    if split.boundaries:
        about.append(("Boundaries", _lines([f"{k}: {v}" for k, v in split.boundaries.items()])))
    if info.dropped_columns:
        dropped = _lines([f"{name}: {why}" for name, why in info.dropped_columns.items()])
        about.append(("Dropped columns", dropped))
    blocks = [facts(about), batches]
    if split.class_shares:
        blocks.append(_class_shares(split))
    return blocks


def _class_shares(split: SplitReport) -> Html:
    sets = list(split.class_shares)
    largest: dict[str, float] = {}
    for shares in split.class_shares.values():
        for name, value in shares.items():
            largest[name] = max(value, largest.get(name, 0.0))
    rows = [
        [
            text(name, 80),
            *(text(f"{100 * split.class_shares[each].get(name, 0.0):.1f} %") for each in sets),
        ]
        for name in sorted(largest, key=lambda name: -largest[name])
    ]
    return table(
        [text("Class"), *(text(each) for each in sets)],
        _first(rows, "classes"),
        "Share of each class in the sets of rows",
    )


def _search(search: SearchReport) -> Html:
    parameters = [f"{name} = {value!r}" for name, value in search.best_params.items()]
    found = [
        ("Best candidate", strong(text(search.best_candidate))),
        ("Its parameters", _lines(parameters) if parameters else text("as they are by default")),
        (f"Its validation {search.loss}", text(number(search.best_valid_loss))),
        ("Trials", text(f"{search.trials_run} of {search.trials_requested}")),
    ]
    if search.stopped_early:
        found.append(("Stopped early", text(search.stopped_early)))
    return facts(found)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in counts.items())


def _first(rows: list[list[Html]], what: str) -> list[list[Html]]:
    """The first rows of a table, and how many more there are."""
    left = len(rows) - MOST_ROWS
    return rows if left <= 0 else [*rows[:MOST_ROWS], [text(f"and {left:,} more {what}")]]


def _lines(lines: Sequence[str]) -> Html:
    left = len(lines) - MOST_ROWS
    more = [f"and {left:,} more"] if left > 0 else []
    return join((text(line) for line in [*lines[:MOST_ROWS], *more]), "<br>")
