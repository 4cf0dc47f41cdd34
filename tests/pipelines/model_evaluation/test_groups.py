"""Tests of what the gate and the decision make of rows that belong together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.model_evaluation.ages import OLDER
from mlops_basics.pipelines.model_evaluation.decision import compare
from mlops_basics.pipelines.model_evaluation.gate import (
    GROUP_COLUMN,
    gate_table,
    request_challenge,
    unseen_rows,
)
from mlops_basics.pipelines.model_evaluation.nodes import decide
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    Champion,
    DecisionParams,
)
from mlops_basics.schemas.metrics import metrics_to_test
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.scoring.scores import Scores
from tests.support.artifacts import REFIT, make_challenge, make_metrics
from tests.support.parameters import configured

from .test_gate import FIT, champion_of, raw_of, table_info

METRICS_OF_CLASSES = metrics_to_test("classification")
METRICS = make_metrics()


def test_fresh_rows_have_to_make_enough_groups_to_speak_by_themselves():
    """A hundred rows of one day say less than a month of them."""
    days = np.repeat(np.arange(30), 100)
    raw = raw_of(np.arange(3000.0), ["old.csv"] * 2900 + ["new.csv"] * 100)
    champion = champion_of(batches=("old.csv",))
    rows = raw.assign(**{ROW_HASH_COLUMN: np.arange(3000, dtype=np.uint64)})
    arguments = (rows, champion, table_info(), configured(DecisionParams))
    fresh = [
        (int(rows.sum()), int((ages != OLDER).sum()))
        for rows, ages, _ in (
            unseen_rows(*arguments),
            unseen_rows(*arguments, days),
            unseen_rows(*arguments, np.arange(3000) % 25),
        )
    ]
    assert fresh == [(3000, 100), (3000, 0), (3000, 100)]


@pytest.mark.parametrize("seed", range(3))
def test_the_digest_does_not_depend_on_the_order_of_rows(seed):
    """The digest depends on the groups, not on row order or group numbers."""
    gate = lucky_days()
    order = np.random.default_rng(seed).permutation(len(gate))
    moved = gate.iloc[order].reset_index(drop=True)
    moved[GROUP_COLUMN] = pd.factorize(moved[GROUP_COLUMN])[0]
    assert ask(moved).predictions_hash == ask(gate).predictions_hash
    other = gate.assign(**{GROUP_COLUMN: np.arange(len(gate)) % 30})
    assert ask(other).predictions_hash != ask(gate).predictions_hash


def lucky_days(groups=30, rows=100, seed=0, scale=0.25):
    """Two models of which one is better on the rows, but by days: each gain is a day's."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(groups), rows)
    y = rng.integers(0, 2, groups * rows)
    shift = rng.normal(0.05, scale, groups)[code]
    logits = {"champion": 1.0 + rng.normal(0, 0.3, len(y)), "challenger": 1.0 + shift}
    scores = {}
    for name, logit in logits.items():
        right = 1 / (1 + np.exp(-logit))
        p = np.column_stack([np.where(y == k, right, 1 - right) for k in (0, 1)])
        scores[name] = Scores("binary", y, p.argmax(axis=1), p)
    hashes = np.arange(len(y), dtype=np.uint64)
    return gate_table(hashes, scores["champion"], scores["challenger"], code.astype(np.int64))


def ask(gate, grouped_by="day of when", **params):
    """The request of a challenge on a gate."""
    params = configured(DecisionParams, **params)
    arguments = ("test rows", ("no", "yes"), FIT, params)
    return request_challenge(Champion(version="3"), gate, *arguments, grouped_by=grouped_by)


def judge(gate, **params):
    """The decision of a first challenge."""
    request = ask(gate, **params)
    params = configured(DecisionParams, **params)
    return decide(gate, request, make_challenge("3", 1), METRICS, REFIT, params)


def test_days_that_were_lucky_do_not_promote():
    """3,000 rows seem to prove what 30 days do not; the decision says how many there are."""
    gate = lucky_days()
    together, alone = judge(gate), judge(gate.drop(columns=GROUP_COLUMN))
    assert (alone.outcome, together.outcome) == ("promoted", "kept")
    assert together.gain == pytest.approx(alone.gain)
    assert (together.rows, together.groups, alone.groups) == (3000, 30, None)
    assert "on 3,000 rows of 30 groups (day of when)" in together.reasons[0]
    assert "30 groups may hold none of" in together.level_note
    assert together.smallest_gain > 2 * alone.smallest_gain


def test_groups_leave_the_predictions_alone():
    """Groups do not change the predictions, but another grouping is another test."""
    gate = lucky_days()
    bare = gate.drop(columns=GROUP_COLUMN)
    for name in ("champion", "challenger"):
        found, expected = gate_scores(gate, name), gate_scores(bare, name)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    grouped, alone = ask(gate), ask(bare)
    assert grouped.rows_hash == alone.rows_hash
    assert grouped.test == f"{alone.test} by day of when"
    assert (alone.groups, alone.grouped_by) == (None, "")


def test_few_groups_are_no_challenge():
    """Too few groups make no challenge, and the reason says what is lacking."""
    request = ask(lucky_days(groups=19))
    assert request.status == "too_few_rows"
    assert "The 1,900 rows" in request.reason
    assert "19 groups only (day of when); at least 20" in request.reason
    assert ask(lucky_days(groups=20)).status == "comparable"


@pytest.mark.parametrize("metric", METRICS_OF_CLASSES)
def test_each_metric_counts_groups(metric):
    """Its values are those of the rows; the interval is wider, since days were lucky."""
    gate = lucky_days(scale=1.0)
    bare = gate.drop(columns=GROUP_COLUMN)
    rng = np.random.default_rng(0)
    together = compare(metric, gate, ask(gate), 0.05, 0.0, rng)
    alone = compare(metric, bare, ask(bare), 0.05, 0.0, rng)
    assert (together.n, together.metric) == (30, alone.metric)
    for value in ("champion", "challenger", "effect"):
        assert getattr(together, value) == pytest.approx(getattr(alone, value))
    assert np.ptp(together.interval) > 1.5 * np.ptp(alone.interval)


def test_one_class_alone_has_no_auc():
    """With one class the AUC gives no claim and no error, as without groups."""
    gate = lucky_days().assign(y=1)
    result = compare("roc_auc", gate, ask(gate), 0.05, 0.0, np.random.default_rng(0))
    assert (result.effect, result.p_value, result.significant) == (None, 1.0, False)
