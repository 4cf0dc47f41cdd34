"""The files of a store: whole or not there at all, on a local disk as on other file systems."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from mlops_basics.errors import ReleaseError

_SCRATCH = ".tmp-"
_SCRATCH_LIFE = 86_400.0  # seconds after which a file that a killed process left is removed
_LOCK = ".lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class StoreFiles:
    """Reads and writes files below one folder; paths are relative to it, with ``/``.

    A file is replaced in one step: on a local disk by a temporary file that is flushed and
    renamed, elsewhere by one put. Who reads at the same time sees the old or the new content.
    """

    def __init__(
        self,
        folder: str,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            folder: Where the files are, with any protocol that fsspec knows.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
        """
        self.folder = folder
        self._fs, base = url_to_fs(folder, **(credentials or {}), **(fs_args or {}))
        self._base = str(base).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""
        with readable_faults("read", self.shown(path)):
            try:
                content: bytes = self._fs.cat_file(self._full(path))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    def sizes(self, folder: str) -> dict[str, int]:
        """Size of every file below a folder, by its path relative to the folder."""
        base = self._full(folder)
        with readable_faults("list", self.shown(folder)):
            self._fs.invalidate_cache()  # another process may have written since
            if self._local:
                return dict(_local_sizes(Path(base)))
            found = self._fs.find(base, detail=True)
        return {name.removeprefix(f"{base}/"): info["size"] or 0 for name, info in found.items()}

    def names(self, folder: str) -> list[str]:
        """Names of what a folder holds, sorted; none if it does not exist."""
        with readable_faults("list", self.shown(folder)):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._full(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(PurePosixPath(name).name for name in found)

    def write(self, path: str, content: bytes) -> None:
        """Write or replace a file in one step."""
        with readable_faults("write", self.shown(path)):
            if self._local:
                with self._scratch(lambda file: file.write(content)) as scratch:
                    _replace(scratch, Path(self._full(path)))
            else:
                self._fs.pipe_file(self._full(path), content)

    def upload(self, source: Path, path: str) -> None:
        """Write or replace a file with the content of a local one."""
        with readable_faults("write", self.shown(path)):
            if self._local:
                with (
                    source.open("rb") as content,
                    self._scratch(lambda file: shutil.copyfileobj(content, file)) as scratch,
                ):
                    _replace(scratch, Path(self._full(path)))
            else:
                self._fs.put_file(str(source), self._full(path))

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False if it does."""
        full = self._full(path)
        with readable_faults("write", self.shown(path)):
            try:
                if self._local:
                    with self._scratch(lambda file: file.write(content)) as scratch:
                        Path(full).parent.mkdir(parents=True, exist_ok=True)
                        os.link(scratch, full)
                        _flush_folder(Path(full).parent)
                else:
                    self._fs.pipe_file(full, content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                # s3fs reports so that the key exists; but other faults, too.
                if error.errno == errno.EINVAL and self._exists(full):
                    return False
                raise
        return True

    def replace_if(self, path: str, content: bytes, expected: bytes | None) -> bool:
        """Replace a file if its content is (still) ``expected``, None: absent; else False."""
        with self.lock():
            if self.read(path) != expected:
                return False
            self.write(path, content)
        return True

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with readable_faults("remove", self.shown(path)):
            try:
                self._fs.rm_file(self._full(path))
            except FileNotFoundError:
                return

    def sweep(self) -> None:
        """Remove temporary files that a killed process left long ago."""
        if not self._local or not Path(self._base).is_dir():
            return
        for file in Path(self._base).glob(f"{_SCRATCH}*"):
            try:
                if time.time() - file.stat().st_mtime > _SCRATCH_LIFE:
                    file.unlink()
            except OSError:  # its owner, or another sweeper, was faster
                continue

    @contextmanager
    def lock(self, name: str = _LOCK) -> Iterator[None]:
        """Keep this machine's other processes waiting; a killed one holds no lock."""
        if not self._local:
            yield
            return
        with readable_faults("write", self.shown(name)):
            Path(self._base).mkdir(parents=True, exist_ok=True)
            file = (Path(self._base) / name).open("ab")
        with file:
            _wait_for_lock(file)
            yield

    def shown(self, path: str = "") -> str:
        """The path for messages."""
        return f"{self.folder.rstrip('/')}/{path}" if path else self.folder

    def _full(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _exists(self, full: str) -> bool:
        self._fs.invalidate_cache()
        return bool(self._fs.exists(full))

    @contextmanager
    def _scratch(self, fill: Callable[[IO[bytes]], Any]) -> Iterator[Path]:
        """A temporary file that is on the disk, beside the folders of the store."""
        scratch = Path(self._base) / f"{_SCRATCH}{secrets.token_hex(8)}"
        scratch.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            yield scratch
        finally:
            scratch.unlink(missing_ok=True)


def one_run_at_a_time(protocol: str, folder: PurePosixPath) -> AbstractContextManager[None]:
    """Let one run of this machine register or publish at a time.

    MLflow cannot move an alias on a condition; on other file systems nothing is locked.
    """
    return StoreFiles(str(folder)).lock(".run-lock") if protocol == "file" else nullcontext()


def _local_sizes(base: Path) -> Iterator[tuple[str, int]]:
    """As ``sizes``; links are named and never followed into folders, nothing is left out."""
    for folder, folders, files in os.walk(base):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in [*files, *links]:
            file = Path(folder) / name
            yield file.relative_to(base).as_posix(), file.lstat().st_size


def _replace(scratch: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(scratch, target)  # noqa: PTH105 (one name for the call that must be atomic)
    _flush_folder(target.parent)


def _wait_for_lock(file: IO[bytes]) -> None:
    """Lock a file until it is closed, by whichever means the system has."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows cannot open a folder, and flushes by itself."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def readable_faults(action: str, path: str) -> Iterator[None]:
    """Turn faults of the file system into one error for people."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileExistsError) and action == "write":
            hint = "A file stands where a folder should be: move it away."
        elif error.errno in _FULL:
            hint = "The disk is full: free some space, then run again. Production is unchanged."
        elif error.errno in _FORBIDDEN or isinstance(error, PermissionError):
            hint = (
                "It is read-only for you: correct the rights, or `production` in globals.yml, "
                "then run again. Production is unchanged."
            )
        else:
            hint = "Check that the storage can be reached, then run again."
        raise ReleaseError(f"Cannot {action} {path}: {error.strerror or error}. {hint}") from error
