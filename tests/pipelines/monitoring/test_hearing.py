"""A recipe that a search has found, on rows that the search has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.adaptation import begin_state, challenged
from mlops_basics.pipelines.monitoring.hearing import hear_recipe, heard
from mlops_basics.pipelines.monitoring.policies import Fits
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    Batch,
    CollectionParams,
    Hashes,
    MonitoringParams,
    MonitoringState,
    PreprocessingParams,
    TrainingParams,
)
from mlops_basics.schemas.policy import NEW_RECIPE, PolicyState
from mlops_basics.stats.prequential.evidence import Evidence
from mlops_basics.table.learning import LabelledRows
from mlops_basics.table.row_hash import row_hashes
from tests.support.parameters import configured
from tests.support.policies import release_of, rows_of, slope_recipe

PARAMS = configured(MonitoringParams)
BLIND = slope_recipe(strength=1e6)
NAMES = ["b00", "b01", "b02", "b03"]


def begun(table: LabelledRows, pin: str = "") -> tuple[PolicyState, Fits]:
    """Production is blind; a search has found a recipe that is not."""
    release = release_of(table.of(NAMES[:2]), recipe=BLIND)
    state = begin_state(release, BLIND, NAMES[:2], PARAMS, pin)
    state = state.model_copy(update={"entered": tuple(NAMES[2:])})
    return challenged(state, slope_recipe()), Fits(table, release)


def strength(state: PolicyState) -> float:
    """Of the evidence for the new recipe."""
    return Evidence.from_dict(state.evidence).strength(NEW_RECIPE)


def every_other(hashes: Hashes) -> Hashes:
    """Half of the rows."""
    return hashes[::2]


def test_a_better_recipe_takes_over_by_rows_that_chose_nothing() -> None:
    """Its release is due at once, and the reason counts the rows that spoke."""
    table = rows_of([2.0] * 4, 200)
    state, fits = begun(table)
    after = heard(state, fits, every_other(table.hashes))
    assert (after.recipe, after.challenger) == (slope_recipe(), None)
    assert after.plan is not None
    assert (after.plan.action, after.plan.batches) == ("new recipe", tuple(NAMES))
    assert "on 300 labelled rows of 3 batches" in after.why
    assert after.plan.policy_loss < 0.5 * after.plan.production_loss


def test_no_row_that_the_selection_saw_speaks() -> None:
    """Where all rows have chosen the recipe, nothing is said before the next batch."""
    table = rows_of([2.0] * 4, 200)
    state, fits = begun(table)
    assert heard(state, fits, table.hashes) == state
    table.target[::2] = -50.0 * table.features["x"].to_numpy()[::2]  # would speak loudly
    state, fits = begun(table)
    other = rows_of([2.0] * 4, 200)
    other.target[::2] = 0.0
    seen = every_other(table.hashes)
    only = [Fits(each.where(~np.isin(each.hashes, seen)), fits.release) for each in (table, other)]
    told = [heard(state, fits, seen).why for fits in only]
    assert told[0] == told[1] != state.why


def test_a_recipe_that_is_no_better_waits() -> None:
    """Its evidence stays what it is; the sums of other policies are not touched."""
    table = rows_of([0.0] * 4, 200)
    state, fits = begun(table)
    state = state.model_copy(update={"totals": {"production": 7.0}, "tested_rows": 9})
    after = heard(state, fits, every_other(table.hashes))
    assert (after.plan, after.recipe) == (None, BLIND)
    assert (after.totals, after.tested_rows) == (state.totals, 9)
    assert strength(after) < 1


def test_a_pinned_release_is_compared_only_on_what_came_after_it() -> None:
    """It may have learned from any row before."""
    table = rows_of([2.0, 2.0, 0.0, 0.0], 200)
    state, fits = begun(table, pin="ann went back to it")
    assert heard(state, fits, every_other(table.hashes)).plan is None
    better = rows_of([0.0, 0.0, 2.0, 2.0], 200)
    state, fits = begun(better, pin="ann went back to it")
    assert heard(state, fits, every_other(better.hashes)).plan is not None


@pytest.mark.parametrize("columns", [("x",), ("x", "more")])
def test_the_node_reads_what_a_search_has_left(columns: tuple[str, ...]) -> None:
    """Hashes of other key columns would make all rows look unseen: then nothing speaks."""
    table = rows_of([2.0] * 4, 200)
    release = release_of(table.of(NAMES[:2]), recipe=BLIND)
    raw = pd.DataFrame({"x": table.features["x"], "y": table.target, BATCH_COLUMN: table.batch})
    source = [
        Batch.of(str(name), "", rows.drop(columns=BATCH_COLUMN).reset_index(drop=True))
        for name, rows in raw.groupby(BATCH_COLUMN)
    ]
    release = replace(release, fitted_rows=row_hashes(raw[raw[BATCH_COLUMN] < "b02"], ["x"]))
    state = begin_state(release, BLIND, NAMES, PARAMS)
    hashed = pd.DataFrame({ROW_HASH_COLUMN: row_hashes(raw, ["x"])})
    after = hear_recipe(
        slope_recipe(),
        hashed.iloc[::4],
        hashed.iloc[1::4],
        release.table.model_copy(update={"key_columns": columns}),
        source,
        [],
        release,
        MonitoringState(policy=state),
        configured(PreprocessingParams, target="y"),
        configured(CollectionParams),
        configured(
            TrainingParams,
            candidates={"regression": {"line": {"class": BLIND.class_path, "dense": True}}},
        ),
    )
    if columns == ("x",):
        assert after.plan is not None
        assert "on 300 labelled rows of 3 batches" in after.why
    else:
        assert (after.plan, after.challenger) == (None, slope_recipe())
        assert strength(after) == strength(challenged(state, slope_recipe()))
