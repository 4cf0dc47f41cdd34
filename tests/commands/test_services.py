"""The development servers: started once, found again, really stopped, and private."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlops_basics.commands.services import Instance, command
from mlops_basics.commands.services.mlflow_server import MlflowServer
from mlops_basics.commands.services.postgres import PostgresServer
from mlops_basics.commands.services.process import Daemon, is_free
from mlops_basics.commands.services.s3 import S3Server, server_environment
from mlops_basics.errors import ConfigurationError
from tests.support.project import ROOT

pytestmark = pytest.mark.slow


def test_starting_again_changes_nothing(
    services: Instance, mlflow_server: MlflowServer, s3_server: S3Server, postgres: PostgresServer
) -> None:
    """Starting again changes nothing."""
    before = (s3_server.daemon.pid(), postgres.pid(), mlflow_server.daemon.pid())
    again = Instance(services.folder)  # as another process sees the folder

    again.start()

    assert None not in before
    assert (again.s3.daemon.pid(), again.postgres.pid(), again.mlflow.daemon.pid()) == before
    assert [answers for _name, answers, _address, _log in again.status()] == [True] * 3


def test_a_missing_password_or_another_host_is_refused(mlflow_server: MlflowServer) -> None:
    """A request without the password, or for another host name, is refused."""
    import requests

    url = f"{mlflow_server.address}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
    own = mlflow_server.environment()
    user = (own["MLFLOW_TRACKING_USERNAME"], own["MLFLOW_TRACKING_PASSWORD"])
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url, timeout=30).status_code == 401
        assert session.get(url, auth=(user[0], "wrong"), timeout=30).status_code == 401
        assert session.get(url, auth=user, timeout=30).status_code == 200
        other = session.get(url, auth=user, headers={"Host": "evil.example"}, timeout=30)
        assert other.status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_door_behind_s3_has_a_lock(s3_server: S3Server, method: str) -> None:
    """What S3 guards by keys cannot be listed, written or removed through the inner servers."""
    import requests

    bucket = f"door-{os.getpid()}-{method.lower()}"
    s3_server.create_bucket(bucket)
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="private.txt", Body=b"private")
    known = json.loads((s3_server._folder / "s3_ports.json").read_text(encoding="utf-8"))
    url = f"http://127.0.0.1:{known['filer']}/buckets/{bucket}/private.txt"
    with requests.Session() as session:
        session.trust_env = False
        assert session.request(method, url, data=b"changed", timeout=30).status_code == 401
        if method == "GET":
            assert session.get(url.removesuffix("private.txt"), timeout=30).status_code == 401
    assert client.get_object(Bucket=bucket, Key="private.txt")["Body"].read() == b"private"


def test_secrets_are_on_no_command_line_and_in_no_public_file(
    services: Instance, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Secrets are on no command line and in no public file."""
    import psutil

    services.write_settings(tmp_path, tmp_path)
    own = services.environment()
    values = [own[name] for name in own if "SECRET" in name or "PASSWORD" in name]
    pids = (services.s3.daemon.pid(), mlflow_server.daemon.pid())
    lines = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in pids)
    assert not [value for value in values if value in lines]
    for file in [*tmp_path.iterdir(), *services.folder.glob("*.*")]:
        text = file.read_text(encoding="utf-8", errors="replace")
        if any(value in text for value in values):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_settings_are_what_yaml_and_a_shell_read(services: Instance, tmp_path: Path) -> None:
    """The settings files are valid for YAML and for a shell."""
    (tmp_path / "credentials.yml").write_text("mine: {key: 1}\n", encoding="utf-8")

    services.write_settings(tmp_path, tmp_path)

    own = {**services.environment(), "MLOPS_BUCKET": "renamed since"}
    known = yaml.safe_load((tmp_path / "credentials.yml").read_text(encoding="utf-8"))
    (tmp_path / "credentials.yml").write_text(
        yaml.safe_dump({**known, "environment": own}), encoding="utf-8"
    )
    services.write_settings(tmp_path, tmp_path)

    known = yaml.safe_load((tmp_path / "credentials.yml").read_text(encoding="utf-8"))
    assert known == {"mine": {"key": 1}, "environment": services.environment()}
    script = f". {tmp_path}/services.env; env"
    output = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert set(services.environment().items()) <= {
        tuple(line.split("=", 1)) for line in output.splitlines()
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"AWS_ENDPOINT_URL": "https://s3.example.org"},
        {"AWS_ACCESS_KEY_ID": "of AWS itself", "AWS_SECRET_ACCESS_KEY": "which has no endpoint"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_ACCESS_KEY_ID": "of another program"},
        {"MLFLOW_TRACKING_URI": "https://mlflow.example.org"},
    ],
)
def test_settings_of_another_server_are_not_overwritten(
    services: Instance, tmp_path: Path, settings: dict[str, str]
) -> None:
    """Settings of another server are not overwritten."""
    text = yaml.safe_dump({"environment": settings})
    (tmp_path / "credentials.yml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"another server.*Move it away"):
        services.write_settings(tmp_path, tmp_path)

    assert (tmp_path / "credentials.yml").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", ["s3", "postgres"])
def test_killed_it_starts_again_with_its_data_and_stops(
    new_services: Callable[[], Instance], name: str
) -> None:
    """A killed instance starts again with its data, and stops."""
    own = new_services()
    server = getattr(own, name)
    server.start()
    if name == "s3":
        own.s3.create_bucket("kept")
        own.s3.client().put_object(Bucket="kept", Key="a", Body=b"1")
    else:
        own.postgres.query("CREATE TABLE kept (a int)", "mlflow")
    pid = server.daemon.pid() if name == "s3" else server.pid()

    os.kill(pid, signal.SIGKILL)
    server.start()

    if name == "s3":
        assert own.s3.client().get_object(Bucket="kept", Key="a")["Body"].read() == b"1"
    else:
        assert own.postgres.query("SELECT * FROM kept", "mlflow") == []
    server.stop()
    assert not server.answers()
    server.stop()  # once more is no error


def test_a_killed_server_is_stopped_with_what_it_left_running(tmp_path: Path) -> None:
    """A killed server is stopped with what it left running."""
    import psutil

    daemon = Daemon(tmp_path, "parent")
    daemon.launch(["sh", "-c", "sleep 300 & echo $! > child; wait"], server_environment())
    daemon.await_answer(lambda: (tmp_path / "child").is_file(), 10)
    daemon.await_answer(lambda: bool((tmp_path / "child").read_text()), 10)
    child = psutil.Process(int((tmp_path / "child").read_text()))
    os.kill(daemon.pid() or 0, signal.SIGKILL)
    psutil.wait_procs([child], timeout=0)
    assert child.is_running()

    daemon.stop()

    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    """Another process with the same process id is left alone."""
    other = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        record = f'{{"pid": {other.pid}, "started": 1.0}}'
        (tmp_path / "s3.pid").write_text(record, encoding="utf-8")
        daemon = Daemon(tmp_path, "s3")
        assert daemon.pid() is None
        daemon.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_start_waits_until_objects_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door answers before it knows where its objects lie: until then it is not started."""
    from unittest.mock import MagicMock

    from botocore.exceptions import ClientError

    client = MagicMock()
    client.list_buckets.return_value = {"Buckets": [{"Name": "started"}]}
    client.list_objects_v2.return_value = {"Contents": [{"Key": "started"}]}
    unknown = ClientError({"Error": {"Code": "InternalError"}}, "GetObject")
    client.get_object.side_effect = [unknown, unknown, MagicMock(), MagicMock()]
    server = S3Server(tmp_path, 0, {f"{role}_{part}": "" for role in ("s3", "scorer")
                                    for part in ("key", "secret")})  # fmt: skip
    monkeypatch.setattr(server, "client", lambda: client)
    monkeypatch.setattr(server, "answers", lambda: True)
    command = ["sleep", "300"]
    monkeypatch.setattr(server, "_command", lambda: command)
    monkeypatch.setattr("mlops_basics.commands.services.s3.require_free", lambda *_: None)
    try:
        server.start()
        assert client.get_object.call_count == 4
    finally:
        server.stop()


@pytest.mark.parametrize("folder", ["a folder é", "it's 50 %"])
def test_postgresql_starts_in_any_folder(new_services: Callable[[], Instance], folder: str) -> None:
    """A project's path may hold spaces, quotes and signs of an address."""
    from sqlalchemy import create_engine, text

    own = new_services()
    server = PostgresServer(own.folder / folder)
    try:
        server.start()
        with create_engine(server.uri("mlflow")).connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
    finally:
        server.stop()


def test_a_port_in_use_is_named(new_services: Callable[[], Instance]) -> None:
    """A port in use is named."""
    own = new_services()
    with socket.socket() as other:
        other.bind(("127.0.0.1", own.s3.port))
        other.listen()
        assert not is_free(own.s3.port)
        with pytest.raises(ConfigurationError, match=f"port {own.s3.port} .*in use.*--s3-port"):
            own.start()


def test_a_server_that_ends_shows_its_last_lines(tmp_path: Path) -> None:
    """A server that ends shows its last lines."""
    daemon = Daemon(tmp_path, "server")
    daemon.launch(["sh", "-c", "echo the disk is on fire; exit 1"], server_environment())

    with pytest.raises(
        ConfigurationError, match=r"ended while it started(.|\n)*the disk is on fire"
    ):
        daemon.await_answer(lambda: False, 30)


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """A server that does not answer is given up."""
    daemon = Daemon(tmp_path, "server")
    daemon.launch(["sleep", "300"], server_environment())
    try:
        with pytest.raises(ConfigurationError, match="did not answer within 1 s"):
            daemon.await_answer(lambda: False, 1)
    finally:
        daemon.stop()
    assert daemon.pid() is None


def test_the_servers_listen_on_loopback_alone(
    s3_server: S3Server, mlflow_server: MlflowServer
) -> None:
    """The servers listen on loopback alone."""
    import psutil

    for daemon in (s3_server.daemon, mlflow_server.daemon):
        leader = psutil.Process(daemon.pid())
        for process in [leader, *leader.children(recursive=True)]:
            listening = [c for c in process.net_connections("inet") if c.status == "LISTEN"]
            assert {c.laddr.ip for c in listening} <= {"127.0.0.1"}


def test_start_prints_addresses_and_that_it_is_not_for_production(
    services: Instance, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Start prints the addresses and says that the servers are not for production."""
    (tmp_path / "data" / "source").mkdir(parents=True)
    iris = (ROOT / command.SAMPLE).read_bytes()
    (tmp_path / command.SAMPLE).write_bytes(iris)

    output = command.start(services, tmp_path)

    for word in (services.s3.endpoint, mlflow_server.address, "For development and tests only"):
        assert word in output
    found = services.s3.client().get_object(Bucket=services.bucket, Key="source/iris.csv")
    assert found["Body"].read() == iris


def test_a_project_without_the_sample_table_starts_them_too(
    services: Instance, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """One that is made by the starter holds no table of ours."""
    services.s3.client().delete_object(Bucket=services.bucket, Key="source/iris.csv")

    assert services.s3.endpoint in command.start(services, tmp_path)
