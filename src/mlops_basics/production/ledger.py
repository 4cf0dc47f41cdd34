"""The history of production: append-only, one numbered file an entry."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from mlops_basics.production.history import without_refused
from mlops_basics.production.release_check import sha256
from mlops_basics.schemas import LedgerEntry, ReleaseManifest
from mlops_basics.storage.store_files import StoreFiles

_FOLDER = "ledger"
_MOST_BYTES = 2**20  # of an entry
_CHAIN = "before_sha256"
_ENTRY = re.compile(r"(\d{6,})\.json")

log = logging.getLogger(__name__)

#: Tells the ISO time at which something is written down.
Clock = Callable[[], str]


def utc_now() -> str:
    """This machine's time, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """Writes and reads the entries; none is ever changed or removed.

    Each file names the SHA-256 of the one before it, so that a gap or a change is seen; a change of
    the newest is seen by the next one.
    """

    def __init__(self, files: StoreFiles) -> None:
        """
        Args:
            files: Where the store keeps a model's releases.
        """
        self._files = files
        self._read: dict[int, LedgerEntry] = {}  # they never change

    def tells_of(self, version: str) -> bool:
        """Whether a release was in production: a move to it was not refused."""
        return any(entry.version == version for entry in without_refused(self.entries()))

    def record(self, entry: LedgerEntry) -> int:
        """Append an entry under the next free number, which is returned."""
        number = max(self._numbers(), default=0) + 1
        while not self._files.create(self._path(number), self._chained(entry, number)):
            number += 1  # another process was faster
        return number

    def entries(self) -> list[LedgerEntry]:
        """All entries, the oldest first; one that a killed writer left unfinished is skipped."""
        entries = []
        for number in self._numbers():
            path = self._path(number)
            try:
                if number not in self._read:
                    self._read[number] = _parsed(self._files.read(path, _MOST_BYTES) or b"")
                entries.append(self._read[number])
            except (ValidationError, ValueError, TypeError):
                log.warning("%s is not a whole entry and is skipped.", self._files.shown(path))
        return entries

    def faults(self) -> list[str]:
        """What is missing or was changed, a sentence each; entries of before the chain are not."""
        told, before, digest = [], 0, ""
        for number in self._numbers():
            path = self._files.shown(self._path(number))
            content = self._files.read(self._path(number), _MOST_BYTES) or b""
            if number != before + 1:
                told.append(f"Entries {before + 1} to {number - 1} are missing before {path}.")
            elif (named := _chain_of(content)) is not None and named != digest:
                changed = self._files.shown(self._path(before))
                told.append(f"{changed} was changed: {path} names another SHA-256 of it.")
            before, digest = number, sha256(content)
        return told

    def _chained(self, entry: LedgerEntry, number: int) -> bytes:
        tree = json.loads(entry.model_dump_json())
        before = self._files.read(self._path(number - 1), _MOST_BYTES) if number > 1 else None
        tree[_CHAIN] = sha256(before) if before is not None else ""
        return json.dumps(tree, indent=2).encode()

    def _numbers(self) -> list[int]:
        matches = (_ENTRY.fullmatch(name) for name in self._files.names(_FOLDER))
        return sorted(int(match[1]) for match in matches if match)

    @staticmethod
    def _path(number: int) -> str:
        return f"{_FOLDER}/{number:06d}.json"


def _parsed(content: bytes) -> LedgerEntry:
    tree = json.loads(content)
    tree.pop(_CHAIN, None)
    return LedgerEntry.model_validate(tree)


def _chain_of(content: bytes) -> str | None:
    """What an entry says of the one before; None: nothing, or it cannot be read."""
    try:
        return json.loads(content).get(_CHAIN)  # type: ignore[no-any-return]
    except (ValueError, AttributeError):
        return None


def origin_of(manifest: ReleaseManifest) -> dict[str, Any]:
    """What an entry tells of a release's origin, by the entry's fields."""
    decision = manifest.decision
    return {
        "run_id": manifest.run_id,
        "mlflow_run_id": manifest.mlflow_run_id,
        "data_versions": manifest.data_versions,
        "metric": decision.metric,
        "value": decision.gain,
        "low": decision.low,
        "high": decision.high,
        "policy": decision.policy,
    }
