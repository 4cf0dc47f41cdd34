"""A lock on S3: one small object that says who works, and is given up when he is dead."""

from __future__ import annotations

import getpass
import json
import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mlops_basics.datasets.faults import is_storage_fault, readable_faults
from mlops_basics.datasets.s3_objects import Seen, look, put_if
from mlops_basics.errors import ConflictError

LIFE = 30.0  # seconds after its last sign of life that a holder counts as dead
PATIENCE = 600.0  # seconds to wait for another holder
_TELL_AFTER = 3.0  # seconds of waiting in silence
_LONGEST_PAUSE = 2.0  # seconds between two looks
_HELD, _FREE = {"state": "held"}, {"state": "free"}

log = logging.getLogger(__name__)


@contextmanager
def lease(
    fs: Any, path: str, shown: str, patience: float = PATIENCE, life: float = LIFE
) -> Iterator[None]:
    """Hold a lease while the block runs; wait for whoever holds it.

    The object is taken, renewed, taken over and freed by conditional writes, so that it needs no
    right to delete, and whether its holder is alive is told by the server's clock alone. A holder
    that is cut off for longer than ``life`` may be overtaken: what must not be done twice has to
    be conditional itself, as moving the pointer is.

    Args:
        fs: An S3 file system.
        path: The object, with its bucket.
        shown: The same for messages.
        patience: Seconds to wait.
        life: Seconds after its last sign of life that a holder counts as dead.

    Raises:
        ConflictError: If somebody else holds it for longer than ``patience``.
    """
    holder = _Holder(fs, path, shown, life)
    with readable_faults("write", shown):
        _wait(holder, patience)
    stop = threading.Event()
    renewing = threading.Thread(target=holder.keep, args=(stop,), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        renewing.join()
        holder.free()


class _Holder:
    """One attempt to hold the object, and its tag as long as it is ours."""

    def __init__(self, fs: Any, path: str, shown: str, life: float) -> None:
        self.fs, self.path, self.shown, self.life = fs, path, shown, life
        self._tag: str | None = None
        self._who = {
            "by": _user(),
            "machine": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def take(self, seen: Seen | None) -> bool:
        """Make it ours, if it still is as it was seen."""
        self._tag = self._write(seen.tag if seen else None, _HELD)
        return self._tag is not None

    def keep(self, stop: threading.Event) -> None:
        """Give signs of life until told to stop, or overtaken."""
        while not stop.wait(self.life / 3):
            try:
                self._tag = self._write(self._tag, _HELD)
            except Exception as error:
                if not is_storage_fault(error):
                    raise
                log.warning("Cannot renew the lock %s (%s); trying again.", self.shown, error)
                continue
            if self._tag is None:
                log.warning("The lock %s was taken over by another run.", self.shown)
                return

    def free(self) -> None:
        """Let the next one in; if that fails, it gets in when our life is over."""
        if self._tag is None:
            return
        try:
            self._write(self._tag, _FREE)
        except Exception as error:
            if not is_storage_fault(error):
                raise
            log.warning("Cannot free the lock %s (%s).", self.shown, error)

    def _write(self, tag: str | None, state: dict[str, str]) -> str | None:
        # The same content would have the same tag, and a dead holder be mistaken for a live one.
        content = {**self._who, **state, "sign": secrets.token_hex(8)}
        return put_if(self.fs, self.path, json.dumps(content).encode(), tag, state)


def _wait(holder: _Holder, patience: float) -> None:
    begin, pause, told = time.monotonic(), 0.05, False
    while True:
        seen = look(holder.fs, holder.path)
        free = seen is None or seen.metadata.get("state") != "held" or seen.age > holder.life
        if free and holder.take(seen):
            return
        waited = time.monotonic() - begin
        if waited > patience:
            raise ConflictError(
                f"Another run works on the same production: {_held_by(holder)} holds "
                f"{holder.shown}, and did so for the {patience:.0f} seconds that this one waited. "
                f"Wait until it has ended (if it has died: {holder.life:.0f} seconds), then run "
                "again."
            )
        if waited > _TELL_AFTER and not told:
            log.warning("Waiting for %s, who holds %s.", _held_by(holder), holder.shown)
            told = True
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (not a secret)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _held_by(holder: _Holder) -> str:
    try:
        who = json.loads(holder.fs.cat_file(holder.path, max_concurrency=1))
        return f"{who['by']} on {who['machine']} (process {who['process']}, since {who['since']})"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return "somebody"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
