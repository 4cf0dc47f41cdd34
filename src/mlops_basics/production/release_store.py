"""The releases of a model: self-contained folders, one of which is in production."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from mlops_basics.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    MlopsError,
    ReleaseError,
    StorageError,
)
from mlops_basics.production.challenge_book import ChallengeBook
from mlops_basics.production.history import without_refused
from mlops_basics.production.ledger import Ledger, origin_of
from mlops_basics.production.release_check import (
    ARCHIVE,
    MANIFEST,
    MOST_MANIFEST_BYTES,
    SIGNATURE,
    TABLE_FILE,
    can_be_manifest,
    check_file,
    check_listing,
    check_manifest_file,
    check_own_code,
    is_component,
    manifest_bytes,
    parse_manifest,
    sha256,
)
from mlops_basics.production.release_reference import (
    BATCHES_FILE,
    FITTED_ROWS_FILE,
    RECIPE_FILE,
    REFERENCE,
    read_batches,
    read_fitted_rows,
    read_recipe,
    read_reference,
    read_table,
)
from mlops_basics.production.run_notes import RunNotes
from mlops_basics.production.signature import Signatures, signed_content, store_name
from mlops_basics.schemas import (
    FileRecord,
    LedgerEntry,
    Pointer,
    Release,
    ReleaseManifest,
)
from mlops_basics.storage.faults import readable_faults
from mlops_basics.storage.lease import PATIENCE
from mlops_basics.storage.skops_archive import load_checked
from mlops_basics.storage.store_files import StoreFiles

Checked = TypeVar("Checked")
log = logging.getLogger(__name__)

_POINTER = "current.json"
_RELEASES = "releases"
_RUN_LOCK = ".run-lock"
_MOVE = ".moving"


class ReleaseStore:
    """Keeps a model's releases, which of them is in production, and the history of that.

    Layout below ``<root>/<model_name>``: ``releases/<version>/`` (``model/`` as MLflow saved it,
    ``table_info.json``, other files, ``manifest.json``, with a key ``manifest.sig``),
    ``current.json``, ``ledger/``, and ``.moving`` while production moves. A release is uploaded
    whole, each file once and for ever, verified, and only then pointed at; nothing of it is
    executed before every file was checked.
    """

    def __init__(
        self,
        root: str,
        model_name: str,
        trusted_types: list[str],
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        signatures: Signatures | None = None,
    ) -> None:
        """
        Args:
            root: Folder of the store, with any protocol that fsspec knows.
            model_name: Name of the model; one part of a path.
            trusted_types: Import paths of the classes and functions that a model may hold.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            signatures: The keys that releases are signed with and checked by; None: no keys.
        """
        if not is_component(model_name):
            raise ConfigurationError(
                "model_name must be one part of a path (letters, digits, '-', '_'), "
                f"got {model_name[:60]!r}"
            )
        self.model_name = model_name
        self._trusted_types = list(trusted_types)
        self._signatures = signatures or Signatures()
        self._store_name = store_name(root)
        self._files = StoreFiles(f"{root.rstrip('/')}/{model_name}", credentials, fs_args)
        self._ledger = Ledger(self._files)
        self.patience = PATIENCE  # seconds to wait for another run

    def one_run_at_a_time(self) -> AbstractContextManager[Callable[[], None]]:
        """Keep other runs waiting that would register, publish or roll back this model.

        MLflow cannot move an alias on a condition, so that each process that moves one takes this
        lock: between the machines that share the store if it is on S3, else on this one. It must
        not be taken twice by one run. What it yields raises ConflictError once the lock is lost.

        Raises:
            ConflictError: If another run holds it for longer than ``patience``.
        """
        return self._files.lock(_RUN_LOCK, self.patience)

    @property
    def local_folder(self) -> Path | None:
        """Where everything is on this machine; None if it is elsewhere."""
        return self._files.local_folder

    def begin_move(self, entry: LedgerEntry | None = None) -> None:
        """Leave a mark until ``end_move``: the registry's champion is about to change.

        A process that is killed between alias and pointer leaves it behind: one small file says
        that there is something to finish, and the registry need not be asked.

        Args:
            entry: What the ledger is to say; None: what the release says of itself.
        """
        content = "{}" if entry is None else entry.model_dump_json()
        self._files.write(_MOVE, content.encode())

    def end_move(self) -> None:
        """Production holds the registry's champion; the mark is emptied, which anybody may."""
        if self.is_moving():
            self._files.write(_MOVE, b"")

    def is_moving(self) -> bool:
        """Whether a move was begun that has not ended: it goes on just now, or was killed."""
        return bool(self._note(_MOVE))

    def intended(self) -> LedgerEntry | None:
        """What the ledger is to say of the move that was begun, if that was noted."""
        try:
            return LedgerEntry.model_validate_json(self._note(_MOVE) or b"{}")
        except ValidationError:
            return None

    def path(self, version: str) -> str:
        """Where a release is, for messages."""
        return self._files.shown(self._folder(version))

    def pointer(self) -> Pointer | None:
        """Which release is in production, None before the first one."""
        return self._parse_pointer(self._note(_POINTER))

    def versions(self) -> list[str]:
        """Versions that have a folder, complete or not; numbers in their order."""
        names = [name for name in self._files.names(_RELEASES) if is_component(name)]
        return sorted(names, key=lambda name: (not name.isdecimal(), name.zfill(20)))

    def fitted_by(self, pointer: Pointer) -> str | None:
        """The MLflow run of what is in production, from the ledger; else as the release says."""
        move = self.last_move(pointer.version)
        if move is not None and move.mlflow_run_id is not None:
            return move.mlflow_run_id
        manifest = self.origin(pointer.version)
        return manifest.mlflow_run_id if manifest else None

    def taken(self) -> set[str]:
        """Names that releases have, or had: none is given to another one."""
        return {*self.versions(), *(entry.version for entry in self.ledger())}

    def upload(
        self, folder: Path, manifest_without_files: ReleaseManifest, *, mend: bool = False
    ) -> ReleaseManifest:
        """Store a release, or keep it if it is there already; production does not change.

        Each file is written once: what is there stays, and has to be the same, as of a publisher
        that was killed. What is missing is written.

        Args:
            folder: What the release holds, but its manifest.
            manifest_without_files: The manifest; its ``files`` are computed here.
            mend: Whether files of another content, or that do not belong there, are removed first:
                an operator's word, which needs the right to remove.

        Returns:
            The manifest as stored, after the whole release was read back and verified.

        Raises:
            ReleaseError: If another release of this version was published, its folder holds other
                files, or this one would be refused.
            StorageError: If the storage cannot be written.
        """
        files = _records(folder)
        manifest = manifest_without_files.model_copy(update={"files": files})
        version, content = manifest.version, manifest_bytes(manifest)
        target = self._folder(version)
        self._refusing(version, lambda: parse_manifest(content, self.model_name, version))
        if self._note(f"{target}/{MANIFEST}") == content:
            try:
                return self.verify(version, sha256(content))
            except (ReleaseError, StorageError):
                pass  # damaged, or not signed: what is missing is written
        else:
            self._refuse_to_change_history(version, sha256(content))
        signature = self._signatures.sign(
            self._signed(content)
        )  # of what was made here, never of what is there
        self._files.sweep()
        notes = {} if signature is None else {SIGNATURE: signature}
        notes[MANIFEST] = content  # the last one: with it the release is whole
        wanted = files | {name: _record(note) for name, note in notes.items()}
        there = self._kept(version, wanted, keep=() if signature else (SIGNATURE,), mend=mend)
        for name in [name for name in wanted if name not in there]:
            path = f"{target}/{name}"
            if name in notes:
                written = self._files.create(path, notes[name])
            else:
                written = self._files.upload(folder / name, path)
            if not written and not self._holds(path, wanted[name]):  # another one was faster
                raise self._other_content(version, name)
        return self.verify(version, sha256(content))

    def origin(self, version: str) -> ReleaseManifest | None:
        """What a release says of itself, unverified: fit to tell where it came from, no more.

        Returns:
            Its manifest, None where it has none that can be read.
        """
        content = self._note(f"{self._folder(version)}/{MANIFEST}")
        try:
            return None if content is None else ReleaseManifest.model_validate_json(content)
        except ValidationError:
            return None

    def verify(self, version: str, manifest_sha256: str | None = None) -> ReleaseManifest:
        """Check every file of a release; nothing of it is executed.

        Args:
            version: The release.
            manifest_sha256: What its manifest must be; None: what the pointer says, if it points
                at this version.

        Raises:
            ReleaseError: If anything was changed, is missing, is too much, or is not trusted.
        """
        return self._checked(version, manifest_sha256)[0]

    def fetch(self, version: str | None, target: Path) -> ReleaseManifest:
        """Make a verified local copy of a release.

        Args:
            version: The release; None: the one in production.
            target: Folder to make; it appears only when everything was checked.
        """
        chosen = self._in_production().version if version is None else version
        with (
            readable_faults("write", str(target)),
            tempfile.TemporaryDirectory(prefix=".fetch-", dir=_made(target.parent)) as scratch,
        ):
            copy = Path(scratch) / "release"

            def keep(name: str, content: bytes) -> None:
                _made((copy / name).parent)
                (copy / name).write_bytes(content)

            manifest, _ = self._checked(chosen, None, keep, to_be_run=True)
            copy.rename(target)
        return manifest

    def load(self, version: str | None = None, *, reference: bool = False) -> Release:
        """A verified release with its model, which skops alone reads.

        Args:
            version: The release; None: the one in production.
            reference: Whether to read, too, what later batches are compared with, and the recipe.
        """
        kept: dict[str, bytes] = {}
        wanted = (*REFERENCE, RECIPE_FILE, FITTED_ROWS_FILE)

        def keep(name: str, content: bytes) -> None:
            if name in (ARCHIVE, TABLE_FILE, BATCHES_FILE) or (reference and name in wanted):
                kept[name] = content

        chosen = self._in_production().version if version is None else version
        manifest, _ = self._checked(chosen, None, keep, to_be_run=True)
        moved = self.last_move(chosen) if reference else None
        return self._refusing(
            chosen,
            lambda: Release(
                manifest=manifest,
                model=load_checked(kept[ARCHIVE], self._trusted_types, f"'{ARCHIVE}'"),
                table=read_table(kept[TABLE_FILE]),
                reference=read_reference(kept) if set(kept) >= set(REFERENCE) else None,
                recipe=read_recipe(kept.get(RECIPE_FILE)),
                fitted_rows=read_fitted_rows(kept.get(FITTED_ROWS_FILE)),
                moved=moved,
                batches=read_batches(kept.get(BATCHES_FILE)),
            ),
        )

    def last_move(self, version: str) -> LedgerEntry | None:
        """What the ledger says of a release's latest way into production."""
        moves = [entry for entry in without_refused(self.ledger()) if entry.version == version]
        return moves[-1] if moves else None

    def point(self, version: str, expected: Pointer | None, now: str) -> Pointer:
        """Put a release into production, if production is still what the caller believes.

        Args:
            version: The release; it is verified first.
            expected: The pointer when the decision was made.
            now: ISO time.

        Raises:
            ConflictError: If another process moved the pointer.
            ReleaseError: If the release is refused.
            StorageError: If the pointer cannot be written.
        """
        _, manifest_sha256 = self._checked(version, None)
        before = self._note(_POINTER)
        current = self._parse_pointer(before)
        if current != expected:
            raise self._conflict(current, expected)
        if current and (current.version, current.manifest_sha256) == (version, manifest_sha256):
            return current
        pointer = Pointer(version=version, manifest_sha256=manifest_sha256, at=now)
        content = pointer.model_dump_json(indent=2).encode()
        if not self._files.replace_if(_POINTER, content, before):
            raise self._conflict(self.pointer(), expected)
        return pointer

    def record(self, entry: LedgerEntry) -> int:
        """Append an entry to the history; returns its number."""
        return self._ledger.record(entry)

    def record_refusal(self, move: LedgerEntry, why: object, at: str | None = None) -> None:
        """Leave a trace of a move that was not made; if that fails, too, its error must do.

        Args:
            move: The entry that the move would have had.
            why: What the ledger gives as the reason.
            at: ISO time of the refusal; None: that of the entry.
        """
        changes = {"action": "refused", "reason": str(why), "at": at or move.at}
        with suppress(MlopsError):
            self.record(move.model_copy(update=changes))

    def origin_of(self, manifest: ReleaseManifest) -> dict[str, Any]:
        """What an entry tells of a release that was just verified, by the entry's fields."""
        content = self._note(f"{self._folder(manifest.version)}/{MANIFEST}") or b""
        return {**origin_of(manifest), "manifest_sha256": sha256(content)}

    @property
    def runs(self) -> RunNotes:
        """What production itself knows of MLflow's runs."""
        return RunNotes(self._files, self._ledger)

    @property
    def challenges(self) -> ChallengeBook:
        """How often each champion was challenged, and what the challenges have said."""
        return ChallengeBook(self._files)

    def ledger_faults(self) -> list[str]:
        """What is missing in the history, or was changed; a sentence each."""
        faults = self._ledger.faults()
        try:
            pointer = self.pointer()
        except ReleaseError:  # told wherever the release itself is looked at
            return faults
        if pointer is not None and not self._ledger.tells_of(pointer.version):
            faults.append(
                f"The ledger has no entry for release {pointer.version}, which is in production: "
                "its newest entries were removed."
            )
        return faults

    def ledger(self) -> list[LedgerEntry]:
        """The history of production, the oldest entry first."""
        return self._ledger.entries()

    def _checked(
        self,
        version: str,
        manifest_sha256: str | None,
        keep: Callable[[str, bytes], None] = lambda _name, _content: None,
        *,
        to_be_run: bool = False,
    ) -> tuple[ReleaseManifest, str]:
        """Read every file once, check it, and hand it on; also gives the manifest's SHA-256."""
        folder = self._folder(version)
        if manifest_sha256 is None:
            pointer = self.pointer()
            if pointer is not None and pointer.version == version:
                manifest_sha256 = pointer.manifest_sha256
            else:
                manifest_sha256 = self._published_manifest(version)
        sizes = self._files.sizes(folder)
        whole = can_be_manifest(sizes.get(MANIFEST, 0))
        content = self._note(f"{folder}/{MANIFEST}") if whole else b""
        if content is None:
            raise ReleaseError(
                f"There is no complete release {version!r} of '{self.model_name}' in "
                f"{self._files.shown(_RELEASES)}: '{MANIFEST}' is missing. "
                f"Folders there: {', '.join(self.versions()) or 'none'}."
            )

        def check() -> ReleaseManifest:
            check_manifest_file(sizes)
            if manifest_sha256 not in (None, sha256(content)):
                raise ReleaseError(
                    f"'{MANIFEST}' was changed: its SHA-256 is not the one that was published."
                )
            signature = self._note(f"{folder}/{SIGNATURE}") if SIGNATURE in sizes else None
            self._signatures.check(self._signed(content), signature)
            manifest = parse_manifest(content, self.model_name, version)
            check_listing(sizes, manifest.files)
            if to_be_run:
                check_own_code(manifest)
            for name, record in manifest.files.items():
                read = self._files.read(f"{folder}/{name}", record.size)
                if read is None:
                    raise ReleaseError(f"'{name}' is missing.")
                check_file(name, read, record, self._trusted_types)
                keep(name, read)
            keep(MANIFEST, content)
            if signature is not None:
                keep(SIGNATURE, signature)
            return manifest

        return self._refusing(version, check), sha256(content)

    def _note(self, path: str) -> bytes | None:
        """What one of the store's own small files holds."""
        return self._files.read(path, MOST_MANIFEST_BYTES)

    def _signed(self, manifest: bytes) -> bytes:
        return signed_content(self._store_name, self.model_name, manifest)

    def _refusing(self, version: str, check: Callable[[], Checked]) -> Checked:
        """Run a check; its error gets to say which release it is about, and what to do."""
        try:
            return check()
        except (DataError, ReleaseError, StorageError) as error:
            raise ReleaseError(
                f"The release {version} of '{self.model_name}' is refused: {error} "
                f"It is in {self.path(version)}; do not load it by other means. Go back to a "
                "good release with `kedro rollback --to VERSION`, or have this one written anew "
                f"from MLflow with `kedro rollback --to {version}`."
            ) from error

    def _kept(
        self, version: str, wanted: Mapping[str, FileRecord], keep: Collection[str], *, mend: bool
    ) -> set[str]:
        """Names of the files of a release's folder that are as wanted; others are refused.

        Args:
            version: The release.
            wanted: What its files have to be.
            keep: Names of files that may be anything.
            mend: Whether the others are removed instead.
        """
        target, there = self._folder(version), set[str]()
        for name, size in sorted(self._files.sizes(target).items()):
            record, path = wanted.get(name), f"{target}/{name}"
            if name in keep or (
                record is not None and record.size == size and self._holds(path, record)
            ):
                there.add(name)
            elif mend:
                self._files.remove(path)
            else:
                raise self._other_content(version, name)
        return there

    def _holds(self, path: str, record: FileRecord) -> bool:
        content = self._files.read(path, record.size)
        return content is not None and sha256(content) == record.sha256

    def _other_content(self, version: str, name: str) -> ReleaseError:
        return ReleaseError(
            f"'{name}' in {self.path(version)} is not what the release {version} of "
            f"'{self.model_name}' holds, and files of a release are written once: publishing "
            "neither overwrites nor removes any. Have the release written anew by "
            f"`kedro rollback --to {version}` (which needs the right to remove files there), or "
            "go back to another one."
        )

    def _refuse_to_change_history(self, version: str, manifest_sha256: str) -> None:
        pointer = self.pointer()
        if pointer is not None and pointer.version == version:
            published = pointer.manifest_sha256 != manifest_sha256
        elif (recorded := self._published_manifest(version)) is not None:
            published = recorded != manifest_sha256
        else:
            published = self._ledger.tells_of(version)
        if published:
            raise ReleaseError(
                f"The release {version} of '{self.model_name}' was published with other content "
                f"({self.path(version)}); a published release never changes. Publish under a new "
                "version."
            )

    def _published_manifest(self, version: str) -> str | None:
        """SHA-256 of a release's manifest, as the ledger has it; None where it does not tell."""
        told = [
            entry.manifest_sha256
            for entry in without_refused(self.ledger())
            if entry.version == version and entry.manifest_sha256 is not None
        ]
        return told[-1] if told else None

    def _conflict(self, current: Pointer | None, expected: Pointer | None) -> ConflictError:
        now = f"release {current.version} since {current.at}" if current else "nothing"
        before = f"release {expected.version} since {expected.at}" if expected else "nothing"
        return ConflictError(
            f"Somebody else was faster: production of '{self.model_name}' is {now}, no longer "
            f"{before} ({self._files.shown(_POINTER)}). Run again to compare with it."
        )

    def _in_production(self) -> Pointer:
        pointer = self.pointer()
        if pointer is None:
            raise ReleaseError(
                f"No release of '{self.model_name}' is in production yet: "
                f"{self._files.shown(_POINTER)} does not exist. Publish one with `kedro run`."
            )
        return pointer

    def _parse_pointer(self, content: bytes | None) -> Pointer | None:
        if content is None:
            return None
        try:
            pointer = Pointer.model_validate_json(content)
        except ValidationError as error:
            raise ReleaseError(
                f"{self._files.shown(_POINTER)} is not readable as a pointer. Restore it from a "
                "backup, or remove it and run `kedro rollback --to VERSION`."
            ) from error
        self._folder(pointer.version)
        return pointer

    def _folder(self, version: str) -> str:
        if not is_component(version):
            raise ReleaseError(
                "A version must be one part of a path, such as '3', "
                f"got {version[:60]!r} (model '{self.model_name}')."
            )
        return f"{_RELEASES}/{version}"


def _record(content: bytes) -> FileRecord:
    return FileRecord(sha256=sha256(content), size=len(content))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _records(folder: Path) -> dict[str, FileRecord]:
    """Checksum and size of every file below a folder, by relative path."""
    records = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            name = file.relative_to(folder).as_posix()
            records[name] = FileRecord(sha256=digest, size=file.stat().st_size)
    return records
