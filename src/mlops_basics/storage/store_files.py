"""The files of a store: whole or not there at all, on a local disk as on other file systems."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from mlops_basics.safe_text import without_secrets
from mlops_basics.storage.faults import error_code, readable_faults
from mlops_basics.storage.lease import PATIENCE, lease
from mlops_basics.storage.local_lock import local_lock
from mlops_basics.storage.plain_file import link_fault, plain_content, too_large
from mlops_basics.storage.s3_objects import is_s3, look, put_file_if_absent, put_if

_SCRATCH = ".tmp-"
_SCRATCH_LIFE = 86_400.0  # seconds after which a file that a killed process left is removed
_LOCK = ".lock"
#: Locks of file systems that know none: they keep this process's threads apart, no more.
_IN_PROCESS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class StoreFiles:
    """Reads and writes files below one folder; paths are relative to it, with ``/``.

    A file is replaced in one step: on a local disk by a temporary file that is flushed and
    renamed, elsewhere by one put. A concurrent reader sees the old or the new content.
    Below the folder no symbolic link is followed, and nothing is read that is no plain file: a
    pipe would be waited for, a device never ends. The folder itself may be reached by a link.
    ``create``, ``replace_if`` and ``lock`` hold between the processes of one machine on a local
    disk, between machines on S3, and within this process on other file systems.
    """

    def __init__(
        self,
        folder: str,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> None:
        """
        Args:
            folder: Where the files are, with any protocol that fsspec knows.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            fs: The file system itself, where it is open already.
        """
        self.folder = folder
        if fs is None:
            self._fs, base = url_to_fs(folder, **(credentials or {}), **(fs_args or {}))
        else:
            self._fs, base = fs, fs._strip_protocol(folder)
        self._base = str(base).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)
        self._s3 = is_s3(self._fs)

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """The content of a file, None where there is none.

        Args:
            path: The file.
            most: Bytes that such a file may have; of a larger one no more is read.
        """
        with readable_faults("read", self.shown(path)):
            try:
                if self._local:
                    return plain_content(self._own(path), most)
                content = self._remote_content(self._full(path), most)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                _refuse_missing_bucket(error)
                return None
            if most is not None and len(content) > most:
                raise too_large(f"over {most:,}")
            return content

    def sizes(self, folder: str) -> dict[str, int]:
        """Size of every file below a folder, by its path relative to the folder."""
        base = self._full(folder)
        with readable_faults("list", self.shown(folder)):
            self._fs.invalidate_cache()  # another process may have written since
            if self._local:
                self._refuse_links(folder)
                return dict(_local_sizes(Path(base)))
            try:
                files = self._fs.find(base, detail=True)
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return {}
        return {
            name.removeprefix(f"{base}/"): info["size"] or 0
            for name, info in files.items()
            if not _is_marker(name, base, info)
        }

    def hashes(self, folder: str = "") -> dict[str, str]:
        """SHA-256 of every file below a folder, by its path relative to the folder."""
        paths = {name: f"{folder}/{name}" if folder else name for name in self.sizes(folder)}
        return {
            name: hashlib.sha256(self.read(path) or b"").hexdigest()
            for name, path in sorted(paths.items())
        }

    def names(self, folder: str) -> list[str]:
        """Names of what a folder holds, sorted; none if it does not exist."""
        with readable_faults("list", self.shown(folder)):
            self._fs.invalidate_cache()
            self._refuse_links(folder)
            try:
                paths = self._fs.ls(self._full(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError) as error:
                _refuse_missing_bucket(error)
                return []
        return sorted(PurePosixPath(name).name for name in paths)

    def write(self, path: str, content: bytes) -> None:
        """Write or replace a file in one step."""
        with readable_faults("write", self.shown(path)):
            if self._local:
                target = self._own(path)
                with self._scratch(lambda file: file.write(content)) as scratch:
                    _replace(scratch, target)
            else:
                self._fs.pipe_file(self._full(path), content)

    def upload(self, source: Path, path: str) -> bool:
        """Write a file that must not exist yet, with the content of a local one; False if it does.

        On S3 a large file goes in parts, and is there with the last one: after a lost answer the
        file that is there may be this one.
        """
        full = self._full(path)
        with readable_faults("write", self.shown(path)):
            if self._s3:
                return put_file_if_absent(self._fs, source, full)
            try:
                if self._local:
                    self._own(path)
                    with (
                        source.open("rb") as content,
                        self._scratch(lambda file: shutil.copyfileobj(content, file)) as scratch,
                    ):
                        _link(scratch, Path(full), lasting=True)
                else:
                    self._fs.put_file(str(source), full, mode="create")
            except FileExistsError:
                return False
        return True

    def create(self, path: str, content: bytes, *, lasting: bool = True) -> bool:
        """Write a file that must not exist yet; False if it does.

        Args:
            path: The file.
            content: What to write.
            lasting: Whether it has to survive a power cut.
        """
        full = self._full(path)
        with readable_faults("write", self.shown(path)):
            if self._s3:
                return put_if(self._fs, full, content, None) is not None
            try:
                if self._local:
                    self._own(path)
                    with self._scratch(lambda file: file.write(content), lasting) as scratch:
                        _link(scratch, Path(full), lasting=lasting)
                else:
                    self._fs.pipe_file(full, content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                # Some file systems report so that the file exists; but other faults, too.
                if error.errno == errno.EINVAL and self._exists(full):
                    return False
                raise
        return True

    def replace_if(self, path: str, content: bytes, expected: bytes | None) -> bool:
        """Replace a file if its content is (still) ``expected``, None: absent; else False.

        On S3 this is one PUT on the condition of the tag that was seen before the content was
        compared: what was written in between is not overwritten.
        """
        if self._s3:
            with readable_faults("read", self.shown(path)):
                seen = look(self._fs, self._full(path))
            if (self.read(path) if seen else None) != expected:
                return False
            with readable_faults("write", self.shown(path)):
                tag = seen.tag if seen else None
                return put_if(self._fs, self._full(path), content, tag) is not None
        with self.lock():
            if self.read(path) != expected:
                return False
            self.write(path, content)
        return True

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with readable_faults("remove", self.shown(path)):
            self._own(path)
            try:
                self._fs.rm_file(self._full(path))
            except FileNotFoundError:
                return

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all it holds, if it is there; links are not followed."""
        with readable_faults("remove", self.shown(path)):
            if self._local and self._own(path).is_symlink():
                raise link_fault(self._own(path))
            try:
                self._fs.rm(self._full(path), recursive=True)
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
    def lock(self, name: str = _LOCK, patience: float = PATIENCE) -> Iterator[Callable[[], None]]:
        """Keep others waiting while the block runs; a killed holder does so for seconds at most.

        Args:
            name: What is locked.
            patience: Seconds to wait.

        Yields:
            What raises ConflictError if the lock was lost, which a lease on S3 can be.

        Raises:
            ConflictError: If another holder kept it for longer than that; it is named.
        """
        if self._s3:
            with lease(self._fs, self._full(name), self.shown(name), patience) as still_held:
                yield still_held
        elif self._local:
            with readable_faults("write", self.shown(name)):
                place = self._own(name)
            with local_lock(place, self.shown(name), patience):
                yield _still_held
        else:
            with _IN_PROCESS[self._full(name)]:
                yield _still_held

    @property
    def local_folder(self) -> Path | None:
        """The folder on this machine, None where it is elsewhere."""
        return Path(self._base) if self._local else None

    def shown(self, path: str = "") -> str:
        """The path for messages."""
        folder = without_secrets(self.folder)
        return f"{folder.rstrip('/')}/{path}" if path else folder

    def _full(self, path: str) -> str:
        return f"{self._base}/{path}" if path else self._base

    def _remote_content(self, full: str, most: int | None) -> bytes:
        # Of a file that is too large one byte more than it may have, as proof.
        # On S3 one GET, which is repeated when it breaks; several at once would not be.
        options: dict[str, Any] = {"max_concurrency": 1} if self._s3 else {}
        if most is not None:
            options |= {"start": 0, "end": most + 1}
        try:
            content: bytes = self._fs.cat_file(full, **options)
        except OSError as error:
            if error_code(error) in ("InvalidRange", "416"):  # it is empty
                return b""
            raise
        return content

    def _own(self, path: str) -> Path:
        """Where a file of the store lies.

        Raises:
            OSError: If a folder on the way, below that of the store, is a symbolic link: what lies
                behind one is not ours. A link in the place of the file itself is replaced or
                removed, never followed.
        """
        self._refuse_links(str(PurePosixPath(path).parent))
        return Path(self._full(path))

    def _refuse_links(self, folder: str) -> None:
        """Raise OSError if a folder below that of the store, or one on the way, is a link."""
        place = Path(self._base)
        for part in PurePosixPath(folder).parts if self._local else ():
            place /= part
            if place.is_symlink():
                raise link_fault(place)

    def _exists(self, full: str) -> bool:
        self._fs.invalidate_cache()
        return bool(self._fs.exists(full))

    @contextmanager
    def _scratch(self, fill: Callable[[IO[bytes]], Any], lasting: bool = True) -> Iterator[Path]:
        """A temporary file that is on the disk, beside the folders of the store."""
        scratch = Path(self._base) / f"{_SCRATCH}{secrets.token_hex(8)}"
        scratch.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("xb") as file:
                fill(file)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            yield scratch
        finally:
            scratch.unlink(missing_ok=True)


def _is_marker(name: str, base: str, info: dict[str, Any]) -> bool:
    """Whether it is an empty object that stands for a folder, as consoles of object stores make."""
    folder = name.endswith("/") or name == base or info.get("type") == "directory"
    return folder and not info["size"]


def _refuse_missing_bucket(error: OSError) -> None:
    """A file that is not there is an answer; a bucket that is not there is a fault."""
    if error_code(error) == "NoSuchBucket":
        raise error


def _local_sizes(base: Path) -> Iterator[tuple[str, int]]:
    """As ``sizes``, but links are named and never followed into folders, nothing is left out.

    What is no plain file (a link, a pipe) has the size -1.
    """
    for folder, folders, files in os.walk(base):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in [*files, *links]:
            file = Path(folder) / name
            status = file.lstat()
            size = status.st_size if stat.S_ISREG(status.st_mode) else -1
            yield file.relative_to(base).as_posix(), size


def _replace(scratch: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(scratch, target)  # noqa: PTH105 (one name for the call that must be atomic)
    _flush_folder(target.parent)


def _link(scratch: Path, target: Path, *, lasting: bool) -> None:
    """Give a temporary file its name; FileExistsError if another file has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(scratch, target)
    if lasting:
        _flush_folder(target.parent)


def _still_held() -> None:
    """A lock of the system or of the process is held until it is given back."""


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows cannot open a folder, and flushes by itself."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
