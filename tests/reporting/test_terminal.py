"""Tests of the summary in the terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console, Group

from mlops_basics.reporting.metric_text import gap_text
from mlops_basics.reporting.pages.run_report import RunResult
from mlops_basics.reporting.terminal import (
    figures_on_demand,
    monitoring_summary,
    run_summary,
    show,
)
from mlops_basics.schemas import (
    BatchResult,
    Constant,
    DataVersion,
    Estimate,
    MetricSpec,
    ThresholdChoice,
    Verdict,
    WatchedBatch,
)
from mlops_basics.schemas.metrics import register_metrics
from tests.support.artifacts import (
    HOSTILE,
    make_compared,
    make_decision,
    make_metrics,
    make_recipe,
)
from tests.support.monitored import make_monitored

LONG_PATH = "data/" + "long/" * 30 + "report.html"


def summary_of(run_result: RunResult, **changes: Any) -> Group:
    """The summary of a run, of which something may be otherwise."""
    arguments: dict[str, Any] = {
        "model_name": run_result.model_name,
        "table": run_result.table,
        "search": run_result.search,
        "overfit": run_result.overfit,
        "metrics": run_result.metrics,
        "versions": {"raw_data": "v1", "train_data": "v1"},
        "report_path": "data/iris/reporting/" + "long/" * 9 + "report.html",
        "mlflow_uri": "sqlite:///mlflow.db",
        "run_id": "abc123",
    }
    return run_summary(**{**arguments, **changes})


def _shown(run_result: RunResult, coloured: bool = False, **changes: Any) -> str:
    out = io.StringIO()
    how: dict[str, Any] = {"force_terminal": True, "color_system": "standard"} if coloured else {}
    Console(file=out, width=80, **how).print(summary_of(run_result, **changes))
    return out.getvalue()


def test_summary_is_short_and_complete(run_result: RunResult) -> None:
    """At most 20 lines hold metrics with intervals, verdict, versions and where to look next."""
    shown = _shown(run_result)
    lines = shown.splitlines()
    assert len(lines) <= 20
    expected = ["0.900 [0.800, 0.950]", "not defined", "overfitted: may not be promoted", "v1"]
    expected += [
        "25 % is tolerated",
        "6 of 20 trials",
        "table warning",
        "sqlite:///mlflow.db",
        "abc123",
    ]
    assert [each for each in expected if each not in shown] == []
    assert "↑ Accuracy" in shown
    assert "↓ Log loss" in shown
    assert max(len(line) for line in lines[:-1]) <= 80


def test_the_headline_compares_with_the_constant(run_result: RunResult) -> None:
    """An accuracy that "always no" nearly has is no success, nor a class that is not found."""
    compared = make_compared()
    shown = _shown(run_result, metrics={"valid": compared, "test": compared})
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[1] == "Accuracy 0.815 on 786 test rows; always 'no' has 0.808."
    assert lines[2].split() == ["test", "valid"]
    assert lines[3].split() == ["786", "rows", "constant", "786", "rows"]
    assert re.search(r"↑ Accuracy +0\.815 \[0\.786, 0\.841\] +0\.808 +0\.815$", shown, re.MULTILINE)
    words = " ".join(shown.split())
    assert "'yes' is hardly ever predicted: of its 151 test rows 7 are found (9 predicted)" in words
    assert "'no' is hardly" not in words


def test_the_headline_compares_with_the_champion(run_result: RunResult) -> None:
    """Where there is one, and its figures are told; a refused challenger's are not."""
    values: dict[str, Any] = {"challenger_value": 0.43, "champion_value": 0.441}
    told = make_decision("3", number=1, **values)
    shown = _shown(run_result, metrics={"test": make_compared()}, decision=told)
    headline = "always 'no' has 0.808; log loss 0.430, and version 3 has 0.441."
    assert headline in " ".join(shown.split())
    refused = {"promote": False, "outcome": "kept", "reasons": ("It is not.", "Wait.")}
    for other in (make_decision(**values), make_decision("3", number=2, **values, **refused)):
        shown = _shown(run_result, metrics={"test": make_compared()}, decision=other)
        assert "always 'no' has 0.808. " in " ".join(shown.split())


def test_a_threshold_is_told_with_what_it_was_chosen_for(run_result: RunResult) -> None:
    """The summary says from which probability on, by what, on how many rows, and what 0.5 has."""
    choice = ThresholdChoice(
        value=0.1731, chosen_by="mcc", positive="yes", rows=3570, result=0.31, at_half=0.2
    )
    found = run_result.search.model_copy(update={"threshold": choice})
    words = " ".join(_shown(run_result, search=found).split())
    assert (
        "Threshold 'yes' is predicted from a probability of 0.1731 on, for the best MCC on 3,570 "
        "valid rows: 0.310, and 0.200 from 0.5 on"
    ) in words
    by_cost = choice.model_copy(update={"chosen_by": "cost (false_negative 5, false_positive 1)"})
    found = run_result.search.model_copy(update={"threshold": by_cost})
    words = " ".join(_shown(run_result, search=found).split())
    assert "for the lowest mean cost (false_negative 5, false_positive 1) on 3,570" in words


def test_a_regression_is_compared_in_units_of_its_target(run_result: RunResult) -> None:
    """R² of a constant is about 0 by definition: the headline tells the error."""
    found = make_metrics(90, r2=0.45, rmse=54.3, mae=43.2)
    constant = Constant(prediction=152.1, metrics={"r2": -0.01, "rmse": 73.9, "mae": 66.0})
    metrics = found.model_copy(update={"constant": constant})
    shown = _shown(run_result, metrics={"test": metrics})
    assert "RMSE 54.300 on 90 test rows; always 152.100 has 73.900." in shown


def test_figures_that_are_withheld_leave_the_validation_rows(run_result: RunResult) -> None:
    """Headline, constant and warnings are of the first set that is shown."""
    shown = " ".join(_shown(run_result, metrics={"valid": make_compared()}).split())
    assert "Accuracy 0.815 on 786 valid rows; always 'no' has 0.808." in shown
    assert "of its 151 valid rows" in shown
    assert "test" not in shown.split("Overfitting")[0]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_million_rows_fit_eighty_columns(run_result: RunResult, task: str) -> None:
    """With a sample for the training metrics, groups, large numbers and a constant."""
    limits = {"low": 1_234_567.0, "high": 1_234_567.0, "greater_is_better": False}
    if task == "regression":
        of_set = make_metrics(
            r2=0.5,
            rmse=Estimate(value=1_234_567.0, **limits),
            mae=Estimate(value=1_234_567.0, **limits),
        )
        constant = Constant(
            prediction=1_234_567.0, metrics=dict.fromkeys(of_set.metrics, 1_234_567.0)
        )
    else:
        share = Estimate(value=0.9, low=0.8, high=0.95, greater_is_better=True)
        of_set = make_metrics(accuracy=share, balanced_accuracy=share, log_loss=share)
        constant = Constant(prediction="x" * 80, metrics=dict.fromkeys(of_set.metrics, 0.5))
    sizes = {
        "train": {"rows": 19_399, "of_rows": 6_000_000},
        "valid": {"rows": 2_000_000, "groups": 1_000},
        "test": {"rows": 1_000_000, "groups": 1_000},
    }
    metrics = {
        name: of_set.model_copy(update={**update, "constant": constant})
        for name, update in sizes.items()
    }
    shown = _shown(run_result, metrics=metrics)
    lines = shown.splitlines()
    assert max(len(line) for line in lines[:-1]) <= 80
    rows = [line.split() for line in lines if line.startswith(("↑", "↓"))]
    assert len(rows) == len(of_set.metrics)  # none was broken into several lines
    assert all("…" not in line for row in rows for line in row)
    headings = " ".join(shown.split("─")[0].split())
    assert "19,399 of" in headings
    assert "6,000,000" in headings
    expected = (
        "1,234,567 [1,234,567, 1,234,567]" if task == "regression" else "0.900 [0.800, 0.950]"
    )
    assert expected in shown


def test_parameters_of_the_best_are_told_whole(run_result: RunResult) -> None:
    """However many there are: they wrap, and nothing is left out."""
    many = {f"parameter_{number}": number for number in range(12)}
    search = run_result.search.model_copy(update={"best_params": many})
    shown = " ".join(_shown(run_result, search=search).split())
    assert [name for name, value in many.items() if f"{name}={value}" not in shown] == []
    assert "…" not in shown.split("Best")[1].split("Data")[0]


def test_a_gap_that_is_not_shown_does_not_read_as_if_it_were(run_result: RunResult) -> None:
    """Above what is tolerated it may be luck; what is overfitted surely has a gap."""
    gaps = {"overfitted": False, "gap": 0.3, "low": 0.1, "high": 0.5, "tolerance": 0.25}
    luck, little, shown = (
        gap_text(run_result.overfit.model_copy(update=gaps | more))
        for more in ({}, {"gap": 0.2}, {"overfitted": True, "low": 0.27})
    )
    assert luck == "gap 30.0 %, but it may be as small as 10.0 %; up to 25 % is tolerated"
    assert little == "gap 20.0 %; up to 25 % is tolerated"
    assert shown == "gap 30.0 %, surely 27.0 % or more; up to 25 % is tolerated"


def test_own_steps_and_own_metrics_are_named(run_result: RunResult) -> None:
    """The steps by their import paths, the estimator by its class, the metric with its unit."""
    recipe = make_recipe().model_copy(update={"features": ("mine.steps.add", "mine.steps.Median")})
    cost = MetricSpec(name="cost", title="Cost", kind="classification", row_loss=min, unit="euros")
    register_metrics([cost])
    try:
        worth = make_metrics(cost=Estimate(value=1.5, greater_is_better=False))
        shown = _shown(run_result, recipe=recipe, metrics={"test": worth})
    finally:
        register_metrics([])
    assert "mine.steps.add, mine.steps.Median" in shown
    assert recipe.class_path.split(".")[-1] in shown
    assert "↓ Cost, euros" in shown


def test_predictions_are_told_with_their_number_and_place(run_result: RunResult) -> None:
    """Where a batch inference wrote them stands in a line of its own, as a report does."""
    made = DataVersion(version="v", path=LONG_PATH, sha256="0", rows=1_200, access="written")
    nothing: dict[str, Any] = dict.fromkeys(("table", "search", "overfit"))
    shown = _shown(run_result, **nothing, metrics={}, report_path="", predictions=made)
    assert "Predictions  1,200 rows" in shown
    assert LONG_PATH in shown.replace("\n", "")


def test_groups_of_rows_break_no_figure(run_result: RunResult) -> None:
    """How many there are stands in lines of their own, so that 80 columns are enough."""
    grouped = {
        rows: each.model_copy(update={"rows": 4_973, "groups": 1_030, "grouped_by": "day of when"})
        for rows, each in run_result.metrics.items()
    }
    shown = _shown(run_result, metrics=grouped)
    assert [shown.count(words) for words in ("4,973 rows", "1,030 groups")] == [3, 3]
    assert "0.900 [0.800, 0.950]" in shown


def test_overfitting_that_cannot_be_judged_is_not_shown_as_good(run_result: RunResult) -> None:
    """With all rows of one site the gap has no limits and is not green."""
    unknown = run_result.overfit.model_copy(update={"low": None, "high": None, "overfitted": False})
    shown = " ".join(_shown(run_result, overfit=unknown).split())
    assert "overfitting cannot be judged: all rows of a set are of one group" in shown
    assert "no overfitting shown" not in shown
    coloured = _shown(run_result, coloured=True, overfit=unknown).splitlines()
    line = next(line for line in coloured if "cannot be judged" in line)
    assert "\x1b[1;33m" in line
    assert "32m" not in line


def test_summary_breaks_no_path(run_result: RunResult) -> None:
    """The report's path has a line of its own, so that it can be copied."""
    assert _shown(run_result).splitlines()[-1] == f"data/iris/reporting/{'long/' * 9}report.html"
    longer = _shown(run_result, report_path="p" * 200)
    assert "p" * 200 in longer.replace("\n", "")


def test_paths_are_whole_where_the_terminal_wraps(run_result: RunResult) -> None:
    """Printed as the hook does it, the report's path is one line at any width."""
    summaries = [
        monitoring_summary(make_monitored(4).verdict, LONG_PATH),
        run_summary(
            model_name="m",
            table=run_result.table,
            search=None,
            overfit=None,
            metrics={},
            versions={},
            report_path=LONG_PATH,
            mlflow_uri="",
            run_id="",
        ),
    ]
    for summary in summaries:
        out = io.StringIO()
        Console(file=out, width=80).print(summary, soft_wrap=True)
        assert out.getvalue().splitlines()[-1] == LONG_PATH


def test_summary_shows_differing_versions_and_few_warnings(run_result: RunResult) -> None:
    """Older versions that a run read are named; many warnings are counted."""
    shown = _shown(run_result, versions={"raw_data": "v1", "train_data": "v2"}, warnings=["w"] * 9)
    assert "version v2, from v1" in shown
    assert "and 8 more in the report" in shown


def test_summary_reads_no_markup_from_names(run_result: RunResult) -> None:
    """Names that look like rich markup or terminal codes are text."""
    shown = _shown(run_result, model_name="[red]x[/red]\x1b[31m", run_id="", metrics={})
    assert "[red]x[/red] [31m: multiclass" in shown
    assert "\x1b" not in shown


def test_summary_of_a_part_of_the_pipelines(run_result: RunResult) -> None:
    """What a partial run did not make is left out; nothing else changes."""
    nothing: dict[str, Any] = {"table": None, "search": None, "overfit": None, "metrics": {}}
    shown = _shown(run_result, versions={}, report_path="", run_id="", **nothing)
    assert shown.split() == [run_result.model_name, "MLflow", "sqlite:///mlflow.db"]
    assert "version v1" in _shown(run_result, **nothing)


def _monitored(verdict: Verdict, **changes: Any) -> list[str]:
    out = io.StringIO()
    changed = verdict.model_copy(update=changes)
    Console(file=out, width=80).print(monitoring_summary(changed, "monitoring.html"))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_monitoring_is_summed_up_in_a_few_lines() -> None:
    """Outcome, reason, a line for each new batch, the error, the warning, and the report."""
    verdict = make_monitored().verdict
    lines = _monitored(verdict)
    assert len(lines) <= 13
    assert lines[0] == "flights: version 2 in production"
    assert lines[1].split() == ["Outcome", "retrain"]
    shown = " ".join(" ".join(lines).split())
    assert f"Error the error has risen: {verdict.concept.observed:.3f} in 18,000 rows (" in shown
    assert f"up to {verdict.concept.tolerated:.3f} is tolerated)" in shown
    assert "and 3 more in the report" in shown
    for item in verdict.batches:
        (line,) = [each for each in lines if f"{item.batch.name}:" in each and "rows" in each]
        assert "2,000 rows, 0 % labelled, drift: dep_delay + 2" in line
    assert "Warning flights_broken.csv" in shown
    assert lines[-1] == "monitoring.html"


def test_monitoring_without_anything_new_is_shorter() -> None:
    """A reason that is already in the error's line is not repeated."""
    verdict = make_monitored(4, labelled=3).verdict
    reason = verdict.concept.reason
    lines = _monitored(
        verdict, outcome="nothing_new", retrain=False, reasons=(reason,), batches=(), warnings=()
    )
    assert lines[1].split() == ["Outcome", "nothing", "new"]
    assert "none is new" in " ".join(lines)
    assert reason[:30] not in " ".join(lines)
    assert len(lines) <= 7


@pytest.mark.parametrize("outcome", ["waiting", "cooling_down"])
def test_what_it_waits_for_is_shown(outcome: str) -> None:
    """The last of any number of reasons says what is needed."""
    verdict = make_monitored().verdict
    reasons = (*verdict.reasons, "500 labelled rows are needed.")
    lines = _monitored(verdict, outcome=outcome, retrain=False, reasons=reasons)
    shown = " ".join(lines)
    assert "500 labelled rows are needed." in shown
    assert "and 3 more in the report" in shown
    assert "Concept drift: " in shown


def test_many_batches_and_warnings_are_counted() -> None:
    """A hundred new batches do not scroll the outcome away; the newest are named."""
    verdict = make_monitored(4).verdict
    batches = tuple(
        BatchResult(
            batch=WatchedBatch(
                name=f"b{i:03}.csv", sha256="0", outcome="quarantined", seen_by="r", rows=i
            )
        )
        for i in range(100)
    )
    lines = _monitored(verdict, batches=batches, warnings=("w",) * 50)
    shown = " ".join(lines)
    assert len(lines) <= 18
    assert "b099.csv: 99 rows, quarantined" in shown
    assert "b000.csv" not in shown
    assert "and 96 more" in shown
    assert "and 48 more in the report" in shown


def test_monitoring_reads_no_markup_from_names() -> None:
    """Terminal codes, rich markup, line breaks and endless names are short, plain text."""
    verdict = make_monitored(4).verdict
    evil = "[red]x[/red]\x1b[31m\nsecond"
    batch = verdict.batches[0].batch.model_copy(update={"name": evil, "drifted": HOSTILE})
    lines = _monitored(
        verdict,
        model_name=evil,
        version=HOSTILE[2],
        reasons=(evil, HOSTILE[2]),
        warnings=(HOSTILE[2],),
        batches=(BatchResult(batch=batch),),
    )
    shown = "\n".join(lines)
    assert "\x1b" not in shown
    assert lines[0].startswith("[red]x[/red] [31m second: version xxx")
    assert len(shown) < 1_500


def test_a_withheld_decision_says_how_the_rest_can_be_seen(run_result: RunResult) -> None:
    """Neither gain nor p-value; how often the rows were used, and the command."""
    decision = make_decision(
        "3", 7, promote=False, outcome="kept", reasons=("a", "b"), gain=0.0123, p_value=0.0456
    )
    shown = " ".join(_shown(run_result, decision=decision.shown()).split())
    assert "used 7 times against version 3" in shown
    assert shown.count("kedro releases --show-test RUN_ID") == 1
    assert "0.0123" not in shown
    assert "0.0456" not in shown
    assert shown == " ".join(_shown(run_result, decision=decision).split())
    elsewhere = " ".join(_shown(run_result, decision=decision, env="mine").split())
    assert elsewhere.count("kedro releases --env mine --show-test RUN_ID") == 1


def test_no_line_ends_with_spaces_outside_of_a_terminal(
    run_result: RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is piped has the lines of the summary, and not what fills their cells."""
    show(summary_of(run_result), soft_wrap=True)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) > 10
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_refused_first_release_ends_with_the_way_out(run_result: RunResult) -> None:
    """What to do, and the command for this run in its environment; nobody else is told."""
    refused = make_decision(
        "none", 0, promote=False, outcome="not_better_than_constant", reasons=("a", "b")
    )
    shown = " ".join(_shown(run_result, decision=refused, run_id="0123456789", env="mine").split())
    assert "collect more rows" in shown
    assert 'all the same: kedro promote --env mine 01234567 --reason "..."' in shown
    assert "kedro promote" not in _shown(run_result, decision=refused, run_id="")
    kept = make_decision("3", 1, promote=False, outcome="kept", reasons=("a", "b"))
    assert "What now" not in _shown(run_result, decision=kept)


def test_figures_on_demand_are_all_of_them_and_tell_their_cost() -> None:
    """Metrics with intervals, every reason, and how often the rows have been used by now."""
    accuracy = Estimate(value=0.9, low=0.8, high=0.95, greater_is_better=True)
    decision = make_decision("3", 7, promote=False, outcome="kept", reasons=("Gain 0.0123.", "b"))
    metrics = make_metrics(accuracy=accuracy)
    texts = []
    for uses in (8, None):
        out = io.StringIO()
        Console(file=out, width=80).print(figures_on_demand("then", metrics, decision, uses))
        texts.append(" ".join(out.getvalue().split()))
    told, free = texts
    assert "test 100 rows" in told
    assert "0.900 [0.800, 0.950]" in told
    assert "Gain 0.0123." in told
    assert "used 8 times against version 3" in told
    assert "written down" not in free
