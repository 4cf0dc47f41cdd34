"""What a run says in the terminal when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from mlops_basics.safe_text import plural, with_environment
from mlops_basics.schemas import (
    DataVersion,
    Decision,
    Estimate,
    Metrics,
    OrderCheck,
    OverfitCheck,
    Recipe,
    ReleaseState,
    SearchReport,
    TableInfo,
    Verdict,
)

from . import monitoring_text
from .decision_text import (
    against_champion,
    champion_text,
    chance_text,
    decision_badge,
    gain_text,
    way_out,
)
from .metric_text import (
    compared_text,
    gap_text,
    metric_heading,
    metric_rows,
    order_text,
    overfit_badge,
    rare_predictions,
    reading_order,
    set_size,
    threshold_text,
)
from .monitoring_text import policy_lines
from .text import Badge, number, plain

MOST_WARNINGS = 2
MOST_PARAMETERS = 1_000  # characters
MOST_REASONS, MOST_BATCHES = 2, 4
STYLES = {"good": "bold green", "bad": "bold red", "neutral": "bold yellow"}


def run_summary(
    *,
    model_name: str,
    table: TableInfo | None,
    search: SearchReport | None,
    overfit: OverfitCheck | None,
    metrics: Mapping[str, Metrics],
    versions: Mapping[str, str],
    report_path: str,
    mlflow_uri: str,
    run_id: str,
    warnings: Sequence[str] = (),
    decision: Decision | None = None,
    release: ReleaseState | None = None,
    in_order: OrderCheck | None = None,
    env: str | None = None,
    recipe: Recipe | None = None,
    predictions: DataVersion | None = None,
) -> Group:
    """Make the summary of a run: about 20 lines of 80 columns, no markup from the data.

    What a run of a part of the pipelines did not make is None or empty, and left out.

    Args:
        model_name: The model's name.
        table: What was learned.
        search: How the model was found.
        overfit: Whether it overfits.
        metrics: By set of rows (``train``, ``valid``, ``test``).
        versions: Version of each data set; equal ones are shown once.
        report_path: Where the HTML report is.
        mlflow_uri: Tracking URI.
        run_id: MLflow's id of the run.
        warnings: What came up on the way; they come before the table's own.
        decision: Whether it deserves to become a version.
        release: What production holds.
        in_order: How the recipe did on the newest batches.
        env: The run's environment, which the commands that are suggested name.
        recipe: Of the model; it names the user's own steps.
        predictions: What a batch inference has written; its path stands where the report's does.
    """
    title = plain(model_name, 40)
    facts = []
    if (expected := order_text(in_order))[1]:
        facts.append(("Next batch", Text(" ".join(expected))))
    if decision:
        facts += _decision(decision)
    if release:
        facts.append(("Production", Text(_production(release))))
        if decision and decision.promote and not release.changed:
            facts.append(("", Text(plain(release.reason, 300), style="yellow")))
    if overfit:
        facts.append(("Overfitting", _overfit(overfit)))
    if search:
        facts.append(("Best", Text(_best(search, recipe))))
        if recipe and recipe.features:
            facts.append(("Own steps", Text(plain(", ".join(recipe.features), 300))))
        if search.threshold:
            facts.append(("Threshold", Text(threshold_text(search.threshold))))
    if table or versions:
        facts.append(("Data", Text(_data(table, versions))))
    if table:
        title += f": {table.task} model of {plain(table.target, 30)}"
        warnings = [*warnings, *table.warnings]
    facts += _warnings([*rare_predictions(metrics), *warnings])
    facts.append(("MLflow", Text(_where(mlflow_uri, run_id))))
    if way := way_out(decision, run_id) if decision else "":
        facts.append(("What now", Text(way)))
    measured = any(of_set.metrics for of_set in metrics.values())
    table_of_metrics = _metrics_table(metrics) if measured else None
    facts = _of_environment(facts, env)
    path, what = report_path, ("Report", Text())
    if predictions is not None:
        path, what = predictions.path, ("Predictions", Text(plural(predictions.rows or 0, "row")))
    return _summary(title, facts, path, table_of_metrics, _headline(metrics, decision), what)


def monitoring_summary(verdict: Verdict, report_path: str, env: str | None = None) -> Group:
    """Make the summary of a look at a release: about 12 lines of 80 columns, no markup from data.

    Args:
        verdict: What the monitor says.
        report_path: Where the HTML report is; empty if there is none.
        env: The run's environment, which the commands that are suggested name.
    """
    title = f"{plain(verdict.model_name, 40)}: version {plain(verdict.version, 20)} in production"
    outcome = _badge(monitoring_text.outcome_badge(verdict))
    # The concept test's sentence has a line of its own; what it waits for comes last.
    reasons = [reason for reason in verdict.reasons if reason != verdict.concept.reason]
    if len(reasons) > MOST_REASONS:
        last = [] if verdict.outcome == "retrain" else reasons[-1:]
        left = len(reasons) - 1 - len(last)
        reasons = [reasons[0], f"and {left} more in the report", *last]
    facts = [("Outcome", outcome), *(("", Text(plain(reason, 450))) for reason in reasons)]
    facts += [("Policy", Text(plain(line, 300))) for line in policy_lines(verdict)]
    facts.append(("Error", Text(monitoring_text.concept_text(verdict.concept))))
    facts += _new_batches(verdict)
    facts += _warnings(verdict.warnings)
    return _summary(title, _of_environment(facts, env), report_path)


def figures_on_demand(run_id: str, metrics: Metrics, decision: Decision, uses: int | None) -> Group:
    """Make what is shown of a run on demand: its metrics on the test rows, and the decision.

    Args:
        run_id: The run.
        metrics: On its test rows.
        decision: With all its figures.
        uses: How often the rows have been used by now; None where this is no further use.
    """
    facts = [("Decision", _badge(decision_badge(decision)))]
    facts += [("", Text(plain(reason, 600))) for reason in decision.reasons]
    if uses is not None:
        against = champion_text(decision.champion_version)
        told = (
            "written down: the rows that challengers are compared on have been used "
            f"{plural(uses, 'time')} against {against}. Each use lowers the level of the next "
            "challenge; one that is fitted to these figures is not covered by it."
        )
        facts.append(("Use", Text(told, style="yellow")))
    title = f"Run {plain(run_id, 40)} on its test rows"
    return _summary(title, facts, "", _metrics_table({"test": metrics}))


def show(what: Group | Table, *, soft_wrap: bool = False) -> None:
    """Print; outside of a terminal no line ends with the spaces that fill its cells.

    Args:
        what: A summary, or a table.
        soft_wrap: Whether the terminal breaks lines that are too long, such as paths.
    """
    console = Console()
    if console.is_terminal:
        console.print(what, soft_wrap=soft_wrap)
        return
    with console.capture() as captured:
        console.print(what, soft_wrap=soft_wrap)
    lines = captured.get().split("\n")
    console.file.write("\n".join(line.rstrip() for line in lines))


def _of_environment(facts: Sequence[tuple[str, Text]], env: str | None) -> list[tuple[str, Text]]:
    """The facts, the commands in them about an environment."""
    told = [(name, text, with_environment(text.plain, env)) for name, text in facts]
    return [
        (name, text if text.plain == words else Text(words, style=text.style))
        for name, text, words in told
    ]


def _headline(metrics: Mapping[str, Metrics], decision: Decision | None) -> str:
    """How good it is, and what a constant prediction and the champion have."""
    return "; ".join(filter(None, (*compared_text(metrics), against_champion(decision))))


def _summary(
    title: str,
    facts: Sequence[tuple[str, Text]],
    report_path: str,
    metrics: Table | None = None,
    headline: str = "",
    of_path: tuple[str, Text] = ("Report", Text()),
) -> Group:
    parts: list[Text | Table] = [Text(title, style="bold")]
    parts += [Text(f"{headline}.", style="bold")] if headline else []
    parts += [] if metrics is None else [metrics]
    if not report_path:
        return Group(*parts, _facts(facts))
    # The path has the whole width for itself: broken into lines it could not be clicked. It has no
    # overflow of its own: printed with ``soft_wrap``, "fold" would cut it off.
    return Group(*parts, _facts([*facts, of_path]), Text(plain(report_path, 1_000)))


def _badge(badge: Badge) -> Text:
    return Text(badge.words, style=STYLES[badge.tone])


def _new_batches(verdict: Verdict) -> list[tuple[str, Text]]:
    """A line for each new batch, the newest first."""
    if not verdict.batches:
        return [("Batches", Text("none is new"))]
    lines = []
    for result in reversed(verdict.batches[-MOST_BATCHES:]):
        batch = result.batch
        parts = [f"{plain(batch.title, 40)}: {plural(batch.rows, 'row')}"]
        if batch.outcome != "used":
            parts.append(batch.outcome)
        if batch.labels:
            parts.append(f"{monitoring_text.labelled_text(batch)} labelled")
        if batch.error is not None:
            parts.append(f"error {monitoring_text.scaled(batch.error, verdict.concept)}")
        if batch.drifted:
            more = f" + {len(batch.drifted) - 1}" if len(batch.drifted) > 1 else ""
            parts.append(f"drift: {plain(batch.drifted[0], 14)}{more}")
        lines.append(("", Text(", ".join(parts))))
    lines[0] = ("Batches", lines[0][1])
    left = len(verdict.batches) - len(lines)
    return [*lines, ("", Text(f"and {left:,} more"))] if left > 0 else lines


def _metrics_table(metrics: Mapping[str, Metrics]) -> Table:
    """A column a set; behind the first one what a constant prediction has on its rows."""
    ordered = reading_order(metrics)
    first = next(iter(ordered))
    constant = ordered[first].constant
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    grid.add_column("", no_wrap=True)
    for name, of_set in ordered.items():
        grid.add_column(Text(_heading(name, of_set)), justify="right", overflow="fold")
        if name == first and constant is not None:
            grid.add_column(Text("constant"), justify="right", overflow="fold")
    for row in metric_rows(ordered):
        arrow = "↑" if row.greater_is_better else "↓"
        cells = [Text(f"{arrow} {plain(metric_heading(row.name), 28)}")]
        for name, estimate in row.estimates.items():
            # Rows that the model was fitted or tuned on say nothing about others by an interval.
            cells.append(_cell(estimate, name == "test"))
            if name == first and constant is not None:
                value = constant.metrics.get(row.name)
                cells.append(Text("" if value is None else number(value), style="dim"))
        grid.add_row(*cells)
    return grid


def _heading(name: str, metrics: Metrics) -> str:
    """In lines of their own what would squeeze the figures below."""
    return "\n".join([name, *set_size(metrics)])


def _cell(estimate: Estimate | None, with_interval: bool) -> Text:
    if estimate is None or number(estimate.value) == "not defined":
        return Text("not defined" if estimate else "", style="dim")
    cell = Text(number(estimate.value))
    if with_interval and estimate.low is not None and estimate.high is not None:
        cell.append(f" [{number(estimate.low)}, {number(estimate.high)}]", style="dim")
    return cell


def _facts(pairs: Sequence[tuple[str, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(name), value)
    return grid


def _overfit(overfit: OverfitCheck) -> Text:
    text = _badge(overfit_badge(overfit))
    text.append(f" ({gap_text(overfit)})", style="not bold default")
    return text


def _best(search: SearchReport, recipe: Recipe | None) -> str:
    parameters = ", ".join(f"{key}={_shown(value)}" for key, value in search.best_params.items())
    chosen = plain(search.best_candidate, 40)
    estimator = recipe.class_path.rpartition(".")[2] if recipe else ""
    if told := ", ".join(filter(None, (estimator, parameters))):
        chosen += f" ({plain(told, MOST_PARAMETERS)})"
    stopped = f", {plain(search.stopped_early, 60)}" if search.stopped_early else ""
    return f"{chosen}, {search.trials_run} of {plural(search.trials_requested, 'trial')}{stopped}"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _decision(decision: Decision) -> list[tuple[str, Text]]:
    """The outcome, and what the test saw, or why there was none, or why it is not shown."""
    outcome = _badge(decision_badge(decision))
    if decision.withheld:
        told = decision.shown().reasons[:-1]
        return [("Decision", outcome), *(("", Text(plain(reason, 300))) for reason in told)]
    if decision.gain is None or decision.p_value is None or decision.alpha is None:
        return [("Decision", outcome), ("", Text(plain(decision.reasons[0], 300)))]
    by_luck = (
        f"By luck in {chance_text(decision.p_value)} of such comparisons "
        f"(p-value; {chance_text(decision.alpha)} is allowed)"
    )
    lines = [("Decision", outcome), *(("", Text(each)) for each in (gain_text(decision), by_luck))]
    if not decision.promote:
        lines += [("", Text(plain(reason, 300))) for reason in decision.reasons[2:4]]
    return lines


def _production(release: ReleaseState) -> str:
    if release.version is None:
        return "nothing yet"
    state = "new" if release.changed else "unchanged"
    return f"version {plain(release.version, 20)} ({state}), {plain(release.path, 300)}"


def _data(table: TableInfo | None, versions: Mapping[str, str]) -> str:
    parts = []
    if table:
        parts.append(f"{plural(table.rows, 'row')}, {plural(len(table.features), 'feature')}")
    if versions:
        newest = max(versions.values())
        parts.append(f"version {plain(newest, 40)}")
        older = sorted({v for v in versions.values() if v != newest})
        if older:
            parts.append(f"from {plain(', '.join(older), 100)}")
    return ", ".join(parts)


def _warnings(warnings: Sequence[str]) -> list[tuple[str, Text]]:
    shown = [
        ("Warning", Text(plain(warning, 140), style="yellow"))
        for warning in warnings[:MOST_WARNINGS]
    ]
    left = len(warnings) - len(shown)
    if left > 0:
        shown.append(("", Text(f"and {left} more in the report", style="yellow")))
    return shown


def _where(uri: str, run_id: str) -> str:
    return f"{plain(uri, 200)}, run {plain(run_id, 40)}" if run_id else plain(uri, 200)
