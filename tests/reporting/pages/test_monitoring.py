"""Tests of the page about a release in production."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from mlops_basics.reporting.monitoring_text import CONCEPT_STATUSES, LOSSES, OUTCOMES
from mlops_basics.reporting.pages.monitoring import write_monitoring_page
from mlops_basics.reporting.text import number
from mlops_basics.schemas import (
    Attempt,
    BatchResult,
    ConceptResult,
    LabelCount,
    MonitoringState,
    Verdict,
    Watch,
    WatchedBatch,
)
from mlops_basics.stats.data_drift.table_drift import TableProfile
from tests.support.artifacts import HOSTILE
from tests.support.monitored import Monitored, make_monitored
from tests.support.parsed_page import ParsedPage, assert_needs_no_network, tables, without_plotly

QUIET = "No change is shown."


@pytest.fixture(scope="module")
def report(monitored: Monitored) -> str:
    """Its page without plotly.js, which is not ours to test."""
    return write(monitored)


def write(monitored: Monitored, **changes: Any) -> str:
    """The page of a verdict with changes, without plotly.js."""
    verdict = monitored.verdict.model_copy(update=changes)
    _, *others = monitored.page_arguments
    return without_plotly(write_monitoring_page(verdict, *others))


def rows_of(markup: str, caption: str, first: str = "") -> list[list[str]]:
    """The rows of the table whose caption and first head cell begin so."""
    (table,) = [
        table
        for table in tables(markup)
        if table.caption.startswith(caption) and table.head[0].startswith(first)
    ]
    return table.rows


def test_page_needs_no_network(report: str) -> None:
    """The page loads nothing and can be copied anywhere."""
    assert_needs_no_network(report)


def test_page_is_small_and_holds_no_script(monitored: Monitored) -> None:
    """Its figures stand still: without plotly.js, which would be in every look's page."""
    page = write_monitoring_page(*monitored.page_arguments)
    assert page.count("<svg") == 2 + 3
    assert "<script" not in page
    assert len(page) < 100_000


@pytest.mark.slow
def test_page_stays_small_after_many_batches() -> None:
    """After 200 batches it is still below 300 kB."""
    long = make_monitored(batches=200, rows=100, labelled=190)
    assert len(write_monitoring_page(*long.page_arguments)) < 300_000


def test_page_is_deterministic(monitored: Monitored) -> None:
    """The same results give the same bytes."""
    assert write(monitored) == write(monitored)


def test_the_headline_says_what_matters(monitored: Monitored, report: str) -> None:
    """Outcome, the first reason, the error's status and the number of drifted columns."""
    words = ParsedPage(report).sections[""]
    expected = ("retrain", "the error has risen", "3 drifted columns", "Version 2 in production")
    assert [each for each in (*expected, monitored.verdict.reasons[0]) if each not in words] == []


def test_every_outcome_has_words(monitored: Monitored) -> None:
    """Every outcome, status and loss has a text."""
    assert set(OUTCOMES) == set(Verdict.model_fields["outcome"].annotation.__args__)
    assert set(CONCEPT_STATUSES) == set(ConceptResult.model_fields["status"].annotation.__args__)
    assert set(LOSSES) == set(Watch.model_fields["loss"].annotation.__args__)
    calm = monitored.verdict.concept.model_copy(update={"status": "no_drift", "alarm_row": None})
    for outcome, words in OUTCOMES.items():
        shown = write(monitored, outcome=outcome, concept=calm, batches=(), reasons=(QUIET,))
        assert f">{words}</span>" in shown.split("</header>")[0]


def test_no_drift_is_said_only_where_none_was_found(monitored: Monitored) -> None:
    """Drift that leads to no retraining is drift all the same."""
    for outcome in ("no_drift", "nothing_new"):
        headline = write(monitored, outcome=outcome, retrain=False).split("</header>")[0]
        assert "drift, no new reason to retrain" in headline
        assert ">no drift<" not in headline


@pytest.mark.parametrize("outcome", ["waiting", "cooling_down"])
def test_what_is_waited_for_is_the_sentence_that_matters(monitored: Monitored, outcome) -> None:
    """The sentence that matters is the last reason."""
    headline = write(monitored, outcome=outcome, reasons=("first", "500 more rows are needed"))
    assert '<p class="lead">500 more rows are needed</p>' in headline


def test_the_concept_section_holds_the_numbers(monitored: Monitored, report: str) -> None:
    """Reference, limits, what was observed, level, and where the alarm was raised."""
    concept = monitored.verdict.concept
    words = ParsedPage(report).sections["The model's error"]
    expected = (
        concept.reason,
        f"{concept.observed:.3f} in 18,000 labelled rows",
        f"{concept.reference:.3f} on 4,000 test rows",
        f"not above {concept.reference_upper:.3f}",
        f"{concept.tolerated:.3f}: that upper limit and a tolerance of 0.01",
        f"at labelled row {concept.alarm_row:,}",
        "row by row; the chance of a false alarm, ever, is 1 % at most",
    )
    assert [each for each in expected if each not in words] == []
    assert "Would be found" not in words


def test_a_quiet_test_says_what_it_would_find(monitored: Monitored) -> None:
    """The smallest error, its evidence so far, and the block."""
    quiet = {"status": "no_drift", "alarm_row": None, "block": 25, "wealth": 0.25}
    concept = monitored.verdict.concept.model_copy(update=quiet | {"smallest": 0.1525})
    words = ParsedPage(write(monitored, concept=concept)).words
    assert "an error of 0.152 within 8,000 more rows" in words
    assert "at its peak 25 % of what raises the alarm" in words
    assert "in blocks of 25 rows" in words
    assert "The test takes blocks of 25 rows as independent" in words
    blind = concept.model_copy(update={"smallest": None})
    assert "no rise within 8,000 more rows" in ParsedPage(write(monitored, concept=blind)).words


def test_the_early_warning_stands_beside_what_was_observed(
    monitored: Monitored, report: str
) -> None:
    """With both means of the labelled batches, and plain words about what it cannot see."""
    used = [batch for batch in monitored.watch.batches if batch.number]
    expected = sum(batch.expected_error or 0 for batch in used[:9]) / 9
    observed = sum(batch.error or 0 for batch in used[:9]) / 9
    waits = sum(batch.expected_error or 0 for batch in used[9:]) / 3
    words = ParsedPage(report).sections["Early warning, while labels are missing"]
    assert f"9 batches with labels expected {expected:.3f}, observed {observed:.3f}" in words
    assert f"3 batches that wait for labels expected {waits:.3f}" in words
    assert "it trusts the model's own probabilities" in words
    assert "relation between the features and the target changes" in words


def test_each_batch_has_a_line(monitored: Monitored, report: str) -> None:
    """The newest first: rows, what it is, labels, error with interval, expected error, drift."""
    rows = {row[0]: row[1:] for row in rows_of(report, "Newest first", "Batch")}
    assert next(iter(rows)) == "flights_2013_12.csv"
    assert len(rows) == 13
    for batch in monitored.watch.batches:
        row = rows[batch.name]
        assert row[0] == f"{batch.rows:,}"
        assert row[1].startswith(batch.outcome)
        if batch.entered:
            around = f"{batch.error:.3f} ({batch.error_low:.3f} to {batch.error_high:.3f})"
            assert row[2:4] == ["100 %", f"{around} alarm" if batch.alarm else around]
        elif batch.number:
            assert row[2:4] == ["0 %", "waits for labels"]
        assert row[5] == ", ".join(batch.drifted)
    assert "lacks the column 'origin'" in rows["flights_broken.csv"][1]


def test_bad_batches_are_shown_with_what_to_do(monitored: Monitored, report: str) -> None:
    """Reason, advice, and whether a training leaves it out."""
    words = ParsedPage(report).sections["Batches that cannot be used as they are"]
    assert "The file lacks the column 'origin'. Write it again." in words
    assert "Mend or remove the file." in words
    assert words.endswith("yes")
    good = [batch for batch in monitored.watch.batches if batch.outcome == "used"]
    watch = monitored.watch.model_copy(update={"batches": tuple(good)})
    changed = dataclasses.replace(monitored, state=MonitoringState(watches={"2": watch}))
    assert "cannot be used as they are" not in write(changed)


def test_verdicts_of_columns_are_sorted(monitored: Monitored, report: str) -> None:
    """Drifted ones first, the largest certain effect first among them; each with its numbers."""
    for item in monitored.verdict.batches:
        rows = rows_of(report, item.batch.name)
        drifted = [each for each in item.columns if each.drifted]
        by_size = sorted(drifted, key=lambda each: -each.lower / each.threshold)
        assert [row[0].split()[0] for row in rows[: len(drifted)]] == [e.column for e in by_size]
        assert [row[1] for row in rows] == ["drift"] * len(drifted) + ["not shown"] * (
            len(item.columns) - len(drifted)
        )
        for row, each in zip(rows, by_size, strict=False):
            assert row[2:5] == [f"{each.effect:.3f}", f"{each.lower:.3f}", f"{each.threshold:g}"]
            assert row[5] == f"{each.smallest:.3f}"
            assert row[7] == each.reason


def test_each_drifted_column_is_drawn_once(monitored: Monitored, report: str) -> None:
    """Each drifted column is drawn once, for the batch in which it drifted most."""
    drawn = re.findall(r"<h3>(\w+) in (flights\S+)</h3>", report)
    worst: dict[str, tuple[float, str]] = {}
    for item in monitored.verdict.batches:
        for each in item.columns:
            if each.drifted:
                excess = (each.lower / each.threshold, item.batch.name)
                worst[each.column] = max(excess, worst.get(each.column, excess))
    assert dict(drawn) == {name: batch for name, (_, batch) in worst.items()}
    assert [name for name, _ in drawn] == sorted(worst, key=lambda name: -worst[name][0])


def test_at_most_twelve_columns_are_drawn(monitored: Monitored) -> None:
    """However many have drifted; joint changes have no figure."""
    name = "flights_2013_12.csv"
    (item,) = [each for each in monitored.verdict.batches if each.batch.name == name]
    one = next(each for each in item.columns if each.drifted and each.kind == "numeric")
    many = [dataclasses.replace(one, column=f"c{i}", lower=0.1 + i / 100) for i in range(30)]
    joint = dataclasses.replace(one, column="c0", kind="correlation", lower=99.0)
    profile = TableProfile(
        columns={f"c{i}": monitored.reference.columns["hour"] for i in range(30)},
        joint=monitored.reference.joint,
    )
    verdict = monitored.verdict.model_copy(
        update={"batches": (BatchResult(batch=item.batch, columns=(joint, *many)),)}
    )
    page = write_monitoring_page(verdict, monitored.state, {name: profile}, profile)
    drawn = re.findall(rf"<h3>(\w+) in {name}</h3>", page)
    assert drawn == [f"c{i}" for i in range(29, 17, -1)]
    assert len(rows_of(page, name)) == 25 + 1
    assert "and 6 more verdicts" in page


def test_a_column_that_the_batch_lacks_is_named_and_not_drawn(monitored: Monitored) -> None:
    """A change of the schema is no figure, and its reason is shown."""
    item = monitored.verdict.batches[-1]
    gone = dataclasses.replace(
        item.columns[0], effect=None, drifted=False, reason="it is absent from the batch"
    )
    item = item.model_copy(update={"columns": (gone,)})
    page = write(monitored, batches=(item,))
    (row,) = rows_of(page, item.batch.name)
    assert row[1] == "not judged"
    assert row[-1] == "it is absent from the batch"


def test_the_timeline_holds_looks_and_retrainings(report: str) -> None:
    """Of this and of earlier releases, the newest first, each retraining after what it knew."""
    rows = rows_of(report, "Newest first", "Release")
    events = [(row[0], row[1], row[2]) for row in rows]
    assert events[0] == ("version 2", "run10", "now: retrain")
    assert events[1:4] == [
        ("version 2", "run09", "drift"),
        ("version 2", "run08", "drift"),
        ("version 2", "retrain_a", "retraining: kept the old one"),
    ]
    assert events[4][1:] == ("run07", "the error had risen drift")
    assert events[-2:] == [
        ("version 1", "old_retrain", "retraining: promoted"),
        ("version 1", "old_run", "the error had risen"),
    ]
    assert rows[0][3].startswith("3 batches, flights_2013_10.csv to flights_2013_12.csv")
    assert "1 quarantined" in next(row[3] for row in rows if row[1] == "run05")


def test_warnings_come_first(report: str) -> None:
    """Warnings are shown before the reasons."""
    headings = re.findall("<h2>(.*?)</h2>", report)
    assert headings[:2] == ["Know before you read on", "Why"]


def test_the_limits_are_stated(report: str) -> None:
    """The page names the limits: bursts, the order of labels, and the reference's own rows."""
    words = ParsedPage(report).sections["What these methods cannot see"]
    for expected in ("bursts", "labelled sooner", "chosen over others on these rows", "not shown"):
        assert expected in words


def test_a_release_without_batches_is_readable(monitored: Monitored) -> None:
    """On the first day there is nothing to see, and the page says so."""
    concept = monitored.verdict.concept.model_copy(
        update={
            "status": "no_labels",
            "rows": 0,
            "observed": None,
            "wealth": 0.0,
            "alarm_row": None,
            "reason": "no labels yet, of 0 batches",
        }
    )
    verdict = Verdict(
        model_name="flights",
        version="3",
        run_id="r",
        retrain=False,
        outcome="nothing_new",
        evidence=(),
        reasons=(concept.reason,),
        concept=concept,
    )
    watch = Watch(version="3", loss="error", sequential={})
    for watches in ({"3": watch}, {}):
        state = MonitoringState(watches=watches)
        page = write_monitoring_page(verdict, state, {}, monitored.reference)
        words = ParsedPage(page).words
        expected = (
            "nothing new",
            "Nothing that calls for a retraining has been shown.",
            "No batch and no label is new.",
            "no labelled batch counts yet",
            "No batch has labels or an expected error yet.",
            "No batch has come after the release.",
            "No batch has been judged yet.",
            "No batch was judged in this run.",
            "no batch was new",
        )
        assert [each for each in expected if each not in words] == []
        assert "None" not in words
        assert "nan" not in words


def test_batches_without_labels_or_drift_are_readable() -> None:
    """Undrifted columns, no label, no error: words where numbers are missing."""
    words = ParsedPage(write(make_monitored(5, labelled=0))).words
    assert "no column has drifted" in words
    assert "drifted most" not in words
    assert "5 batches that wait for labels" in words
    assert "None" not in words


def test_a_regression_expects_no_error(monitored: Monitored) -> None:
    """A regression has no probabilities, and so no early warning."""
    batches = [b.model_copy(update={"expected_error": None}) for b in monitored.watch.batches]
    watch = monitored.watch.model_copy(update={"batches": tuple(batches), "loss": "absolute_error"})
    changed = dataclasses.replace(monitored, state=MonitoringState(watches={"2": watch}))
    concept = monitored.verdict.concept.model_copy(update={"loss": "absolute_error"})
    words = ParsedPage(write(changed, concept=concept)).words
    assert "gives no probabilities" in words
    assert "absolute error" in words


def test_a_regression_speaks_in_the_unit_of_its_target(monitored: Monitored) -> None:
    """Of prices whose largest error that counts is 800, wherever an error is read."""
    update = {"loss": "absolute_error", "scale": 800.0}
    loss = monitored.verdict.concept
    concept = loss.model_copy(update=update)
    page = ParsedPage(write(monitored, concept=concept))
    words = page.sections["The model's error"]
    expected = (
        "mean absolute error, in the target's unit (an error above 800.000 counts as that)",
        f"{number(800 * loss.observed)} in 18,000 labelled rows",
        f"{number(800 * loss.reference)} on 4,000 test rows",
        f"not above {number(800 * loss.reference_upper)}",
        f"{number(800 * loss.tolerated)}: that upper limit and a tolerance of 8",
    )
    assert [each for each in expected if each not in words] == []
    batch = next(batch for batch in monitored.watch.batches if batch.entered)
    ends = f"({number(800 * batch.error_low)} to {number(800 * batch.error_high)})"
    assert f"{number(800 * batch.error)} {ends}" in page.sections["Batches"]


def test_long_lists_are_cut(monitored: Monitored) -> None:
    """A thousand batches, reasons and retrainings do not make a thousand lines."""
    batch = monitored.watch.batches[-1]
    batches = tuple(
        batch.model_copy(update={"name": f"b{i}", "number": i + 1, "seen_by": f"r{i}"})
        for i in range(1_000)
    )
    watch = monitored.watch.model_copy(update={"batches": batches})
    changed = dataclasses.replace(monitored, state=MonitoringState(watches={"2": watch}))
    item = monitored.verdict.batches[-1]
    many = tuple(
        item.model_copy(update={"batch": each, "notes": ("note",)}) for each in batches[:100]
    )
    long = tuple(f"reason {i}" for i in range(1_000))
    page = write(changed, reasons=long, warnings=long, skip=long, batches=many)
    for expected in (
        "and 960 more earlier batches",
        "and 960 more reasons",
        "and 960 more warnings",
        "and 980 more files",
        "90 more batches were judged",
    ):
        assert expected in page
    assert page.count("<tr>") < 600
    assert len(page) < 2_000_000


def test_hostile_names_are_escaped(monitored: Monitored) -> None:
    """Every text that data, files or runs can choose: none becomes markup, none floods the page."""
    evil, quotes, endless = HOSTILE
    lines = "two\nlines" + evil
    item = monitored.verdict.batches[-1]
    column = next(each for each in item.columns if each.drifted and each.kind == "numeric")
    profile = monitored.reference.columns[column.column]
    table = TableProfile(
        columns=dict.fromkeys((*HOSTILE, lines), profile), joint=monitored.reference.joint
    )
    columns = tuple(
        dataclasses.replace(column, column=name, where=name, reason=name, measure=name)
        for name in (*HOSTILE, lines)
    )
    batches = tuple(
        WatchedBatch(
            name=name,
            sha256="0",
            outcome="used" if number < 4 else "quarantined",
            reason=name,
            seen_by=name,
            number=number if number < 4 else 0,
            rows=5,
            drifted=(*HOSTILE, lines),
            effects=dict.fromkeys((*HOSTILE, lines), 2.0),
            labels=LabelCount(rows=5, labelled=0),
            expected_error=0.1,
        )
        for number, name in enumerate((*HOSTILE, lines), start=1)
    )
    attempt = Attempt(run_id=evil, evidence=HOSTILE, batches=1, labelled_batches=0, outcome=endless)
    watch = Watch(
        version=evil,
        loss="error",
        sequential={},
        batches=batches,
        attempts=(attempt,),
        pending=HOSTILE,
    )
    verdict = monitored.verdict.model_copy(
        update={
            "model_name": evil,
            "version": evil,
            "run_id": endless,
            "evidence": HOSTILE,
            "reasons": (*HOSTILE, lines),
            "warnings": HOSTILE,
            "skip": HOSTILE,
            "concept": monitored.verdict.concept.model_copy(update={"reason": endless + evil}),
            "batches": tuple(
                BatchResult(batch=batch, columns=columns, notes=(evil, endless, lines))
                for batch in batches
            ),
        }
    )
    earlier = watch.model_copy(update={"version": quotes})
    state = MonitoringState(watches={quotes: earlier, evil: watch})
    profiles = {batch.name: table for batch in batches}
    page = without_plotly(write_monitoring_page(verdict, state, profiles, table))
    assert "<script>alert" not in page
    assert "alert(1)</script>" not in page
    assert "<b>" not in page
    assert "x" * 700 not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<svg") == page.count("</svg>") == 2 + 4
    assert "<script" not in page
    assert len(page) < 400_000


def test_no_badge_is_green_while_the_newest_errors_are_above_the_limit(
    monitored: Monitored,
) -> None:
    """The page says what is known: no proof yet, or a rise that a search has answered."""
    above = {"status": "no_drift", "alarm_row": None, "newest": 0.2, "newest_rows": 300}
    for update, words in (
        ({"tolerated": 0.13}, "above the 0.130 that the release's reference allows: not shown yet"),
        ({"tolerated": 0.3, "own_tolerated": 0.13}, "a search has answered this rise"),
    ):
        concept = monitored.verdict.concept.model_copy(update=above | update)
        verdict = {"outcome": "no_drift", "reasons": (QUIET,), "batches": (), "concept": concept}
        page = write(monitored, **verdict)
        head = page[: page.index("<h2>Why</h2>")]
        assert "the error is above its limit" in head
        assert words in ParsedPage(page).words
        assert "badge good" not in head
    calm = monitored.verdict.concept.model_copy(update=above | {"newest": 0.1, "tolerated": 0.13})
    page = write(monitored, outcome="no_drift", reasons=(QUIET,), batches=(), concept=calm)
    assert CONCEPT_STATUSES["no_drift"] in page[: page.index("<h2>Why</h2>")]
