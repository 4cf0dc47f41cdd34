"""Tests of looking at batches, labels and state: what is reported and what is remembered."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_basics.errors import ConfigurationError, ReleaseError
from mlops_basics.pipelines.monitoring.concept_drift import begin_watch
from mlops_basics.pipelines.monitoring.nodes import (
    draw_monitoring,
    reference_of,
    remember,
    tell_verdict,
    watch_batches,
    write_monitoring_report,
)
from mlops_basics.schemas import (
    Batch,
    CollectionParams,
    Findings,
    MonitoringState,
    SplitParams,
)
from mlops_basics.stats.concept_drift.sequential import SequentialState, update
from mlops_basics.table.labels import PREDICTION_ID, LabelBook, RowKeys
from tests.support.labels import prediction_ids
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged
from tests.support.watched import (
    OF_SIZE,
    PARAMS,
    PREPROCESSING,
    file_of,
    look,
    make_release,
    records_of,
    renamed,
    rows_of,
    run_context,
    trained_batches,
    turned,
    watch_of,
)

KEYS = RowKeys("kind", ("day",))
UNLABELLED = file_of("c.csv", rows_of(labelled=False))


def labels_of(batch: Batch, table: pd.DataFrame, rows=slice(None), name="labels.csv") -> Batch:
    """A label file for some rows of a batch."""
    columns = {PREDICTION_ID: prediction_ids(batch, KEYS), "kind": table["kind"]}
    return file_of(name, pd.DataFrame(columns)[rows])


def test_inputs_stay_as_they_were(release):
    """Batches, labels, state, parameters."""
    batches = [*trained_batches(), UNLABELLED, file_of("d.csv", pd.DataFrame())]
    labels = [labels_of(UNLABELLED, rows_of())]
    found = assert_inputs_unchanged(
        lambda source, labels, state: watch_batches(
            source,
            labels,
            release,
            state,
            run_context(),
            PARAMS,
            PREPROCESSING,
            configured(CollectionParams),
        ),
        batches, labels, MonitoringState(revision=4),
    )  # fmt: skip
    assert found.state.revision == 5
    assert tell_verdict(found) == found.verdict
    assert remember(found, found.verdict, "") == found.state


def test_a_batch_without_labels_waits(release):
    """What the model itself expects is shown meanwhile, and triggers nothing."""
    found = look(release, [UNLABELLED])
    record = records_of(found)["c.csv"]
    assert (record.entered, record.labels.coverage) == (False, 0)
    assert 0 < record.expected_error < 0.5
    assert found.verdict.concept.status == "no_labels"
    assert found.verdict.outcome == "no_drift"


@pytest.mark.parametrize("labelled", [True, False])
def test_labels_come_in_the_batch_or_later_in_files(release, labelled):
    """Either way the test sees the same."""
    direct = look(release, [file_of("c.csv", rows_of())])
    batch = file_of("c.csv", rows_of(labelled=labelled))
    later = look(release, [batch], look(release, [batch]).state, [labels_of(batch, rows_of())])
    assert watch_of(later).sequential == watch_of(direct).sequential
    assert records_of(later)["c.csv"].error == records_of(direct)["c.csv"].error


def test_labels_in_parts_and_out_of_order(release):
    """Below the coverage they wait, and the verdict says so; then the whole batch enters, once."""
    some = labels_of(UNLABELLED, rows_of(), slice(59, 29, -1), "2.csv")
    rest = labels_of(UNLABELLED, rows_of(), slice(0, 30), "1.csv")
    first = look(release, [UNLABELLED], None, [some])
    record = records_of(first)["c.csv"]
    assert (record.entered, record.labels.coverage) == (False, 0.5)
    assert first.verdict.concept.status == "not_enough_labels"
    second = look(release, [UNLABELLED], first.state, [some, rest])
    whole = look(release, [file_of("c.csv", rows_of())])
    assert watch_of(second).sequential == watch_of(whole).sequential
    third = look(release, [UNLABELLED], second.state, [some, rest, some])
    assert third.state.watches == second.state.watches
    assert third.verdict.outcome == "nothing_new"


def test_an_old_batch_enters_with_the_labels_that_are_there(release):
    """It enters after ``patience`` further batches; later labels count only for trainings."""
    part = labels_of(UNLABELLED, rows_of(), slice(0, 10))
    others = [file_of(f"d{i}.csv", rows_of(seed=20 + i, labelled=False)) for i in range(3)]
    state = look(release, [UNLABELLED, *others[:2]], None, [part]).state
    assert not state.watches["1"].batches[0].entered
    found = look(release, [UNLABELLED, *others], state, [part])
    assert records_of(found)["c.csv"].entered
    assert found.verdict.concept.rows == 10
    assert found.verdict.labelled_rows == 10
    later = look(release, [UNLABELLED, *others], found.state, [labels_of(UNLABELLED, rows_of())])
    assert later.verdict.labelled_rows == 60
    assert watch_of(later).sequential == watch_of(found).sequential
    assert later.verdict.concept.rows == 10


def test_labels_that_contradict_each_other(release):
    """The later file counts, and a warning gives the number of contradictions."""
    batch = file_of("c.csv", rows_of())
    found = look(release, [batch], None, [labels_of(batch, turned(rows_of()), slice(0, 7))])
    assert records_of(found)["c.csv"].labels.conflicting == 7
    assert "7 of its labels were contradicted" in found.verdict.batches[0].notes[0]
    [told] = found.verdict.warnings
    assert told.startswith("c.csv: 7 of its labels were contradicted by a later file, which counts")
    again = look(release, [batch, UNLABELLED], found.state, [])
    assert not again.verdict.warnings


BAD_LABELS = {
    "damaged": Batch.of("bad.csv", "00", pd.DataFrame(), "The file 'bad.csv' is not readable."),
    "no target": file_of("bad.csv", pd.DataFrame({PREDICTION_ID: ["a"]})),
    "no rows named": file_of("bad.csv", pd.DataFrame({"order": [1], "kind": ["tall"]})),
    "other classes": file_of("bad.csv", pd.DataFrame({PREDICTION_ID: ["a"], "kind": ["ugly"]})),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_a_bad_label_file_stops_no_other(release, name):
    """It is named in a warning, and a training leaves it out."""
    good = labels_of(UNLABELLED, rows_of())
    found = look(release, [UNLABELLED], None, [BAD_LABELS[name], good])
    assert records_of(found)["c.csv"].entered
    assert found.verdict.skip == ("bad.csv",)
    assert "bad.csv" in found.verdict.warnings[0]


def test_text_labels_in_a_regression_stop_nothing(of_size):
    """The file is at fault, not the batch."""
    batch = file_of("c.csv", rows_of().drop(columns="size"))
    ids = prediction_ids(batch, RowKeys("size", ("day", "kind")))
    bad = file_of("bad.csv", pd.DataFrame({PREDICTION_ID: ids[:3], "size": ["1.5", "?", "2"]}))
    good = file_of("good.csv", pd.DataFrame({PREDICTION_ID: ids, "size": rows_of()["size"]}))
    found = look(of_size, [batch], None, [bad, good], OF_SIZE)
    assert found.verdict.skip == ("bad.csv",)
    assert records_of(found)["c.csv"].labels.conflicting == 0
    assert records_of(found)["c.csv"].entered


def test_unknown_ids_and_a_skipped_file_change_nothing(release):
    """Labels of unknown rows and skipped label files change nothing."""
    unknown = file_of("u.csv", pd.DataFrame({PREDICTION_ID: ["x", "y"], "kind": ["tall", "short"]}))
    good = labels_of(UNLABELLED, rows_of())
    found = look(release, [UNLABELLED], None, [unknown, good], skip=("labels.csv",))
    assert records_of(found)["c.csv"].labels.labelled == 0
    assert found.verdict.skip == ()
    assert found.verdict.warnings == (
        "2 of 2 labels in 'u.csv' match no row: check their prediction_id.",
    )


def test_concept_drift_leads_to_a_retraining_and_stays_known(release):
    """The evidence stays pending in later looks until a retraining was tried."""
    batch = file_of("c.csv", turned(rows_of(300)))
    found = look(release, [batch])
    assert (found.verdict.outcome, found.verdict.retrain) == ("retrain", True)
    assert found.verdict.evidence == ("concept_drift",)
    assert watch_of(found).pending == found.verdict.evidence
    assert records_of(found)["c.csv"].alarm
    again = look(release, [batch], found.state)
    assert again.verdict.retrain
    assert again.verdict.batches == ()


def test_data_drift_needs_no_labels_but_its_retraining_does(release):
    """Shown at once, with the column; it waits for rows to learn from."""
    batch = file_of("c.csv", rows_of(300, labelled=False).assign(size=9.0))
    found = look(release, [batch])
    assert records_of(found)["c.csv"].drifted == ("size",)
    assert records_of(found)["c.csv"].effects["size"] > 1
    assert found.verdict.outcome == "waiting"
    assert watch_of(found).pending == ()
    assert set(found.profiles) == {"c.csv"}
    later = look(release, [batch], found.state, [labels_of(batch, rows_of(300))])
    assert later.verdict.outcome == "retrain"
    assert later.profiles == {}


def test_strict_counts_missing_labels_as_right(release):
    """Strict mode counts missing labels as right, so that drift holds for any labels."""
    table = turned(rows_of(100))
    table["kind"] = table["kind"].where(table.index < 80)
    loose = look(release, [file_of("c.csv", table)])
    strict = look(release, [file_of("c.csv", table)], strict=True)
    rows = [watch_of(found).sequential["rows"] for found in (loose, strict)]
    assert rows == [80, 100]
    errors = [records_of(found)["c.csv"].error for found in (loose, strict)]
    assert errors[1] == pytest.approx(0.8 * errors[0])


def test_rows_enter_in_the_order_of_time(release):
    """Rows enter in the order of time, not in that of the file or of the times as text."""
    preprocessing = PREPROCESSING.model_copy(
        update={"split": configured(SplitParams, time_column="day")}
    )
    table = rows_of(60)
    table.loc[30:, "kind"] = turned(table)["kind"]
    table["day"] = pd.date_range("2024-01-01", periods=60, freq="7h").strftime("%d %b %Y %H:%M")
    found = look(release, [file_of("c.csv", table)], preprocessing=preprocessing)
    mixed = table.sample(frac=1, random_state=0)
    shuffled = look(release, [file_of("c.csv", mixed)], preprocessing=preprocessing)
    assert watch_of(shuffled).sequential == watch_of(found).sequential
    as_it_lies = look(release, [file_of("c.csv", mixed)])
    assert watch_of(as_it_lies).sequential != watch_of(found).sequential


def test_each_release_has_a_watch_of_its_own(release, binary, binary_model):
    """A new one begins with nothing seen; after a rollback the old one goes on."""
    first = look(release, [file_of("c.csv", rows_of())])
    second = make_release(binary, binary_model, PREPROCESSING, "2")
    other = look(second, [], first.state)
    assert watch_of(other, "2").batches == ()
    assert other.state.watches["1"] == first.state.watches["1"]
    back = look(release, [file_of("c.csv", rows_of())], other.state)
    assert back.verdict.outcome == "nothing_new"
    assert back.state.watches == other.state.watches


def test_each_watch_knows_which_labels_it_has_seen(release, binary, binary_model):
    """After a rollback, labels that came meanwhile are new to the old watch."""
    second = make_release(binary, binary_model, PREPROCESSING, "2")
    labels = [labels_of(UNLABELLED, rows_of())]
    state = look(release, [UNLABELLED]).state
    state = look(second, [UNLABELLED], state, labels).state
    assert state.label_files == {"2/labels.csv": labels[0].sha256}
    state = look(release, [UNLABELLED], state, labels).state
    assert set(state.label_files) == {"1/labels.csv", "2/labels.csv"}
    assert set(look(release, [], state).state.label_files) == {"2/labels.csv"}


def test_another_target_than_the_release_has(release):
    """Every batch would be quarantined, and for the wrong reason."""
    with pytest.raises(ConfigurationError, match=r"predicts 'kind', but the target .* 'size'.*run"):
        look(release, [UNLABELLED], preprocessing=OF_SIZE)


def test_a_release_without_a_reference_cannot_be_watched(release):
    """The error says what to do."""
    bare = dataclasses.replace(release, reference=None)
    with pytest.raises(ReleaseError, match=r"release 1 holds no reference.*kedro run"):
        look(bare, [UNLABELLED])
    assert reference_of(release) is release.reference


def test_figures_and_page_of_any_look(release):
    """Figures and page are made for no batches, for quarantined ones alone, and for drift."""
    for batches in (
        [], [file_of("d.csv", pd.DataFrame())], [file_of("c.csv", turned(rows_of(300)))],
        [file_of("c.csv", rows_of(1))],
    ):  # fmt: skip
        found = look(release, batches)
        assert all(figure.to_json() for figure in draw_monitoring(found))
        page = write_monitoring_report(found)
        assert all(batch.name in page for batch in batches)


# A source in which anything may happen to files, looked at after each change.

TABLES = [rows_of(20, seed) for seed in range(30, 34)]
NAMES = ["c.csv", "d.csv", "e.csv", "f.csv"]
CHANGES = st.one_of(
    st.tuples(
        st.just("write"), st.sampled_from(NAMES), st.integers(0, 3), st.sampled_from([0, 9, 20])
    ),
    st.tuples(st.just("break"), st.sampled_from(NAMES)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("label"), st.sampled_from(NAMES), st.integers(0, 10), st.integers(5, 20)),
)


@dataclass
class World:
    """Files of a source and of labels, and what the monitor remembers of them."""

    release: object
    files: dict[str, Batch] = field(default_factory=dict)
    labels: list[Batch] = field(default_factory=list)
    state: MonitoringState = field(default_factory=MonitoringState)
    direct: SequentialState | None = None
    entered: set[int] = field(default_factory=set)
    contents: dict[int, str] = field(default_factory=dict)

    def change(self, what: str, name: str, *more: int | str) -> None:
        """Do one thing to the files."""
        if what == "write":
            table = TABLES[int(more[0])].copy()
            table["kind"] = table["kind"].where(table.index < int(more[1]))
            self.files[name] = file_of(name, table)
        elif what == "break":
            self.files[name] = file_of(name, rows_of(20, count="?"))
        elif name not in self.files:
            return
        elif what == "remove":
            del self.files[name]
        elif what == "rename":
            new = str(more[0])
            self.files[new] = renamed(self.files.pop(name), new)
        elif "size" in self.files[name].table and what == "label":
            batch, (begin, count) = self.files[name], (int(more[0]), int(more[1]))
            truth = batch.table.assign(kind=np.where(batch.table["size"] > 0, "tall", "short"))
            rows = slice(begin, begin + count)
            self.labels.append(labels_of(batch, truth, rows, f"l{len(self.labels):03}.csv"))

    def look(self) -> Findings:
        """Look, and read the state back as a file holds it."""
        found = look(
            self.release, list(self.files.values()), self.state, self.labels, min_coverage=0.8
        )
        self.state = MonitoringState.model_validate_json(found.state.model_dump_json())
        assert self.state == found.state
        return found

    def check(self, found: Findings) -> None:
        """What must hold after every look."""
        records = records_of(found)
        assert set(self.files) <= set(records)  # nothing is lost
        for name, batch in self.files.items():
            record = records[name]
            assert record.sha256 == batch.sha256
            assert record.outcome == "used" or record.reason
            assert (record.outcome == "used") <= (record.number > 0)
            assert record.skip == (name in found.verdict.skip)
        used = {record.number: record for record in records.values() if record.number}
        assert sorted(used) == list(range(1, len(used) + 1))  # numbered once
        for number, record in used.items():
            assert self.contents.setdefault(number, record.content) == record.content
        assert len(set(self.contents.values())) == len(self.contents)  # the same rows count once
        self.follow(used)

    def follow(self, used: dict) -> None:
        """The state is that of the same losses in the order in which they entered."""
        if self.direct is None:
            watch = begin_watch(self.release, self.release.reference, PARAMS)
            self.direct = SequentialState.from_dict(watch.sequential)
        now = {number for number, record in used.items() if record.entered}
        assert now >= self.entered  # never taken back
        book = LabelBook(self.labels, KEYS)
        for number in sorted(now - self.entered, key=lambda number: used[number].name):
            batch = self.files[used[number].name]
            target, count = book.fill(batch)
            features = batch.table[["size", "count", "colour"]].assign(
                count=lambda table: table["count"].astype(float)
            )
            wrong = (self.release.model.predict(features) != target)[target.notna()]
            assert used[number].labels == count
            assert used[number].error == wrong.mean()
            self.direct = update(self.direct, wrong.to_numpy(dtype=float))
        self.entered = now
        assert self.state.watches["1"].sequential == self.direct.to_dict()


@settings(max_examples=40)
@given(changes=st.lists(CHANGES, min_size=3, max_size=9))
def test_each_batch_counts_once_and_none_is_lost_whatever_changes(release, changes):
    """Files come in any order, and are copied, rewritten, renamed, removed and broken."""
    world = World(release)
    for change in changes:
        world.change(*change)
        world.check(world.look())
    before = world.state
    found = world.look()
    assert world.state == before.model_copy(update={"revision": before.revision + 1})
    assert found.verdict.batches == ()


@given(order=st.permutations(range(6)))
@settings(max_examples=10)
def test_the_order_of_labels_changes_no_batch(release, order):
    """The losses of each are the same whenever its labels come, in whichever part first."""
    batches = [file_of(f"c{i}.csv", TABLES[i].drop(columns="kind")) for i in range(3)]
    parts = [
        labels_of(batch, TABLES[i], half, f"{i}{at}.csv")
        for i, batch in enumerate(batches)
        for at, half in enumerate((slice(0, 10), slice(10, 20)))
    ]
    state, came = look(release, batches).state, []
    for index in order:
        came.append(parts[index])
        state = look(release, batches, state, came, patience=99).state
    errors = [record.error for record in state.watches["1"].batches]
    at_once = look(release, batches, None, parts).state
    assert errors == [record.error for record in at_once.watches["1"].batches]
    assert state.watches["1"].sequential["rows"] == 60
    assert state.label_files == at_once.label_files
