"""Take what production holds into the registry of this project."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlops_basics.errors import ReleaseError
from mlops_basics.production.history import periods
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import Pointer


def adopt(store: ReleaseStore, registry: ModelRegistry) -> str:
    """Make versions of the release in production and of the one before, and the champion of it.

    Everything comes from the production store, each file verified: it does not matter whether the
    version, the registered model or MLflow's database was lost, or was another one. Interrupted
    anywhere, the same call finishes the work; called again when all is done, it changes nothing.

    Args:
        store: The releases.
        registry: The registry of model versions.

    Returns:
        A message that says what was done.

    Raises:
        ReleaseError: If nothing is in production, or the release there is refused.
        ConflictError: If another process works on the same production for long.
    """
    with store.one_run_at_a_time():
        pointer, champion = store.pointer(), registry.champion()
        if pointer is None:
            raise ReleaseError(
                f"Nothing of '{store.model_name}' is in production, so that there is nothing to "
                "take. Publish a release with `kedro run`."
            )
        if champion is not None and registry.knows(pointer.version, store.fitted_by(pointer)):
            return (
                f"Nothing to do: the registry knows release {pointer.version} of "
                f"'{store.model_name}', and its champion is {champion}."
            )
        before = [
            version for version in _before(store, pointer) if _adopt(store, registry, version)
        ]
        _adopt(store, registry, pointer.version, champion=True)
    also = f", and release {before[0]} to go back to" if before else ""
    return (
        f"Release {pointer.version} of '{store.model_name}' is the registry's champion now, taken "
        f"from production{also}. How often it was challenged is known from production."
    )


def _before(store: ReleaseStore, pointer: Pointer) -> Iterator[str]:
    """The release that was in production before, if there was another one."""
    history = [period.entry.version for period in periods(store.ledger(), pointer)]
    yield from [version for version in reversed(history) if version != pointer.version][:1]


def _adopt(
    store: ReleaseStore, registry: ModelRegistry, version: str, *, champion: bool = False
) -> bool:
    """Take one release; False if it is an earlier one that would be refused."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "release"
        try:
            manifest = store.fetch(version, folder)
        except ReleaseError:
            if champion:
                raise
            return False
        registry.adopt(manifest, folder, champion=champion)
    return True
