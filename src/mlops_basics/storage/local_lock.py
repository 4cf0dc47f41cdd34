"""A lock on a local disk: held by a process until it ends, and never awaited in silence."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mlops_basics.errors import ConflictError
from mlops_basics.storage.faults import readable_faults
from mlops_basics.storage.holder import in_words, this_process
from mlops_basics.storage.lease import PATIENCE, TELL_AFTER
from mlops_basics.storage.plain_file import link_fault, open_plain

_LONGEST_PAUSE = 0.25  # seconds between two tries
_MOST_BYTES = 2**16  # of what a holder says of itself
_OUT_OF_THE_WAY = 1 << 30  # Windows lets nobody read the byte that is locked

log = logging.getLogger(__name__)


@contextmanager
def local_lock(path: Path, shown: str, patience: float = PATIENCE) -> Iterator[None]:
    """Keep other processes of this machine waiting while the block runs.

    The system frees the lock when its holder ends, however it does.

    Args:
        path: The file that is locked; it is made where it is missing.
        shown: The same for messages.
        patience: Seconds to wait.

    Raises:
        ConflictError: If another process holds it for longer than that; it is named.
        StorageError: If the file cannot be made.
    """
    with readable_faults("write", shown):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _opened(path)
    with file:
        _wait(file, shown, patience)
        _write(file, json.dumps(this_process()).encode())
        try:
            yield
        finally:
            _write(file, b"")  # nobody holds it


def _write(file: IO[bytes], content: bytes) -> None:
    """Replace what a lock's file holds; what cannot be written (a full disk) does no harm."""
    with suppress(OSError):
        file.seek(0)
        file.truncate()
        file.write(content)


def _opened(path: Path) -> IO[bytes]:
    """Open a lock's file, but none that is another file, too: it is written into."""
    file = os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    if os.fstat(file.fileno()).st_nlink > 1:
        file.close()
        raise link_fault(path)
    return file


def _wait(file: IO[bytes], shown: str, patience: float) -> None:
    begin, pause, told = time.monotonic(), 0.01, False
    while not _taken(file):
        waited = time.monotonic() - begin
        if waited > patience:
            raise ConflictError(
                f"Another run works on the same files: {_held_by(file)} holds {shown}, and did so "
                f"for the {patience:.0f} seconds that this one waited. Wait until it has ended, or "
                "end that process if it hangs, then run again."
            )
        if waited > TELL_AFTER and not told:
            log.warning("Waiting for %s, who holds %s.", _held_by(file), shown)
            told = True
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _held_by(file: IO[bytes]) -> str:
    try:
        file.seek(0)
        return in_words(json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError):
        return "somebody"


def _taken(file: IO[bytes]) -> bool:
    """Lock a file until it is closed, unless somebody has; by whichever means the system has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_OUT_OF_THE_WAY)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
