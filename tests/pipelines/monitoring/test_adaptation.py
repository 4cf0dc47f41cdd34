"""What labelled batches say of the policies: switches, refreshes, vetoes, pins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.pipelines.monitoring.adaptation import (
    Entered,
    adopted,
    alternatives,
    begin_state,
    challenged,
    follow,
    replay,
)
from mlops_basics.pipelines.monitoring.policies import Fits, grown_enough
from mlops_basics.schemas import MonitoringParams, MonitoringState, Parts, Recipe, Release
from mlops_basics.schemas.policy import NEW_RECIPE, POLICIES, PolicyState, learns_from
from mlops_basics.table.learning import LabelledRows
from tests.support.parameters import configured
from tests.support.policies import release_of, rows_of, slope_recipe

PARAMS = configured(MonitoringParams)


def _followed(
    levels: list[float],
    first: int = 3,
    rows: int = 60,
    policy: str = "",
    pin: str = "",
    max_rows: int | None = None,
) -> tuple[PolicyState, list[str], Fits]:
    """Batches with these slopes, one after another, each release adopted; and what was planned."""
    table = rows_of(levels, rows)
    names = sorted(set(table.batch))
    known = names[:first]
    release = release_of(table.of(known))
    state = begin_state(release, slope_recipe(), known, PARAMS, pin)
    if policy:
        state = state.model_copy(update={"policy": policy})
    actions = []
    for number, name in enumerate(names[first:], start=2):
        fits = Fits(table.of(names[: names.index(name) + 1]), release, max_rows)
        state, found = follow(state, fits, [Entered(name)], PARAMS)
        actions.append(found.action)
        if state.plan is not None:
            learned = fits.learned(state.plan.batches)
            release = release_of(learned, version=str(number))
            now = MonitoringState(policy=state)
            state = adopted(now, str(number), len(learned)).policy
    return state, actions, fits


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("keep", ("a",)), ("all", ("a", "b", "c")), ("last 1", ("c",)), ("last 6", ("a", "b", "c"))],
)
def test_a_policy_learns_from_its_batches(policy: str, expected: tuple[str, ...]) -> None:
    """The newest by name, whatever the order in which their labels came."""
    assert learns_from(policy, ["c", "a", "b"], known=["a"]) == expected


def test_an_unknown_policy_is_named() -> None:
    """A misspelt policy is no silent default."""
    with pytest.raises(ValueError, match="got 'last 2'"):
        learns_from("last 2", [], [])


def test_without_drift_all_is_refreshed_when_a_tenth_has_come() -> None:
    """No more releases than doublings by a tenth require, and no switch."""
    state, actions, _ = _followed([1.0] * 25, first=5)
    assert state.policy == "all"
    assert set(actions) == {"none", "refresh"}
    assert actions.count("refresh") <= np.log(5) / np.log(1.1) + 1
    assert grown_enough(110, 100)
    assert not grown_enough(109, 100)


def test_of_more_rows_than_may_be_learned_from_a_sample_follows_the_data() -> None:
    """A refresh when a tenth has come to what is drawn from, each of so many rows; and told."""
    state, actions, fits = _followed([1.0] * 25, first=5, max_rows=100)
    assert 5 <= actions.count("refresh") <= np.log(5) / np.log(1.1) + 1
    assert state.learned_rows == 100
    assert {len(fits.learned(state.known[:count])) for count in (1, 2, 5)} == {60, 100}
    table, release = fits.rows, fits.release
    state = begin_state(release, slope_recipe(), ["b00", "b01"], PARAMS)
    _, found = follow(state, Fits(table, release, 100), [Entered("b02")], PARAMS)
    assert "learns from 100 of their 180 labelled rows" in found.reasons[0]
    assert found.tested[0].rows == 60


def test_a_change_is_followed_by_a_policy_that_forgets() -> None:
    """After a sudden change a policy with a short window takes over, and says why in words."""
    state, actions, _ = _followed([1.0] * 6 + [-3.0] * 6, first=3)
    assert state.policy.startswith("last ")
    assert "switch" in actions[3:6]
    assert "has done better than what is in production: mean absolute error" in state.why
    assert "by more than chance explains" in state.why


def test_under_a_window_every_batch_is_followed_by_a_refresh() -> None:
    """The same recipe is fitted again on the last batches; the release learned from the newest."""
    state, actions, _ = _followed([1.0] * 8, policy="last 3")
    assert set(actions) == {"refresh"}
    assert state.learned == tuple(f"b{number:02d}" for number in (5, 6, 7))


def test_a_pin_holds_until_the_evidence_speaks_against_the_release_alone() -> None:
    """A pinned release is not refreshed; one that fails is replaced, and the pin is named."""
    calm, actions, _ = _followed([1.0] * 8, pin="ann went back to it")
    assert (set(actions), calm.pin) == ({"none"}, "ann went back to it")
    after, actions, _ = _followed([1.0] * 5 + [-3.0] * 4, pin="ann went back to it")
    assert "switch" in actions
    assert after.pin == ""
    assert "which was pinned (ann went back to it)" in after.why


def test_a_model_that_was_shown_to_be_worse_is_not_released() -> None:
    """What the policy would give is compared with production on this very batch first."""
    table = rows_of([1.0, 1.0, -3.0, 1.0], 80)
    release = release_of(table.of(["b00", "b01"]))
    state = begin_state(release, slope_recipe(), ["b00", "b01", "b02"], PARAMS)
    state = state.model_copy(update={"policy": "last 1"})
    state, found = follow(state, Fits(table, release), [Entered("b03")], PARAMS)
    assert found.vetoed.startswith("Not refreshed: on b03")
    assert state.plan is None or state.plan.action == "switch"


def test_two_batches_at_once_are_tested_one_after_the_other() -> None:
    """Labels that come together give the plan that single looks would have ended with."""
    table = rows_of([1.0] * 5, 60)
    release = release_of(table.of(["b00", "b01", "b02"]))
    state = begin_state(release, slope_recipe(), ["b00", "b01", "b02"], PARAMS)
    state = state.model_copy(update={"policy": "last 1"})
    state, found = follow(state, Fits(table, release), [Entered("b03"), Entered("b04")], PARAMS)
    assert [result.name for result in found.tested] == ["b03", "b04"]
    assert state.plan is not None
    assert state.plan.batches == ("b04",)
    assert state.entered == ("b03", "b04")


def test_the_later_part_of_a_file_is_tested_by_models_of_the_earlier_part() -> None:
    """No row is learned from before it was tested on, also within a file."""
    table = rows_of([1.0] * 3, 60)
    release = release_of(table.of(["b00", "b01"]))
    fits = Fits(table, release)
    early = fits.learned(["b01", "b02"], before=("b02", 40))
    assert ((early.batch != "b02") | (early.position < 40)).all()
    assert (early.batch == "b02").sum() == 40
    state = begin_state(release, slope_recipe(), ["b00", "b01", "b02"], PARAMS)
    _, found = follow(state, fits, [Entered("b02", 40)], PARAMS)
    assert found.tested[0].rows == 20


def test_parts_of_a_file_that_are_tested_together_count_each_row_once() -> None:
    """Labels of both parts may come at the same time, when the file has grown long before."""
    table = rows_of([1.0] * 3, 60)
    release = release_of(table.of(["b00", "b01"]))
    state = begin_state(release, slope_recipe(), ["b00", "b01"], PARAMS)
    parts = [Entered("b02", 0, 40), Entered("b02", 40)]
    after, found = follow(state, Fits(table, release), parts, PARAMS)
    assert [part.rows for part in found.tested] == [40, 20]
    assert after.tested_rows == 60


def test_a_new_recipe_joins_and_takes_over_when_it_is_better() -> None:
    """What a search has found has to show itself on batches to come."""
    blind = slope_recipe(strength=1e6)
    table = rows_of([2.0] * 8, 80)
    release = release_of(table.of(["b00", "b01", "b02"]), recipe=blind)
    state = challenged(begin_state(release, blind, ["b00", "b01", "b02"], PARAMS), slope_recipe())
    assert challenged(state, blind) == state
    for name in ("b03", "b04", "b05"):
        state, found = follow(state, Fits(table, release), [Entered(name)], PARAMS)
        if found.action == NEW_RECIPE:
            break
    assert state.recipe == slope_recipe()
    assert state.challenger is None
    assert state.plan is not None
    assert state.why.startswith("The new recipe has done better")


def test_history_may_speak_at_once_on_rows_that_nothing_was_fitted_on() -> None:
    """Batches of the first training choose the policy on the release's own test rows."""
    table = rows_of([3.0, 2.0, 0.0, -2.0, -4.0, -6.0, -8.0, -9.0], 100)
    test = np.arange(len(table)) % 3 == 0
    release = replace(release_of(table), fitted_rows=table.hashes[~test])
    known = sorted(set(table.batch))
    state = replay(
        begin_state(release, slope_recipe(), known, PARAMS), Fits(table, release), PARAMS
    )
    assert state.policy.startswith("last ")
    assert (state.entered, state.tested) == ((), ())
    assert state.plan is not None
    assert (state.plan.action, state.plan.policy) == ("switch", state.policy)
    assert state.plan.batches == learns_from(state.policy, known, known)
    nothing = replace(release, fitted_rows=table.hashes)
    begun = begin_state(nothing, slope_recipe(), known, PARAMS)
    assert replay(begun, Fits(table, nothing), PARAMS) == begun


def test_alternatives_are_all_policies_but_the_present_one() -> None:
    """One that is in production is not compared with itself."""
    assert set(alternatives("last 3")) == set(POLICIES) - {"last 3"}


def test_a_plan_is_recognised_and_another_one_is_not() -> None:
    """The release of a plan bears its id, which no other plan has."""
    state, _, _ = _followed([1.0] * 5, policy="last 1")
    assert state.plan is None
    table = rows_of([1.0] * 5, 60)
    release = release_of(table.of(["b00", "b01", "b02"]))
    begun = begin_state(release, slope_recipe(), ["b00", "b01", "b02"], PARAMS)
    begun = begun.model_copy(update={"policy": "last 1"})
    one, _ = follow(begun, Fits(table, release), [Entered("b03")], PARAMS)
    two, _ = follow(one, Fits(table, release), [Entered("b04")], PARAMS)
    again, _ = follow(begun, Fits(table, release), [Entered("b03")], PARAMS)
    assert one.plan.plan_id == again.plan.plan_id != two.plan.plan_id


def test_a_state_survives_json() -> None:
    """What is written goes on as what stayed in memory."""
    state, _, _ = _followed([1.0, 1.0, 1.0, -3.0, -3.0])
    assert PolicyState.model_validate_json(state.model_dump_json()) == state


def test_rows_of_one_class_give_no_model() -> None:
    """A policy that cannot be fitted on a batch is left out of the comparison, not an error."""
    features = pd.DataFrame({"x": np.arange(60.0)})
    target = np.array(["a"] * 30 + ["b", "a"] * 15, dtype=object)
    batch = np.array(["b00"] * 30 + ["b01"] * 30, dtype=object)
    rows = LabelledRows(
        Parts.of(features), target, batch, np.arange(60), np.arange(60, dtype=np.uint64), None
    )
    recipe = Recipe(
        task="binary",
        candidate="linear",
        class_path="sklearn.linear_model.LogisticRegression",
        dense=True,
        parameters={},
        vectorizer={},
        seed=0,
    )
    release: Release = release_of(rows, recipe=recipe, classes=("a", "b"))
    fits = Fits(rows, release)
    assert fits.of(recipe, ["b00"]) is None
    assert fits.of(recipe, ["b01"]) is not None
    assert fit_recipe(recipe, features, target).classes_.tolist() == ["a", "b"]
