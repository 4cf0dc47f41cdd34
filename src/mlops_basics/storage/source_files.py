"""Files that others put into a source, if they are files that can be read."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mlops_basics.errors import DataError
from mlops_basics.storage.memory import total_memory

#: Of one object, where the storage itself answers: it is gone, or closed to us, or a folder.
_OF_ONE_OBJECT = (FileNotFoundError, PermissionError, IsADirectoryError)
_Result = TypeVar("_Result")


def read_file(fs: Any, path: str, most_bytes: int) -> bytes:
    """The content of a file.

    Args:
        fs: Its file system.
        path: Its path there.
        most_bytes: How large it may be.

    Raises:
        DataError: If it is no file, cannot be read, or is too large. A pipe is not waited for.
    """

    def read() -> bytes:
        _require_size(fs, path, most_bytes)
        content: bytes = fs.cat_file(path)
        return content

    return _told(fs, path, read)


def size_of_file(fs: Any, path: str) -> int:
    """Bytes of a file; raises DataError as ``read_file`` does, but not for its size."""
    return _told(fs, path, lambda: _size(fs, path))


def through_file(fs: Any, path: str, use: Callable[[Callable[[], Any]], _Result]) -> _Result:
    """What is made of a file that is read little by little; raises DataError as ``read_file`` does.

    Args:
        fs: Its file system.
        path: Its path there.
        use: Called with what opens the file, as often as it likes.
    """
    return _told(fs, path, lambda: use(lambda: fs.open(path, "rb")))


def sha256_of_file(fs: Any, path: str) -> str:
    """SHA-256 of a file's content, in little memory; raises DataError as ``read_file`` does.

    What is larger than all memory and the disk is not read on and on: nothing lets it be used.
    """

    def digest() -> str:
        _require_size(fs, path, total_memory() + shutil.disk_usage(tempfile.gettempdir()).free)
        with fs.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return _told(fs, path, digest)


def check_file(fs: Any, path: str) -> None:
    """Open a file and read a little of it; raises DataError as ``read_file`` does."""

    def begin() -> None:
        _size(fs, path)
        with fs.open(path, "rb") as file:
            file.read(1024)

    _told(fs, path, begin)


def check_local_file(path: Path) -> None:
    """The same for a path of this machine."""
    from fsspec.implementations.local import LocalFileSystem

    check_file(LocalFileSystem(), str(path))


def sha256_of_fault(fault: str) -> str:
    """What stands for the content of a file that cannot be read: the same as long as its fault."""
    return hashlib.sha256(f"unreadable: {fault}".encode()).hexdigest()


def _require_size(fs: Any, path: str, most_bytes: int) -> None:
    size = _size(fs, path)
    if size > most_bytes:
        raise DataError(
            f"The file '{_name(path)}' has {size / 1e6:,.0f} MB, more than this machine has "
            "room for. Split it into smaller files; docs/scale.md says which ones are read in "
            "parts, whatever their size."
        )


def _size(fs: Any, path: str) -> int:
    if not _is_local(fs):
        info = fs.info(path)  # of the listing, as a rule: no request of its own
        if info["type"] == "directory":
            raise _no_file(path, "a folder")
        return int(info["size"] or 0)
    found = os.stat(path)  # noqa: PTH116 (fsspec's path; links are followed)
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path, _kind(found.st_mode))
    return found.st_size


def _told(fs: Any, path: str, read: Callable[[], _Result]) -> _Result:
    try:
        return read()
    except OSError as error:
        if not (_is_local(fs) or isinstance(error, _OF_ONE_OBJECT)):
            raise
        link = _is_local(fs) and os.path.islink(path)  # noqa: PTH114 (as above)
        what, remedy = (
            ("what the link '{}' names", "Mend or remove the link.")
            if link
            else ("the file '{}'", "Correct its rights, write it again, or remove it.")
        )
        reason = error.strerror or "the storage does not give it out"
        raise DataError(f"Cannot read {what.format(_name(path))}: {reason}. {remedy}") from error


def _no_file(path: str, kind: str) -> DataError:
    return DataError(
        f"'{_name(path)}' is {kind}, not a file. Remove it, or put its rows into a file of the "
        "folder."
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def _is_local(fs: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)


def _name(path: str) -> str:
    return PurePosixPath(path).name
