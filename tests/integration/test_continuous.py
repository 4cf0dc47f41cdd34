"""``kedro ct`` from the first release on: what it does, what it says, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest

from mlops_basics.commands.rollback import rollback
from mlops_basics.schemas import (
    Artifact,
    Batch,
    CollectionReport,
    Decision,
    MonitoringState,
    Verdict,
)
from mlops_basics.table.labels import PREDICTION_ID, RowKeys
from tests.support.bombs import NO_FILES, no_files
from tests.support.labels import prediction_ids
from tests.support.project import Project, make_project
from tests.support.small_table import ENV, history_of, make_table, production_of, set_up

from .test_faults import moved, processes

pytestmark = pytest.mark.slow

SETTINGS = """
evaluation: {resamples: 100, importance_repeats: 1}
training: {n_trials: 1, gap_tolerance: 10}
monitoring: {adapt: release, min_rows: 300, cool_down: 2, classifier_rows: 300}
"""
ROWS = 600
KEYS = RowKeys("kind")
A = TypeVar("A", bound=Artifact)


def normal(seed: int, rows: int = ROWS) -> pd.DataFrame:
    """A batch like the first one."""
    return make_table(rows, seed)


def turned(seed: int, rows: int = 4000) -> pd.DataFrame:
    """A batch in which the relation is the opposite; so large that it outweighs the old one."""
    table = make_table(rows, seed)
    return table.assign(kind=np.where(table["kind"] == "good", "bad", "good"))


@dataclass(frozen=True)
class Said:
    """The outcome of one call."""

    code: int
    text: str
    error: str
    new_files: list[str]
    new_runs: int


def source_of(project: Project) -> Path:
    """The folder of the batches."""
    return project.path / "data" / "source" / ENV


def write(project: Project, name: str, table: pd.DataFrame) -> None:
    """A batch arrives."""
    table.to_csv(source_of(project) / name, index=False)


def runs_of(project: Project) -> int:
    """How many runs MLflow knows."""
    with sqlite3.connect(project.path / "data" / "mlflow" / "mlflow.db") as database:
        return database.execute("SELECT count(*) FROM runs").fetchone()[0]


def contents(project: Project) -> dict[str, bytes]:
    """All files that runs have produced, but for the lock, which names its last holder."""
    produced = [file for file in project.produced() if file.name != ".ct-lock"]
    return {str(file): file.read_bytes() for file in produced}


def ct(project: Project, *options: str) -> Said:
    """Call it, and note what has changed."""
    files, runs = contents(project), runs_of(project)
    result = project.command("ct", "--env", ENV, *options)
    now = contents(project)
    changed = [name for name, content in now.items() if files.get(name) != content]
    return Said(result.exit_code, result.stdout, result.stderr, changed, runs_of(project) - runs)


def state_of(project: Project) -> MonitoringState:
    """What the monitor remembers."""
    file = project.path / "data" / ENV / "monitoring" / "state.json"
    return MonitoringState.model_validate_json(file.read_text(encoding="utf-8"))


def latest(project: Project, kind: type[A], name: str) -> A:
    """The newest version of what a run has written."""
    files = (project.path / "data" / ENV).rglob(f"{name}.json/*/{name}.json")
    newest = max(files, key=lambda file: file.parent.name)
    return kind.model_validate_json(newest.read_text(encoding="utf-8"))


def record_of(project: Project, name: str, version: str = "1") -> Any:
    """What is remembered of a batch."""
    batches = state_of(project).watches[version].batches
    return next(record for record in batches if record.name == name)


def released(project: Project) -> list[str]:
    """Versions in the order in which they came into production; nothing but releases."""
    store, registry = production_of(project)
    history = history_of(store)
    assert {action for action, _, _ in history} == {"release"}
    assert registry.champion() == store.pointer().version == history[-1][1]
    return [version for _, version, _ in history]


def prepare(project: Project) -> None:
    """A folder of one batch, a folder for labels, and small numbers."""
    set_up(project, labels=f"data/source/{ENV}-labels")
    path = project.path / "conf" / ENV / "parameters.yml"
    path.write_text(SETTINGS, encoding="utf-8")
    (project.path / "data" / "source" / f"{ENV}-labels").mkdir()


@pytest.fixture(scope="module")
def begun(shared_project) -> dict[str, Said]:
    """A first release by ``kedro ct``, and two further calls."""
    prepare(shared_project)
    names = ("dry", "first", "begins", "nothing")
    return {name: ct(shared_project, *(["--dry-run"] if name == "dry" else [])) for name in names}


@pytest.fixture
def template(shared_project, begun) -> Project:
    """A project with release 1, which is watched."""
    return shared_project


@pytest.fixture
def project(template, tmp_path) -> Project:
    """A copy of it."""
    return moved(template, tmp_path / "project")


@pytest.fixture
def drifted(project) -> Project:
    """One in which a batch waits that is worth a retraining."""
    write(project, "b.csv", turned(1))
    return project


def test_the_first_call_makes_the_first_release(begun):
    """``--dry-run`` predicts it and writes nothing."""
    assert (begun["dry"].code, begun["dry"].new_files, begun["dry"].new_runs) == (5, [], 0)
    assert begun["first"].code == 3
    assert "version 1" in begun["first"].text


def test_with_nothing_new_nothing_happens(begun):
    """A call without new data makes no run and writes no file."""
    assert begun["begins"].code == 0
    assert (begun["nothing"].code, begun["nothing"].new_files) == (0, [])
    assert begun["nothing"].new_runs == 0
    assert "Nothing to do" in begun["nothing"].text


@pytest.fixture(scope="module")
def life(shared_project, begun, tmp_path_factory) -> tuple[Project, dict[str, Any]]:
    """Batches of every kind come, labels come late, the world turns."""
    project = moved(shared_project, tmp_path_factory.mktemp("life") / "project")
    labels = project.path / "data" / "source" / f"{ENV}-labels"
    found: dict[str, Any] = {}
    late = normal(1)
    ids = prediction_ids(Batch.of("b.csv", "", late.drop(columns="kind")), KEYS)
    late_labels = pd.DataFrame({PREDICTION_ID: ids, "kind": late["kind"]})
    write(project, "b.csv", late.drop(columns="kind"))
    write(project, "gone.csv", normal(2, 50))
    write(project, "spoilt.csv", normal(3, 50))
    found["no labels"] = ct(project)
    late_labels[:100].to_csv(labels / "1.csv", index=False)
    found["few labels"] = ct(project)
    late_labels[:50].assign(kind=late["kind"][:50].map({"good": "bad", "bad": "good"})).to_csv(
        labels / "0-contradicted.csv", index=False
    )
    late_labels[100:][::-1].to_csv(labels / "2.csv", index=False)
    late_labels.assign(prediction_id="unknown").to_csv(labels / "3-unknown.csv", index=False)
    (labels / "4-damaged.csv").write_bytes(b"\xff\xfe\x00damaged")
    late_labels.assign(kind="ugly").to_csv(labels / "5-classes.csv", index=False)
    found["labels"] = ct(project)
    bad = normal(4, 60)
    for name, table in {
        "lacking": bad.drop(columns="shift"),
        "added": bad.assign(extra=1),
        "text": bad.assign(visits="many"),
        "numbers": bad.assign(colour=3),
        "infinite": bad.assign(left=np.inf),
        "header": bad[:0],
        "row": bad[:1],
        "nulls": bad.assign(**dict.fromkeys(bad.columns.drop("kind"))),
        "classes": bad.assign(kind="ugly"),
        "twin": late,
        "no-target": bad[1:].drop(columns="kind"),
    }.items():
        write(project, f"{name}.csv", table)
    (source_of(project) / "empty.csv").write_bytes(b"")
    (source_of(project) / "broken.parquet").write_bytes(b"PAR1")
    no_files(source_of(project))
    (source_of(project) / "cut.csv").write_text(bad.to_csv(index=False)[:-2], encoding="utf-8")
    os.mkfifo(labels / "6-pipe.csv")
    write(project, "a.csv", normal(40))
    write(project, "spoilt.csv", bad.assign(visits="?"))
    (source_of(project) / "gone.csv").unlink()
    found["bad"] = ct(project)
    found["bad verdict"] = latest(project, Verdict, "verdict")
    found["nothing"] = ct(project)
    write(project, "turned.csv", turned(5))
    found["dry"] = ct(project, "--dry-run")
    found["retrained"] = ct(project)
    found["retrained verdict"] = latest(project, Verdict, "verdict")
    found["decision"] = latest(project, Decision, "decision")
    found["collected"] = latest(project, CollectionReport, "collection_report")
    found["after"] = ct(project)
    write(project, "v.csv", turned(6).assign(visits=lambda table: table["visits"] + 500))
    found["data drift"] = ct(project)
    found["data verdict"] = latest(project, Verdict, "verdict")
    store, registry = production_of(project)
    found["before"] = store.pointer().version
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "record", lambda _: 1 / 0)  # killed between alias and ledger
        with pytest.raises(ZeroDivisionError):
            rollback(store, registry, "1", "complaints", "me", "2026-01-01")
    found["killed dry"] = ct(project, "--dry-run")
    found["killed"] = ct(project)
    return project, found


def test_labels_that_are_late_are_waited_for(life):
    """None, too few, enough: each is reported, none is an error, nothing is trained."""
    found = life[1]
    expected = {"labels": "rise of the error above"}
    expected |= dict.fromkeys(("no labels", "few labels"), "no drift")
    for name, words in expected.items():
        assert found[name].code == 0, found[name].error
        assert words in found[name].text
        assert found[name].new_runs == 1
    project = life[0]
    record = record_of(project, "b.csv")
    assert record.entered
    # Fifty labels of one file contradict those of a later one, which counts.
    assert (record.labels.labelled, record.labels.conflicting) == (ROWS, 50)


OUTCOMES = {
    "used": ["b.csv", "gone.csv", "row.csv", "no-target.csv", "turned.csv"],
    "rewritten": ["a.csv", "spoilt.csv"],
    "duplicate": ["twin.csv"],
    "quarantined": [
        "lacking.csv", "added.csv", "text.csv", "numbers.csv", "infinite.csv", "header.csv",
        "nulls.csv", "classes.csv", "empty.csv", "broken.parquet", "cut.csv",
        *NO_FILES,
    ],
}  # fmt: skip
LEFT_OUT = {*OUTCOMES["duplicate"], *OUTCOMES["quarantined"], "spoilt.csv"}


def test_bad_batches_have_clear_outcomes_and_stop_no_other(life):
    """Every file has a record, with a reason where it is not used."""
    project, found = life
    assert (found["bad"].code, found["bad"].error) == (0, "")
    for outcome, names in OUTCOMES.items():
        for name in names:
            record = record_of(project, name)
            assert record.outcome == outcome, name
            assert outcome == "used" or record.reason
            assert record.skip == (name in LEFT_OUT)
            if record.skip:
                assert f"{name}: " in found["bad"].text
    assert set(found["bad verdict"].skip) == LEFT_OUT | {
        "4-damaged.csv",
        "5-classes.csv",
        "6-pipe.csv",
    }
    assert (found["nothing"].code, found["nothing"].new_files) == (0, [])


def test_a_dry_run_reports_and_writes_nothing(life):
    """A dry run reports the outcome and writes no file, not even the state."""
    dry = life[1]["dry"]
    assert (dry.code, dry.new_files, dry.new_runs) == (5, [], 0)
    assert "Concept drift" in dry.text
    assert "Nothing was written" in dry.text


def test_concept_drift_retrains_without_the_bad_files(life):
    """The good files are trained on, and rows after the champion's training are compared."""
    project, found = life
    retrained = found["retrained"]
    assert retrained.code == 3, retrained.text + retrained.error
    assert "version 2 replaces 1" in retrained.text
    assert "concept_drift" in found["retrained verdict"].evidence
    assert "batches that came after the champion" in found["decision"].which_rows
    collected = {batch.name: batch for batch in found["collected"].batches}
    present = {file.name for file in source_of(project).iterdir()}
    assert set(collected) == present - LEFT_OUT - {"v.csv"}
    assert collected["b.csv"].labelled == ROWS
    assert collected["no-target.csv"].labelled == 0
    (attempt,) = state_of(project).watches["1"].attempts
    assert attempt.promoted
    assert state_of(project).watches["1"].pending == ()


def test_a_new_release_begins_a_watch_of_its_own(life):
    """What was not learned from is watched again, and what was quarantined still is."""
    project, found = life
    assert found["after"].code == 0
    watch = state_of(project).watches["2"]
    assert {"b.csv", "turned.csv", "a.csv"} <= set(watch.trained)
    assert record_of(project, "no-target.csv", "2").number == 1
    assert record_of(project, "text.csv", "2").outcome == "quarantined"


def test_data_drift_alone_retrains(life):
    """The column is named, and the exit code gives the decision."""
    project, found = life
    evidence = found["data verdict"].evidence
    assert "data_drift: visits" in evidence
    assert all(item.startswith("data_drift: ") for item in evidence)
    assert found["data verdict"].concept.status != "drift"
    assert found["data drift"].code == {"2": 4, "3": 3}[found["before"]]
    assert state_of(project).watches["2"].attempts[0].evidence == evidence


def test_an_interrupted_publishing_is_finished(life):
    """With alias and pointer apart the next call finishes the work, also without new data."""
    project, found = life
    assert found["before"] != "1"
    assert "was interrupted" in found["killed dry"].text
    assert found["killed dry"].new_files == []
    assert found["killed"].code == 0, found["killed"].error
    assert "What was interrupted is finished: Version 1 is in production" in found["killed"].text
    store, registry = production_of(project)
    assert (store.pointer().version, registry.champion()) == ("1", "1")
    assert not store.is_moving()


def test_kept_is_not_repeated_on_the_same_evidence(project):
    """A rejected retraining is repeated only when enough labelled batches have come.

    No challenger can be so much better as is asked for here.
    """
    path = project.path / "conf" / ENV / "parameters.yml"
    path.write_text(SETTINGS + "decision: {min_gain: 9}\n", encoding="utf-8")
    write(project, "b.csv", turned(1, ROWS))
    first = ct(project)
    assert first.code == 4, first.text + first.error
    assert "version 1 is kept" in first.text
    same = ct(project)
    assert (same.code, same.new_files, same.new_runs) == (0, [], 0)
    write(project, "c.csv", turned(2, ROWS))
    cooling = ct(project)
    assert cooling.code == 0
    assert "cooling down" in cooling.text
    assert "needs 1 more labelled batch" in cooling.text
    write(project, "d.csv", turned(3, ROWS))
    assert ct(project).code == 4
    assert released(project) == ["1"]
    attempts = state_of(project).watches["1"].attempts
    assert [attempt.labelled_batches for attempt in attempts] == [1, 3]
    assert [attempt.promoted for attempt in attempts] == [False, False]


def test_too_few_labelled_rows_wait(project):
    """Drift is shown, but there is not enough to learn from; what is left out stays so."""
    write(project, "b.csv", turned(1, 200))
    write(project, "unwanted.csv", turned(2))
    path = project.path / "conf" / ENV / "parameters.yml"
    path.write_text(SETTINGS + "collection: {skip: [unwanted.csv]}\n", encoding="utf-8")
    said = ct(project)
    assert said.code == 0
    assert "waiting" in said.text
    assert "200 labelled rows" in said.text
    write(project, "c.csv", turned(3, 200))
    write(project, "bad.csv", normal(1).assign(visits="?"))
    assert ct(project).code in (3, 4)
    names = {batch.name for batch in latest(project, CollectionReport, "collection_report").batches}
    assert names == {"a.csv", "b.csv", "c.csv"}
    again = ct(project)
    assert again.code == 0
    assert ct(project).new_files == []


def test_a_rollback_resumes_the_old_watch(drifted):
    """Nothing that it has seen is new, and it does not retrain at once."""
    project = drifted
    assert ct(project).code == 3
    ct(project)
    seen = state_of(project).watches["1"].batches
    assert project.command("rollback", "--env", ENV).exit_code == 0
    said = ct(project)
    assert (said.code, said.new_files) == (0, [])
    assert "release 1 (1 batch seen)" in said.text
    write(project, "c.csv", normal(2, 100))
    assert ct(project).code == 0
    assert state_of(project).watches["1"].batches[:1] == seen
    assert record_of(project, "c.csv").number == 2


def test_an_error_is_one_message_and_changes_nothing(drifted):
    """A target that does not exist; corrected, the work is done."""
    project = drifted
    path = project.path / "conf" / ENV / "globals.yml"
    right = path.read_text(encoding="utf-8")
    before = contents(project)
    path.write_text(right.replace("target: kind", "target: kinds"), encoding="utf-8")
    said = ct(project)
    assert said.code == 1
    assert said.error.count("Error:") == 1
    assert "predicts 'kind', but the target in globals.yml is 'kinds'" in said.error
    assert "Traceback" not in said.error + said.text
    assert contents(project) == before
    assert ct(project, "--dry-run").code == 1
    path.write_text(right, encoding="utf-8")
    assert ct(project, "--dry-run").code == 5


def test_a_state_that_cannot_be_read_is_an_error(drifted):
    """A state that cannot be read is an error, and is not overwritten."""
    file = drifted.path / "data" / ENV / "monitoring" / "state.json"
    file.write_text("{")
    said = ct(drifted)
    assert said.code == 1
    assert "not readable as the monitor's state" in said.error
    assert file.read_text() == "{"


def step_of(name: str) -> tuple[Any, str]:
    """The class and the method of a step's name."""
    from mlops_basics.datasets import MonitoringStateDataset, SklearnModelDataset
    from mlops_basics.production.release_store import ReleaseStore

    owners = {
        "state": MonitoringStateDataset,
        "model": SklearnModelDataset,
        "store": ReleaseStore,
    }
    owner, attribute = name.split(".")
    return owners[owner], attribute


def ct_and_die(folder: str, step: str, when: str, count: int) -> None:
    """Call it and kill this process before or after the count-th call of a step."""
    from kedro.framework.startup import bootstrap_project

    project = Project(Path(folder))
    bootstrap_project(project.path)
    owner, attribute = step_of(step)
    original = getattr(owner, attribute)
    calls = []

    def killing(*args: Any, **kwargs: Any) -> Any:
        calls.append(when)
        if len(calls) == count and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, killing)
    project.command("ct", "--env", ENV)


@pytest.mark.parametrize(
    ("step", "when", "count", "code"),
    [
        pytest.param("state.save", "before", 1, 3, id="reported, not remembered"),
        pytest.param("state.save", "after", 1, 3, id="remembered, not trained"),
        pytest.param("model.save", "before", 1, 3, id="in the training"),
        pytest.param("store.point", "before", 1, 3, id="registered, not published"),
        pytest.param("state.save", "before", 2, 0, id="published, not remembered"),
    ],
)
def test_killed_anywhere_the_next_call_finishes_the_work(drifted, step, when, count, code):
    """One release, one record of the batch, and then nothing is left to do."""
    process = processes().Process(target=ct_and_die, args=(str(drifted.path), step, when, count))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    said = ct(drifted)
    assert said.code == code, said.text + said.error
    assert released(drifted) == ["1", "2"]
    assert production_of(drifted)[1].versions() == ["1", "2"]
    (record,) = state_of(drifted).watches["1"].batches
    assert (record.name, record.entered, record.number) == ("b.csv", True, 1)
    assert ct(drifted).code == 0
    last = ct(drifted)
    assert (last.code, last.new_files, last.new_runs) == (0, [], 0)


def test_killed_before_the_first_release_was_published(tmp_path, mlflow_store):
    """The next call publishes it, and says so."""
    project = make_project(tmp_path, mlflow_store)
    prepare(project)
    process = processes().Process(
        target=ct_and_die, args=(str(project.path), "store.point", "before", 1)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert production_of(project)[0].pointer() is None
    said = ct(project)
    assert said.code == 3
    assert "Version 1 is in production" in said.text
    assert released(project) == ["1"]


def ct_and_tell(folder: str, barrier: Any, answers: Any) -> None:
    """Call it at the same moment as another process, and pass the exit code on."""
    from kedro.framework.startup import bootstrap_project

    project = Project(Path(folder))
    bootstrap_project(project.path)
    barrier.wait(120)
    result = project.command("ct", "--env", ENV)
    answers.put((result.exit_code, result.output))


def test_two_at_once(drifted):
    """One call works; the other waits, finds the new release, and has nothing to do."""
    context = processes()
    barrier, answers = context.Barrier(2), context.Queue()
    both = [
        context.Process(target=ct_and_tell, args=(str(drifted.path), barrier, answers))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    said = dict(answers.get(timeout=120) for _ in both)
    for process in both:
        process.join(30)
    assert set(said) == {0, 3}, said
    assert "Release 2" in said[0]
    assert released(drifted) == ["1", "2"]
    (record,) = state_of(drifted).watches["1"].batches
    assert record.entered
    assert len(state_of(drifted).watches["1"].attempts) == 1
