"""Tests of what policies learn from: names of batches whose files are renamed."""

from __future__ import annotations

from mlops_basics.pipelines.monitoring.adaptation import begin_state
from mlops_basics.pipelines.monitoring.policies import names_now, with_names_now
from mlops_basics.schemas import MonitoringParams
from mlops_basics.schemas.policy import Plan
from tests.support.parameters import configured
from tests.support.policies import release_of, rows_of, slope_recipe

MOVED = {"b": ("x", "a"), "c": ("y",), "d": ("y",)}


def test_each_name_is_replaced_by_the_files_that_hold_its_rows_now():
    """Divided, put together, or as they were; each file once."""
    assert names_now(["a", "b", "c", "d", "e"], MOVED) == ("a", "x", "y", "e")
    assert names_now([], MOVED) == ()


def test_all_names_of_a_state_are_replaced():
    """Those it began with, those tested since, those that production and a plan learn from."""
    release = release_of(rows_of([1.0, 1.0], 20))
    state = begin_state(release, slope_recipe(), ["a", "b"], configured(MonitoringParams))
    about = {"action": "refresh", "policy": "all", "replaces": "1", "reason": "", "loss": ""}
    plan = Plan(recipe=slope_recipe(), batches=("c", "e"), entered=1, **about)
    values = {"entered": ("c", "e"), "learned": ("c", "d", "f"), "plan": plan}
    now = with_names_now(state.model_copy(update=values), MOVED)
    assert (now.known, now.entered, now.learned) == (("a", "x"), ("y", "e"), ("f", "y"))
    assert now.plan is not None
    assert now.plan.batches == ("y", "e")
    assert with_names_now(state, MOVED).learned is None


def test_where_its_rows_are_does_not_change_which_plan_it_is():
    """A release that came of a plan is known by it, also when its files were renamed meanwhile."""
    about = {"action": "refresh", "policy": "all", "replaces": "1", "reason": "", "loss": ""}
    plan = Plan(recipe=slope_recipe(), batches=("c", "e"), entered=1, **about)
    assert plan.model_copy(update={"files": ("y", "e")}).plan_id == plan.plan_id
    assert plan.model_copy(update={"batches": ("y", "e")}).plan_id != plan.plan_id
