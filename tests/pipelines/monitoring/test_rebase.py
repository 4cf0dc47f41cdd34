"""How often a stream of batches leads to a search: once for each thing that has changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.rebase import attempted
from mlops_basics.schemas import Batch, Findings, MonitoringState, Release, Verdict
from mlops_basics.schemas.policy import ENOUGH_ROWS, Adaptation
from mlops_basics.stats.concept_drift.sequential import SequentialState
from tests.support.watched import (
    PREPROCESSING,
    file_of,
    look,
    records_of,
    rows_of,
    turned,
    watch_of,
)

ROWS = 120
COOL_DOWN = 3


def as_followed(verdict: Verdict, policy: str) -> Verdict:
    """The verdict where production follows policies; as it is where it does not."""
    return verdict.model_copy(update={"adaptation": Adaptation(action="none", policy=policy)})


def searched_at(
    release: Release, looks: Sequence[list[Batch]], policy: str = "all", **params: object
) -> tuple[list[int], Findings]:
    """Numbers of the looks that led to a search (or a retraining which was refused)."""
    state, found = MonitoringState(), []
    for number, source in enumerate(looks):
        findings = look(release, source, state, min_rows=ROWS, **params)
        state = findings.state
        if findings.verdict.retrain:
            found.append(number)
            verdict = as_followed(findings.verdict, policy)
            state = attempted(state, verdict, "search", promoted=False, outcome="searched")
    return found, findings


def growing(batches: list[Batch]) -> list[list[Batch]]:
    """One batch more at each look."""
    return [batches[: number + 1] for number in range(len(batches))]


def stream_of(tables: Sequence[pd.DataFrame]) -> list[Batch]:
    """Files of later months than those of the training."""
    return [file_of(f"c{number:02d}.csv", table) for number, table in enumerate(tables)]


def calm(count: int, first_seed: int = 50, rows: int = ROWS) -> list[pd.DataFrame]:
    """Batches that follow the old relation."""
    return [rows_of(rows, seed) for seed in range(first_seed, first_seed + count)]


@pytest.mark.parametrize("policy", ["all", ""])
def test_one_bad_batch_leads_to_one_search(release, policy) -> None:
    """Eleven normal batches after it are no new evidence, whether policies are followed or not."""
    batches = stream_of([turned(rows_of(ROWS)), *calm(11)])
    assert searched_at(release, growing(batches), policy)[0] == [0]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["all", ""])
def test_one_batch_whose_columns_were_off_leads_to_one_search(release, policy) -> None:
    """Data drift of one batch is answered once; the way back is no drift."""
    batches = stream_of([rows_of(ROWS).assign(size=9.0), *calm(11)])
    assert searched_at(release, growing(batches), policy)[0] == [0]


@pytest.mark.slow
def test_what_stays_changed_is_searched_for_once(release) -> None:
    """After the search its batches are what later ones are compared with."""
    batches = stream_of([*calm(2), *(turned(table) for table in calm(10, 70))])
    found, last = searched_at(release, growing(batches))
    assert found == [2]
    assert last.verdict.concept.status == "no_drift"
    shifted = [table.assign(size=table["size"] + 4) for table in calm(10, 70)]
    batches = stream_of([*calm(2), *shifted])
    found, last = searched_at(release, growing(batches), retrain_on=("data_drift",))
    assert found == [2]
    assert records_of(last)["c03.csv"].drifted == ()


@pytest.mark.slow
def test_a_second_change_is_searched_for_again(release) -> None:
    """A watch that was rebased is not blind for what comes next."""
    once = [table.assign(size=table["size"] + 4) for table in calm(5, 70)]
    twice = [table.assign(size=table["size"] + 40) for table in calm(5, 80)]
    batches = stream_of([*once, *twice])
    assert searched_at(release, growing(batches), retrain_on=("data_drift",))[0] == [0, 5]


def test_the_limit_comes_back_with_the_error(release) -> None:
    """What a search has answered is tolerated only as long as it lasts: later rises are seen."""
    own = SequentialState.from_dict(watch_of(look(release, [])).sequential).mean
    quiet = calm(4)
    batches = stream_of([turned(rows_of(ROWS)), *quiet, *(turned(t) for t in calm(2, 90))])
    after_bad, _ = searched_at(release, growing(batches[:1]))
    found, last = searched_at(release, growing(batches[:5]))
    assert after_bad == found == [0]
    assert SequentialState.from_dict(watch_of(last).sequential).mean == pytest.approx(own)
    assert watch_of(last).own is None
    assert searched_at(release, growing(batches))[0] == [0, 5]


def test_a_refused_retraining_comes_again_while_the_drift_goes_on(release) -> None:
    """Under `adapt: release` a challenger may need more rows than there were: new ones count."""
    batches = stream_of([turned(table) for table in calm(8)])
    found, _ = searched_at(release, growing(batches), "")
    assert found == list(range(0, 8, COOL_DOWN))


def test_an_alarm_that_waits_ends_when_the_error_is_back(release) -> None:
    """Evidence that lies long back is none: nothing is searched for when rows suffice at last."""
    quiet = calm(10, rows=60)
    batches = stream_of([turned(rows_of(60)), *quiet])
    state, alarmed = MonitoringState(), []
    for source in growing(batches):
        findings = look(release, source, state, min_rows=ENOUGH_ROWS + 120)
        state = findings.state
        alarmed.append(findings.verdict.concept.status == "drift")
        assert not findings.verdict.retrain
    assert alarmed[0]
    assert not alarmed[-1]


@pytest.mark.parametrize("where", ["batch", "labels"])
def test_an_alarm_is_withdrawn_when_its_batch_is_mended(release, where) -> None:
    """Labels that were wrong are no evidence once they are right, also in files of their own."""
    table, wrong = rows_of(ROWS), turned(rows_of(ROWS))
    if where == "batch":
        bad, labels = [file_of("c.csv", wrong)], ([], [])
        good = [file_of("c.csv", table)]
    else:
        bad = good = [file_of("c.csv", table.drop(columns="kind"))]
        keys = {"key_columns": tuple(name for name in table.columns if name != "kind")}
        labels = ([file_of("l.csv", wrong)], [file_of("l.csv", table)])
    prep = PREPROCESSING if where == "batch" else PREPROCESSING.model_copy(update=keys)
    first = look(release, bad, None, labels[0], prep, min_rows=1000)
    assert (first.verdict.outcome, first.verdict.evidence) == ("waiting", ("concept_drift",))
    second = look(release, good, first.state, labels[1], prep, min_rows=1000)
    assert second.verdict.evidence == ()
    assert "the alarm is withdrawn" in " ".join(second.verdict.batches[0].notes)
    assert not records_of(second)["c.csv"].alarm
    same = look(release, bad, first.state, labels[0], prep, min_rows=1000)
    assert same.verdict.evidence == ("concept_drift",)


def test_labels_that_complete_a_batch_withdraw_nothing(release) -> None:
    """Late labels beside those that raised an alarm are no mending."""
    wrong = turned(rows_of(ROWS))
    part = wrong.assign(kind=wrong["kind"].where(np.arange(ROWS) < 0.9 * ROWS))
    first = look(release, [file_of("c.csv", part)], min_rows=1000)
    second = look(release, [file_of("c.csv", wrong)], first.state, min_rows=1000)
    assert second.verdict.evidence == ("concept_drift",)


def test_drifted_columns_of_a_mended_batch_are_no_evidence(release) -> None:
    """A batch that was rewritten stays named, but leads to nothing any more."""
    only = {"min_rows": 1000, "retrain_on": ("data_drift",)}
    first = look(release, [file_of("c.csv", rows_of(ROWS).assign(size=9.0))], **only)
    assert first.verdict.evidence == ("data_drift: size",)
    second = look(release, [file_of("c.csv", rows_of(ROWS))], first.state, **only)
    assert second.verdict.evidence == ()
    assert records_of(second)["c.csv"].outcome == "rewritten"
