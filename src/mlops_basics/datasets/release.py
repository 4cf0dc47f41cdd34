"""Production as Kedro sees it: publishing a release, and loading the one that is published."""

from __future__ import annotations

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.production.ledger import Clock, utc_now
from mlops_basics.production.publish import publish
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.production.signature import Signatures
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import (
    RegisteredVersion,
    Release,
    ReleaseState,
)


class ReleaseDataset(ArtifactDataset):
    """``ReleaseDataset`` saves a ``RegisteredVersion`` by making production equal to the registry's
    champion, and loads the ``ReleaseState`` that came of it.

    Killed anywhere, saving again finishes the work: the release is uploaded whole and verified
    before the pointer moves, and everything it holds is in the registry.

    Example of a catalog entry::

        release:
          type: mlops_basics.datasets.ReleaseDataset
          production: data/production
          model_name: iris
          trusted_types: [skrub._table_vectorizer.TableVectorizer]
          filepath: data/iris/production/release.json
          versioned: true
    """

    def __init__(
        self,
        *,
        production: str,
        model_name: str,
        trusted_types: list[str],
        signing_key: str | None = None,
        verify_key: str | list[str] | None = None,
        server: Tracking = MLFLOW,
        now: Clock = utc_now,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            production: Folder of all releases, with any protocol that fsspec knows.
            model_name: Name of the registered model.
            trusted_types: Import paths of the classes and functions that a model may hold.
            signing_key: Path of the private key that signs what is published.
            verify_key: Public keys, or paths of them, whose signatures are accepted.
            server: Where the model is registered.
            now: Tells the times that the ledger and the pointer keep.
            kwargs: Arguments of ``ArtifactDataset``; its credentials are the store's too.
        """
        super().__init__(model="mlops_basics.schemas.ReleaseState", **kwargs)
        self.store = ReleaseStore(
            production,
            model_name,
            trusted_types,
            kwargs.get("credentials"),
            kwargs.get("fs_args"),
            Signatures(signing_key, verify_key),
        )
        self.registry = ModelRegistry(model_name, server)
        self._now = now

    def save(self, data: RegisteredVersion) -> None:
        with self.store.one_run_at_a_time():
            state = publish(self.store, self.registry, data, self._now)
        super().save(state)

    def finish(self) -> ReleaseState:
        """Finish what a killed process began: production becomes the registry's champion."""
        with self.store.one_run_at_a_time():
            found = self.registry.state("Nothing was left to be done.", promoted=False)
            return publish(self.store, self.registry, found, self._now)


class ProductionDataset(AbstractDataset[NoReturn, Release]):
    """``ProductionDataset`` loads the release in production, every file of it verified first.

    With ``release`` it loads that one, whatever is in production.

    Example of a catalog entry::

        production:
          type: mlops_basics.datasets.ProductionDataset
          production: data/production
          model_name: iris
          trusted_types: [skrub._table_vectorizer.TableVectorizer]
    """

    def __init__(
        self,
        *,
        production: str,
        model_name: str,
        trusted_types: list[str],
        signing_key: str | None = None,
        verify_key: str | list[str] | None = None,
        reference: bool = False,
        release: str | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            production: Folder of all releases, with any protocol that fsspec knows.
            model_name: Name of the model.
            trusted_types: Import paths of the classes and functions that a model may hold.
            signing_key: Path of the private key, from which the public one can be derived.
            verify_key: Public keys, or paths of them, whose signatures are accepted.
            reference: Whether to load, too, what later batches are compared with.
            release: Version of the release to load; None: the one in production.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        signatures = Signatures(signing_key, verify_key)
        self.store = ReleaseStore(
            production, model_name, trusted_types, credentials, fs_args, signatures
        )
        self._reference, self._chosen = reference, release
        self.metadata = metadata

    def load(self) -> Release:
        return self.store.load(self._chosen, reference=self._reference)

    def save(self, data: NoReturn) -> NoReturn:
        raise DatasetError(f"{type(self).__name__} is a read only dataset type")

    def _describe(self) -> dict[str, Any]:
        return {"model_name": self.store.model_name, "release": self._chosen}
