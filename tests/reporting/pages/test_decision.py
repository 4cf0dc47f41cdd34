"""Tests of the page about a decision."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest

from mlops_basics.reporting.decision_text import OUTCOMES, decision_badge
from mlops_basics.reporting.figures.decision import gain_figure
from mlops_basics.reporting.pages.decision import view_decision
from mlops_basics.reporting.pages.render import render
from mlops_basics.schemas import ROW_HASH_COLUMN, Decision
from tests.support.artifacts import HOSTILE, make_guard
from tests.support.decided import CLASSES, make_decision, make_gate, make_request
from tests.support.parsed_page import tables


def section(decision=None, request=None, gate=None):
    """The section's markup."""
    view = view_decision(
        decision or make_decision(),
        request or make_request(),
        make_gate() if gate is None else gate,
    )
    return render("decision.html", decision=view)


def shown(*arguments, **named):
    """The section's markup, its figures left out."""
    return re.sub("<figure.*?</figure>", "", section(*arguments, **named), flags=re.DOTALL)


def test_every_outcome_has_words():
    """Every outcome has a text; only promotions are shown as good."""
    outcomes = Decision.model_fields["outcome"].annotation.__args__
    assert set(OUTCOMES) == set(outcomes)
    for outcome in outcomes:
        promote = outcome in ("promoted", "first_release")
        decision = make_decision(outcome=outcome, promote=promote)
        badge = decision_badge(decision)
        assert badge.words in html.unescape(shown(decision))
        assert (badge.tone == "good") == promote


def test_the_page_shows_the_gain_with_its_interval():
    """The page has gain, interval, threshold, p-value, level, smallest gain, rows and challenge."""
    markup = html.unescape(shown())
    words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", markup))
    for expected in (
        "It is shown to be better.",
        "1,234: test rows of new batches",
        "Measured by Log loss, in nats",
        "0.125",
        "99 % interval 0.062 to 0.188",
        "it has to exceed 0.03125",
        "0.00123; the level, at most allowed, is 0.005",
        "0.094",
        "number 7 against version 3",
    ):
        assert expected in words


def test_the_figure_shows_what_the_words_say():
    """The figure shows the gain and both ends of an interval of any width."""
    figure = gain_figure(make_decision())
    (drawn,) = figure.data
    assert drawn.x[0] == 0.125
    assert drawn.error_x.array[0] == pytest.approx(0.1875 - 0.125)
    assert drawn.error_x.arrayminus[0] == pytest.approx(0.125 - 0.0625)
    lines = sorted(shape.x0 for shape in figure.layout.shapes)
    assert lines == [0.03125, 0.09375]
    assert "nats" in figure.layout.title.text


def test_an_undefined_interval_is_said_to_be():
    """The figure is drawn all the same."""
    decision = make_decision(low=None, high=None, smallest_gain=None)
    assert "interval not defined" in shown(decision)
    figure = gain_figure(decision)
    assert figure.data[0].error_x.array[0] == 0
    assert len(figure.layout.shapes) == 1


def test_each_class_is_counted_for_both_models():
    """Counts equal an independent count; the largest class is first, empty ones are left out."""
    gate = make_gate()
    y = gate["y"]
    right = {
        name: gate[[f"{name}_{k}" for k in range(4)]].set_axis(range(4), axis=1).idxmax(axis=1) == y
        for name in ("champion", "challenger")
    }
    expected = []
    for code, rows in y.value_counts(sort=True).items():
        hits = [int(right[name][y == code].sum()) for name in right]
        shares = [f"{hit} ({100 * hit / rows:.1f} %)" for hit in hits]
        expected.append([CLASSES[code], str(rows), *shares, f"{hits[1] - hits[0]:+}"])
    _, head, rows = tables(shown(gate=gate))[0]
    assert head == ["Class", "Rows", "version 3", "challenger", "more right"]
    assert sorted(rows) == sorted(expected)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    assert len(rows) == 3


@pytest.mark.parametrize("seed", range(4))
def test_the_disagreement_is_counted_right(seed):
    """The four cells equal an independent count and add up to the rows."""
    gate = make_gate(seed=seed)
    counts = {}
    for row in gate.to_dict("records"):
        key = tuple(
            max(range(4), key=lambda k, n=name, r=row: r[f"{n}_{k}"]) == row["y"]
            for name in ("champion", "challenger")
        )
        counts[key] = counts.get(key, 0) + 1
    _, head, rows = tables(shown(gate=gate))[1]
    assert head == ["version 3", "challenger right", "challenger wrong"]
    assert rows == [
        ["right", str(counts.get((True, True), 0)), str(counts.get((True, False), 0))],
        ["wrong", str(counts.get((False, True), 0)), str(counts.get((False, False), 0))],
    ]
    assert sum(counts.values()) == len(gate)


def test_many_classes_are_cut_to_the_largest():
    """Only the largest classes are listed; the disagreement counts all rows."""
    classes = tuple(f"class {k}" for k in range(40))
    changes, disagreement = tables(shown(request=make_request(classes), gate=make_gate(400, 40)))
    assert len(changes.rows) == 20
    assert sum(int(cell) for row in disagreement.rows for cell in row[1:]) == 400


def test_guards_are_shown_with_their_verdict():
    """The one that vetoes stands out."""
    guards = (
        make_guard("accuracy", shown_worse=True, effect=-0.0625, low=-0.125, high=-0.03125),
        make_guard("macro_f1"),
    )
    markup = shown(make_decision(guards=guards, outcome="guard_veto"))
    _, head, (first, second) = tables(markup)[0]
    assert head == ["Guard", "Gain", "Interval", "Verdict"]
    assert first == ["Accuracy", "-0.062", "-0.125 to -0.031", "worse"]
    assert second == ["Macro F1", "not defined", "", "not shown to be worse"]


def test_what_the_table_of_guards_says_is_not_said_twice():
    """Of three reasons, that of a guard without any doubt is left to the table."""
    guards = (
        make_guard("accuracy", reason="Fine."),
        make_guard("brier", shown_worse=True, reason="Bad."),
    )
    markup = shown(make_decision(guards=guards, reasons=("Better.", "Fine.", "Bad.")))
    assert [words in markup for words in ("Better.", "Fine.", "Bad.")] == [True, False, True]


def test_where_being_hardly_worse_is_enough_nothing_better_is_claimed():
    """A promotion by non-inferiority says what it is."""
    promoted = [decision_badge(make_decision(min_gain=gain)).words for gain in (0.0, -0.1)]
    assert promoted[0] == "promoted: shown to be better"
    assert "better" not in promoted[1]


def test_what_was_not_tested_shows_its_reason_and_no_numbers():
    """A decision without a test has a reason, and neither figure nor tables."""
    nothing = dict.fromkeys(("gain", "low", "high", "p_value", "alpha", "smallest_gain"))
    decision = make_decision(
        outcome="too_few_rows", promote=False, reasons=("19 rows remain.",), **nothing
    )
    gate = pd.DataFrame({ROW_HASH_COLUMN: np.arange(19, dtype=np.uint64)})
    request = make_request(status="too_few_rows")
    assert "<figure" in section()
    assert "<figure" not in section(decision, request, gate)
    markup = shown(decision, request, gate)
    assert "19 rows remain." in markup
    assert tables(markup) == []


def test_a_first_release_met_a_constant():
    """No version is named, and no promise about a life that has not begun."""
    decision = make_decision(champion_version="none", outcome="first_release")
    markup = shown(decision, make_request(champion_version="none"))
    assert "a constant prediction" in markup
    assert "version none" not in markup
    assert "What is allowed to luck holds for all challengers" not in markup
    assert "What is allowed to luck holds for all challengers" in shown()


def test_a_regression_has_no_classes():
    """A regression's page has no table of classes."""
    gate = pd.DataFrame({"y": [1.0], "champion": [1.0], "challenger": [2.0]})
    assert tables(shown(make_decision(metric="huber", unit="loss"), make_request(()), gate)) == []


def test_hostile_names_are_escaped():
    """Classes, reasons, versions, rows and units: none becomes markup, none floods the page."""
    evil, quotes, endless = HOSTILE
    decision = make_decision(
        champion_version=evil,
        reasons=(evil, quotes, endless),
        which_rows=evil + endless,
        level_note=evil,
        unit=evil,
        guards=(make_guard(evil, reason=evil),),
    )
    request = make_request((evil, quotes, endless, "plain"))
    markup = shown(decision, request)
    assert "<script" not in markup
    assert "<b>x" not in markup
    assert html.escape(evil) in markup
    assert len(markup) < 20_000
    assert "<script>alert" not in section(decision, request)
