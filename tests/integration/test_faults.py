"""Killed, full, tampered with, or two at once: production is valid at every moment."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import processes
from tests.support.project import Project, moved
from tests.support.small_table import (
    ENV,
    STRONG,
    challenges_of,
    history_of,
    production_of,
    set_up,
    weak,
)

pytestmark = pytest.mark.slow

#: From the decision on; what comes before is the same for all of these tests.
TAIL = ("model_evaluation", "model_registry", "model_publishing")


@pytest.fixture(scope="module")
def first(shared_project) -> Project:
    """A project with a trained model and no release."""
    set_up(shared_project)
    for pipeline in ("data_collection", "data_preprocessing", "model_training"):
        shared_project.run(pipeline, env=ENV, **weak())
    return shared_project


@pytest.fixture(scope="module")
def template(first, tmp_path_factory) -> Project:
    """A project with release 1 and a better challenger that waits for its evaluation."""
    project = moved(first, tmp_path_factory.mktemp("template") / "project")
    run_tail(project)
    project.run("model_training", env=ENV, **STRONG)
    return project


def run_tail(project: Project) -> None:
    """Evaluate, register, publish."""
    with project.session(ENV) as session:
        session.run(pipeline_names=list(TAIL))


def failing_tail(project: Project) -> str:
    """Run the tail, which fails; returns what the terminal shows of it."""
    from mlops_basics.cli import explain

    with pytest.raises(Exception, match="") as caught:  # noqa: PT011
        run_tail(project)
    return explain(caught.value)


def owner_of(name: str) -> tuple[Any, str]:
    """The class or module and the attribute of a step's name."""
    from mlflow import MlflowClient

    from mlops_basics.production import registry
    from mlops_basics.production.ledger import Ledger
    from mlops_basics.production.release_store import ReleaseStore
    from mlops_basics.storage import store_files

    owners = {
        "MlflowClient": MlflowClient,
        "registry": registry,
        "store_files": store_files,
        "StoreFiles": store_files.StoreFiles,
        "Ledger": Ledger,
        "ReleaseStore": ReleaseStore,
    }
    owner, attribute = name.split(".")
    return owners[owner], attribute


def run_and_die(folder: str, step: str, when: str, sign: str, count: int) -> None:
    """Run the tail and kill this process before or after the count-th call with a sign in it."""
    from kedro.framework.startup import bootstrap_project

    project = Project(Path(folder))
    bootstrap_project(project.path)
    owner, attribute = owner_of(step)
    original = getattr(owner, attribute)
    seen = []

    def killing(*args: Any, **kwargs: Any) -> Any:
        seen.append(sign in repr((args[1:], kwargs)))
        due = sum(seen) == count and seen[-1]
        if due and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, killing)
    run_tail(project)


def kill(project: Project, step: str, when: str, sign: str = "", count: int = 1) -> None:
    """Run in a separate process that is killed at a step."""
    process = processes().Process(
        target=run_and_die, args=(str(project.path), step, when, sign, count)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def in_production(project: Project) -> str | None:
    """The release in production, loaded and verified; None if there is no pointer."""
    store, _ = production_of(project, ENV)
    return store.load().manifest.version if store.pointer() else None


def holds(project: Project, *versions: str) -> None:
    """Assert that these versions were released one after the other, and nothing else."""
    store, registry = production_of(project, ENV)
    assert registry.versions() == list(versions)
    assert registry.champion() == versions[-1]
    assert in_production(project) == versions[-1]
    before = [None, *versions[:-1]]
    assert history_of(store) == [
        ("release", version, replaced) for version, replaced in zip(versions, before, strict=True)
    ]
    assert store.versions() == list(versions)


#: What is called, whether it is killed before or after, a sign in its arguments, which call of it;
#: and what production must hold right after.
STEPS = [
    pytest.param("MlflowClient.create_run", "after", "challenge of", 1, "1", id="challenge"),
    pytest.param("registry._stage", "before", "", 1, "1", id="before staging"),
    pytest.param("MlflowClient.create_model_version", "after", "", 1, "1", id="registered"),
    pytest.param("MlflowClient.set_registered_model_alias", "after", "", 1, "1", id="previous"),
    pytest.param("MlflowClient.set_registered_model_alias", "after", "", 2, "1", id="champion"),
    pytest.param("StoreFiles.upload", "after", "", 2, "1", id="two files uploaded"),
    pytest.param("Ledger.record", "after", "", 1, "1", id="recorded"),
    pytest.param("store_files._replace", "before", "current.json", 1, "1", id="pointer written"),
    pytest.param("StoreFiles.replace_if", "after", "", 1, "2", id="pointer moved"),
]


@pytest.mark.parametrize(("step", "when", "sign", "count", "holding"), STEPS)
def test_killed_on_the_way_to_production(template, tmp_path, step, when, sign, count, holding):
    """After kill -9 production is valid, and the next run makes exactly one new version."""
    project = moved(template, tmp_path / "project")
    kill(project, step, when, sign, count)
    assert in_production(project) == holding
    run_tail(project)
    holds(project, "1", "2")
    assert production_of(project, ENV)[1].previous() == "1"
    challenged = [run.data.tags["challenge.champion"] for run in challenges_of(ENV)]
    assert sorted(challenged) == ["1", "none"]


@pytest.mark.parametrize(
    ("step", "when", "sign"),
    [
        pytest.param("MlflowClient.create_registered_model", "after", "", id="name made"),
        pytest.param("store_files._replace", "before", "current.json", id="pointer written"),
    ],
)
def test_killed_on_the_way_to_the_first_release(first, tmp_path, step, when, sign):
    """There is no pointer and then a valid one, never a partial one."""
    project = moved(first, tmp_path / "project")
    kill(project, step, when, sign)
    assert in_production(project) is None
    run_tail(project)
    holds(project, "1")
    assert len(challenges_of(ENV)) == 1


def test_killed_before_the_version_and_trained_anew(template, tmp_path):
    """The whole loop again is another MLflow run, but the same challenger: still one version."""
    project = moved(template, tmp_path / "project")
    kill(project, "MlflowClient.create_model_version", "after")
    project.run(env=ENV, **STRONG)
    holds(project, "1", "2")
    assert len(challenges_of(ENV)) == 2


def race(folder: str, barrier: Any, answers: Any, params: dict[str, Any]) -> None:
    """Run, but wait for the other one when both have decided and neither has registered."""
    from kedro.framework.startup import bootstrap_project

    project = Project(Path(folder))
    bootstrap_project(project.path)
    from mlops_basics.datasets.registered_version import RegisteredVersionDataset

    save = RegisteredVersionDataset.save.__wrapped__

    def waiting(self: Any, data: Any) -> None:
        barrier.wait(120)
        save(self, data)

    RegisteredVersionDataset.save = waiting
    try:
        with project.session(ENV, **params) as session:
            session.run(pipeline_names=[*(["model_training"] if params else []), *TAIL])
        answers.put("ended")
    except Exception as error:
        from mlops_basics.cli import explain

        answers.put(explain(error))


@pytest.mark.parametrize(
    "second",
    [{}, STRONG | {"training__seed": 5}],
    ids=["the same challenger", "another challenger"],
)
def test_two_at_once(template, tmp_path, second):
    """One wins, the other says why or ends with the same; registry, pointer and ledger agree."""
    project = moved(template, tmp_path / "project")
    context = processes()
    barrier, answers = context.Barrier(2), context.Queue()
    runs = [
        context.Process(target=race, args=(str(project.path), barrier, answers, params))
        for params in ({}, second)
    ]
    for run in runs:
        run.start()
    said = [answers.get(timeout=120) for _ in runs]
    for run in runs:
        run.join(30)
    _, registry = production_of(project, ENV)
    holds(project, "1", registry.champion())
    assert registry.previous() == "1"
    folder = project.path / "data" / ENV / "production" / "registered_version.json"
    reasons = [json.loads(file.read_text())["reason"] for file in folder.glob("*/*.json")]
    assert f"Version {registry.champion()} is the champion." in reasons
    if second:
        assert any("somebody else was faster" in text.lower() for text in [*reasons, *said])


@pytest.fixture
def released(template, tmp_path) -> Project:
    """A project with releases 1 and 2."""
    project = moved(template, tmp_path / "project")
    run_tail(project)
    return project


def test_a_changed_byte_is_refused_by_name(released):
    """The scorer loads nothing; the message names the file and the way back, which works."""
    project = released
    folder = project.path / "data" / "production" / ENV / "releases" / "2"
    file = folder / "model" / "model.skops"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    result = project.command("run", "--env", ENV, "--pipeline", "batch_inference")
    assert result.exit_code == 1
    assert "model/model.skops" in result.stderr
    assert "kedro rollback" in result.stderr
    assert "Traceback" not in result.output
    assert not (project.path / "data" / ENV / "predictions").exists()
    assert project.command("rollback", "--env", ENV).exit_code == 0
    assert in_production(project) == "1"


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("fsync", errno.ENOSPC, "The disk is full"),
        ("replace", errno.EROFS, "read-only for you"),
    ],
)
def test_a_store_that_cannot_be_written(template, tmp_path, monkeypatch, call, number, words):
    """A clear error, production untouched, and the next run finishes the work."""
    project = moved(template, tmp_path / "project")
    before = files_of(project)
    from mlops_basics.storage import store_files

    def fail(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(store_files.os, call, fail)
        said = failing_tail(project)
    for part in (words, "Production is unchanged", "data/production"):
        assert part in said
    assert files_of(project) == before
    assert in_production(project) == "1"
    run_tail(project)
    holds(project, "1", "2")


def files_of(project: Project) -> dict[str, bytes]:
    """What production holds, except the locks, which say who held them last, and the challenges.

    A challenge is written down before it is decided, and counts whether or not anything follows.
    """
    root = project.path / "data" / "production"
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and file.name not in (".lock", ".run-lock")
        if file.parent.parent.name != "challenges"
    }


def test_another_run_publishes_the_same_at_the_same_time(template, tmp_path, monkeypatch):
    """The pointer moves between ledger and pointer: the work is done, and the ledger says so."""
    from mlops_basics.production.ledger import Ledger

    project = moved(template, tmp_path / "project")
    store, _ = production_of(project, ENV)
    original = Ledger.record

    def overtaken(self: Ledger, entry: Any) -> int:
        number = original(self, entry)
        store.point("2", store.pointer(), entry.at)
        return number

    monkeypatch.setattr(Ledger, "record", overtaken)
    run_tail(project)
    holds(project, "1", "2")


def test_the_experiment_is_made_by_two_at_once(project, monkeypatch):
    """If two runs make the experiment at once, the slower one uses it and does not fail."""
    from mlflow import MlflowClient

    set_up(project)
    create, made = MlflowClient.create_experiment, []

    def slower(client, name, *arguments, **named):
        if not made:
            made.append(create(client, name, *arguments, **named))
        return create(client, name, *arguments, **named)

    monkeypatch.setattr(MlflowClient, "create_experiment", slower)
    with project.session(ENV) as session:
        session.load_context()
    experiment = MlflowClient().get_experiment_by_name(ENV)
    assert [experiment.experiment_id] == made
