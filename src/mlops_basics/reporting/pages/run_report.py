"""The report of a training run as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from mlops_basics.reporting.decision_text import against_champion, decision_badge
from mlops_basics.reporting.metric_text import (
    MetricRow,
    compared_text,
    curve_text,
    interval,
    leading_metric,
    metric_name,
    metric_rows,
    order_text,
    overfit_badge,
    rare_predictions,
    reading_order,
    threshold_text,
)
from mlops_basics.reporting.text import Shortened, number, shorten
from mlops_basics.reporting.words import WORDS, explained
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    NO_CHAMPION,
    ChallengeRequest,
    CollectionReport,
    Decision,
    Metrics,
    OrderCheck,
    OverfitCheck,
    RefitReport,
    RunContext,
    SearchReport,
    SplitReport,
    TableInfo,
)
from mlops_basics.stats.data_drift.joint import MAX_COLUMNS
from mlops_basics.table.row_groups import counted

from .decision import view_decision
from .render import render

MOST_ROWS = 20  # of a list; the artifacts beside the report hold the rest
MOST_WARNINGS = 40


@dataclass(frozen=True)
class RunResult:
    """All that a run gave.

    Attributes:
        metrics: By set of rows (``train``, ``valid``, ``test``).
        figures: By heading, in reading order.
        decision, request, gate: Whether it deserves to become a version, and the rows compared.
        in_order: How the recipe did on the newest batches; None, or empty, where there is no order.
        context: When it was made, by which code, from which data.
    """

    model_name: str
    collection: CollectionReport
    table: TableInfo
    split: SplitReport
    search: SearchReport
    refit: RefitReport
    overfit: OverfitCheck
    metrics: dict[str, Metrics]
    figures: dict[str, go.Figure]
    decision: Decision | None = None
    request: ChallengeRequest | None = None
    gate: pd.DataFrame | None = None
    in_order: OrderCheck | None = None
    context: RunContext | None = None


@dataclass(frozen=True)
class LeadingMetric:
    """The metric that a reader wants first.

    ``around`` is its interval in words, ``constant`` what a constant prediction has; or nothing.
    """

    claim: str
    value: str
    around: str
    constant: str


@dataclass(frozen=True)
class MetricsTable:
    """The metrics of all sets of rows.

    Attributes:
        sets: Name and size of each set.
        constant: By metric, what a constant prediction has on the rows of the first set; None where
            it is not known.
        rows: A line a metric.
        independence: What the intervals take as independent.
    """

    sets: list[tuple[str, str]]
    constant: dict[str, float | None] | None
    rows: Shortened[MetricRow]
    independence: str


def run_report(run: RunResult) -> str:
    """Write the report; the same results give the same bytes."""
    warnings = (
        *rare_predictions(run.metrics),
        *run.collection.warnings,
        *run.table.warnings,
        *run.split.warnings,
        *_left_out(run.table),
    )
    badges = [overfit_badge(run.overfit)]
    decision = None
    if run.decision:
        badges.append(decision_badge(run.decision))
        if run.request is not None and run.gate is not None:
            env = run.context.env if run.context else None
            decision = view_decision(run.decision, run.request, run.gate, env)
    search = run.search
    return render(
        "run_report.html",
        title=f"Run report: {run.model_name}",
        task=_task(run.table),
        in_order=order_text(run.in_order),
        by_batch=_by_batch(run.in_order),
        leading=_leading(run.metrics, run.decision),
        badges=badges,
        warnings=shorten(warnings, MOST_WARNINGS, "more warnings"),
        decision=decision,
        metrics=_metrics_table(run.metrics),
        refit=_refit(run.refit),
        overfit=run.overfit,
        figures=run.figures,
        collection=run.collection,
        batches=shorten(run.collection.batches, MOST_ROWS, "more batches"),
        info=run.table,
        columns=shorten(_columns(run.table), MOST_ROWS, "more columns"),
        identity=_identity(run.context, run.decision),
        dropped=_pairs(run.table.dropped_columns),
        split=run.split,
        boundaries=_pairs(run.split.boundaries),
        words=_words(run, decision is not None),
        set_sizes=", ".join(f"{name} {rows:,}" for name, rows in run.split.rows.items()),
        class_shares=_class_shares(run.split),
        search=search,
        threshold=threshold_text(search.threshold) if search.threshold else "",
        parameters=shorten(
            [f"{name} = {value!r}" for name, value in search.best_params.items()],
            MOST_ROWS,
            "more",
        ),
    )


def _words(run: RunResult, decided: bool) -> list[tuple[str, str]]:
    """What the page explains at its end."""
    words = ["train rows", "valid rows", "constant", "interval", "gap", "candidate", "trial"]
    words += ["test rows"] if "test" in run.metrics else []
    shown = {metric_name(name) for of_set in run.metrics.values() for name in of_set.metrics}
    decision = run.decision if decided else None
    if decision is not None:
        words += ["challenger", "champion", "shown"]
        words += ["out of fold"] if decision.fold_rows else []
        words += ["group"] if decision.groups is not None else []
    if decision is not None and decision.gain is not None and not decision.withheld:
        words += ["gain", "loss", "p-value", "level", "guard", "smallest gain it could see"]
        words += ["nats"] if decision.unit == "nats" else []
        shown.add(metric_name(decision.metric))
    return explained(*words, *(name for name in sorted(shown) if name in WORDS))


def _columns(table: TableInfo) -> list[list[str]]:
    """Each feature and what it is read as, then the target."""
    times, numbers = set(table.times or {}), set(table.numeric)
    kinds = [
        [name, "time" if name in times else "number" if name in numbers else "text"]
        for name in table.features
    ]
    classes = f"target, {len(table.classes)} classes" if table.classes else "target, a number"
    return [[table.target, classes], *kinds]


def _identity(context: RunContext | None, decision: Decision | None) -> list[tuple[str, str]]:
    """When a run was made, by which code, from which data, and what was in production then."""
    if context is None:
        return []
    date, _, time = context.run_id.partition("T")
    commit = context.code.git_commit or "unknown: the project is in no git repository"
    if context.code.git_dirty:
        commit += ", with changes that are not committed"
    facts = [
        ("Date", f"{date} {':'.join(time.split('.')[:2])} UTC" if time else date),
        ("Run", context.run_id),
        ("MLflow run", context.mlflow_run_id or "none"),
        ("Environment", context.env),
        ("Commit", commit),
        ("Data version", context.data_versions.get("raw_data", "unknown")),
    ]
    if decision is not None:
        champion = f"release {decision.champion_version}"
        if decision.champion_version == NO_CHAMPION:
            champion = "nothing: this would be the first release"
        facts.append(("In production then", champion))
    return facts


def _by_batch(check: OrderCheck | None) -> list[tuple[str, str, str]]:
    """Name, rows and mean loss of each batch that was measured."""
    if check is None:
        return []
    each = zip(check.batches, check.rows, check.losses, strict=True)
    return [(name, f"{rows:,}", number(loss)) for name, rows, loss in each]


def _left_out(table: TableInfo) -> tuple[str, ...]:
    """What is not looked at of a wide table, in words."""
    columns = len(table.numeric)
    if columns <= MAX_COLUMNS:
        return ()
    return (
        f"Monitoring will compare each of {columns:,} numeric columns, but of their correlations "
        f"those of the first {MAX_COLUMNS} alone.",
    )


def _task(info: TableInfo) -> str:
    classes = f", {len(info.classes)} classes" if info.classes else ""
    return f"{info.task} model of {info.target}{classes}"


#: What the released model was fitted on, and what the columns of the metrics' table are of.
_FITTED_ON = {
    "none": "train rows, by the search (training.refit: none). It was tuned on valid rows",
    "train_valid": (
        "train and valid rows together (training.refit: train_valid), after the search. The train "
        "and valid columns are of the search's own fit, on train rows alone"
    ),
    "all": (
        "all rows, the test rows too (training.refit: all), after the search. The test column and "
        "the decision judge the same recipe fitted on train and valid rows; the train and valid "
        "columns are of the search's own fit, on train rows alone"
    ),
}


def _refit(refit: RefitReport) -> str:
    return (
        f"The model to release was fitted on {plural(refit.rows, 'row')}: {_FITTED_ON[refit.rule]}."
        f"{curve_text(refit)}"
    )


def _leading(metrics: dict[str, Metrics], decision: Decision | None) -> LeadingMetric | None:
    leading = leading_metric(metrics)
    if leading is None:
        return None
    rows, name, estimate = leading
    limits = interval(estimate)
    return LeadingMetric(
        f"{metric_name(name)} on {plural(metrics[rows].rows, f'{rows} row')}:",
        number(estimate.value),
        f"({100 * metrics[rows].confidence:g} % interval {limits})" if limits else "",
        "; ".join(filter(None, (compared_text(metrics)[1], against_champion(decision)))),
    )


def _metrics_table(metrics: dict[str, Metrics]) -> MetricsTable:
    ordered = reading_order(metrics)
    sets = [(name, _size(of_set)) for name, of_set in ordered.items()]
    constant = next((of_set.constant for of_set in ordered.values()), None)
    values = constant.metrics if constant else None
    return MetricsTable(sets, values, Shortened(metric_rows(ordered), ""), _independence(ordered))


def _size(metrics: Metrics) -> str:
    rows = counted(metrics.rows, metrics.groups)
    return rows if metrics.of_rows in (None, metrics.rows) else f"{rows}, of {metrics.of_rows:,}"


def _independence(metrics: dict[str, Metrics]) -> str:
    """What the intervals take as independent, for each set where the sets differ."""
    sets: dict[str, list[str]] = {}
    for name, of_set in metrics.items():
        units = "the rows"
        if of_set.groups is not None:
            units = f"the groups ({of_set.grouped_by}), since rows of one may err together,"
        remark = f" ({of_set.grouping_note})" if of_set.grouping_note else ""
        sets.setdefault(f"take {units} as independent{remark}.", []).append(name)
    return " ".join(
        f"Intervals{'' if len(sets) == 1 else ' of ' + ' and '.join(names)} {assumption}"
        for assumption, names in sets.items()
    )


def _class_shares(split: SplitReport) -> Shortened[list[str]]:
    """Each class with its share of every set, the most frequent first."""
    largest: dict[str, float] = {}
    for shares in split.class_shares.values():
        for name, share in shares.items():
            largest[name] = max(share, largest.get(name, 0.0))
    rows = [
        [name, *(f"{100 * of_set.get(name, 0.0):.1f} %" for of_set in split.class_shares.values())]
        for name in sorted(largest, key=lambda name: -largest[name])
    ]
    return shorten(rows, MOST_ROWS, "more classes")


def _pairs(pairs: dict[str, str]) -> Shortened[str]:
    return shorten([f"{name}: {value}" for name, value in pairs.items()], MOST_ROWS, "more")
