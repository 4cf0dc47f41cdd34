"""Tests of the lock on a local disk: who holds it is said, and no wait is endless."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_basics.errors import ConflictError
from mlops_basics.storage import holder, local_lock
from mlops_basics.storage.store_files import StoreFiles

HOLD = """
import sys
from mlops_basics.storage.store_files import StoreFiles
with StoreFiles(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_wait_for_another_ends_and_names_it(tmp_path, monkeypatch, caplog):
    """User, machine and process are told while waiting and in the error; a stopped one, too."""
    monkeypatch.setattr(local_lock, "TELL_AFTER", 0.1)
    with held_by_another(tmp_path) as other, caplog.at_level(logging.WARNING):
        os.kill(other.pid, signal.SIGSTOP)
        begin = time.monotonic()
        with (
            pytest.raises(ConflictError, match=rf"process {other.pid}, since .*the 1 seconds"),
            StoreFiles(str(tmp_path)).lock(patience=1),
        ):
            pytest.fail("the lock was taken twice")
    assert 1 <= time.monotonic() - begin < 5
    (told,) = caplog.messages
    assert told.startswith(f"Waiting for {holder.user_name()} on ")
    assert f"(process {other.pid}, " in told
    assert told.endswith(f"who holds {tmp_path}/.lock.")


def test_a_dead_holder_keeps_nobody_waiting(tmp_path, caplog):
    """What it has left in the file says nothing to the next one."""
    with held_by_another(tmp_path) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with StoreFiles(str(tmp_path)).lock(patience=0.5):
            assert str(os.getpid()) in (tmp_path / ".lock").read_text(encoding="utf-8")
    assert caplog.messages == []


def test_threads_of_one_process_wait_for_each_other(tmp_path):
    """The same file, opened twice."""
    files = StoreFiles(str(tmp_path))
    with (
        files.lock(),
        pytest.raises(ConflictError, match=f"process {os.getpid()}"),
        files.lock(patience=0.1),
    ):
        pytest.fail("the lock was taken twice")
    with files.lock(patience=0.1):
        pass
    assert (tmp_path / ".lock").read_bytes() == b""  # nobody holds it


def test_a_holder_that_cannot_be_read_is_somebody(tmp_path):
    """An empty file, as an earlier version left it, or one of a full disk."""
    assert holder.in_words({}) == holder.in_words(None) == "somebody"


def test_a_user_without_a_name_has_a_number(monkeypatch):
    """As in a container that was started with --user 1234."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    assert holder.user_name() == "user 1234"
