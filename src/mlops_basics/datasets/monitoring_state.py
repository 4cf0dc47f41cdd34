"""What the monitor remembers between its looks, shared by all processes that run it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Any

from kedro.io import AbstractDataset
from pydantic import ValidationError

from mlops_basics.errors import ConflictError, StorageError
from mlops_basics.schemas import MonitoringState
from mlops_basics.storage.lease import PATIENCE
from mlops_basics.storage.store_files import StoreFiles

_LOCK = ".ct-lock"


class MonitoringStateDataset(AbstractDataset[MonitoringState, MonitoringState]):
    """``MonitoringStateDataset`` loads and replaces the state; an empty one before the first look.

    A state is written only over the one that it was made from: of two monitors that look at the
    same time, one wins and the other gets an error.

    Example of a catalog entry::

        monitoring_state:
          type: mlops_basics.datasets.MonitoringStateDataset
          filepath: data/iris/monitoring/state.json
    """

    def __init__(
        self,
        *,
        filepath: str,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            filepath: The file, with any protocol that fsspec knows.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        folder, _, self._name = filepath.rpartition("/")
        self._files = StoreFiles(folder, credentials, fs_args)
        self.metadata = metadata

    def load(self) -> MonitoringState:
        return self._parse(self._files.read(self._name))

    def save(self, data: MonitoringState) -> None:
        before = self._files.read(self._name)
        known = self._parse(before).revision
        content = data.model_dump_json(indent=2).encode()
        if known != data.revision - 1 or not self._files.replace_if(self._name, content, before):
            raise ConflictError(
                f"Somebody else has looked at the batches meanwhile: "
                f"{self._files.shown(self._name)} is no longer revision {data.revision - 1}. "
                "Nothing was changed; run again."
            )

    def one_at_a_time(
        self, patience: float = PATIENCE
    ) -> AbstractContextManager[Callable[[], None]]:
        """Keep other processes waiting that would monitor and retrain this model.

        Raises:
            ConflictError: If another one holds the lock for longer than ``patience`` seconds.
        """
        return self._files.lock(_LOCK, patience)

    def _parse(self, content: bytes | None) -> MonitoringState:
        if content is None:
            return MonitoringState()
        try:
            return MonitoringState.model_validate_json(content)
        except ValidationError as error:
            raise StorageError(
                f"{self._files.shown(self._name)} is not readable as the monitor's state. Restore "
                "it from a backup, or move it away: all batches are then looked at anew."
            ) from error

    def _exists(self) -> bool:
        return self._files.read(self._name) is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(PurePosixPath(self._files.shown(self._name)))}
