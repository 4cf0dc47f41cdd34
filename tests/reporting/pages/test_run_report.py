"""Tests of the run's report."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest

from mlops_basics.reporting.figures.importance import importance_figure
from mlops_basics.reporting.pages.run_report import RunResult, run_report
from mlops_basics.schemas import BatchRecord, RefitReport
from tests.support.parsed_page import ParsedPage, assert_needs_no_network, without_plotly


@pytest.fixture
def report(run_result: RunResult) -> str:
    """The report without plotly.js, which is not ours to test."""
    return without_plotly(run_report(run_result))


def test_report_needs_no_network(report: str) -> None:
    """The report loads nothing and can be copied anywhere."""
    assert_needs_no_network(report)


def test_report_is_deterministic(run_result: RunResult) -> None:
    """The same results give the same bytes."""
    assert run_report(run_result) == run_report(run_result)


def test_report_escapes_hostile_names(report: str) -> None:
    """Markup in names is shown as text; the page's scripts are ours alone."""
    assert "alert(1)</script>" not in report
    assert "<script>alert" not in report
    assert "<b>" not in report
    assert "x" * 500 not in report
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report
    assert report.count("<script") == report.count("</script>") == 1 + 5


def test_report_says_what_a_reader_wants_first(report: str) -> None:
    """Task, leading test metric with interval, verdict and all warnings come before the table."""
    words = ParsedPage(report.split("How good it is")[0]).words
    assert "multiclass model of" in words
    assert re.search(
        r"Accuracy on 11 test rows: +0\.900 +\(95 % interval 0\.800 to 0\.950\)", words
    )
    assert "overfitted: may not be promoted" in words
    assert all(f"{where} warning" in words for where in ("table", "split"))
    assert "collection <script>" in words


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("none", "1,050 rows: train rows, by the search (training.refit: none)"),
        ("train_valid", "1,050 rows: train and valid rows together (training.refit: train_valid)"),
        ("all", "1,050 rows: all rows, the test rows too (training.refit: all)"),
    ],
)
def test_report_says_what_the_model_was_fitted_on(run_result: RunResult, rule, said) -> None:
    """How many rows, by which rule, and what the columns of the metrics are of."""
    refit = RefitReport(rule=rule, rows=1050)
    page = run_report(dataclasses.replace(run_result, refit=refit))
    words = ParsedPage(without_plotly(page)).sections["How good it is"]
    assert f"Fitted on: The model to release was fitted on {said}" in words
    assert ("search's own fit, on train rows alone" in words) == (rule != "none")


def test_report_shows_metrics_that_are_not_defined(report: str) -> None:
    """None and NaN are "not defined", in each of three sets; the direction is said."""
    page = ParsedPage(report)
    words = page.sections["How good it is"]
    assert words.count("not defined") == 6
    assert words.count("higher is better") == 2
    assert words.count("lower is better") == 1
    assert not {"nan", "None"} & set(page.words.split())


def test_report_says_what_its_intervals_take_as_independent(run_result: RunResult) -> None:
    """Rows in all sets; days in some; with what does not suit them."""
    words = ParsedPage(run_report(run_result)).words
    assert "Intervals take the rows as independent." in words
    sets = dict(run_result.metrics)
    days = {"groups": 30, "grouped_by": "day of when"}
    hours = {"groups": 90, "grouped_by": "hour of when", "grouping_note": "hours may err together"}
    for name, update in (("train", days), ("valid", days), ("test", hours)):
        sets[name] = sets[name].model_copy(update=update)
    words = ParsedPage(run_report(dataclasses.replace(run_result, metrics=sets))).words
    assert (
        "Intervals of test take the groups (hour of when), since rows of one may err together, as "
        "independent (hours may err together). Intervals of valid and train take the groups (day "
        "of when), since rows of one may err together, as independent."
    ) in words
    assert "11 rows of 90 groups" in words


def test_report_badge_of_unknown_overfitting_is_neutral(run_result: RunResult) -> None:
    """Unknown overfitting is shown as neither good nor bad."""
    unknown = run_result.overfit.model_copy(update={"low": None, "high": None, "overfitted": False})
    page = run_report(dataclasses.replace(run_result, overfit=unknown))
    assert '<span class="badge neutral">overfitting cannot be judged' in page


def test_report_holds_data_and_search(report: str) -> None:
    """Batches, split, class shares, dropped columns and the search are there."""
    words = ParsedPage(report).words
    expected = [
        "0123456789ab",
        "60 of 80 in the source",
        "by time: train 40, valid 10, test 10",
        "test: 2024-02-01T00:00:00",
        "75.0 %",
        "constant",
        "depth = 3",
        "6 of 20",
        "time limit after 6 of 20 trials",
    ]
    assert [each for each in expected if each not in words] == []
    assert "0123456789abc" not in words


def test_report_says_what_is_left_out_of_a_wide_table(run_result: RunResult) -> None:
    """Pairs of columns beyond the first hundred are not compared by the monitor."""
    assert "correlations" not in run_report(run_result)
    numeric = tuple(f"c{i}" for i in range(1_234))
    table = run_result.table.model_copy(update={"numeric": numeric})
    page = run_report(dataclasses.replace(run_result, table=table))
    assert "each of 1,234 numeric columns, but of their correlations those of the first 100" in page


def test_report_bounds_long_lists(run_result: RunResult) -> None:
    """A thousand batches do not make a thousand lines."""
    batches = tuple(BatchRecord(name=f"b{i}.csv", sha256="0" * 64, rows=1) for i in range(1_000))
    collection = run_result.collection.model_copy(update={"batches": batches})
    many = dataclasses.replace(run_result, collection=collection, figures={}, metrics={})
    report = run_report(many)
    assert "and 980 more batches" in report
    assert "b19.csv" in report
    assert "b20.csv" not in report


def test_report_of_a_wide_table_is_no_longer(run_result: RunResult) -> None:
    """Two thousand columns, each with a warning or dropped, are counted, not listed."""
    pages = {}
    for columns in (100, 2_000):
        names = [f"c{i:04d}" for i in range(columns)]
        table = run_result.table.model_copy(
            update={
                "features": tuple(names),
                "numeric": tuple(names),
                "warnings": tuple(f"Column '{name}' has another value." for name in names),
                "dropped_columns": {f"d{name}": "one value in all rows" for name in names},
            }
        )
        importance = pd.DataFrame({"feature": names, "rise": 0.1, "spread": 0.01, "rows": 90})
        wide = dataclasses.replace(
            run_result, table=table, figures={"Importance": importance_figure(importance)}
        )
        pages[columns] = without_plotly(run_report(wide))
    assert len(pages[2_000]) < 1.01 * len(pages[100])
    words = ParsedPage(pages[2_000]).words
    assert re.search(r"and 1,96\d more warnings", words)
    assert "and 1,980 more" in words
    assert "top 20 of 2000" in pages[2_000]
