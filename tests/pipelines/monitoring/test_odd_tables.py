"""Tests that no statistic of the monitor ends a look, however odd a table is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_basics.pipelines.monitoring.concept_drift import (
    batch_losses,
    begin_watch,
    conclude_concept,
    enter,
)
from mlops_basics.pipelines.monitoring.data_drift import judge_batch, reference_profile
from mlops_basics.schemas import (
    LabelCount,
    MonitoringParams,
    MonitoringReference,
    Parts,
    ReleaseReference,
    WatchedBatch,
)
from mlops_basics.table.profile import feature_profile
from tests.support.parameters import configured
from tests.support.watched import PREPROCESSING, file_of, look, records_of, rows_of, watch_of

PARAMS = configured(MonitoringParams)

NUMBERS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "missing": lambda _, n: np.full(n, np.nan),
    "constant": lambda _, n: np.full(n, 7.0),
    "one value": lambda rng, n: np.where(np.arange(n) == rng.integers(n), 7.0, np.nan),
    "one other": lambda rng, n: np.where(np.arange(n) == rng.integers(n), 7.0, 0.0),
    "half": lambda rng, n: np.where(rng.random(n) < 0.5, 1.0, np.nan),
    "huge": lambda rng, n: rng.choice([-1e308, 1e-308, 1e308], n),
    "counted": lambda _, n: np.arange(n, dtype=float),
}
TEXTS = {
    "levels": lambda rng, n: rng.choice(["a", "b"], n),
    "missing": lambda _, n: np.full(n, None),
    "constant": lambda _, n: np.full(n, "same"),
    "one value": lambda rng, n: np.where(np.arange(n) == rng.integers(n), "once", None),
    "distinct": lambda _, n: np.array([f"row {row}" for row in range(n)]),
    "odd": lambda rng, n: rng.choice(["", " ", "nan", "\x00", "<b>", "1e999"], n),
}
SIZES = st.sampled_from([1, 2, 3, 40, 99, 100, 101, 250])


def table_of(rows, numbers, texts, seed):
    """A table of these columns."""
    rng = np.random.default_rng(seed)
    columns = {f"x{at}": NUMBERS[kind](rng, rows) for at, kind in enumerate(numbers)}
    words = {
        f"t{at}": pd.Series(TEXTS[kind](rng, rows), dtype="str") for at, kind in enumerate(texts)
    }
    return pd.DataFrame(columns | words)


def reference_of(table, losses=(0.0,)):
    """What a release would hold of these rows."""
    info = MonitoringReference(rows=len(table), thinned=1, losses=("error",))
    losses = pd.DataFrame({"error": losses})
    return ReleaseReference(info, feature_profile(table).to_dict(), losses, table)


@settings(max_examples=120)
@given(
    st.lists(st.sampled_from([(a, b) for a in NUMBERS for b in NUMBERS]), max_size=3),
    st.lists(st.sampled_from([(a, b) for a in TEXTS for b in TEXTS]), max_size=2),
    SIZES,
    SIZES,
    st.integers(0, 3),
)
@pytest.mark.slow
def test_every_batch_is_judged(numbers, texts, rows_before, rows_now, seed):
    """Each column has its verdict, all numbers are finite, and the classifier's absence is told."""
    before = table_of(rows_before, [a for a, _ in numbers], [a for a, _ in texts], seed)
    now = table_of(rows_now, [b for _, b in numbers], [b for _, b in texts], seed + 10)
    reference = reference_of(before)
    found = judge_batch(Parts.of(now), 1, reference, reference_profile(reference, PARAMS), PARAMS)
    assert {column.column for column in found.columns} >= {str(name) for name in now}
    for column in found.columns:
        assert math.isfinite(column.lower)
        assert column.effect is None or math.isfinite(column.effect)
    asked = any(column.kind == "classifier" for column in found.columns)
    if len(now.columns):
        assert asked or any("No classifier was asked" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["one value", "one other"])
def test_a_rare_value_is_not_seen_by_the_classifier_and_that_is_told(kind):
    """A column with a value in 1 of 1,000 rows: judged by itself, all other columns jointly."""
    told = []
    for seed in range(8):
        before = table_of(300, ["normal", kind], ["levels"], seed)
        now = table_of(300, ["normal", "constant"], ["levels"], seed + 10)
        now["x1"] = before["x1"].mode(dropna=False)[0]
        reference = reference_of(before)
        found = judge_batch(
            Parts.of(now), 1, reference, reference_profile(reference, PARAMS), PARAMS
        )
        assert found.columns[-1].kind == "classifier"
        told.append(any("did not see the values of 'x1'" in note for note in found.notes))
    assert any(told)
    assert kind == "one value" or not all(told)  # where it is in the learning half, it is seen


def test_what_the_classifier_refuses_is_told(monkeypatch):
    """An error of the other package is a note, the columns' own verdicts stay."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    def refuse(*_):
        raise ValueError("something new")

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", refuse)
    table = table_of(200, ["normal"], [], 0)
    reference = reference_of(table)
    found = judge_batch(Parts.of(table), 1, reference, reference_profile(reference, PARAMS), PARAMS)
    assert [column.kind for column in found.columns] == ["numeric", "missing", "correlation"]
    assert "cannot learn from these rows (something new)" in found.notes[0]


@given(
    kind=st.sampled_from(["zero", "one", "mixed", "tiny", "single"]),
    losses=st.lists(st.sampled_from([0.0, 1.0, 0.3, 1e-300]), min_size=1, max_size=60),
)
def test_every_error_is_concluded_from(release, kind, losses):
    """References without errors, of errors only, of a row: a conclusion in finite numbers."""
    known = {
        "zero": [0.0] * 200,
        "one": [1.0] * 200,
        "mixed": [0.0, 1.0] * 100,
        "tiny": [1e-300] * 100,
        "single": [0.0],
    }[kind]
    reference = dataclasses.replace(
        release.reference, losses=pd.DataFrame({"error": known, "brier": known})
    )
    watch = begin_watch(release, reference, PARAMS)
    record = WatchedBatch(
        name="c", sha256="0", outcome="used", seen_by="run", number=1, rows=len(losses),
        labels=LabelCount(rows=len(losses), labelled=len(losses)),
    )  # fmt: skip
    watch, record = enter(watch, record, np.array(losses))
    concept = conclude_concept(watch, reference, [record])
    for value in (concept.tolerated, concept.wealth, concept.observed, record.error_high):
        assert math.isfinite(value)


@given(
    kinds=st.lists(st.sampled_from(["tall", "short", "ugly", None]), min_size=1, max_size=3),
    rows=st.sampled_from([1, 2, 3, 40]),
    strict=st.booleans(),
)
def test_every_batch_of_labels_has_losses(release, kinds, rows, strict):
    """One class only, unknown ones, few rows, no label: a loss in [0, 1] a labelled row."""
    features = rows_of(rows)[list(release.table.features)].assign(size=np.nan)
    target = pd.Series((kinds * rows)[:rows], dtype=object)
    watch = begin_watch(release, release.reference, PARAMS)
    losses, expected, _ = batch_losses(Parts.of(features), target, release, watch, strict)
    assert len(losses) == (rows if strict else target.notna().sum())
    assert ((losses >= 0) & (losses <= 1)).all()
    assert 0 <= expected <= 1


@pytest.mark.parametrize("target", [5.0, 0.0, -1e9, 1e300])
def test_a_constant_target_has_losses(of_size, target):
    """However far it is, each row has a loss in [0, 1]."""
    features = rows_of(3)[list(of_size.table.features)].assign(count=1e9)
    watch = begin_watch(of_size, of_size.reference, PARAMS)
    losses, _, _ = batch_losses(
        Parts.of(features), pd.Series([target] * 3), of_size, watch, strict=False
    )
    assert ((losses >= 0) & (losses <= 1)).all()


class Broken:
    """A model that predicts no numbers, or nothing."""

    classes_ = ("short", "tall")

    def __init__(self, error=None):
        self.error = error

    def predict_proba(self, features):
        """Probabilities of the two classes."""
        if self.error:
            raise ValueError(self.error)
        return np.full((len(features), 2), np.nan)

    def predict(self, features):
        """A number a row."""
        return self.predict_proba(features)[:, 0]


def test_a_prediction_that_is_no_number_is_wrong(release, of_size):
    """It counts as the largest loss, and nothing is expected from it."""
    table = rows_of(4)
    for kind, target in ((release, table["kind"]), (of_size, table["size"])):
        broken = dataclasses.replace(kind, model=Broken())
        watch = begin_watch(broken, broken.reference, PARAMS)
        features = table[list(broken.table.features)]
        losses, expected, _ = batch_losses(Parts.of(features), target, broken, watch, strict=False)
        assert losses.tolist() == [1.0] * 4
        assert expected is None


def test_a_batch_that_cannot_be_predicted_stops_no_other(release):
    """What the model says is a note; the batch is judged for data drift, and has no error."""
    broken = dataclasses.replace(release, model=Broken("an odd column"))
    found = look(broken, [file_of("c.csv", rows_of()), file_of("d.csv", rows_of(seed=6))])
    assert [record.number for record in records_of(found).values()] == [1, 2]
    for result in found.verdict.batches:
        assert result.columns
        assert "cannot predict its rows (an odd column)" in result.notes[-1]
        assert not result.batch.entered


def test_a_look_at_a_sparse_column_ends(release):
    """With the classifier on, a column that is nearly always empty stops nothing."""
    sample = rows_of(300)[list(release.table.features)].assign(colour=None)
    sample["colour"] = sample["colour"].astype("str")
    sample["count"] = sample["count"].astype(float).where(sample.index == 7)
    reference = dataclasses.replace(
        release.reference, sample=sample, profile=feature_profile(sample).to_dict()
    )
    sparse = dataclasses.replace(release, reference=reference)
    batch = file_of("c.csv", rows_of(200, count=np.nan, colour=None))
    found = look(sparse, [batch], preprocessing=PREPROCESSING, classifier_rows=5000)
    assert watch_of(found).batches[0].number == 1
    assert found.verdict.batches[0].columns[-1].kind == "classifier"
