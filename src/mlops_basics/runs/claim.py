"""The claim of a running run on its version, so that no other run writes under the same one."""

from __future__ import annotations

import json
import logging
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_basics.errors import StorageError, VersionTakenError
from mlops_basics.runs import mlflow_state
from mlops_basics.storage.store_files import StoreFiles

FOLDER = "running"  # of the manifests
#: After so long, a run of another machine, which cannot be asked, counts as dead.
LIFE = timedelta(days=7)
MOST_BYTES = 2**16  # of a claim

log = logging.getLogger(__name__)


class RunClaim:
    """A small file ``running/<run id>.json`` while a run works; killed, a run leaves it behind.

    It names the MLflow run, so that the next run ends what a killed one has left running there.

    Kedro takes the time in milliseconds for a version, and would let two runs of the same
    millisecond overwrite each other without a word.
    """

    def __init__(self, files: StoreFiles, run_id: str) -> None:
        """
        Args:
            files: The folder of the manifests.
            run_id: The run's version.
        """
        self._files, self._run_id = files, run_id
        self._path = f"{FOLDER}/{run_id}.json"
        self.mlflow_run_id: str | None = None

    def take(self) -> None:
        """Claim the version.

        Raises:
            VersionTakenError: If another run has claimed it; nothing was written yet.
        """
        self._end_dead()
        if not self._files.create(self._path, self._content(), lasting=False):
            raise taken(self._run_id, self._files.shown(self._path))
        _OWN[self._path] = self

    def note(self, mlflow_run_id: str | None) -> None:
        """Note the MLflow run that has begun; without the note a killed one stays open there."""
        self.mlflow_run_id = mlflow_run_id
        try:
            self._files.write(self._path, self._content())
        except StorageError as error:  # a run that can write what matters is not ended by it
            log.debug("The MLflow run is not noted: %s", error)

    def drop(self) -> None:
        """Remove the claim; what cannot be removed does no harm."""
        _OWN.pop(self._path, None)
        try:
            self._files.remove(self._path)
        except StorageError as error:
            log.debug("The claim stays: %s", error)

    def _content(self) -> bytes:
        who = {"machine": socket.gethostname(), "process": os.getpid()}
        return json.dumps({**who, "mlflow_run_id": self.mlflow_run_id}).encode()

    def _end_dead(self) -> None:
        """End what killed runs have left: their MLflow runs, and then their claims."""
        with suppress(StorageError):  # who may not list, or remove, works all the same
            for name in self._files.names(FOLDER):
                path = f"{FOLDER}/{name}"
                who = _read(self._files.read(path, MOST_BYTES))
                if _is_dead(path, who):
                    mlflow_state.end_left("KILLED", who.get("mlflow_run_id"))
                    self._files.remove(path)


#: The claims of this process, by path.
_OWN: dict[str, RunClaim] = {}


def end_own(status: str) -> None:
    """End what this process has open, in MLflow and among the claims.

    Args:
        status: Of MLflow: "FAILED" or "KILLED".
    """
    for claim in list(_OWN.values()):
        mlflow_state.end_left(status, claim.mlflow_run_id)
        claim.drop()


def _is_dead(path: str, who: dict[str, Any]) -> bool:
    """Whether the process of a claim has ended without letting go of it."""
    if path in _OWN:
        return False
    process = _process_here(who)
    if process is not None:
        # One of the same number is another one: in a container, most are the first process.
        return process == os.getpid() or not _is_alive(process)
    try:
        begun = datetime.strptime(path.split("/")[-1], "%Y-%m-%dT%H.%M.%S.%fZ.json")
    except ValueError:
        return False
    return datetime.now(UTC) - begun.replace(tzinfo=UTC) > LIFE


def works_here(claim: bytes | None) -> bool:
    """Whether the process of a claim works on this machine; False too where it cannot be told."""
    process = _process_here(_read(claim))
    return process is not None and _is_alive(process)


def _read(claim: bytes | None) -> dict[str, Any]:
    """What a claim says; nothing where it cannot be read."""
    try:
        who = json.loads(claim or b"{}")
    except ValueError:
        return {}
    return who if isinstance(who, dict) else {}


def _process_here(who: dict[str, Any]) -> int | None:
    """The process of a claim of this machine."""
    process = who.get("process")
    here = who.get("machine") == socket.gethostname() and isinstance(process, int)
    return process if here else None


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def taken(run_id: str, where: str) -> VersionTakenError:
    """The error for a version that another run has."""
    return VersionTakenError(
        f"Another run has the version {run_id} already ({where}): this one would overwrite what it "
        "writes. Nothing was written; run again."
    )
