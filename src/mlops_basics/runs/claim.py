"""The claim of a running run on its version, so that no other run writes under the same one."""

from __future__ import annotations

import json
import logging
import os
import socket

from mlops_basics.errors import StorageError, VersionTakenError
from mlops_basics.storage.store_files import StoreFiles

FOLDER = "running"  # of the manifests

log = logging.getLogger(__name__)


class RunClaim:
    """A small file ``running/<run id>.json`` while a run works; killed, a run leaves it behind.

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

    def take(self) -> None:
        """Claim the version.

        Raises:
            VersionTakenError: If another run has claimed it; nothing was written yet.
        """
        who = {"machine": socket.gethostname(), "process": os.getpid()}
        if not self._files.create(self._path, json.dumps(who).encode(), lasting=False):
            raise taken(self._run_id, self._files.shown(self._path))

    def drop(self) -> None:
        """Remove the claim; what cannot be removed does no harm."""
        try:
            self._files.remove(self._path)
        except StorageError as error:
            log.debug("The claim stays: %s", error)


def taken(run_id: str, where: str) -> VersionTakenError:
    """The error for a version that another run has."""
    return VersionTakenError(
        f"Another run has the version {run_id} already ({where}): this one would overwrite what it "
        "writes. Nothing was written; run again."
    )
