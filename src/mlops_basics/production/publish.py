"""Make production equal to the registry's champion."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mlops_basics.config.own_code import packages_of
from mlops_basics.errors import ConflictError, ReleaseError, StorageError
from mlops_basics.production.ledger import Clock, utc_now
from mlops_basics.production.recorded_files import OVERRIDE_FILE
from mlops_basics.production.registry import ModelRegistry, require_unchanged
from mlops_basics.production.release_reference import RECIPE_FILE, read_recipe
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import (
    Decision,
    LedgerEntry,
    ModelRecord,
    Override,
    RegisteredVersion,
    Registration,
    ReleaseManifest,
    ReleaseState,
)
from mlops_basics.storage.holder import user_name
from mlops_basics.table.row_groups import counted

_ACTIONS: dict[str, Literal["refresh", "switch"]] = {"refreshed": "refresh", "switched": "switch"}


class Registry(Protocol):
    """What production asks of the registry of model versions."""

    model_name: str

    def champion(self) -> str | None:
        """The version with the alias ``champion``."""

    def previous(self) -> str | None:
        """The version that was champion before."""

    def versions(self) -> list[str]:
        """All versions, oldest first."""

    def move_champion(self, to: str, expected: str | None, still_held: Callable[[], None]) -> None:
        """Move the alias if it still is at ``expected``, else raise ConflictError."""

    def run_of(self, version: str) -> str:
        """Id of the MLflow run that fitted a version."""

    def download(self, version: str, target: Path) -> None:
        """Write a version's model folder and its release files into ``target``."""


def publish(
    store: ReleaseStore,
    registry: ModelRegistry,
    registered: RegisteredVersion,
    now: Clock = utc_now,
) -> ReleaseState:
    """Make production equal to the registry's champion.

    Args:
        store: The releases.
        registry: The versions; its champion is read anew.
        registered: What came of the decision; a champion that changed meanwhile is a refusal in
            the ledger.
        now: Tells the times that the ledger and the pointer keep.

    Raises:
        ReleaseError: If the release would be refused.
        StorageError: If it cannot be written.
        ConflictError: If production was changed by another process at the same time.
    """
    state = _publish(store, registry, registered, now)
    store.end_move()
    return state


def is_lost(store: ReleaseStore, registry: Registry, champion: str | None) -> bool:
    """Whether an emptied production knows nothing of the registry's champion.

    Nothing is left that MLflow's copy could be compared with: the next model is the first one.

    Args:
        store: The releases.
        registry: The registry of model versions.
        champion: Its champion.
    """
    if champion is None or store.pointer() is not None:
        return False
    return not store.runs.knows(champion, registry.run_of(champion))


def lost_production(champion: str) -> str:
    """What is to be said where the registry has a champion and production was emptied."""
    return (
        f"The registry's champion is {champion}, but production holds nothing and knows "
        "nothing of it: it was emptied, globals.yml names another `production`, or the version was "
        "not registered by a run of this project."
    )


def fetch_registered(store: ReleaseStore, registry: Registry, version: str, folder: Path) -> None:
    """Write what MLflow holds of a version, if it is what its run made.

    Raises:
        ReleaseError: If it is not, or MLflow has it no longer.
    """
    registry.download(version, folder)
    run_id = registry.run_of(version)
    store.runs.require_recorded(version, run_id, folder)
    store.runs.take_override(version, run_id, folder)


def register(store: ReleaseStore, registry: ModelRegistry, registration: Registration) -> str:
    """Register a challenger; what its release has to hold is kept first, out of MLflow's reach.

    Raises:
        ReleaseError: If the challenger's run or model is not in MLflow.
    """
    lost = is_lost(store, registry, registry.champion())
    if registry.find(registration, same_run=lost) is None or not store.runs.remembers(registration):
        store.runs.remember(registration)
    return registry.register(registration, store.taken(), same_run=lost)


def require_own(store: ReleaseStore, registry: ModelRegistry) -> None:
    """Refuse to go on where production holds what the registry does not know.

    The version, the registered model or the database was deleted, or production belongs to another
    registry: a run would take its model for the first one, or replace the other's. Or somebody
    moved the alias ``champion`` in MLflow: challengers would be compared with what production does
    not hold, and the next run would publish it.

    Raises:
        ReleaseError: If so, with the command that takes the release into the registry, or the alias
            back.
    """
    pointer = store.pointer()
    if pointer is None:
        return
    run_id, champion = store.fitted_by(pointer), registry.champion()
    if champion is None or not registry.knows(pointer.version, run_id):
        raise ReleaseError(
            f"Production holds release {pointer.version} of '{store.model_name}' (MLflow run "
            f"{run_id}, {store.path(pointer.version)}), which this registry does not know: it was "
            "deleted there, or production belongs to another registry. Take it into this one by "
            "`kedro adopt`, or name another `production` in globals.yml."
        )
    # Each move of ours leaves its mark first, and keeps it until the pointer has followed.
    if champion != pointer.version and not store.is_moving() and store.pointer() == pointer:
        raise ReleaseError(
            f"Production holds release {pointer.version} of '{store.model_name}', but the "
            f"registry's champion is {champion}, and no promotion or rollback has moved it there: "
            "somebody moved the alias in MLflow. Move it back by "
            f"`kedro rollback --to {pointer.version}`, or put the other one into production by "
            f"`kedro rollback --to {champion}`."
        )


def prepare(
    store: ReleaseStore, registry: Registry, version: str, *, mend: bool = False
) -> tuple[ReleaseManifest, Override | None]:
    """Store a version's release and verify it; production does not change.

    Args:
        store: The releases.
        registry: The registry of model versions.
        version: The version.
        mend: Whether files of another content are removed first, as of ``ReleaseStore.upload``.

    Returns:
        Its manifest, and who promoted it by hand, if somebody did.

    Raises:
        ReleaseError: If MLflow has it no longer, what MLflow has is not what its run made, or it
            would be refused.
        StorageError: If it cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fetch_registered(store, registry, version, folder)
        manifest = store.upload(folder, _manifest(folder, registry.model_name, version), mend=mend)
        file = folder / OVERRIDE_FILE
        text = file.read_text(encoding="utf-8") if file.exists() else None
    return manifest, None if text is None else Override.model_validate_json(text)


def _publish(
    store: ReleaseStore, registry: ModelRegistry, registered: RegisteredVersion, now: Clock
) -> ReleaseState:
    require_own(store, registry)
    pointer, champion = store.pointer(), registry.champion()
    if champion is None or is_lost(store, registry, champion):
        return ReleaseState(version=None, changed=False, reason=registered.reason, path="")
    in_production = pointer.version if pointer else None
    if in_production == champion and _is_intact(store, champion):
        return ReleaseState(
            version=champion, changed=False, reason=registered.reason, path=store.path(champion)
        )
    manifest, override = prepare(store, registry, champion)
    # Before the pointer moves: an unrecorded release must not be in production.
    entry = _entry(store, manifest, in_production, override, now())
    intended = store.intended()  # by a rollback that was killed on its way
    if intended and (intended.version, intended.replaced) == (champion, in_production):
        entry = intended
    ledger = store.ledger()
    _name_the_overtaken(store, registry, ledger, champion, in_production, now)
    if in_production != champion:  # else it was damaged, and is whole again
        entry = _announce(store, ledger, entry)
    try:
        require_unchanged(registry.champion(), champion)  # a rollback may have come between
        store.point(champion, pointer, entry.at)
    except ConflictError as error:
        newest = store.pointer()
        if newest is not None and newest.version == champion:  # another process did the same work
            return ReleaseState(
                version=champion, changed=False, reason=str(error), path=store.path(champion)
            )
        store.record_refusal(entry, error, now())
        raise
    return ReleaseState(
        version=champion,
        changed=True,
        reason=f"Version {champion} is in production.",
        path=store.path(champion),
    )


def _name_the_overtaken(
    store: ReleaseStore,
    registry: ModelRegistry,
    ledger: Sequence[LedgerEntry],
    champion: str,
    in_production: str | None,
    now: Clock,
) -> None:
    """Write down the champions that lost the alias before they came into production."""
    named = {entry.version for entry in ledger}
    for version in registry.former_champions():
        # Of a production that was emptied nothing is known, not even that it was overtaken.
        if version not in named and store.runs.knows(version, registry.run_of(version)):
            overtaken = LedgerEntry(
                at=now(),
                action="refused",
                version=version,
                replaced=in_production,
                by=user_name(),
                reason=f"Version {champion} became the champion before it was published.",
                mlflow_run_id=registry.run_of(version),
            )
            store.record(overtaken)


def _is_intact(store: ReleaseStore, version: str) -> bool:
    """Whether the release in production is undamaged."""
    try:
        store.verify(version)
    except (ReleaseError, StorageError):
        return False  # the registry has all of it: what is missing is written once more
    return True


def _manifest(folder: Path, model_name: str, version: str) -> ReleaseManifest:
    record = ModelRecord.model_validate_json(
        (folder / "model_record.json").read_text(encoding="utf-8")
    )
    recipe = folder / RECIPE_FILE
    named = read_recipe(recipe.read_bytes() if recipe.exists() else None)
    paths = (named.class_path, *named.features) if named else ()
    decision = Decision.model_validate_json((folder / "decision.json").read_text(encoding="utf-8"))
    return ReleaseManifest(
        model_name=model_name,
        version=version,
        run_id=record.run_id,
        mlflow_run_id=record.mlflow_run_id,
        data_versions=record.data_versions,
        git_commit=record.git_commit,
        git_dirty=record.git_dirty,
        decision=decision,
        files={},
        own_code=packages_of(paths, record.own_code),
    )


def _entry(
    store: ReleaseStore,
    manifest: ReleaseManifest,
    replaced: str | None,
    override: Override | None,
    at: str,
) -> LedgerEntry:
    why = _why(manifest.decision)
    return LedgerEntry(
        at=at,
        action="promoted" if override else _ACTIONS.get(manifest.decision.outcome, "release"),
        version=manifest.version,
        replaced=replaced,
        by=override.by if override else user_name(),
        reason=f"{override.reason} (the decision was: {why})" if override else why,
        **store.origin_of(manifest),
    )


def _why(decision: Decision) -> str:
    """The decision in a line; the release holds all of it."""
    if decision.policy:  # a policy's release tells in a sentence
        return decision.reasons[0]
    outcome = decision.outcome.replace("_", " ")
    if decision.gain is None or decision.p_value is None or decision.alpha is None:
        return outcome
    return (
        f"{outcome}, tested on {counted(decision.rows, decision.groups)} "
        f"(p-value {decision.p_value:.2g}, level {decision.alpha:.2g})"
    )


def _announce(
    store: ReleaseStore, ledger: Sequence[LedgerEntry], entry: LedgerEntry
) -> LedgerEntry:
    """Write the move down, unless a run that was killed before the pointer moved has done so."""
    last = ledger[-1] if ledger else None
    same = last and (last.version, last.replaced) == (entry.version, entry.replaced)
    if last and same and last.action != "refused":
        return last
    store.record(entry)
    return entry
