"""Serve what is in production through MLflow's server, from a verified copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlops_basics.production.release_check import MODEL_FOLDER
from mlops_basics.production.release_store import ReleaseStore

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


_PATIENCE = 10.0  # seconds a server gets to stop by itself


def serve(
    store: ReleaseStore,
    host: str,
    port: int,
    run: Callable[[Sequence[str], Mapping[str, str]], int] | None = None,
) -> int:
    """Serve the release in production through MLflow's server, from a verified copy.

    Args:
        store: The releases.
        host: Address to listen at.
        port: Port to listen at.
        run: Runs a command with an environment and returns its exit code.

    Returns:
        The server's exit code.

    Raises:
        ReleaseError: If nothing is in production, or it is refused; no server starts then.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-basics-serve-") as scratch:
        copy = Path(scratch) / "release"
        store.fetch(None, copy)
        command = [sys.executable, "-m", "mlflow", "models", "serve"]
        command += ["-m", str(copy / MODEL_FOLDER), "--env-manager", "local"]
        command += ["--host", host, "--port", str(port)]
        # MLflow looks for uvicorn in PATH, where a `.venv` that is not activated is missing.
        own = str(Path(sys.executable).parent)
        path = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])
        return (run or _run_until_stopped)(command, {**os.environ, "PATH": path})


def _run_until_stopped(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; a signal that would stop this process stops it and all that it started.

    Returns:
        The command's exit code; 128 and the signal's number if it was stopped so.
    """
    server = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    try:
        with _forwarding(server):
            code = server.wait()
    finally:
        _end(server)
    return 128 - code if code < 0 else code


@contextmanager
def _forwarding(server: subprocess.Popen[bytes]) -> Iterator[None]:
    def forward(number: int, _frame: object) -> None:
        _signal_all(server, number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield
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
