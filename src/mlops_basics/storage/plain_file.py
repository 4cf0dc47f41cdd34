"""Opens files where others may write: nothing that is no plain file is followed or waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_plain(path: Path, flags: int) -> int:
    """Open a plain file, as ``os.open`` does.

    Raises:
        IsADirectoryError: If it is a folder.
        OSError: If it is a link (ELOOP), or a pipe, a socket or a device (ENXIO): a pipe would be
            waited for, and a device may never end.
    """
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):  # where there are such
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise link_fault(path) from error
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, f"{path} is a folder")
    raise OSError(errno.ENXIO, f"{path} is a pipe or a device, not a plain file")


def plain_content(path: Path, most: int | None = None) -> bytes:
    """What a plain file holds.

    Raises:
        OSError: As ``open_plain``; EOVERFLOW if it has more than ``most`` bytes.
    """
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise too_large(f"{size:,}")
        return file.read()


def too_large(size: str) -> OSError:
    """The error for a file that is not read because of its size in bytes, in words."""
    return OSError(errno.EOVERFLOW, f"it has {size} bytes, more than such a file needs")


def link_fault(place: Path) -> OSError:
    """The error for a link where none is followed."""
    return OSError(errno.ELOOP, f"{place} is a symbolic link, and no link of a store is followed")
