"""Tests of what policies learn from: names of batches whose files are renamed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.adaptation import begin_state
from mlops_basics.pipelines.monitoring.follow import readable_rows
from mlops_basics.pipelines.monitoring.policies import Fits, names_now, with_names_now
from mlops_basics.pipelines.refresh.nodes import refit_release
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    Candidate,
    MonitoringParams,
    Parts,
    PreprocessingParams,
    TrainingParams,
)
from mlops_basics.schemas.policy import Plan
from mlops_basics.table.labels import LabelBook, RowKeys
from tests.support.parameters import configured
from tests.support.policies import release_of, rows_of, slope_recipe
from tests.support.watched import run_context

LINE = Candidate(class_path="sklearn.linear_model.Ridge", dense=True)
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


def test_a_refresh_learns_from_the_rows_that_its_policy_was_tested_with():
    """Of too many the same sample by hash, drawn from the labelled ones."""
    table = rows_of([1.0] * 3, 100)
    release = release_of(table)
    raw = pd.DataFrame({"x": table.features["x"], "y": table.target, BATCH_COLUMN: table.batch})
    raw.loc[::7, "y"] = np.nan
    preprocessing = configured(PreprocessingParams, target="y")
    training = configured(TrainingParams).model_copy(
        update={"max_rows": 80, "candidates": {"regression": {"line": LINE}}}
    )
    names = ("b00", "b02")
    about = {"action": "refresh", "policy": "all", "replaces": "1", "reason": "", "loss": ""}
    plan = Plan(recipe=slope_recipe(), batches=names, entered=1, **about).model_dump()
    found = refit_release(Parts.of(raw), release, run_context(), plan, preprocessing, training)
    source = [
        Batch.of(str(name), "", rows.drop(columns=BATCH_COLUMN).reset_index(drop=True))
        for name, rows in raw.groupby(BATCH_COLUMN)
    ]
    book = LabelBook([], RowKeys("y"))
    rows = readable_rows(source, book, ["b00", "b01", "b02"], release, preprocessing)
    fits = Fits(rows, release, training.max_rows, preprocessing.split.salt)
    learned = fits.learned(names)
    assert len(learned) == 80
    assert np.sort(learned.hashes).tolist() == found[3].iloc[:, 0].tolist()
    model = fits.of(slope_recipe(), names)
    assert model.predict(table.features.read()).tolist() == pytest.approx(
        found[0].pipeline.predict(table.features.read()).tolist()
    )
