"""Serve what is in production through MLflow's server, from a verified copy."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlops_basics
from mlops_basics.config.own_code import source_folder
from mlops_basics.errors import ConfigurationError
from mlops_basics.production.release_check import MODEL_FOLDER
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.production.scoring_server import MODEL, TOKEN, create_app

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


_PATIENCE = 10.0  # seconds a server gets to stop by itself
_APP = f"{create_app.__module__}:{create_app.__name__}"
_LEAST_TOKEN = 16  # characters
_MOST_CONNECTIONS = 16  # a further one is told to come again


def serve(
    store: ReleaseStore,
    host: str,
    port: int,
    run: Callable[[Sequence[str], Mapping[str, str]], int] | None = None,
) -> int:
    """Serve the release in production through MLflow's server, from a verified copy.

    Args:
        store: The releases.
        host: Address to listen at; for others than this machine, the environment must hold a token.
        port: Port to listen at.
        run: Runs a command with an environment and returns its exit code.

    Returns:
        The server's exit code.

    Raises:
        ConfigurationError: If other machines could ask without a token.
        ReleaseError: If nothing is in production, or it is refused; no server starts then.
    """
    _require_token(host)
    with tempfile.TemporaryDirectory(prefix="mlops-basics-serve-") as scratch:
        copy = Path(scratch) / "release"
        store.fetch(None, copy)
        command = [sys.executable, "-m", "uvicorn", "--factory", _APP]
        command += ["--host", host, "--port", str(port), "--no-server-header"]
        command += ["--limit-concurrency", str(_MOST_CONNECTIONS)]
        command += ["--timeout-graceful-shutdown", str(int(_PATIENCE / 2))]
        # This package need not be installed: where it was found is told to the server's process,
        # and where the user's own packages are.
        found = dict.fromkeys([source_folder(), Path(mlops_basics.__file__).parents[1]])
        paths = os.pathsep.join(filter(None, [*map(str, found), os.environ.get("PYTHONPATH")]))
        model = str(copy / MODEL_FOLDER)
        return (run or _run_until_stopped)(
            command, {**os.environ, "PYTHONPATH": paths, MODEL: model}
        )


def _require_token(host: str) -> None:
    """Refuse to answer other machines without a token: whoever reaches the port asks the model."""
    token = os.environ.get(TOKEN, "")
    if (token or not _is_loopback(host)) and (len(token) < _LEAST_TOKEN or not token.isascii()):
        raise ConfigurationError(
            f"At {host} other machines may ask the model. Set {TOKEN} to a secret of at least "
            f"{_LEAST_TOKEN} characters, which requests send as `Authorization: Bearer …`, and put "
            "a proxy with TLS before it: the secret and the rows travel in plain text."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _run_until_stopped(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; a signal that would stop this process stops it and all that it started.

    Returns:
        The command's exit code; 128 and the signal's number if it was stopped so.
    """
    server = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    try:
        with _forwarding(server) as forwarded:
            code = server.wait()
    finally:
        _end(server)
    if code == 0 and forwarded:  # a server that ended well when it was told to
        return 128 + forwarded[0]
    return 128 - code if code < 0 else code


@contextmanager
def _forwarding(server: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Send on the signals that would stop this process; gives those that came."""
    forwarded: list[int] = []

    def forward(number: int, _frame: object) -> None:
        forwarded.append(number)
        _signal_all(server, number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(server: subprocess.Popen[bytes]) -> None:
    """Stop what is left of the server before its files are removed; first kindly."""
    _signal_all(server, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while _signal_all(server, 0):
        if time.monotonic() > deadline:
            _signal_all(server, signal.SIGKILL)
            break
        server.poll()
        time.sleep(0.05)
    server.wait()


def _signal_all(server: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the server and its workers; whether any of them is still there."""
    if not hasattr(os, "killpg"):  # Windows
        if server.poll() is None and number:
            server.terminate()
        return server.poll() is None
    try:
        os.killpg(server.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
