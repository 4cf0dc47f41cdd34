"""The history of production: append-only, one numbered file an entry."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from mlops_basics.schemas import LedgerEntry, ReleaseManifest
from mlops_basics.storage.store_files import StoreFiles

_FOLDER = "ledger"
_ENTRY = re.compile(r"(\d{6,})\.json")

log = logging.getLogger(__name__)

#: Tells the ISO time at which something is written down.
Clock = Callable[[], str]


def utc_now() -> str:
    """This machine's time, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """Writes and reads the entries; none is ever changed or removed."""

    def __init__(self, files: StoreFiles) -> None:
        """
        Args:
            files: Where the store keeps a model's releases.
        """
        self._files = files

    def record(self, entry: LedgerEntry) -> int:
        """Append an entry under the next free number, which is returned."""
        content = entry.model_dump_json(indent=2).encode()
        number = max(self._numbers(), default=0) + 1
        while not self._files.create(self._path(number), content):
            number += 1  # another process was faster
        return number

    def entries(self) -> list[LedgerEntry]:
        """All entries, the oldest first; one that a killed writer left unfinished is skipped."""
        entries = []
        for number in self._numbers():
            path = self._path(number)
            try:
                entries.append(LedgerEntry.model_validate_json(self._files.read(path) or b""))
            except ValidationError:
                log.warning("%s is not a whole entry and is skipped.", self._files.shown(path))
        return entries

    def _numbers(self) -> list[int]:
        matches = (_ENTRY.fullmatch(name) for name in self._files.names(_FOLDER))
        return sorted(int(match[1]) for match in matches if match)

    @staticmethod
    def _path(number: int) -> str:
        return f"{_FOLDER}/{number:06d}.json"


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
