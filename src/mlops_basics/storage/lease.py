"""A lock on S3: one small object that names its holder, and is free when the holder is dead."""

from __future__ import annotations

import json
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlops_basics.errors import ConflictError
from mlops_basics.storage.faults import is_storage_fault, readable_faults
from mlops_basics.storage.holder import in_words, this_process
from mlops_basics.storage.s3_objects import Seen, look, put_if

LIFE = 30.0  # seconds after its last sign of life that a holder counts as dead
PATIENCE = 600.0  # seconds to wait for another holder
TELL_AFTER = 3.0  # seconds of waiting in silence
_LONGEST_PAUSE = 2.0  # seconds between two looks
_HELD, _FREE = "held", "free"
_HOLDER = "holder"  # beside the state: who wrote it
_MOST_BYTES = 2**16  # of the object
_TRIES = 3  # of a write that is refused, though the object is ours

log = logging.getLogger(__name__)


@contextmanager
def lease(
    fs: Any, path: str, shown: str, patience: float = PATIENCE, life: float = LIFE
) -> Iterator[Callable[[], None]]:
    """Hold a lease while the block runs; wait for its holder.

    The object is taken, renewed, taken over and freed by conditional writes, so that it needs no
    right to delete, and whether its holder is alive is judged by the server's clock alone. A holder
    that is cut off for longer than ``life`` may be overtaken: what must not be done twice has to
    be conditional itself, as moving the pointer is, or be asked for right before by what the block
    gets.

    Args:
        fs: An S3 file system.
        path: The object, with its bucket.
        shown: The same for messages.
        patience: Seconds to wait.
        life: Seconds after its last sign of life that a holder counts as dead.

    Yields:
        ``still_held()``: returns when the lease was just renewed and has at least half of its
        life before it, so that no other holder got in before now, or will in that time. Raises
        ConflictError if the lease is lost, StorageError if the storage does not answer.

    Raises:
        ConflictError: If another process holds it for longer than ``patience``.
    """
    holder = _Holder(fs, path, shown, life)
    with readable_faults("write", shown):
        _wait(holder, patience)
    stop = threading.Event()
    renewing = threading.Thread(target=holder.keep, args=(stop,), daemon=True)
    renewing.start()
    try:
        yield holder.still_held
    finally:
        stop.set()
        renewing.join()
        holder.free()


class _Holder:
    """One attempt to hold the object, and its tag as long as it is ours.

    The tag is of what we wrote last, as far as we know: an answer may be lost, and the object be
    newer. The holder's id in its metadata says who holds it, never the tag.
    """

    def __init__(self, fs: Any, path: str, shown: str, life: float) -> None:
        self.fs, self.path, self.shown, self.life = fs, path, shown, life
        self._id = secrets.token_hex(8)
        self._tag: str | None = None
        self._sign = 0.0  # monotonic time; the last sign of life is no older
        self._turn = threading.Lock()  # the renewing thread's, or the caller's
        self._who = this_process()

    def take(self, seen: Seen | None) -> bool:
        """Make it ours, if it still is as it was seen."""
        begin = time.monotonic()
        self._tag, self._sign = self._write(seen.tag if seen else None, _HELD), begin
        return self._tag is not None

    def keep(self, stop: threading.Event) -> None:
        """Give signs of life until stopped or overtaken."""
        pause = self.life / 3
        while not stop.wait(pause):
            try:
                self._renew()
                pause = self.life / 3
            except ConflictError as error:
                log.warning("%s", error)
                return
            except Exception as error:
                if not is_storage_fault(error):
                    raise
                log.warning("Cannot renew the lock %s (%s); trying again.", self.shown, error)
                pause = self.life / 30  # the time until the next one gets in runs

    def still_held(self) -> None:
        """Renew it, so that it cannot be taken over for half of its life at least.

        Raises:
            ConflictError: If it was taken over, or cannot be renewed in time.
            StorageError: If the storage does not answer.
        """
        for _ in range(2):  # a renewal that was answered late may be an old one
            with readable_faults("write", self.shown):
                self._renew()
            if time.monotonic() - self._sign < self.life / 2:
                return
        raise ConflictError(
            f"The storage is too slow: the lock {self.shown} could not be renewed within "
            f"{self.life / 2:.0f} seconds, and another run may get in. Run again."
        )

    def free(self) -> None:
        """Let the next one in; if that fails, it gets in when our life is over."""
        if self._tag is None:
            return
        try:
            self._rewrite(_FREE)
        except ConflictError as error:
            log.warning("%s", error)
        except Exception as error:
            if not is_storage_fault(error):
                raise
            log.warning("Cannot free the lock %s (%s).", self.shown, error)
        self._tag = None

    def _renew(self) -> None:
        with self._turn:
            self._rewrite(_HELD)

    def _rewrite(self, state: str) -> None:
        """Write it anew, if it is ours: also where the answer to the last write was lost.

        Raises:
            ConflictError: If it is no longer ours, now and ever after.
            OSError: For faults of the storage; it may have been written.
        """
        for _ in range(_TRIES):
            if self._tag is None:
                break
            begin = time.monotonic()
            tag = self._write(self._tag, state)
            if tag is not None:
                self._tag, self._sign = tag, begin
                return
            seen = look(self.fs, self.path)
            ours = seen is not None and seen.metadata.get(_HOLDER) == self._id
            self._tag = seen.tag if seen is not None and ours else None
        if self._tag is not None:
            raise OSError(f"it was refused {_TRIES} times")
        raise ConflictError(
            f"The lock {self.shown} was taken over by another run, since this one gave no sign of "
            f"life for {self.life:.0f} seconds. Run again."
        )

    def _write(self, tag: str | None, state: str) -> str | None:
        # The same content would have the same tag, and a dead holder be mistaken for a live one.
        content = {**self._who, "state": state, "sign": secrets.token_hex(8)}
        metadata = {"state": state, _HOLDER: self._id}
        return put_if(self.fs, self.path, json.dumps(content).encode(), tag, metadata)


def _wait(holder: _Holder, patience: float) -> None:
    begin, pause, logged = time.monotonic(), 0.05, False
    while True:
        seen = look(holder.fs, holder.path)
        free = seen is None or seen.metadata.get("state") != _HELD or seen.age > holder.life
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
        if waited > TELL_AFTER and not logged:
            log.warning("Waiting for %s, who holds %s.", _held_by(holder), holder.shown)
            logged = True
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (not a secret)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _held_by(holder: _Holder) -> str:
    try:
        content = holder.fs.cat_file(holder.path, start=0, end=_MOST_BYTES, max_concurrency=1)
        return in_words(json.loads(content))
    except (FileNotFoundError, ValueError):
        return "somebody"
