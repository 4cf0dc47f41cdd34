"""Tests of the doctor's checks, each with the fault that it has to find."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlops_basics.commands.doctor import (
    CheckResult,
    examination,
    in_one_line,
    installation,
    production,
    storage,
    tracking,
)
from mlops_basics.commands.doctor.check_result import CheckError, reported
from mlops_basics.datasets import SourceDataset
from mlops_basics.errors import ConfigurationError, ReleaseError, StorageError
from mlops_basics.schemas import MonitoringState, Pointer, Watch
from mlops_basics.storage.store_files import StoreFiles
from tests.support.bombs import no_files
from tests.support.s3_bucket import make_bucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOCK = (
    'one==1.0 \\\n    --hash=sha256:00\nTwo_B==2.0 ; python_version < "3" \\\n    --hash=sha256:0\n'
)


def test_a_result_is_one_line_without_secrets():
    """State, what was looked at, what was found, what to do."""
    result = CheckResult("x", "failed", "s3://a:canary@b\nis\x1b gone.", "Make it.")
    assert (
        in_one_line(result)
        == "failed   x                      s3://***@b is\\x1b gone. Remedy: Make it."
    )
    assert len(in_one_line(CheckResult("x", "ok", "y" * 10_000))) < 800


def test_what_a_check_raises_is_a_result():
    """Our own errors are shown with their message, others with their type."""
    results: list[CheckResult] = []
    for error in (CheckError("A.", "B.", "warning"), ReleaseError("C."), KeyError("d")):
        with reported("check", results):
            raise error
    assert [(f.state, f.text, f.remedy) for f in results[:2]] == [
        ("warning", "A.", "B."),
        ("failed", "C.", ""),
    ]
    assert "KeyError" in results[2].text
    assert results[2].remedy


def test_our_own_error_is_shown_however_it_is_wrapped():
    """As OmegaConf does with what a resolver raises."""
    results: list[CheckResult] = []
    with reported("configuration", results):
        try:
            raise ConfigurationError("MLOPS_BUCKET is not set. Set it.")
        except ConfigurationError as error:
            raise KeyError("resolving interpolation") from error
    assert [(f.state, f.text) for f in results] == [("failed", "MLOPS_BUCKET is not set. Set it.")]


def test_python_has_to_be_in_range(tmp_path):
    """The range is that of pyproject.toml."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nrequires-python = ">=3.11"\n', encoding="utf-8")
    assert installation.python_version(tmp_path).state == "ok"
    file.write_text('[project]\nrequires-python = "<3.5"\n', encoding="utf-8")
    with pytest.raises(CheckError, match=r"<3\.5 is needed.*make venv"):
        installation.python_version(tmp_path)


def test_packages_have_to_be_those_of_the_lock(tmp_path):
    """Differing ones are named; missing ones may have been left out; markers count."""
    (tmp_path / "requirements.txt").write_text(LOCK, encoding="utf-8")
    assert installation.packages(tmp_path, {"one": "1.0"}).state == "ok"
    with pytest.raises(
        CheckError, match=r"1 differ.*one is 1\.1, locked 1\.0.*make venv"
    ) as failed:
        installation.packages(tmp_path, {"one": "1.1"})
    assert failed.value.state == "failed"
    with pytest.raises(CheckError, match="not installed: one") as missing:
        installation.packages(tmp_path, {})
    assert missing.value.state == "warning"


def test_what_is_installed_is_what_python_says():
    """Versions read from folder names equal those that importlib.metadata reports."""
    found = installation._installed()
    for name in ("kedro", "mlflow", "scikit-learn", "kedro-datasets"):
        assert found[name] == version(name)


def test_a_package_that_is_there_twice_is_not_that_of_the_lock(tmp_path, monkeypatch):
    """Two versions in one place differ from the lock, whichever comes first; a later place is
    behind an earlier one.
    """
    for place, name in (("a", "one-1.0"), ("a", "one-0.9"), ("a", "two-2.0"), ("b", "two-1.0")):
        (tmp_path / place / f"{name}.dist-info").mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert installation._installed() == {"one": "0.9 and 1.0", "two": "2.0"}
    (tmp_path / "requirements.txt").write_text("one==1.0\ntwo==2.0\n", encoding="utf-8")
    with pytest.raises(CheckError, match=r"1 differ from the lock: one is 0\.9 and 1\.0, locked"):
        installation.packages(tmp_path)


def test_private_files_have_to_be_private(tmp_path):
    """Credentials and the signing key, wherever that is."""
    assert installation.private_files(tmp_path, None).text == "none yet"
    for name in ("conf/local/credentials.yml", ".secrets/services.env", "elsewhere/key"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("canary", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    assert installation.private_files(tmp_path, "elsewhere/key").text.startswith("3, readable by")
    (tmp_path / "elsewhere/key").chmod(0o640)
    assert installation.private_files(tmp_path, None).state == "ok"
    with pytest.raises(CheckError, match="chmod 600 elsewhere/key") as open_key:
        installation.private_files(tmp_path, "elsewhere/key")
    assert "canary" not in str(open_key.value)


def test_a_key_that_a_package_would_hold_is_named(tmp_path):
    """With the folder that it should be moved to."""
    key = tmp_path / "conf" / "local" / "signing_key.pem"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    with pytest.raises(CheckError, match="take conf/local/signing_key") as packed:
        installation.private_files(tmp_path, "conf/local/signing_key.pem")
    assert packed.value.state == "warning"
    assert packed.value.remedy.startswith("Move them to .secrets,")


def probe(tmp_path: Path) -> StoreFiles:
    """Where a local storage is tried."""
    return StoreFiles(str(tmp_path / "data" / storage.PROBES))


def test_the_rights_of_a_storage_are_tried_and_nothing_is_left(tmp_path):
    """The rights are tried on a local disk without the folder, and no file is left."""
    found = storage.rights("storage", probe(tmp_path))
    assert (found.check, found.state) == ("storage", "ok")
    storage.tidy(str(tmp_path / "data" / storage.PROBES))
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("create", True, "conditional create does not work.*overwrite each other"),
        ("replace_if", True, r"wrong condition.* does not work"),
        ("replace_if", False, "conditional put does not work"),
        ("read", b"stale", "get does not work"),
        ("names", [], "list does not work"),
    ],
)
def test_a_storage_that_does_not_keep_its_promises_fails(
    tmp_path, monkeypatch, method, answer, words
):
    """Each failing operation is named, and the check fails with a remedy."""
    files = probe(tmp_path)
    real = getattr(files, method)
    monkeypatch.setattr(files, method, lambda *a, **k: (real(*a, **k), answer)[1])
    with pytest.raises(CheckError, match=words) as failed:
        storage.rights("storage", files)
    assert failed.value.state == "failed"
    assert failed.value.remedy
    assert not list(Path(files.folder).glob("probe*"))


def test_without_the_right_to_delete_there_is_a_warning(tmp_path, monkeypatch):
    """Only pruning, and publishing over strange files, need this right."""
    files = probe(tmp_path)

    def denied(_name):
        raise StorageError("Cannot remove it.")

    monkeypatch.setattr(files, "remove", denied)
    with pytest.raises(CheckError, match=r"all but delete works.*kedro prune.*strange") as warned:
        storage.rights("storage", files)
    assert warned.value.state == "warning"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_production_that_may_only_be_read_is_a_warning(tmp_path, monkeypatch, number):
    """A trainer or a scorer has no other rights; where one has to write, it is a failure."""
    files = probe(tmp_path)

    def denied(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("mlops_basics.storage.store_files.os.link", denied)
    with pytest.raises(StorageError, match="Cannot write"):
        storage.rights("storage", files)
    with pytest.raises(storage.ReadableOnlyError, match="trainer or a scorer") as warned:
        storage.rights("production", files, reading_will_do=True)
    assert warned.value.state == "warning"

    def unreadable(_folder):
        raise StorageError("Cannot list it.")

    monkeypatch.setattr(files, "names", unreadable)
    with pytest.raises(StorageError, match="Cannot write"):
        storage.rights("production", files, reading_will_do=True)


def test_a_disk_that_is_full_is_no_lack_of_rights(tmp_path, monkeypatch):
    """A full disk is reported as full, although it can be read."""

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr("mlops_basics.storage.store_files.os.link", full)
    with pytest.raises(StorageError, match="disk is full"):
        storage.rights("production", probe(tmp_path), reading_will_do=True)


def test_little_room_on_the_disk_is_a_warning(tmp_path, monkeypatch):
    """The fullest of the disks counts; a folder need not exist."""
    usage = shutil.disk_usage(tmp_path)
    places = [tmp_path, tmp_path / "not" / "yet"]
    assert storage.free_disk(places).state == "ok"
    little = usage._replace(free=storage.LEAST_FREE - 1)
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: little)
    with pytest.raises(CheckError, match=r"1\.0 GB free.*kedro prune") as warned:
        storage.free_disk(places)
    assert warned.value.state == "warning"


def test_the_clock_is_compared_with_the_servers():
    """Seconds warn; a quarter of an hour fails, since S3 refuses then."""
    assert storage.clock(NOW, NOW + timedelta(seconds=4)).state == "ok"
    for seconds, state in ((-6, "warning"), (901, "failed")):
        with pytest.raises(CheckError, match="Set the clock") as wrong:
            storage.clock(NOW, NOW + timedelta(seconds=seconds))
        assert wrong.value.state == state


def test_what_killed_processes_left_is_reported(tmp_path):
    """Leftovers are reported after a day; younger ones may belong to running processes."""
    model = tmp_path / "mine"
    claims = model / "manifests" / "running"
    claims.mkdir(parents=True)
    look = partial(storage.leftovers, StoreFiles(str(model)), StoreFiles(str(model)), [str(model)])
    assert look().text == "none"
    young = datetime.now(UTC).strftime("%Y-%m-%dT%H.%M.%S.000Z.json")
    (claims / young).write_text("{}", encoding="utf-8")
    assert "1 run working" in look().text
    (claims / "2020-01-01T00.00.00.000Z.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckError, match=r"1 left by killed.*2020-01-01") as warned:
        look()
    assert warned.value.state == "warning"
    scratch = model / ".tmp-1"
    scratch.write_text("", encoding="utf-8")
    os.utime(scratch, (0, 0))
    with pytest.raises(CheckError, match="2 left by killed"):
        look()


@pytest.mark.slow
def test_the_rights_on_s3_are_tried(s3_environment):
    """All of them; then each that a policy forbids, by what is missing."""
    bucket = make_bucket(s3_environment)
    files = bucket.files(storage.PROBES)
    assert storage.rights("storage", files).state == "ok"
    assert bucket.fs().find(bucket.name) == []
    skew = abs(storage.server_time(bucket.endpoint) - datetime.now(UTC))
    assert skew < timedelta(seconds=30)
    bucket.forbid("s3:PutObject", prefix=storage.PROBES)
    results: list[CheckResult] = []
    with reported("storage", results):
        storage.rights("storage", files)
    [result] = results
    assert result.state == "failed"
    assert "s3:PutObject" in result.text
    with pytest.raises(storage.ReadableOnlyError, match="readable only"):
        storage.rights("production", files, reading_will_do=True)
    bucket.forbid("s3:PutObject", "s3:GetObject", "s3:ListBucket")
    with pytest.raises(StorageError, match="Cannot write"):
        storage.rights("production", files, reading_will_do=True)


def test_a_storage_that_is_down_is_reported_at_once():
    """No botocore request is made, which would be retried for minutes."""

    with pytest.raises(CheckError, match=r"does not answer.*AWS_ENDPOINT_URL"):
        storage.server_time("http://127.0.0.1:9")


class Answers(BaseHTTPRequestHandler):
    """An MLflow server as far as the doctor asks it."""

    version, health, identity = version("mlflow"), 200, None

    def do_GET(self):
        """Health is for everybody, the version for who is known."""
        known = self.headers["Authorization"] == self.identity
        self.send_response(self.health if self.path == "/health" else 200 if known else 401)
        self.end_headers()
        self.wfile.write(self.version.encode())

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def server(**values) -> Iterator[str]:
    """Address of a server that gives these answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Answers,), values)) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_that_fits_is_well():
    """A server that answers and has the client's version passes."""
    with server() as uri:
        answers, found = tracking.tracking(uri)
    assert (answers, found.state) == (True, "ok")
    assert version("mlflow") in found.text


@pytest.mark.parametrize(
    ("identity", "given"),
    [
        (
            "Basic YWRhOnBhc3M=",
            {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "pass"},
        ),
        ("Bearer secret", {"MLFLOW_TRACKING_TOKEN": "secret"}),
    ],
)
def test_a_server_behind_a_password_is_asked_with_it(monkeypatch, identity, given):
    """Its version is told to who is known; who is not is told that, and how to mend it."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    with server(identity=identity) as uri:
        with pytest.raises(CheckError, match=r"does not know you \(HTTP 401\)") as unknown:
            tracking.tracking(uri)
        assert unknown.value.state == "failed"
        assert "MLFLOW_TRACKING_PASSWORD" in unknown.value.remedy
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert tracking.tracking(uri)[1].state == "ok"


def test_a_server_of_another_version_is_a_warning():
    """The warning names both versions."""
    with server(version="2.0.1") as uri, pytest.raises(CheckError, match=r"is 2\.0\.1") as warned:
        tracking.tracking(uri)
    assert warned.value.state == "warning"


def test_a_server_that_refuses_fails():
    """A server that refuses the host's name fails the check."""
    with server(health=403) as uri, pytest.raises(CheckError, match=r"HTTP 403.*allowed hosts"):
        tracking.tracking(uri)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    """A server that accepts the connection but does not answer fails the check."""
    monkeypatch.setattr(tracking, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CheckError, match=r"does not answer within.*make services"):
            tracking.tracking(uri)


def test_patience_with_a_server_ends_with_the_check(monkeypatch):
    """The user's own timeout settings are restored after the check."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with tracking.impatient():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_database_that_is_not_there_yet_is_not_made(tmp_path):
    """The first run makes it."""
    file = tmp_path / "mlflow.db"
    answers, found = tracking.tracking(f"sqlite:///{file}")
    assert (answers, found.state) == (False, "ok")
    assert "not yet" in found.text
    assert not file.exists()


def test_a_database_that_no_run_could_use_is_no_success(tmp_path, monkeypatch):
    """Where a run refuses the project's folder, the doctor says so, and not that all is well."""
    folder = tmp_path / "50%20"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigurationError, match="Move or rename the folder"):
        tracking.tracking("sqlite:///data/mlflow.db")


def test_a_migrated_database_is_well(mlflow_store):
    """The revision that this MLflow makes is the one that no other follows."""
    answers, found = tracking.tracking(f"sqlite:///{mlflow_store}")
    assert (answers, found.state) == (True, "ok")


def test_another_schema_and_a_broken_file_fail(mlflow_store, tmp_path):
    """Another schema fails with advice to back up first; a broken file is reported."""
    file = tmp_path / "mlflow.db"
    shutil.copy(mlflow_store, file)
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'old'")
        database.commit()
    with pytest.raises(CheckError, match=r"schema old.*backup.*mlflow db upgrade"):
        tracking.tracking(f"sqlite:///{file}")
    file.write_bytes(secrets.token_bytes(5000))
    with pytest.raises(CheckError, match="cannot be read as a database"):
        tracking.tracking(f"sqlite:///{file}")


@pytest.mark.slow
def test_the_champion_of_a_database_is_the_registrys(mlflow_store, tmp_path):
    """The champion that is read from the database directly is the one MLflow reports."""
    import mlflow
    from mlflow import MlflowClient

    from mlops_basics.production.registry import ModelRegistry

    shutil.copy(mlflow_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    assert tracking.registered_in_sqlite(uri, "mine") == (None, {})
    client = MlflowClient()
    for name, versions in (("mine", 2), ("other", 1)):
        client.create_registered_model(name)
        for number in range(versions):
            client.create_model_version(name, source=str(tmp_path), run_id=f"run{number}")
        client.set_registered_model_alias(name, "champion", str(versions))
    found = tracking.registered_in_sqlite(uri, "mine")
    assert found == ("2", {"1": "run0", "2": "run1"})
    client.set_model_version_tag("mine", "2", "release", "7")
    client.set_model_version_tag("mine", "2", "fitted_by", "elsewhere")
    client.delete_model_version("mine", "1")
    assert tracking.registered_in_sqlite(uri, "mine") == ("7", {"7": "elsewhere"})
    registry = ModelRegistry("mine")
    assert (registry.champion(), registry.run_of("7")) == ("7", "elsewhere")


def test_registry_and_production_have_to_agree():
    """They are compared in both directions: either may be ahead."""
    pointer = Pointer(version="1", manifest_sha256="0", at="x")
    assert production.agreement(pointer, "1", known=True).state == "ok"
    assert "not yet" in production.agreement(None, None, known=False).text
    for at, champion, known, words in (
        (pointer, "2", True, "model_publishing, or go back: kedro rollback --to 1"),
        (None, "1", False, "production holds nothing.*model_publishing"),
        (pointer, None, False, "champion is none.*belongs to.*kedro adopt"),
        (pointer, None, True, "kedro adopt"),
        (pointer, "1", False, "kedro adopt"),
        (pointer, "3", False, "kedro adopt"),
    ):
        with pytest.raises(CheckError, match=words):
            production.agreement(at, champion, known=known, moving=True)
    with pytest.raises(CheckError, match=r"somebody moved the alias.*kedro rollback --to 1"):
        production.agreement(pointer, "2", known=True)
    with pytest.raises(CheckError, match=r"production holds nothing.*emptied.*kedro promote"):
        production.agreement(None, "1", known=False, lost=True)
    with pytest.raises(CheckError, match="model_publishing"):  # of a lost pointer alone
        production.agreement(None, "1", known=False)


def test_a_pending_retraining_is_a_warning():
    """Only a pending retraining of the release in production gives a warning."""
    pointer = Pointer(version="1", manifest_sha256="0", at="x")
    assert "not yet" in production.monitoring(MonitoringState(), pointer).text
    watch = Watch(version="1", loss="error", sequential={}, pending=("data_drift: b.csv",))
    state = MonitoringState(watches={"1": watch})
    with pytest.raises(
        CheckError, match=r"pending for release 1 \(data_drift\).*kedro ct"
    ) as warned:
        production.monitoring(state, pointer)
    assert warned.value.state == "warning"
    well = watch.model_copy(update={"pending": ()})
    assert production.monitoring(MonitoringState(watches={"1": well}), pointer).state == "ok"


def test_what_is_no_file_in_the_source_is_named(tmp_path):
    """A pipe is not waited for; the warning says what the commands will do."""
    (tmp_path / "a.csv").write_text("x\n1\n", encoding="utf-8")
    catalog = {"source": SourceDataset(path=str(tmp_path))}
    setting = SimpleNamespace(catalog=catalog)
    assert examination._source(setting, examination._Reach()).text.startswith("1 file ")
    no_files(tmp_path)
    with pytest.raises(CheckError, match="7 of 9 files cannot be read: 'device") as found:
        examination._source(setting, examination._Reach())
    assert found.value.state == "warning"
    assert "leaves it out" in found.value.remedy
