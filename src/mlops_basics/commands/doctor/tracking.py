"""The MLflow server or database: there, of a fitting version, migrated; never waited for long."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_basics.commands.doctor.check_result import CheckError, CheckResult
from mlops_basics.config.places import require_database

CHECK = "MLflow"
TIMEOUT = 4.0  # seconds
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
_REVISION = re.compile(r'^(down_)?revision(?:: [^=]+)? = (?:"(\w+)"|None)', re.MULTILINE)


def tracking(uri: str) -> tuple[bool, CheckResult]:
    """Look at where MLflow keeps its records.

    Returns:
        Whether it can be asked for more, and the result.

    Raises:
        CheckError: If it cannot be asked.
        ConfigurationError: If it is a file that no run could use.
    """
    scheme = uri.split(":")[0] if "://" in uri else "file"
    if scheme in ("http", "https"):
        return True, _server(uri)
    if scheme == "sqlite":
        return _sqlite(uri)
    if scheme.startswith(("postgresql", "mysql", "mssql")):
        return True, _database(uri, scheme)
    return True, CheckResult(CHECK, "ok", f"{uri} (not looked at)")


def registered_in_sqlite(uri: str, model_name: str) -> tuple[str | None, dict[str, str]]:
    """The registry's champion, and the run of each version by name, from a migrated database.

    MLflow's own way imports all of its database layer, which takes longer than all other checks.
    """
    query = """
        SELECT v.version, v.run_id, n.value, f.value, a.alias FROM model_versions v
        LEFT JOIN model_version_tags n
          ON n.name = v.name AND n.version = v.version AND n.key = 'release'
        LEFT JOIN model_version_tags f
          ON f.name = v.name AND f.version = v.version AND f.key = 'fitted_by'
        LEFT JOIN registered_model_aliases a
          ON a.name = v.name AND a.version = v.version AND a.alias = 'champion'
        WHERE v.name = ? AND v.current_stage != 'Deleted_Internal'
    """
    champion, runs = None, {}
    with closing(_opened(uri)) as database:
        for number, run_id, name, fitted_by, alias in database.execute(query, (model_name,)):
            named = str(name or number)
            runs[named] = str(fitted_by or run_id)
            champion = named if alias else champion
    return champion, runs


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow's client give up within seconds."""
    before = {name: os.environ.get(name) for name in _PATIENCE}
    os.environ.update(_PATIENCE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def newest_revision(folder: Path | None = None) -> str:
    """The schema's revision that this MLflow needs: the one that no other follows.

    Read from the text of the migrations: to run MLflow's own look-up takes seconds.
    """
    if folder is None:
        spec = find_spec("mlflow")
        assert spec is not None  # noqa: S101 (a dependency)
        assert spec.origin is not None  # noqa: S101 (and a package)
        folder = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    own: set[str] = set()
    followed: set[str] = set()
    for file in folder.glob("*.py"):
        for down, name in _REVISION.findall(file.read_text(encoding="utf-8")):
            (followed if down else own).add(name)
    newest = own - followed
    if len(newest) != 1:
        raise CheckError(
            f"The migrations of MLflow {version('mlflow')} were not understood.",
            "Report this; runs are not affected.",
            "warning",
        )
    return newest.pop()


def _server(uri: str) -> CheckResult:
    import requests

    client, base = version("mlflow"), uri.rstrip("/")
    try:
        health = requests.get(f"{base}/health", timeout=TIMEOUT)
        answer = requests.get(f"{base}/version", timeout=TIMEOUT, **_identity())
    except requests.RequestException as error:
        raise CheckError(
            f"{uri} does not answer within {TIMEOUT:g} s ({type(error).__name__}).",
            "Start the server (on this machine: make services), or correct mlflow_tracking_uri in "
            "mlflow.yml or MLFLOW_TRACKING_URI.",
        ) from error
    if health.status_code >= 400:
        raise CheckError(
            f"{uri} answers HTTP {health.status_code} when asked for its health.",
            "Look at the server's log, and whether its list of allowed hosts names this address.",
        )
    if answer.status_code in (401, 403):
        raise CheckError(
            f"{uri} does not know you (HTTP {answer.status_code}).",
            "Correct MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "conf/local/credentials.yml.",
        )
    server = answer.text.strip()[:40] if answer.ok else "of an unknown version"
    if server.split(".")[:2] != client.split(".")[:2]:
        raise CheckError(
            f"{uri} is {server}, the client {client}.",
            "Install the same minor version on both sides (the server first, then "
            "`mlflow db upgrade`).",
            "warning",
        )
    return CheckResult(
        CHECK, "ok", f"{uri} is {server}, the client {client}; it starts migrated only"
    )


def _identity() -> dict[str, Any]:
    """User and password, or a token, as MLflow's client sends them."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"auth": (user, password)}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"headers": {"Authorization": f"Bearer {token}"}} if token else {}


def _sqlite(uri: str) -> tuple[bool, CheckResult]:
    require_database(f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}", written=False)
    file = _file(uri)
    if not file.is_file():
        return False, CheckResult(CHECK, "ok", f"not yet: the first run makes {file}")
    try:
        with closing(_opened(uri)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if "alembic_version" not in tables:
                return False, CheckResult(CHECK, "ok", f"not yet: the first run fills {file}")
            revisions = [str(row[0]) for row in database.execute("SELECT * FROM alembic_version")]
    except sqlite3.Error as error:
        raise CheckError(
            f"{file} cannot be read as a database ({error}).",
            "Restore it from a backup; without it, the registry of versions is gone.",
        ) from error
    return True, _migrated(uri, revisions)


def _file(uri: str) -> Path:
    return Path(uri.removeprefix("sqlite:///").split("?")[0]).absolute()


def _opened(uri: str) -> sqlite3.Connection:
    """The database, only to be read: a check must not make one."""
    return sqlite3.connect(f"{_file(uri).as_uri()}?mode=ro", uri=True, timeout=TIMEOUT)


def _database(uri: str, scheme: str) -> CheckResult:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    place = urlsplit(uri)
    address = (place.hostname or "localhost", place.port or 5432)
    remedy = "Start the database, or correct mlflow_tracking_uri in mlflow.yml."
    arguments = {"connect_timeout": int(TIMEOUT)} if scheme.startswith("postgresql") else {}
    try:
        if place.hostname and place.port:
            socket.create_connection(address, TIMEOUT).close()
        engine = create_engine(uri, connect_args=arguments)
        with closing(engine.connect()) as connection:
            rows = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    except (OSError, SQLAlchemyError, ImportError) as error:
        raise CheckError(f"{uri} cannot be asked ({type(error).__name__}).", remedy) from error
    engine.dispose()
    return _migrated(uri, [str(row[0]) for row in rows])


def _migrated(uri: str, revisions: list[str]) -> CheckResult:
    newest = newest_revision()
    if revisions != [newest]:
        raise CheckError(
            f"{uri} has the schema {', '.join(revisions) or 'none'}, MLflow {version('mlflow')} "
            f"needs {newest}.",
            f"Make a backup, then: mlflow db upgrade {uri}",
        )
    return CheckResult(CHECK, "ok", f"{uri} is migrated for MLflow {version('mlflow')}")
