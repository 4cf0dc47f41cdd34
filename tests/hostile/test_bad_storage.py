"""Wrong keys, no rights, no bucket, no space: one error that says where and what to do."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.mlflow_server import MlflowServer
from tests.hostile.world import (
    ENV,
    QUICK,
    add_table,
    objects,
    readable,
    released,
    strong,
)
from tests.support.faulty_proxy import faulty_proxy
from tests.support.processes import Command
from tests.support.project import Project
from tests.support.services import forget_file_systems, use_environment
from tests.support.small_table import production_of, set_up, weak

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Remote:
    """A project on S3 with a first release.

    Attributes:
        project: The project.
        services: Where its data are.
        bucket: Its own bucket; the model has the same name.
    """

    project: Project
    services: Instance
    bucket: str

    def variables(self, **changes: str) -> dict[str, str]:
        """A client's environment."""
        return {**self.services.environment(), "MLOPS_BUCKET": self.bucket, **changes}

    def held(self) -> dict[str, str]:
        """What the bucket holds, without the locks, which name their last holders."""
        found = objects(self.services.s3, self.bucket)
        return {key: tag for key, tag in found.items() if not key.endswith("-lock")}

    def run(self) -> Command:
        """A run that would replace the champion."""
        return Command(self.project, "run", "--env", ENV, "--params", strong(self.bucket))


@pytest.fixture(scope="module")
def remote(
    shared_project: Project, services: Instance, mlflow_server: MlflowServer
) -> Iterator[Remote]:
    """A weak champion in a separate bucket."""
    bucket = f"bad-{secrets.token_hex(4)}"
    services.s3.create_bucket(bucket)
    add_table(shared_project, services.s3, bucket)
    made = Remote(shared_project, services, bucket)
    with pytest.MonkeyPatch.context() as patch:
        for _ in use_environment(patch, made.variables(), None):
            shared_project.run(env=ENV, model_name=bucket, **weak(), **QUICK)
            yield made


#: What is wrong with the client's variables, and what the error has to name.
KEYS = {
    "another secret": ({"AWS_SECRET_ACCESS_KEY": "canary-secret"}, "AWS_SECRET_ACCESS_KEY"),
    "an unknown key": ({"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "AWS_ACCESS_KEY_ID"),
    "an invalid session": ({"AWS_SESSION_TOKEN": "canary-token"}, "credentials"),
    "another password": ({"MLFLOW_TRACKING_PASSWORD": "canary-word"}, "MLFLOW_TRACKING_PASSWORD"),
    "no bucket": ({"MLOPS_BUCKET": "never-made"}, "bucket is gone or was never made"),
}


@pytest.mark.parametrize("fault", KEYS)
def test_variables_that_are_wrong(
    remote: Remote, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable or the bucket, shows no secret, and nothing was changed."""
    wrong, remedy = KEYS[fault]
    before = remote.held()
    for _ in use_environment(monkeypatch, remote.variables(**wrong), None):
        ended = remote.run().end()
    readable(ended, remedy)
    assert "canary" not in ended.out + ended.err
    assert remote.held() == before
    for _ in use_environment(monkeypatch, remote.variables(), None):
        released(remote.project, remote.bucket, "1")


def test_temporary_credentials_that_have_expired(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses every request with code 400: one error says so, and nothing was changed."""
    before = remote.held()
    canary = {"AWS_SESSION_TOKEN": "canary-token", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
    with faulty_proxy(remote.services.s3.endpoint) as proxy, proxy.breaking("expired") as fault:
        wrong = remote.variables(AWS_ENDPOINT_URL=proxy.endpoint, **canary)
        for _ in use_environment(monkeypatch, wrong, None):
            ended = remote.run().end()
    assert fault.hits == len(proxy.requests) > 0
    readable(ended, "credentials have expired: get new ones")
    assert "canary" not in ended.out + ended.err
    assert remote.held() == before
    for _ in use_environment(monkeypatch, remote.variables(), None):
        released(remote.project, remote.bucket, "1")


def test_a_scorer_cannot_run_the_loop(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scorer's key may read production alone: the run says which right it lacks."""
    before = remote.held()
    scorer = remote.services.s3.environment("scorer")
    for _ in use_environment(monkeypatch, remote.variables(**scorer), None):
        ended = remote.run().end()
    readable(ended, "s3:(Get|Put|List)", remote.bucket)
    assert remote.held() == before
    for _ in use_environment(monkeypatch, remote.variables(), None):
        released(remote.project, remote.bucket, "1")


@pytest.fixture
def full(new_services: Callable[[], Instance]) -> tuple[Instance, Callable[[], None]]:
    """A separate S3 server on a small disk, and a function that gives it more space."""
    own = new_services()
    usual = own.s3._command
    small = ["-volume.max=8", "-master.volumeSizeLimitMB=1"]
    own.s3._command = lambda: [*usual(), *small]  # type: ignore[method-assign]
    own.s3.start()
    own.s3.create_bucket(own.bucket)

    def more_space() -> None:
        own.s3.stop()
        own.s3._command = usual  # type: ignore[method-assign]
        own.s3.start()

    return own, more_space


def fill(own: Instance) -> None:
    """Write until the server accepts no more data."""
    from botocore.exceptions import ClientError

    client = own.s3.client()
    number = 0
    with suppress(ClientError):
        while number < 100:
            body = secrets.token_bytes(500_000)
            client.put_object(Bucket=own.bucket, Key=f"ballast/{number}", Body=body)
            number += 1
    assert number < 100


def test_s3_is_full(
    full: tuple[Instance, Callable[[], None]], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Production can still be read and scored with; with more space the run does the rest."""
    own, more_space = full
    add_table(project, own.s3, own.bucket)
    (project.path / "conf" / ENV / "mlflow.yml").unlink()  # MLflow's database is on this machine
    variables = {**own.s3.environment(), "MLOPS_BUCKET": own.bucket}
    for _ in use_environment(monkeypatch, variables, None):
        project.run(env=ENV, model_name="full", **weak(), **QUICK)
        fill(own)
        before = objects(own.s3, own.bucket, "production/full/releases/")
        readable(command(project, "full").end(), "storage runs", own.bucket)
        released(project, "full", "1")
        assert objects(own.s3, own.bucket, "production/full/releases/") == before
        more_space()
        forget_file_systems()
        assert command(project, "full").end().code == 0
        released(project, "full", "1", "2")


def test_the_bucket_goes_and_comes_back(
    full: tuple[Instance, Callable[[], None]], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that it is gone; restored from a copy, everything holds as before."""
    own, more_space = full
    more_space()
    add_table(project, own.s3, own.bucket)
    (project.path / "conf" / ENV / "mlflow.yml").unlink()
    client = own.s3.client()
    variables = {**own.s3.environment(), "MLOPS_BUCKET": own.bucket}
    for _ in use_environment(monkeypatch, variables, None):
        project.run(env=ENV, model_name="gone", **weak(), **QUICK)
        copy = {
            key: client.get_object(Bucket=own.bucket, Key=key)["Body"].read()
            for key in objects(own.s3, own.bucket)
        }
        for key in copy:
            client.delete_object(Bucket=own.bucket, Key=key)
        client.delete_bucket(Bucket=own.bucket)
        readable(command(project, "gone").end(), "The bucket is gone", own.bucket)
        own.s3.create_bucket(own.bucket)
        for key, body in copy.items():
            client.put_object(Bucket=own.bucket, Key=key, Body=body)
        released(project, "gone", "1")
        assert command(project, "gone").end().code == 0
        released(project, "gone", "1", "2")


def command(project: Project, name: str, **options: Any) -> Command:
    """A run that would replace the champion."""
    return Command(project, "run", "--env", ENV, "--params", strong(name), **options)


#: From which call on nothing can be written, in the order of a run.
MOMENTS = {
    "collecting": "kedro_datasets.pandas.parquet_dataset:ParquetDataset.save",
    "saving the model": "mlops_basics.datasets.model:SklearnModelDataset.save",
    "recording the challenge": "mlops_basics.datasets.challenge:ChallengeDataset.save",
    "registering": "mlops_basics.production.registry:ModelRegistry.register",
    "uploading the release": "mlops_basics.production.release_store:ReleaseStore.upload",
    "moving the pointer": "mlops_basics.production.release_store:ReleaseStore.point",
}


def test_the_disk_is_full(project: Project) -> None:
    """The first step that cannot write reports it; production stays, and the last run finishes.

    Each of these runs has to cope with what the previous one has left behind.
    """
    set_up(project, ENV)
    project.run(env=ENV, **weak())
    for moment, function in MOMENTS.items():
        full = {"FULL_FROM": function}
        ended = command(project, ENV, program="tests.hostile.full_disk", env=full).end()
        print(moment, ended)
        readable(ended, "disk .*is full")
        assert production_of(project, ENV)[0].load().manifest.version == "1", moment
        database = sqlite3.connect(project.path / "data" / "mlflow" / "mlflow.db")
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], moment
        database.close()
    again = command(project, ENV).end()
    assert again.code == 0, str(again)
    released(project, ENV, "1", "2")
