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
from mlops_basics.schemas import ROW_HASH_COLUMN, ChallengeRequest, Decision
from tests.support import artifacts
from tests.support.artifacts import HOSTILE, make_guard
from tests.support.parsed_page import tables

CLASSES = ("setosa", "virginica", "unseen", "versicolor")


def make_decision(champion_version="3", **values):
    """A decision for a challenger of version 3."""
    fields = {
        "which_rows": "test rows of new batches",
        "champion_value": 0.5,
        "challenger_value": 0.375,
        "gain": 0.125,
        "low": 0.0625,
        "high": 0.1875,
        "p_value": 0.00123,
        "alpha": 0.005,
        "min_gain": 0.03125,
        "smallest_gain": 0.09375,
    }
    return artifacts.make_decision(champion_version, 7, **fields | values)


def make_request(classes=CLASSES, **values):
    """The request that belongs to it."""
    fields = {
        "champion_version": "3",
        "status": "comparable",
        "rows": 60,
        "rows_hash": "",
        "predictions_hash": "",
        "which_rows": "",
        "classes": classes,
    }
    return ChallengeRequest.model_validate(fields | values)


def make_gate(n=60, classes=4, seed=0):
    """Predictions of two models on rows of all classes but the third."""
    rng = np.random.default_rng(seed)
    gate = {ROW_HASH_COLUMN: np.arange(n, dtype=np.uint64)}
    gate["y"] = rng.choice([k for k in range(classes) if k != 2], n)
    for name, skill in (("champion", 1.0), ("challenger", 3.0)):
        logits = rng.normal(size=(n, classes))
        logits[np.arange(n), gate["y"]] += skill
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gate |= {f"{name}_{k}": p[:, k] for k in range(classes)}
    return pd.DataFrame(gate)


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
        "Log loss, in nats",
        "0.125",
        "99 % interval 0.062 to 0.188",
        "to exceed: 0.03125",
        "0.00123 at a level of 0.005",
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
    assert head == ["Class", "Rows", "version 3", "challenger", "±"]
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
    assert "The level holds for all challengers" not in markup
    assert "The level holds for all challengers" in shown()


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
