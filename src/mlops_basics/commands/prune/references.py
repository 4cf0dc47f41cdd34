"""Which data releases, registered versions, the monitor and kept runs need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from mlops_basics.commands.prune.plan import Reference
from mlops_basics.errors import LineageError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import LedgerEntry, Manifest, ModelRecord, MonitoringState


class Registry(Protocol):
    """What is asked of the registry."""

    def versions(self) -> list[str]:
        """All versions, oldest first."""

    def origin(self, version: str) -> ModelRecord | None:
        """Which run fitted a version, and from which data; None where MLflow has lost it."""


def releases(store: ReleaseStore) -> Iterator[Reference]:
    """What releases need: of those that are stored, and of all that ever were published."""
    for version in store.versions():
        manifest = store.origin(version)
        if manifest is not None:
            yield Reference(f"release {version}", manifest.run_id, manifest.data_versions)
    for entry in store.ledger():
        yield Reference(f"release {entry.version}", entry.run_id, entry.data_versions)


def registered(registry: Registry, ledger: Sequence[LedgerEntry]) -> Iterator[Reference]:
    """What the registered versions need.

    Raises:
        LineageError: If it is not known what a version was made from; then nothing may go.
    """
    in_ledger = {entry.version for entry in ledger if entry.run_id is not None}
    for version in registry.versions():
        record = registry.origin(version)
        if record is not None:
            yield Reference(f"registered version {version}", record.run_id, record.data_versions)
        elif version not in in_ledger:
            raise LineageError(
                f"MLflow does not tell from which data the registered version {version} was "
                "made, so that nothing can be removed safely. Restore its run's artifacts, or "
                "delete that version from the registry, then prune again."
            )


def monitored(state: MonitoringState) -> Iterator[Reference]:
    """What the monitor remembers by its run: retrainings, and the looks at batches."""
    for watch in state.watches.values():
        by = f"the monitor's watch over release {watch.version}"
        for run in {
            *(attempt.run_id for attempt in watch.attempts),
            *(batch.seen_by for batch in watch.batches),
        }:
            yield Reference(by, run)


def of_run(why: str, manifest: Manifest) -> Reference:
    """What a run that is kept has read, written and kept itself."""
    versions = {name: version.version for name, version in manifest.datasets.items()}
    return Reference(why, manifest.run_id, versions)
