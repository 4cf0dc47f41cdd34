"""Tests of what the monitor says a rise of the error comes from, over lives of batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_basics.pipelines.monitoring.cause import cause_of_rise, losses_by_class
from mlops_basics.pipelines.monitoring.concept_drift import conclude_concept, enter
from mlops_basics.pipelines.monitoring.policy import conclude_policy
from mlops_basics.pipelines.monitoring.rebase import answered
from mlops_basics.schemas import (
    Attempt,
    ConceptResult,
    LabelCount,
    MonitoringParams,
    MonitoringReference,
    ReleaseReference,
    Watch,
    WatchedBatch,
)
from mlops_basics.stats.concept_drift.sequential import start_monitor
from tests.support.parameters import configured
from tests.support.watched import look, rows_of, turned, watch_of

NAMES, SIZE = ("often", "seldom"), 500
ERRORS, SHARE = (0.05, 0.4), 0.1  # of each class; of the second one
PARAMS = configured(MonitoringParams)


def draw(rng, rows, share=SHARE, errors=ERRORS):
    """True classes, and whether each row is predicted wrongly."""
    y = (rng.random(rows) < share).astype(np.int64)
    return y, (rng.random(rows) < np.array(errors)[y]).astype(float)


def begun(rng, rows=3_000, *, with_classes=True):
    """A watch before its first batch, and its reference."""
    y, losses = draw(rng, rows)
    table = pd.DataFrame({"error": losses} | ({"class": y} if with_classes else {}))
    info = MonitoringReference(rows=rows, thinned=1, losses=("error",))
    watch = Watch(version="1", loss="error", sequential=start_monitor(losses).to_dict())
    return watch, ReleaseReference(info, {}, table, pd.DataFrame())


def entered(watch, rng, number, share=SHARE, errors=ERRORS):
    """The watch after a batch, and what is remembered of that."""
    y, losses = draw(rng, SIZE, share, errors)
    record = WatchedBatch(
        name=f"{number:02}",
        sha256="",
        outcome="used",
        seen_by="",
        number=number,
        rows=SIZE,
        labels=LabelCount(rows=SIZE, labelled=SIZE),
        class_losses=losses_by_class(losses, y, NAMES),
    )
    watch, record = enter(watch, record, losses)
    return watch.model_copy(update={"batches": (*watch.batches, record)}), record


def life(seed, share, errors, quiet=2, most=20) -> ConceptResult:
    """What is said when the alarm comes, or after the last batch."""
    rng = np.random.default_rng(seed)
    watch, reference = begun(rng)
    for number in range(1, most + 1):
        then = (SHARE, ERRORS) if number <= quiet else (share, errors)
        watch, record = entered(watch, rng, number, *then)
        if record.alarm:
            break
    return conclude_concept(watch, reference, watch.batches, NAMES)


@pytest.mark.parametrize(
    ("share", "errors", "cause", "words"),
    [
        (0.4, ERRORS, "label_shift", ("Other shares of the classes explain it", "A search for a")),
        (0.1, (0.2, 0.5), "concept_drift", ("other shares do not explain it", "other thresholds")),
        (0.4, (0.2, 0.6), "both", ("add to it", "a search for a new recipe")),
    ],
)
def test_an_alarm_names_its_cause_its_figures_and_what_fits(share, errors, cause, words):
    """In words, with the levels of both tests; the evidence bears the same name."""
    concept = life(0, share, errors)
    assert (concept.status, concept.cause) == ("drift", cause)
    assert [text for text in words if text not in concept.cause_reason] == []
    assert "0.01 or less shows it" in concept.cause_reason
    watch = Watch(version="1", loss="error", sequential=start_monitor([0, 1]).to_dict())
    made = conclude_policy(watch, concept, PARAMS, labelled_rows=5_000, anything_new=True)
    name = "label_shift" if cause == "label_shift" else "concept_drift"
    assert (made.outcome, made.evidence) == ("retrain", (name,))
    assert made.reasons[0].startswith("Label shift: " if name == "label_shift" else "Concept drift")
    assert concept.cause_reason in made.reasons[0]


def test_without_an_alarm_there_is_no_cause():
    """Nothing has risen."""
    concept = life(1, SHARE, ERRORS, most=3)
    assert (concept.status, concept.cause, concept.cause_reason) == ("no_drift", "", "")


def test_what_cannot_be_told_apart_is_said_to_be_so():
    """A regression has no classes, an older release no losses by class."""
    rng = np.random.default_rng(2)
    watch, reference = begun(rng, with_classes=False)
    watch, record = entered(watch, rng, 1, 0.4)
    cause, reason = cause_of_rise(watch, reference, NAMES, [record])
    assert (cause, "holds no losses by class" in reason) == (None, True)
    cause, reason = cause_of_rise(watch, reference, (), [record])
    assert (cause, "In a regression" in reason) == (None, True)


def test_a_class_that_the_model_does_not_know_is_no_other_share():
    """All of its rows are wrong, and no reference expects them."""
    rng = np.random.default_rng(3)
    watch, reference = begun(rng)
    y, losses = draw(rng, SIZE)
    y[:150], losses[:150] = -1, 1.0
    sums = losses_by_class(losses, y, NAMES)
    assert sums[""] == (150, 150.0, 150.0)
    _, record = entered(watch, rng, 1)
    record = record.model_copy(update={"class_losses": sums})
    assert cause_of_rise(watch, reference, NAMES, [record])[0] == "concept_drift"


def test_after_a_search_a_rise_is_one_above_what_it_has_answered():
    """Worse classes were answered; then other shares come: this rise is a label shift."""
    rng = np.random.default_rng(4)
    watch, reference = begun(rng)
    worse = (0.15, 0.5)
    for number in (1, 2, 3):
        watch, _ = entered(watch, rng, number, SHARE, worse)
    assert conclude_concept(watch, reference, watch.batches, NAMES).cause == "concept_drift"
    attempt = Attempt(run_id="r", evidence=("concept_drift",), batches=3, labelled_batches=3)
    watch = answered(watch, attempt, rebase=True)
    assert watch.own is not None
    for number in (4, 5, 6):
        watch, _ = entered(watch, rng, number, 0.5, worse)
    concept = conclude_concept(watch, reference, watch.batches, NAMES)
    assert (concept.status, concept.cause) == ("drift", "label_shift")


def test_a_look_sums_up_the_losses_of_each_class(release, monkeypatch):
    """From files to the cause: the opposite relation is a concept drift, by name of the class."""
    from tests.support.watched import file_of

    found = look(release, [file_of("c.csv", turned(rows_of(400)))])
    (record,) = watch_of(found).batches
    assert set(record.class_losses) == {"short", "tall"}
    assert sum(rows for rows, *_ in record.class_losses.values()) == record.labels.labelled
    total = sum(total for _, total, _ in record.class_losses.values())
    assert total / record.labels.labelled == pytest.approx(record.error)
    assert found.verdict.concept.cause == "concept_drift"
    assert "Rows of a class are predicted worse" in " ".join(found.verdict.reasons)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "errors", "right", "wrong"),
    [
        (0.4, ERRORS, "label_shift", "concept_drift"),
        (0.25, ERRORS, "label_shift", "concept_drift"),
        (0.1, (0.15, 0.5), "concept_drift", "label_shift"),
        (0.1, (0.1, 0.45), "concept_drift", "label_shift"),
    ],
)
def test_alarms_are_called_what_they_are(share, errors, right, wrong):
    """Of 100 lives each: named rightly in nine of ten, and as the other one in hardly any, although
    an alarm picks the batches with the largest errors."""
    lives = 100
    found = Counter(life(seed, share, errors).cause for seed in range(lives))
    alarms = lives - found[""]
    assert alarms > lives / 2
    assert found[right] >= stats.binom.ppf(1e-6, alarms, 0.9)
    assert found[wrong] <= stats.binom.ppf(1 - 1e-6, alarms, 0.01)
