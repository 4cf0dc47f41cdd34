"""promote, prune and doctor on a project with runs, releases and a monitor."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from mlops_basics.storage.store_files import StoreFiles
from tests.support.killed import Killed
from tests.support.s3_bucket import make_bucket
from tests.support.services import forget_file_systems
from tests.support.small_table import ENV, history_of, production_of, set_up, weak

pytestmark = pytest.mark.slow

REASON = "the new tariff is not in the test rows yet"


@dataclass(frozen=True)
class Life:
    """What happened before the tests: manifests, and the output of commands."""

    project: Any
    before: Any  # doctor before the first run
    released: Any
    kept: Any
    promoted: Any  # promote
    scored: Any
    old: Any
    newest: Any


@pytest.fixture(scope="module")
def life(shared_project) -> Life:
    """A release by its test, a release by hand, a run that scored, two more that were kept."""
    project = shared_project
    set_up(project)
    before = project.command("doctor", "--env", ENV)
    released = project.run(env=ENV, **weak())
    kept = project.run(env=ENV, **weak(0.009))
    words = ("promote", kept.mlflow_run_id[:8], "--reason", REASON, "--env", ENV)
    promoted = project.command(*words)
    scored = project.run("batch_inference", env=ENV)
    old, newest = (project.run(env=ENV, **weak(c)) for c in (0.008, 0.007))
    return Life(project, before, released, kept, promoted, scored, old, newest)


def files_of(project, version: str) -> list[str]:
    """What there is of a run, below the model's folder."""
    root = project.path / "data" / ENV
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if version in p.parts)


def command(project, *words: str) -> str:
    """A command that has to succeed; its output."""
    result = project.command(*words, "--env", ENV)
    assert result.exit_code == 0, result.output
    return result.output


def line_of(text: str, check: str) -> str:
    """The line of one check."""
    return next(line for line in text.splitlines() if re.match(rf"\w+ +{check} ", line))


def test_the_doctor_has_nothing_to_say_against_a_new_project(life):
    """What does not exist yet is not a failed check."""
    assert life.before.exit_code == 0, life.before.output
    states = {line.split()[0] for line in life.before.output.splitlines()}
    assert "failed" not in states
    for check in ("release", "champion", "monitoring"):
        assert "not yet" in line_of(life.before.output, check)


def test_a_kept_run_that_is_promoted_is_what_scores(life):
    """Alias, pointer and ledger agree; the decision stays as it was recorded."""
    assert life.promoted.exit_code == 0, life.promoted.output
    store, registry = production_of(life.project)
    assert registry.champion() == store.pointer().version == "2"
    assert history_of(store) == [("release", "1", None), ("promoted", "2", "1")]
    entry = store.ledger()[-1]
    assert (entry.by, entry.mlflow_run_id) == (getpass.getuser(), life.kept.mlflow_run_id)
    assert entry.reason.startswith(REASON)
    assert store.load().manifest.decision.outcome == "kept"
    scored = life.project.load("predictions", env=ENV)
    assert set(scored["model_version"].astype(str)) == {"2"}


def test_releases_tells_why_it_was_promoted(life, monkeypatch):
    """The table shows reason and shortened run id."""
    monkeypatch.setenv("COLUMNS", "250")
    text = command(life.project, "releases")
    row = next(line for line in text.splitlines() if "promoted by" in line)
    assert REASON in row
    assert life.kept.mlflow_run_id[:8] in row


def test_promote_refuses_what_is_no_model(life):
    """An unknown run, one without a model, another model's: refused; a repetition is noted."""
    assert "Nothing to do" in command(life.project, "promote", life.kept.run_id, "--reason", "x")
    for name, words in (
        ("0" * 32, "There is no run"),
        ("2020-01-01T00.00.00.000Z", "There is no run"),
        (life.scored.mlflow_run_id, "only a run that trained and evaluated"),
    ):
        result = life.project.command("promote", name, "--reason", "x", "--env", ENV)
        assert result.exit_code == 1
        assert words in result.stderr, result.stderr
    result = life.project.command("promote", life.kept.mlflow_run_id, "--reason", "x")
    assert "is of the experiment 'mine', not of the model" in result.stderr
    result = life.project.command("promote", life.old.run_id, "--reason", " ", "--env", ENV)
    assert "needs a reason" in result.stderr


def test_what_was_changed_since_is_not_promoted(life):
    """A run whose files differ from the judged ones is not promoted."""
    [file] = (life.project.path / f"data/{ENV}/reporting/decision.json" / life.old.run_id).iterdir()
    content = file.read_bytes()
    file.write_bytes(content.replace(b"kept", b"Kept"))
    result = life.project.command("promote", life.old.run_id, "--reason", "x", "--env", ENV)
    file.write_bytes(content)
    assert result.exit_code == 1
    assert "'decision' was changed since" in result.stderr
    assert production_of(life.project)[0].pointer().version == "2"


@pytest.fixture(scope="module")
def pruned(life) -> str:
    """The old run is gone, after a dry run and a kill; returns what the dry run said."""
    project = life.project
    produced = project.produced()
    dry = command(project, "prune", "--keep", "1", "--dry-run")
    assert project.produced() == produced
    real, left = StoreFiles.remove_folder, [3]

    def killed(files, path):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        real(files, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoreFiles, "remove_folder", killed)
        with pytest.raises(Killed):
            project.command("prune", "--keep", "1", "--env", ENV)
    assert len(project.produced()) < len(produced)
    command(project, "prune", "--keep", "1")
    assert "Nothing to remove." in command(project, "prune", "--keep", "1")
    return dry


def test_prune_tells_what_goes_and_why_the_rest_stays(life, pruned):
    """The output lists runs with bytes and reasons."""
    kept, gone = pruned.split("Would go:")
    assert life.old.run_id in gone
    assert re.search(r"folders of \d+ runs, [\d.]+ [kM]B", gone)
    for run, why in (
        (life.released, "release 1"),
        (life.kept, "release 2"),
        (life.newest, "newest run"),
    ):
        line = next(line for line in kept.splitlines() if run.run_id in line)
        assert why in line
        assert run.run_id not in gone


def test_prune_removes_all_of_an_old_run_and_nothing_of_the_others(life, pruned):
    """The newest, and those of releases, are whole: every file that their manifests name."""
    assert files_of(life.project, life.old.run_id) == []
    for manifest in (life.released, life.kept, life.newest):
        for item in manifest.datasets.values():
            assert (life.project.path / item.path).exists(), item.path


def test_after_pruning_a_released_run_can_be_reproduced(life, pruned):
    """A released run is reproduced from its raw data to the last bit."""
    result = life.project.command("reproduce", life.released.mlflow_run_id, "--env", ENV)
    assert "metrics and predictions are identical" in result.output, result.output


def test_after_pruning_production_goes_on(life, pruned):
    """Rollback, scoring, monitoring; the monitor's next look finds what the last one left."""
    project = life.project
    command(project, "rollback", "--to", "1")
    project.run("batch_inference", env=ENV)
    assert set(project.load("predictions", env=ENV)["model_version"].astype(str)) == {"1"}
    command(project, "ct")
    command(project, "rollback", "--to", "2")
    command(project, "prune", "--keep", "1")
    command(project, "ct")
    text = command(project, "doctor")
    assert "version 2 in the registry and in production" in text


def ill(project, check: str, *words: str) -> None:
    """Assert that the doctor finds it, names a remedy in the same line, and ends with 1."""
    result = project.command("doctor", "--env", ENV)
    assert result.exit_code == 1, result.output
    line = line_of(result.output, check)
    assert line.startswith("failed"), result.output
    for word in words:
        assert word in line, line


def test_the_doctor_finds_alias_and_pointer_apart(life):
    """The doctor names the command that finishes the work, or takes the alias back."""
    store, registry = production_of(life.project)
    now = registry.champion()
    other = "1" if now == "2" else "2"
    registry.move_champion(other, now)
    words = f"champion is {other}, production holds {now}"
    try:
        ill(life.project, "champion", words, f"kedro rollback --env {ENV} --to {now}")
        store.begin_move()
        ill(life.project, "champion", words, f"kedro run --env {ENV} --pipeline model_publishing")
    finally:
        store.end_move()
        production_of(life.project)[1].move_champion(now, other)


def test_the_doctor_finds_a_changed_byte_of_the_release(life):
    """The doctor names the changed file."""
    store, _ = production_of(life.project)
    version = store.pointer().version
    file = life.project.path / f"data/production/{ENV}/releases/{version}/table_info.json"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b" ")
    ill(life.project, "release", "table_info.json", f"kedro rollback --env {ENV} --to")
    file.write_bytes(content)


def test_the_doctor_does_not_wait_for_a_server_that_is_down(life):
    """A server that is down is reported, and does not count as a registry that disagrees."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    path = life.project.path / "conf" / ENV / "mlflow.yml"
    base = yaml.safe_load((path.parents[1] / "base" / "mlflow.yml").read_text(encoding="utf-8"))
    base["server"]["mlflow_tracking_uri"] = f"http://ada:canary@127.0.0.1:{port}"
    path.write_text(yaml.safe_dump(base), encoding="utf-8")
    try:
        ill(life.project, "MLflow", "does not answer", "make services", f"***@127.0.0.1:{port}")
        text = life.project.command("doctor", "--env", ENV).output
    finally:
        path.unlink()
    assert "canary" not in text
    assert line_of(text, "champion").startswith("warning")
    assert line_of(text, "release").startswith("ok")


def test_the_doctor_finds_storage_that_is_read_only(life, monkeypatch):
    """The doctor reports read-only storage with a remedy."""

    def denied(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mlops_basics.storage.store_files.os.link", denied)
    ill(life.project, "storage", "Permission denied", "correct the rights")
    ill(life.project, "production", "Permission denied")


def test_the_doctor_finds_packages_that_are_not_the_locked_ones(life):
    """The doctor names the packages with both versions."""
    lock = life.project.path / "requirements.txt"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"(?m)^pandas==\S+", "pandas==0.0.1", text), encoding="utf-8")
    ill(life.project, "packages", "pandas is ", "locked 0.0.1", "make venv")
    lock.write_text(text, encoding="utf-8")


def test_the_doctor_goes_on_where_the_configuration_is_wrong(life):
    """The doctor reports a wrong configuration and ends without a traceback."""
    result = life.project.command("doctor", "--env", "nope")
    assert result.exit_code == 1
    assert "conf/nope" in line_of(result.output, "configuration")
    assert line_of(result.output, "Python").startswith("ok")


def test_the_doctor_on_s3(project, s3_environment, monkeypatch):
    """The doctor checks rights and clock; a server that is down is reported at once."""
    bucket = make_bucket(s3_environment)
    places = {name: f"{bucket.root}/{name}" for name in ("storage", "production")}
    project.configure("cloud", **places)
    result = project.command("doctor", "--env", "cloud")
    assert result.exit_code == 0, result.output
    for check in ("storage", "production", "clock"):
        assert line_of(result.output, check).startswith("ok"), result.output
    assert bucket.fs().find(bucket.name) == []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    forget_file_systems()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    begin = time.monotonic()
    result = project.command("doctor", "--env", "cloud")
    assert time.monotonic() - begin < 60
    assert result.exit_code == 1
    assert "does not answer" in line_of(result.output, "storage")
    for check in ("release", "monitoring", "production", "leftovers", "champion"):
        assert line_of(result.output, check).startswith("warning"), result.output
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in result.output
