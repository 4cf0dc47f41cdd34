"""What production itself knows of MLflow's runs, where only publishers write.

Who may write into an experiment of MLflow can change all that it says of a run.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from mlops_basics.errors import ReleaseError, StorageError
from mlops_basics.production.ledger import Ledger
from mlops_basics.production.recorded_files import (
    OVERRIDE_FILE,
    recorded_hashes,
    require_recorded,
)
from mlops_basics.production.release_check import MOST_MANIFEST_BYTES, is_component
from mlops_basics.schemas import Manifest, Override, RecordedFiles, Registration
from mlops_basics.storage.faults import is_denied
from mlops_basics.storage.store_files import StoreFiles

log = logging.getLogger(__name__)

_REGISTERED = "registered"
_RUNS = "runs"
_WAY_OUT = (
    "Go back to what is in production by `kedro rollback` (before the first release: delete the "
    "version in MLflow), then train anew: kedro run"
)


class RunNotes:
    """A small file a run and kind: ``registered/``, ``runs/``; none is changed."""

    def __init__(self, files: StoreFiles, ledger: Ledger) -> None:
        """
        Args:
            files: Where the store keeps a model's releases.
            ledger: Tells what was published before there were notes.
        """
        self._files, self._ledger = files, ledger

    def remember(self, registration: Registration) -> None:
        """Keep the SHA-256 of what a challenger's release has to hold, before MLflow gets it.

        Args:
            registration: What is about to be registered.
        """
        files = RecordedFiles(files=recorded_hashes(registration))
        path = _recorded_path(registration.record.mlflow_run_id)
        self._files.write(path, files.model_dump_json(indent=2).encode())

    def remembers(self, registration: Registration) -> bool:
        """Whether that was done for a challenger of this run."""
        return self._read(_recorded_path(registration.record.mlflow_run_id)) is not None

    def knows(self, version: str, mlflow_run_id: str) -> bool:
        """Whether anything here tells what a version's run has made, or that it was published.

        Args:
            version: The registered version.
            mlflow_run_id: The run that the registry says has fitted it; may be empty.
        """
        if is_component(mlflow_run_id) and self._read(_recorded_path(mlflow_run_id)) is not None:
            return True
        return self._ledger.tells_of(version)

    def note_manifest(self, manifest: Manifest) -> None:
        """Keep the SHA-256 of a run's manifest, once, before MLflow is given it.

        Who may not write in production, as a trainer, leaves none, and a run is not ended by it.
        """
        if manifest.mlflow_run_id is None or not is_component(manifest.mlflow_run_id):
            return
        note = {"manifest_sha256": manifest.content_sha256()}
        try:
            self._files.create(_run_path(manifest.mlflow_run_id), json.dumps(note).encode())
        except StorageError as error:
            if not is_denied(error):
                log.warning("The manifest of the run %s is not noted: %s", manifest.run_id, error)

    def noted_manifest(self, mlflow_run_id: str | None) -> str | None:
        """SHA-256 of a run's manifest as it was noted, None where it was not.

        Raises:
            ReleaseError: If the note cannot be read.
        """
        if mlflow_run_id is None or not is_component(mlflow_run_id):
            return None
        content = self._read(_run_path(mlflow_run_id))
        try:
            return None if content is None else str(json.loads(content)["manifest_sha256"])
        except (ValueError, TypeError, KeyError) as error:
            raise ReleaseError(
                f"{self._files.shown(_run_path(mlflow_run_id))} is not readable. Restore it from a "
                "backup."
            ) from error

    def remember_override(self, mlflow_run_id: str | None, override: Override) -> Override:
        """Keep who promotes a run by hand, and why, where only publishers write.

        Returns:
            What is kept: the first word, where a promotion was interrupted and is made again.
        """
        path = _override_path(mlflow_run_id)
        self._files.create(path, override.model_dump_json(indent=2).encode())
        content = self._read(path)
        return override if content is None else Override.model_validate_json(content)

    def take_override(self, version: str, mlflow_run_id: str, folder: Path) -> None:
        """Put the override that was kept in the place of what MLflow says about one.

        Args:
            version: The registered version.
            mlflow_run_id: The run that has fitted it.
            folder: What was downloaded of it.
        """
        content, file = self._read(_override_path(mlflow_run_id)), folder / OVERRIDE_FILE
        if content is not None:
            file.write_bytes(content)
        elif not self._ledger.tells_of(version):  # by an older release of this project
            file.unlink(missing_ok=True)

    def require_recorded(self, version: str, mlflow_run_id: str, folder: Path) -> None:
        """Refuse what MLflow gives of a version if its run has not made it so.

        Args:
            version: The registered version.
            mlflow_run_id: The run that the registry says has fitted it.
            folder: What was downloaded.

        Raises:
            ReleaseError: If anything is not as recorded, or nothing was.
        """
        content = self._read(_recorded_path(mlflow_run_id))
        if content is None:
            if self._ledger.tells_of(version):
                return  # by an older release of this project; its manifest is compared later
            raise ReleaseError(
                f"It is not known what the run {mlflow_run_id} of version {version} has made "
                f"({self._files.shown(_REGISTERED)} has no such file), so that what MLflow holds "
                f"may be anything. {_WAY_OUT}"
            )
        try:
            require_recorded(folder, RecordedFiles.model_validate_json(content).files)
        except ReleaseError as error:
            raise ReleaseError(f"Version {version} is refused: {error} {_WAY_OUT}") from error

    def _read(self, path: str) -> bytes | None:
        return self._files.read(path, MOST_MANIFEST_BYTES)


def _recorded_path(mlflow_run_id: str | None) -> str:
    if mlflow_run_id is None or not is_component(mlflow_run_id):
        raise ReleaseError(
            f"A version needs the MLflow run that made it, got {str(mlflow_run_id)[:60]!r}."
        )
    return f"{_REGISTERED}/{mlflow_run_id}.json"


def _run_path(mlflow_run_id: str) -> str:
    return f"{_RUNS}/{mlflow_run_id}.json"


def _override_path(mlflow_run_id: str | None) -> str:
    return _recorded_path(mlflow_run_id).removesuffix(".json") + ".override.json"
