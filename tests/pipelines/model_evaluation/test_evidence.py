"""Tests of evidence that adds up: the same recipe again, with more rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.model_evaluation.nodes import decide, score_gate
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    ChallengeRequest,
    Champion,
    Decision,
    DecisionParams,
    Look,
    PreprocessingParams,
)
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.looks import level_of_last
from mlops_basics.stats.paired.losses import log_loss_rows
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums
from mlops_basics.table.row_hash import content_digest, row_hashes, rows_of_digest
from tests.support.artifacts import (
    REFIT,
    make_challenge,
    make_overfit_check,
    make_recipe,
    make_table_info,
)
from tests.support.contests import TEST_METRICS
from tests.support.parameters import configured

INFO = make_table_info(task="binary", target="kind", classes=("no", "yes"))
RECIPE = make_recipe()
PARAMS = configured(DecisionParams, min_fresh_rows=100_000)


class Slope:
    """A logistic curve of x."""

    classes_ = np.array(["no", "yes"], dtype=object)

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Rises with x."""
        p = 1 / (1 + np.exp(-self.slope * features["x"].to_numpy(dtype=float)))
        return np.column_stack([1 - p, p])


def rows_of(weeks: int, each: int = 60) -> pd.DataFrame:
    """Labelled rows, week after week; those of a week do not depend on how many there are."""
    parts = []
    for week in range(weeks):
        rng = np.random.default_rng([7, week])
        x = rng.normal(0, 2, each)
        kind = np.where(rng.random(each) < 1 / (1 + np.exp(-x)), "yes", "no")
        parts.append(pd.DataFrame({"x": x, "kind": kind, BATCH_COLUMN: f"{week:02}.csv"}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(**{ROW_HASH_COLUMN: row_hashes(table, ["x"])})


def challenge(
    rows: pd.DataFrame,
    looks: tuple[Look, ...] = (),
    slope: float = 0.9,
    params: DecisionParams = PARAMS,
    **given: Any,
) -> ChallengeRequest:
    """The request of a challenger of this slope, on test rows alone."""
    champion = Champion(
        version="3",
        model=Slope(0.4),
        table=INFO,
        fitted_rows=np.zeros(0, dtype=np.uint64),
        batches=("00.csv",),
        looks=looks,
    )
    none = rows[:0]
    preprocessing = configured(PreprocessingParams, target="kind", **given.pop("means", {}))
    recipe = given.pop("recipe", RECIPE)
    test_rows = given.pop("test_rows", rows)
    return score_gate(
        champion, Slope(slope), rows, none, none, test_rows, INFO, make_overfit_check(),
        preprocessing, params, None, recipe,
    )[:2]  # fmt: skip


def numbered(request: ChallengeRequest, number: int) -> Look:
    """The look as the book of challenges would give it back."""
    assert request.look is not None
    return request.look.model_copy(update={"number": number})


def gains(rows: pd.DataFrame, slope: float) -> PairedSums:
    """The sums of these rows' gains, worked out anew."""
    y = (rows["kind"] == "yes").to_numpy().astype(int)
    old, new = (log_loss_rows(y, Slope(each).predict_proba(rows)) for each in (0.4, slope))
    return PairedSums.from_losses(old, new)


def decided(gate: pd.DataFrame, request: ChallengeRequest, number: int) -> Decision:
    """The decision about the number-th challenge."""
    return decide(gate, request, make_challenge("3", number, "c"), TEST_METRICS, REFIT, PARAMS)


def test_rows_that_have_spoken_keep_what_they_said() -> None:
    """Another fit of the recipe judges the new rows alone; all together are tested at a level that
    knows of the first look."""
    rows = rows_of(3)
    first = challenge(rows[:120], slope=0.7)[1]
    assert (first.looks, numbered(first, 4).after) == ((), 0)
    gate, second = challenge(rows, (numbered(first, 4),), slope=0.9)
    assert [look.number for look in second.looks] == [4]
    assert second.look is not None
    assert second.look.after == 4
    assert second.look.sums == gains(rows[120:], 0.9)
    assert second.rows == 180
    made = decided(gate, second, 6)
    total = gains(rows[:120], 0.7).merge(gains(rows[120:], 0.9))
    level = level_of_last(
        [gains(rows[:120], 0.7).m2, total.m2], [alpha_at(4, 0.05), alpha_at(6, 0.05)]
    )
    expected = compare_losses(total, alpha=level)
    assert (made.p_value, made.alpha, made.gain) == (expected.p_value, level, total.gain)
    assert alpha_at(6, 0.05) < level < alpha_at(4, 0.05) + alpha_at(6, 0.05)
    assert made.looks == (4,)
    assert (
        "it adds to challenge 4 of the same recipe, whose rows count as they were judged"
        in made.reasons[1]
    )


def test_a_third_look_adds_to_both() -> None:
    """Looks follow each other; one that was written down beside them is no part of it."""
    rows = rows_of(4)
    one = numbered(challenge(rows[:60])[1], 1)
    two = numbered(challenge(rows[:120], (one,))[1], 2)
    beside = numbered(challenge(rows[:180], recipe=make_recipe(seed=5))[1], 3)
    gate, request = challenge(rows, (one, two, beside))
    assert [look.number for look in request.looks] == [1, 2]
    assert request.test.endswith(" after 2")
    made = decided(gate, request, 4)
    assert "adds to the challenges 1 and 2 of the same recipe" in made.reasons[1]
    whole = gains(rows, 0.9)
    assert made.gain == pytest.approx(whole.gain)


def test_what_a_fresh_start_does_not_show_is_shown_by_what_adds_up() -> None:
    """The same rows, the same p-value: after a first look that spent its part, more is allowed."""
    rows = rows_of(2, each=40)
    gate, request = challenge(rows[:40], slope=0.7)
    assert decided(gate, request, 1).outcome == "kept"
    afresh = decided(*challenge(rows, slope=0.7), 2)
    both = decided(*challenge(rows, (numbered(request, 1),), slope=0.7), 2)
    assert (afresh.outcome, both.outcome) == ("kept", "promoted")
    assert both.p_value == pytest.approx(afresh.p_value)


@pytest.mark.parametrize(
    "case",
    ["another recipe", "another test", "same rows", "other rows", "fewer rows", "groups", "counts"],
)
def test_a_challenge_begins_anew(case: str) -> None:
    """Where nothing adds up, as if there had been no look."""
    rows = rows_of(3)
    look = numbered(challenge(rows[:120])[1], 1)
    given: dict[str, Any] = {"looks": (look,)}
    if case == "another recipe":
        given["recipe"] = make_recipe(seed=9)
    elif case == "another test":
        given["params"] = configured(DecisionParams, min_fresh_rows=100_000, metric="brier")
    elif case == "same rows":
        rows = rows[:120]
    elif case == "other rows":
        rows = rows[1:].reset_index(drop=True)
    elif case == "fewer rows":
        rows = rows[:100]
    elif case == "groups":
        rows["site"] = np.arange(len(rows)) % 30
        hashed = rows.assign(__group_by__site=row_hashes(rows, ["site"]))
        given |= {"means": {"group_by": "site"}, "test_rows": hashed}
    else:
        given["params"] = configured(DecisionParams, min_fresh_rows=100_000, metric="accuracy")
    request = challenge(rows, **given)[1]
    assert request.looks == ()
    assert " after " not in request.test
    assert (request.look is None) == (case in ("groups", "counts"))


def test_evidence_of_another_level_or_a_broken_chain_is_left_alone() -> None:
    """A look whose predecessor is gone does not count."""
    rows = rows_of(3)
    one = numbered(challenge(rows[:60])[1], 1)
    two = numbered(challenge(rows[:120], (one,))[1], 2)
    assert challenge(rows, (two,))[1].looks == ()
    assert [look.number for look in challenge(rows, (one, two))[1].looks] == [1, 2]


def test_fresh_rows_are_still_tested_by_themselves() -> None:
    """At their half of what is spent now; the looks at all rows share the other half."""
    rows = rows_of(3, each=250)
    before = rows[BATCH_COLUMN] == "00.csv"
    rows["kind"] = rows["kind"].where(~before, rows["kind"].map({"yes": "no", "no": "yes"}))
    params = configured(DecisionParams, min_fresh_rows=50)
    one = numbered(challenge(rows[:250], params=params)[1], 1)
    two = numbered(challenge(rows[:500], (one,), params=params)[1], 2)
    gate, request = challenge(rows, (one, two), params=params)
    assert request.look is not None
    assert (one.alpha, two.alpha, request.look.alpha) == (0.05, 0.025, 0.025)
    made = decide(gate, request, make_challenge("3", 3, "c"), TEST_METRICS, REFIT, params)
    assert (made.outcome, made.rows, made.looks) == ("promoted", 500, ())
    assert made.alpha == pytest.approx(alpha_at(3, 0.05) / 2)


def test_the_first_rows_are_found_by_their_digest() -> None:
    """Also where rows are equal; what is not there is not found."""
    hashes = np.random.default_rng(0).integers(0, 5, 40).astype(np.uint64)
    for count in range(1, 41):
        assert rows_of_digest(hashes, content_digest(hashes[:count])) == count
    assert rows_of_digest(hashes, content_digest(hashes[3:9] + np.uint64(7))) == 0
    assert rows_of_digest(hashes[:0], content_digest(hashes)) == 0


def test_the_order_of_the_test_rows_does_not_matter() -> None:
    """What has spoken is found by the place of rows in the table as it was collected."""
    rows = rows_of(3)
    look = numbered(challenge(rows[:120])[1], 1)
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = challenge(rows, (look,), test_rows=rows.iloc[order].reset_index(drop=True))[1]
    straight = challenge(rows, (look,))[1]
    assert shuffled.look is not None
    assert straight.look is not None
    assert shuffled.look.rows_digest == straight.look.rows_digest
    assert shuffled.look.sums.gain == pytest.approx(straight.look.sums.gain)
    assert replace(shuffled.look.sums, unit="rows").n == 60
