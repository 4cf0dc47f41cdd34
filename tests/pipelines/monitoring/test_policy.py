"""Tests of when drift leads to a retraining, and when it waits."""

from __future__ import annotations

import pytest

from mlops_basics.pipelines.monitoring.policy import conclude_policy
from mlops_basics.schemas import Attempt, ConceptResult, MonitoringParams, Watch, WatchedBatch
from tests.support.parameters import configured

PARAMS = configured(MonitoringParams, min_rows=500, cool_down=3)


def concept_of(status="no_drift"):
    """What the concept test says."""
    return ConceptResult(
        status=status, loss="error", rows=0, reference_rows=100, reference=0.1,
        reference_upper=0.12, tolerated=0.13, tolerance=0.01, observed=None, wealth=0.0, block=1,
        alpha=0.01, reason=f"the reason of {status}",
    )  # fmt: skip


def batch_of(number, drifted=(), *, entered=True):
    """A batch that was judged."""
    return WatchedBatch(
        name=f"{number}.csv", sha256=str(number), outcome="used", seen_by="run", number=number,
        rows=300, drifted=drifted, entered=entered,
    )  # fmt: skip


def conclude(batches, status="no_drift", attempts=(), rows=1000, params=PARAMS, *, new=True):
    """The policy's conclusion."""
    watch = Watch(
        version="1", loss="error", sequential={}, batches=tuple(batches), attempts=tuple(attempts)
    )
    return conclude_policy(watch, concept_of(status), params, labelled_rows=rows, anything_new=new)


def attempt_of(*evidence, batches, labelled):
    """A retraining that was not promoted."""
    return Attempt(
        run_id="earlier", evidence=evidence, batches=batches, labelled_batches=labelled,
        promoted=False, outcome="kept",
    )  # fmt: skip


@pytest.mark.parametrize(("new", "outcome"), [(True, "no_drift"), (False, "nothing_new")])
def test_without_drift_there_is_nothing_to_do(new, outcome):
    """The reason is the concept test's."""
    found = conclude([batch_of(1)], new=new)
    assert found == (outcome, (), ("the reason of no_drift",))


@pytest.mark.parametrize("status", ["no_labels", "not_enough_labels"])
def test_missing_labels_are_no_drift(status):
    """Missing labels are no drift and are named as the reason."""
    assert conclude([batch_of(1)], status) == ("no_drift", (), (f"the reason of {status}",))


@pytest.mark.parametrize(
    ("drifted", "status", "evidence"),
    [
        ((), "drift", ("concept_drift",)),
        (("b", "a"), "no_drift", ("data_drift: a", "data_drift: b")),
        (("a",), "drift", ("concept_drift", "data_drift: a")),
    ],
)
def test_drift_leads_to_a_retraining(drifted, status, evidence):
    """Drift leads to a retraining, with a reason for each kind of evidence."""
    found = conclude([batch_of(1, drifted)], status)
    assert (found.outcome, found.evidence) == ("retrain", evidence)
    assert len(found.reasons) == len(evidence)
    for item, reason in zip(evidence, found.reasons, strict=True):
        assert reason.startswith("Concept drift" if item == "concept_drift" else "Data drift: ")


def test_what_retrain_on_does_not_name_is_no_evidence():
    """It is judged and shown all the same, but trains nothing."""
    batches = [batch_of(1, ("a",))]
    only = {kind: PARAMS.model_copy(update={"retrain_on": (kind,)}) for kind in PARAMS.retrain_on}
    assert conclude(batches, params=only["concept_drift"]).outcome == "no_drift"
    assert conclude(batches, "drift", params=only["data_drift"]).evidence == ("data_drift: a",)
    none = PARAMS.model_copy(update={"retrain_on": ()})
    assert conclude(batches, "drift", params=none).outcome == "no_drift"


@pytest.mark.parametrize(("rows", "outcome"), [(499, "waiting"), (500, "retrain")])
def test_a_retraining_waits_for_labelled_rows(rows, outcome):
    """Drift that was shown does not get lost meanwhile."""
    found = conclude([batch_of(1, ("a",)), batch_of(2)], rows=rows)
    assert found.outcome == outcome
    assert found.evidence == ("data_drift: a",)
    if outcome == "waiting":
        assert "499 labelled rows" in found.reasons[-1]
        assert "500 are needed" in found.reasons[-1]


def test_a_retraining_is_not_repeated_on_the_same_evidence():
    """It waits for a number of labelled batches, which is reported and counts down."""
    last = attempt_of("concept_drift", batches=1, labelled=1)
    batches = [batch_of(1)]
    for missing in (3, 2, 1):
        found = conclude(batches, "drift", [last])
        assert found.outcome == "cooling_down"
        assert f"needs {missing} more labelled batch" in found.reasons[-1]
        assert "run earlier" in found.reasons[-1]
        batches.append(batch_of(len(batches) + 1))
    assert conclude(batches, "drift", [last]).outcome == "retrain"


def test_batches_without_labels_do_not_cool_down():
    """Batches without labels do not shorten the wait."""
    last = attempt_of("concept_drift", batches=1, labelled=1)
    waiting = [batch_of(number, entered=False) for number in range(2, 9)]
    assert conclude([batch_of(1), *waiting], "drift", [last]).outcome == "cooling_down"


def test_data_drift_that_a_retraining_knew_is_no_evidence():
    """Only drift after the retraining is evidence; the same column is the same evidence."""
    last = attempt_of("data_drift: a", batches=1, labelled=1)
    before = batch_of(1, ("a",))
    assert conclude([before], attempts=[last]).outcome == "no_drift"
    again = conclude([before, batch_of(2, ("a",))], attempts=[last])
    assert (again.outcome, again.evidence) == ("cooling_down", ("data_drift: a",))


def test_other_evidence_needs_one_labelled_batch():
    """A column that was not known to have drifted, or concept drift after data drift."""
    last = attempt_of("data_drift: a", batches=1, labelled=1)
    for entered, outcome in ((False, "cooling_down"), (True, "retrain")):
        batches = [batch_of(1, ("a",)), batch_of(2, ("b",), entered=entered)]
        assert conclude(batches, attempts=[last]).outcome == outcome
        calm = [batch_of(1, ("a",)), batch_of(2, entered=entered)]
        assert conclude(calm, "drift", [last]).outcome == outcome


def test_only_the_last_retraining_counts():
    """Evidence of an earlier retraining may be tried again after another one."""
    attempts = [
        attempt_of("concept_drift", batches=1, labelled=1),
        attempt_of("data_drift: a", batches=2, labelled=2),
    ]
    batches = [batch_of(1), batch_of(2, ("a",)), batch_of(3)]
    assert conclude(batches, "drift", attempts).outcome == "retrain"


def test_quarantined_batches_are_no_evidence():
    """Quarantined batches are no evidence, since they have no number."""
    record = batch_of(0, ("a",), entered=False)
    assert conclude([record]).outcome == "no_drift"
    batches = (record, batch_of(1), batch_of(2, entered=False))
    watch = Watch(version="1", loss="error", sequential={}, batches=batches)
    assert watch.labelled_batches == 1
    assert watch.newest == 2
