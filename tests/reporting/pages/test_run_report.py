"""Tests of the run's report."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest

from mlops_basics.reporting.figures.importance import importance_figure
from mlops_basics.reporting.pages.run_report import RunResult, run_report
from mlops_basics.schemas import BatchRecord, CurvePoint, RefitReport
from tests.support.artifacts import make_compared, make_decision, make_run_context
from tests.support.decided import make_gate, make_request
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
    assert report.count("<script") == report.count("</script>") == 2 + 5


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


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ((0.7, 0.6, 0.55), "0.550 by 400 rows; twice as many rows may bring some 0.025 less."),
        ((0.5, 0.6, 0.55), "0.550 by 400 rows; twice as many rows may bring some 0.050 less."),
        ((0.6, 0.55, 0.55), "0.550 by 400 rows; more rows promise nothing."),
    ],
    ids=["half as much each time", "no trend yet", "nothing more"],
)
def test_report_says_what_more_rows_may_bring(run_result: RunResult, losses, said) -> None:
    """By the last doublings; nothing of a table whose rows are all used."""
    curve = tuple(CurvePoint(rows=100 * 2**at, loss=loss) for at, loss in enumerate(losses))
    refit = RefitReport(rule="none", rows=400, loss="log loss", curve=curve)
    page = run_report(dataclasses.replace(run_result, refit=refit))
    words = ParsedPage(without_plotly(page)).sections["How good it is"]
    assert "The table has more than may be used: log loss on valid rows is" in words
    assert said in words


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


def test_report_compares_with_the_constant(run_result: RunResult) -> None:
    """In the first line, in a column, and a class that is not found is a warning."""
    compared = make_compared()
    sample = compared.model_copy(update={"rows": 20_000, "of_rows": 600_000})
    metrics = {"train": sample, "valid": compared, "test": compared}
    page = ParsedPage(without_plotly(run_report(dataclasses.replace(run_result, metrics=metrics))))
    first = page.words.split("How good it is")[0]
    assert re.search(
        r"Accuracy on 786 test rows: +0\.815 +\(95 % interval .*?\); always 'no' has 0\.808", first
    )
    assert "'yes' is hardly ever predicted: of its 151 test rows 7 are found" in first
    words = " ".join(page.sections["How good it is"].split())
    assert "constant the same rows" in words
    assert "20,000 rows, of 600,000" in words
    assert re.search(r"0\.786 to 0\.841 0\.808 0\.815", words)


def test_report_says_which_run_it_is_of(run_result: RunResult) -> None:
    """Date, run, commit, data version, what was in production, and the columns with types."""
    table = run_result.table.model_copy(
        update={
            "features": ("age", "seen", "town"),
            "numeric": ("age",),
            "times": {"seen": "year"},
        }
    )
    decision = make_decision("3", 1)
    changed = dataclasses.replace(
        run_result, table=table, context=make_run_context(), decision=decision
    )
    page = ParsedPage(without_plotly(run_report(changed)))
    words = " ".join(page.sections["This run"].split())
    for expected in (
        "Date 2026-01-02 03:04 UTC",
        "Run 2026-01-02T03.04.05.678Z",
        f"MLflow run {'a' * 32}",
        "Commit 0123456789abcdef Data",
        "Data version 2026-01-01T00.00.00.000Z",
        "In production then release 3",
    ):
        assert expected in words
    data = " ".join(page.sections["Data"].split())
    assert "age number seen time town text" in data
    dirty = make_run_context(code=make_run_context().code.model_copy(update={"git_dirty": True}))
    page = run_report(dataclasses.replace(changed, context=dirty))
    assert "0123456789abcdef, with changes that are not committed" in page


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
            run_result,
            table=table,
            figures={"Importance": importance_figure(importance, "log_loss")},
        )
        pages[columns] = without_plotly(run_report(wide))
    assert len(pages[2_000]) < 1.01 * len(pages[100])
    words = ParsedPage(pages[2_000]).words
    assert re.search(r"and 1,96\d more warnings", words)
    assert "and 1,980 more" in words
    assert "The 20 largest of 2,000." in pages[2_000]


def test_report_explains_the_words_of_figures_that_it_shows(run_result: RunResult) -> None:
    """Of a decision whose figures are withheld it shows no p-value, and explains none."""
    values = {"promote": False, "outcome": "kept", "gain": 0.1, "p_value": 0.5, "alpha": 0.005}
    found = []
    for number in (1, 2):
        decision = make_decision("3", number, **values)
        compared = {"decision": decision, "request": make_request(), "gate": make_gate()}
        page = ParsedPage(without_plotly(run_report(dataclasses.replace(run_result, **compared))))
        found.append("p-value" in page.sections["Words"])
        assert "challenger a model that was trained" in page.sections["Words"]
    assert found == [True, False]
