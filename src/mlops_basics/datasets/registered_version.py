"""Registers a challenger that was promoted, and says what the registry holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.errors import ConflictError
from mlops_basics.production.publish import is_lost, register, require_own
from mlops_basics.production.registry import ModelRegistry, require_unchanged
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import NO_CHAMPION, Registration
from mlops_basics.storage.store_files import StoreFiles


class RegisteredVersionDataset(ArtifactDataset):
    """``RegisteredVersionDataset`` saves a ``Registration`` and loads a ``RegisteredVersion``.

    Nothing is registered when the decision says no, nor when the champion changed since the
    comparison: that needs a new comparison.

    Example of a catalog entry::

        registered_version:
          type: mlops_basics.datasets.RegisteredVersionDataset
          production: data/production
          models: data/iris/models/model
          model_name: iris
          filepath: data/iris/reporting/registered_version.json
          versioned: true
    """

    def __init__(
        self,
        *,
        production: str,
        models: str,
        model_name: str,
        server: Tracking = MLFLOW,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            production: Folder of all releases; its lock is taken while the alias moves.
            models: Folder of the saved models, by version: what MLflow's copy is compared with.
            model_name: Name of the registered model.
            server: Where it is registered.
            kwargs: Arguments of ``ArtifactDataset``; its credentials are the store's too.
        """
        super().__init__(model="mlops_basics.schemas.RegisteredVersion", **kwargs)
        self._store = ReleaseStore(
            production, model_name, [], kwargs.get("credentials"), kwargs.get("fs_args")
        )
        self._models = StoreFiles(models, kwargs.get("credentials"), kwargs.get("fs_args"))
        self._registry = ModelRegistry(model_name, server)

    def save(self, data: Registration) -> None:
        with self._store.one_run_at_a_time() as still_held:
            promoted, reason = self._promote(data, still_held)
        super().save(self._registry.state(reason, promoted=promoted))

    def _promote(self, data: Registration, still_held: Callable[[], None]) -> tuple[bool, str]:
        decision = data.decision
        if not decision.promote:
            return False, decision.reasons[-1]
        expected = None if decision.champion_version == NO_CHAMPION else decision.champion_version
        require_own(self._store, self._registry)
        try:
            champion = self._registry.champion()
            lost = is_lost(self._store, self._registry, champion)
            known = self._registry.find(data, same_run=lost)
            if known is None:
                require_unchanged(None if lost else champion, expected)
            elif self._registry.was_champion(known):
                return False, (
                    f"The challenger is version {known}, which was champion and was taken back: "
                    "the same model is not promoted again by the same test. If you want it back: "
                    f"kedro rollback --to {known}"
                )
            version = register(self._store, self._registry, self._with_model(data))
            self._store.begin_move()
            self._registry.move_champion(version, champion if lost else expected, still_held)
        except ConflictError as error:
            return False, str(error)
        return True, f"Version {version} is the champion."

    def _with_model(self, data: Registration) -> Registration:
        """The registration with the hashes of the model as the run has saved it."""
        version = data.record.data_versions.get("model", data.record.run_id)
        folder = f"{version}/{PurePosixPath(self._models.folder).name}"
        return replace(data, model_files=self._models.hashes(folder))
