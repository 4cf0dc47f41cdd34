"""However a batch lies in parts, a look says the same of it: verdict, state, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.pipelines.monitoring.follow import follow_policies
from mlops_basics.pipelines.monitoring.nodes import watch_batches, write_monitoring_report
from mlops_basics.schemas import (
    Batch,
    CollectionParams,
    MonitoringState,
    PreprocessingParams,
    Release,
    TrainingParams,
    parts,
)
from mlops_basics.storage.spill import Spill
from mlops_basics.table.columns import features_of
from mlops_basics.table.labels import RowKeys
from mlops_basics.table.spilled import parts_of
from tests.support.artifacts import make_recipe
from tests.support.labels import prediction_ids
from tests.support.parameters import configured
from tests.support.watched import (
    PARAMS,
    PREPROCESSING,
    file_of,
    rows_of,
    run_context,
    trained_batches,
)

ROWS = 150
#: Trees say the same of a row whichever rows stand beside it, to the last digit.
TREES = make_recipe(
    candidate="trees",
    class_path="sklearn.ensemble.HistGradientBoostingClassifier",
    dense=False,
    parameters={
        "max_iter": 5,
        "early_stopping": False,
        "categorical_features": "from_dtype",
        "random_state": 0,
    },
)
LOOKS = PARAMS.model_copy(update={"adapt": "policy", "classifier_rows": 120, "patience": 1})
#: Fewer rows than there are to learn from: models are fitted on a sample.
TRAINING = configured(TrainingParams).model_copy(update={"max_rows": 250})


@pytest.fixture(scope="module")
def of_trees(release: Release) -> Release:
    """A release whose recipe was fitted on the files that it names."""
    table = pd.concat([batch.table for batch in trained_batches()], ignore_index=True)
    model = fit_recipe(TREES, features_of(table, release.table), table["kind"].to_numpy())
    known = np.empty(0, dtype=np.uint64)
    return dataclasses.replace(release, model=model, recipe=TREES, fitted_rows=known)


def source(more: bool) -> list[Batch]:
    """Two files, of which one has copied rows and one lacks labels; or each with new rows."""
    first = rows_of(ROWS, 1)
    copied = pd.concat([first, first.iloc[::3]], ignore_index=True)
    second = rows_of(ROWS, 2, size=5.0 + 2 * more)
    second.loc[::2, "kind"] = None
    if more:
        copied = pd.concat([copied, rows_of(40, 3)], ignore_index=True)
    return [*trained_batches(), file_of("c1.csv", copied), file_of("c2.csv", second)]


def labels(preprocessing: PreprocessingParams) -> list[Batch]:
    """What half of the second file lacks."""
    batch = source(more=False)[-1]
    keys = RowKeys(preprocessing.target, preprocessing.exclude)
    table = pd.DataFrame({"prediction_id": prediction_ids(batch, keys), "kind": "tall"})
    return [file_of("labels.csv", table.iloc[::2])]


def said(
    release: Release, preprocessing: PreprocessingParams, cut: Callable[[Batch], Batch]
) -> list[str]:
    """All that two looks say."""
    state, found = MonitoringState(), []
    for more, files in ((False, []), (True, labels(preprocessing))):
        batches = [cut(batch) for batch in source(more)]
        collection = configured(CollectionParams)
        watched = watch_batches(
            batches, files, release, state, run_context(), LOOKS, preprocessing, collection
        )
        findings = follow_policies(
            watched, batches, files, release, LOOKS, preprocessing, collection, TRAINING
        )
        state = findings.state
        found += [findings.verdict.model_dump_json(), state.model_dump_json()]
        found.append(write_monitoring_report(findings))
    return found


@pytest.mark.parametrize(
    ("time_column", "group_by"), [(None, "auto"), ("day", "auto"), (None, "colour")]
)
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, ROWS), max_size=3, unique=True).map(sorted))
def test_parts_say_what_the_whole_batch_says(
    monkeypatch: pytest.MonkeyPatch,
    of_trees: Release,
    time_column: str | None,
    group_by: str,
    cuts: list[int],
) -> None:
    """Held in memory, or cut anywhere, put away and read whenever they are needed."""
    split = PREPROCESSING.split.model_copy(update={"time_column": time_column})
    preprocessing = PREPROCESSING.model_copy(update={"split": split, "group_by": group_by})

    def cut(batch: Batch) -> Batch:
        table, spill = batch.table, Spill(batch.name)
        ends = [0, *(end for end in cuts if end < len(table)), len(table)]
        pieces = [spill.put(at, table[a:b]) for at, (a, b) in enumerate(pairwise(ends))]
        return dataclasses.replace(batch, parts=parts_of(pieces, dict(table.dtypes)))

    monkeypatch.setattr(parts, "HELD_BYTES", 10**10)
    expected = said(of_trees, preprocessing, lambda batch: batch)
    monkeypatch.setattr(parts, "HELD_BYTES", 0)
    assert said(of_trees, preprocessing, cut) == expected
    assert "drawn by their hash" in expected[-3]
