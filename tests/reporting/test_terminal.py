"""Tests of the summary in the terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from mlops_basics.reporting.run_report import RunFindings
from mlops_basics.reporting.terminal import run_summary


def _shown(findings: RunFindings, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "model_name": findings.model_name,
        "table": findings.table,
        "search": findings.search,
        "overfit": findings.overfit,
        "metrics": findings.metrics,
        "versions": {"raw_data": "v1", "train_data": "v1"},
        "report_path": "data/iris/reporting/" + "long/" * 9 + "report.html",
        "mlflow_uri": "sqlite:///mlflow.db",
        "run_id": "abc123",
    }
    out = io.StringIO()
    Console(file=out, width=80).print(run_summary(**{**arguments, **changes}))
    return out.getvalue()


def test_summary_is_short_and_complete(findings: RunFindings) -> None:
    """At most 20 lines hold metrics with intervals, verdict, versions and where to look next."""
    shown = _shown(findings)
    lines = shown.splitlines()
    assert len(lines) <= 20
    expected = ["0.900 [0.800, 0.950]", "not defined", "overfitted: may not be promoted", "v1"]
    expected += [
        "tolerance 25 %",
        "6 of 20 trials",
        "table warning",
        "sqlite:///mlflow.db",
        "abc123",
    ]
    assert [each for each in expected if each not in shown] == []
    assert "↑ Accuracy" in shown
    assert "↓ Log loss" in shown
    assert max(len(line) for line in lines[:-1]) <= 80


def test_summary_breaks_no_path(findings: RunFindings) -> None:
    """The report's path has a line of its own, so that it can be copied."""
    assert _shown(findings).splitlines()[-1] == f"data/iris/reporting/{'long/' * 9}report.html"
    longer = _shown(findings, report_path="p" * 200)
    assert "p" * 200 in longer.replace("\n", "")


def test_summary_shows_differing_versions_and_few_warnings(findings: RunFindings) -> None:
    """Older versions that a run read are named; many warnings are counted."""
    shown = _shown(findings, versions={"raw_data": "v1", "train_data": "v2"}, warnings=["w"] * 9)
    assert "version v2, from v1" in shown
    assert "and 8 more in the report" in shown


def test_summary_reads_no_markup_from_names(findings: RunFindings) -> None:
    """Names that look like rich markup or terminal codes are text."""
    shown = _shown(findings, model_name="[red]x[/red]\x1b[31m", run_id="", metrics={})
    assert "[red]x[/red] [31m: multiclass" in shown
    assert "\x1b" not in shown


def test_summary_of_a_part_of_the_pipelines(findings: RunFindings) -> None:
    """What a partial run did not make is left out; nothing else changes."""
    nothing: dict[str, Any] = {"table": None, "search": None, "overfit": None, "metrics": {}}
    shown = _shown(findings, versions={}, report_path="", run_id="", **nothing)
    assert shown.split() == [findings.model_name, "MLflow", "sqlite:///mlflow.db"]
    assert "version v1" in _shown(findings, **nothing)
