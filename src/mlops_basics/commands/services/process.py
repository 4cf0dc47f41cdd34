"""A server in the background that is found again, asked how it is, and really stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlops_basics.errors import ConfigurationError

HOST = "127.0.0.1"
LOG_LINES = 15
STOP_SECONDS = 10.0


class Daemon:
    """A process of its own session; ``<name>.pid`` and ``<name>.log`` in the folder tell of it."""

    def __init__(self, folder: Path, name: str) -> None:
        """
        Args:
            folder: Where record and log are written.
            name: Names both files, and the process in messages.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._record = folder / f"{name}.pid"

    def pid(self) -> int | None:
        """The process if it runs; a later process of the same number is not taken for it."""
        import psutil

        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            process = psutil.Process(record["pid"])
            same = abs(process.create_time() - record["started"]) < 1
            running = same and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.Error):
            return None
        return int(record["pid"]) if running else None

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process; what an earlier, killed one left running is ended first."""
        import psutil

        self.stop()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(command),
                cwd=self._folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started = psutil.Process(process.pid).create_time()
        record = json.dumps({"pid": process.pid, "started": started})
        self._record.write_text(record, encoding="utf-8")

    def await_answer(self, answers: Callable[[], bool], seconds: float) -> None:
        """Wait until the server answers.

        Raises:
            ConfigurationError: If it ended or took too long; with the last lines of its log.
        """
        wait_until(answers, seconds, lambda: self.pid() is not None, self.name, self.log)

    def stop(self) -> None:
        """End the process and all that it started, also when it was itself killed before."""
        import psutil

        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        leader = record["pid"]
        if psutil.pid_exists(leader) and self.pid() is None and not _is_zombie(leader):
            self._record.unlink()  # the process id belongs to another process now
            return
        members = [process for process in psutil.process_iter() if _group(process.pid) == leader]
        _signal(leader, signal.SIGTERM)
        _, alive = psutil.wait_procs(members, timeout=STOP_SECONDS)
        if alive:
            _signal(leader, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=STOP_SECONDS)
        self._record.unlink(missing_ok=True)


def wait_until(
    answers: Callable[[], bool],
    seconds: float,
    lives: Callable[[], bool],
    name: str,
    log: Path,
) -> None:
    """Ask again and again until the answer is yes.

    Raises:
        ConfigurationError: If the server is dead or took too long.
    """
    end = time.monotonic() + seconds
    while not answers():
        if not lives():
            raise ConfigurationError(f"{name} ended while it started. {last_lines(log)}")
        if time.monotonic() > end:
            raise ConfigurationError(
                f"{name} did not answer within {seconds:.0f} s. {last_lines(log)}"
            )
        time.sleep(0.1)


def last_lines(log: Path) -> str:
    """Where a log is and how it ends, for a message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return f"It wrote no log ({log})."
    return f"The end of {log}:\n" + "\n".join(f"  {line}" for line in lines)


def require_free(port: int, name: str, option: str) -> None:
    """Raise ConfigurationError if another program listens on a port that a server needs."""
    if not is_free(port):
        raise ConfigurationError(
            f"{name} cannot start: port {port} of {HOST} is in use by another program. "
            f"Stop that program, or choose another port: {option}"
        )


def is_free(port: int) -> bool:
    """Whether a port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _is_zombie(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
