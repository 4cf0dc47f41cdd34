"""The MLflow server: runs and models in PostgreSQL, artifacts on S3, users with passwords."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from mlops_basics.commands.services.postgres import PostgresServer
from mlops_basics.commands.services.process import HOST, Daemon, last_lines, require_free
from mlops_basics.commands.services.s3 import S3Server, http_ok, server_environment
from mlops_basics.commands.services.secret_files import write_private
from mlops_basics.errors import ConfigurationError

START_SECONDS = 120.0
MIGRATION_SECONDS = 180.0
USER = "admin"
AUTH = """[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {user}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
# Else every request computes a slow password hash anew.
auth_cache_ttl_seconds = 60
"""


class MlflowServer:
    """``mlflow server`` on loopback, behind a password, for the two other servers of a folder."""

    def __init__(
        self,
        folder: Path,
        port: int,
        secrets: Mapping[str, str],
        postgres: PostgresServer,
        s3: S3Server,
        bucket: str,
    ) -> None:
        """
        Args:
            folder: Record, log and settings of the server lie here.
            port: Of the server.
            secrets: ``mlflow_password`` and ``mlflow_cookies``.
            postgres: Where runs and models are kept.
            s3: Where artifacts are kept.
            bucket: The bucket for the artifacts.
        """
        self.port = port
        self.address = f"http://{HOST}:{port}"
        self.daemon = Daemon(folder, "mlflow")
        self._folder = folder
        self._secrets = secrets
        self._postgres = postgres
        self._s3 = s3
        self._bucket = bucket

    def start(self) -> None:
        """Migrate the database if need be, start the server unless it runs, wait for its answer.

        Raises:
            ConfigurationError: If the port is in use, the migration fails, or nothing answers.
        """
        if self.daemon.pid() and self.answers():
            return
        self.daemon.stop()
        require_free(self.port, "The MLflow server", "--mlflow-port")
        write_private(
            self._folder / "mlflow_auth.ini",
            AUTH.format(database=self._postgres.uri("mlflow_auth").replace("%", "%%"), user=USER),
        )
        self._migrate()
        self.daemon.launch(self._command(), self._environment())
        self.daemon.await_answer(self.answers, START_SECONDS)

    def stop(self) -> None:
        """End the server and its workers."""
        self.daemon.stop()

    def answers(self) -> bool:
        """Whether the server says that it is well."""
        return http_ok(f"{self.address}/health")

    def environment(self) -> dict[str, str]:
        """MLflow's standard variables of a client."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self._secrets["mlflow_password"],
        }

    def _migrate(self) -> None:
        """Once a version of MLflow, before anything opens the database: nothing locks it."""
        done = self._folder / f"migrated-{version('mlflow')}"
        if done.is_file():
            return
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", self._postgres.uri("mlflow")]
        with self.daemon.log.open("ab") as log:
            try:
                subprocess.run(
                    command,
                    env=self._environment(),
                    stdout=log,
                    stderr=log,
                    check=True,
                    timeout=MIGRATION_SECONDS,
                )
            except subprocess.SubprocessError as error:
                raise ConfigurationError(
                    f"MLflow's database could not be migrated. {last_lines(self.daemon.log)}"
                ) from error
        done.touch()

    def _command(self) -> list[str]:
        hosts = f"{HOST}:{self.port},localhost:{self.port}"
        options = {
            "host": HOST,
            "port": str(self.port),
            "app-name": "basic-auth",
            "allowed-hosts": hosts,
            "artifacts-destination": f"s3://{self._bucket}/mlflow",
            "workers": "1",
        }
        named = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [sys.executable, "-m", "mlflow", "server", *named]

    def _environment(self) -> dict[str, str]:
        """Secrets and addresses, which a command line would show to everybody."""
        return {
            **server_environment(),
            **self._s3.environment(),
            "MLFLOW_BACKEND_STORE_URI": self._postgres.uri("mlflow"),
            "MLFLOW_AUTH_CONFIG_PATH": str(self._folder / "mlflow_auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._secrets["mlflow_password"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._secrets["mlflow_cookies"],
            # Five times the start's CPU time, and eight more processes, for nothing we use.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
