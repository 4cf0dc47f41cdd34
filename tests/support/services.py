"""S3, PostgreSQL and MLflow servers for tests; conftest.py imports what is public here.

One instance serves all processes of a test session; what is not used is not started. A test that
kills servers, or fills or changes buckets, asks for ``new_services`` instead.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.mlflow_server import MlflowServer
from mlops_basics.commands.services.postgres import PostgresServer
from mlops_basics.commands.services.s3 import S3Server, free_ports

_FOLDER = "MLOPS_TEST_SERVICES"


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of the session's servers; the test processes inherit the variable."""
    if not hasattr(config, "workerinput"):
        # Not below pytest's own folder: it takes away the rights that PostgreSQL, which does not
        # run as root, needs there. And short, since a socket's path is.
        folder = tempfile.mkdtemp(prefix="mlops-")
        os.environ[_FOLDER] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers when all test processes are through."""
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(_FOLDER))
        if (folder / "ports.json").is_file():
            instance_of(folder).stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def services() -> Instance:
    """The session's instance, of which nothing need run yet."""
    return instance_of(Path(os.environ[_FOLDER]))


@pytest.fixture(scope="session")
def s3_server(services: Instance) -> S3Server:
    """A running S3 server with the bucket ``services.bucket``."""
    with services._alone():
        services.s3.start()
        services.s3.create_bucket(services.bucket)
    return services.s3


@pytest.fixture(scope="session")
def postgres(services: Instance) -> PostgresServer:
    """A running PostgreSQL with MLflow's databases."""
    with services._alone():
        services.postgres.start()
    return services.postgres


@pytest.fixture(scope="session")
def mlflow_server(
    services: Instance, s3_server: S3Server, postgres: PostgresServer
) -> MlflowServer:
    """A running MLflow server on the two others."""
    with services._alone():
        services.mlflow.start()
    return services.mlflow


@pytest.fixture
def s3_environment(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The S3 server, with its address and the administrator's key in the AWS variables."""
    yield from use_environment(monkeypatch, s3_server.environment(), s3_server)


def use_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], value: Any
) -> Iterator[Any]:
    """Set variables; file systems of other keys or servers are forgotten, before and after."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_TRACKING_"))]:
        monkeypatch.delenv(name)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    forget_file_systems()
    yield value
    forget_file_systems()


def forget_file_systems() -> None:
    """fsspec hands out a file system again when its arguments are the same; the key may not be."""
    from mlops_basics.storage.s3_file_system import S3FileSystem

    S3FileSystem.clear_instance_cache()


@pytest.fixture
def new_services() -> Iterator[Callable[[], Instance]]:
    """Makes separate instances, not started, which are stopped and removed afterwards."""
    made: list[Instance] = []

    def make() -> Instance:
        made.append(instance_of(Path(tempfile.mkdtemp(prefix="mlops-"))))
        return made[-1]

    yield make
    for instance in made:
        instance.stop()
        shutil.rmtree(instance.folder, ignore_errors=True)


def instance_of(folder: Path) -> Instance:
    """The instance of a folder; its ports are drawn once."""
    import fasteners

    with fasteners.InterProcessLock(folder / ".ports.lock"):
        known = (folder / "ports.json").is_file()
        return Instance(folder, *([] if known else free_ports(2)))


__all__ = [
    "mlflow_server",
    "new_services",
    "postgres",
    "pytest_configure",
    "pytest_unconfigure",
    "s3_environment",
    "s3_server",
    "services",
]
