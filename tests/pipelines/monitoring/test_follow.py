"""What follows from a look: an alarm of its own where a constant does better."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mlops_basics.pipelines.monitoring.adaptation import (
    Entered,
    alternatives,
    begin_state,
    follow,
)
from mlops_basics.pipelines.monitoring.follow import follow_policies
from mlops_basics.pipelines.monitoring.policies import Fits
from mlops_basics.pipelines.monitoring.rebase import attempted
from mlops_basics.schemas import (
    Batch,
    CollectionParams,
    Findings,
    MonitoringParams,
    MonitoringState,
    Recipe,
    Release,
    TrainingParams,
)
from mlops_basics.schemas.policy import CONSTANT, PRODUCTION
from mlops_basics.stats.prequential.evidence import begin
from mlops_basics.table.learning import LabelledRows
from tests.support.parameters import configured
from tests.support.policies import release_of, rows_of
from tests.support.watched import (
    PARAMS,
    PREPROCESSING,
    file_of,
    look,
    trained_batches,
    watch_of,
)
from tests.support.watched import rows_of as raw_rows

TRAINING = configured(TrainingParams)
LINEAR = Recipe(
    task="binary",
    candidate="linear",
    class_path="sklearn.linear_model.LogisticRegression",
    dense=True,
    parameters={},
    vectorizer={},
    seed=0,
)


@pytest.fixture(scope="module")
def followed(release: Release) -> Release:
    """A release with a recipe, whose policies can be followed."""
    return dataclasses.replace(release, recipe=LINEAR, fitted_rows=np.empty(0, dtype=np.uint64))


def look_on(
    release: Release, batches: list[Batch], state: MonitoringState | None, **params: object
) -> Findings:
    """One look, and what follows from it."""
    watched = look(release, batches, state, adapt="policy", **params)
    settings = PARAMS.model_copy(update={"adapt": "policy", **params})
    source = sorted([*trained_batches(), *batches], key=lambda batch: batch.name)
    return follow_policies(
        watched,
        source,
        [],
        release,
        settings,
        PREPROCESSING,
        configured(CollectionParams),
        TRAINING,
    )


def without_switches(state: MonitoringState) -> MonitoringState:
    """The same state, in which no other policy can be shown to be better."""
    evidence = begin(alternatives(state.policy.policy), 1e-300).to_dict()
    policy = state.policy.model_copy(update={"evidence": evidence})
    return state.model_copy(update={"policy": policy})


def guessed(seed: int, rows: int = 200) -> Batch:
    """A batch in which nothing tells the classes apart any more."""
    table = raw_rows(rows, seed)
    kinds = np.random.default_rng(seed).choice(["tall", "short"], rows)
    return file_of(f"c{seed:03d}.csv", table.assign(kind=kinds))


def test_worse_than_a_constant_starts_a_search_and_needs_new_evidence(followed: Release) -> None:
    """It is an alarm of its own; once a search has answered it, evidence begins anew."""
    only = {"retrain_on": ("worse_than_constant",), "min_rows": 100, "cool_down": 1}
    batches = [file_of("c000.csv", raw_rows(100, 0))]
    state = without_switches(look_on(followed, batches, None, **only).state)
    batches.append(guessed(100))
    findings = look_on(followed, batches, state, **only)
    state = findings.state
    assert findings.verdict.evidence == ("worse_than_constant",)
    assert findings.verdict.outcome == "retrain"
    assert "worse than a constant" in findings.verdict.reasons[-1]
    assert watch_of(findings).pending == ("worse_than_constant",)
    again = look_on(followed, batches, state, **only)
    assert again.verdict.evidence == ("worse_than_constant",)
    answered = attempted(state, findings.verdict, "search", promoted=False, outcome="searched")
    assert look_on(followed, batches, answered, **only).verdict.evidence == ()
    ignored = look_on(followed, batches, state, **{**only, "retrain_on": ()})
    assert (ignored.verdict.retrain, ignored.verdict.evidence) == (False, ())
    assert ignored.verdict.adaptation.worse_than_constant


def test_a_release_that_is_better_than_a_constant_raises_no_such_alarm(followed: Release) -> None:
    """Rows that follow the old relation are evidence against it."""
    batches = [file_of(f"c{seed}.csv", raw_rows(200, seed)) for seed in range(3)]
    findings = look_on(followed, batches, None, min_rows=100)
    assert findings.verdict.evidence == ()
    assert not findings.verdict.adaptation.worse_than_constant


@pytest.mark.slow
def test_a_small_lasting_loss_against_a_constant_is_shown() -> None:
    """Results of a sport that nothing predicts: about .698 against .694, shown within 41 years."""
    rng = np.random.default_rng(7)
    table = rows_of([0.0] * 41, 3_000)
    rows = LabelledRows(
        features=table.features,
        target=rng.choice(["home", "away"], len(table)).astype(object),
        batch=table.batch,
        position=table.position,
        hashes=table.hashes,
        groups=None,
    )
    recipe = LINEAR.model_copy(
        update={
            "class_path": "sklearn.ensemble.HistGradientBoostingClassifier",
            "parameters": {"max_iter": 30, "max_leaf_nodes": 8, "early_stopping": False},
        }
    )
    names = sorted(set(rows.batch))
    release = release_of(rows.of(names[:1]), recipe=recipe, classes=("away", "home"))
    params = configured(MonitoringParams)
    state = begin_state(release, recipe, names[:1], params, pin="it is to stay")
    for name in names[1:]:
        state, found = follow(state, Fits(rows, release), [Entered(name)], params)
        if found.worse_than_constant or not state.pin:
            break
    assert found.worse_than_constant
    losses = {name: total / state.tested_rows for name, total in state.totals.items()}
    assert 0.002 < losses[PRODUCTION] - losses[CONSTANT] < 0.01
