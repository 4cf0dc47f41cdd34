"""An operator's word: a run becomes the champion although its test did not say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kedro.framework.project import pipelines as project_pipelines
from kedro.pipeline import Pipeline

from mlops_basics.errors import ConfigurationError, LineageError, MlopsError, ReleaseError
from mlops_basics.production.ledger import Clock, utc_now
from mlops_basics.production.publish import is_lost, prepare, publish, register
from mlops_basics.production.recorded_runs import require_kept, require_same_origin
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs import versions
from mlops_basics.runs.find import find_run, manifest_of
from mlops_basics.runs.session import Place
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import LedgerEntry, Manifest, Override, Registration

LONGEST_REASON = 1000  # characters
_REGISTERING, _DECISION = "model_registry", "decision"


def promote_run(place: Place, run_id: str, override: Override) -> str:
    """Promote a recorded run by hand.

    Args:
        place: Which model, in which project.
        run_id: Id of the MLflow run, the beginning of it, or version of the run (its time).
        override: Who, when and why.

    Returns:
        A message that says what was done.

    Raises:
        ConfigurationError: If there is no such run, it made no model, or there is no reason.
        LineageError: If what it made is gone, or was changed since, or MLflow's manifest is not
            the one that the run has kept.
        ReleaseError: If its release is refused, or it was champion before.
        ConflictError: If another process works on the same production for long.
    """
    require_reason(override.reason)
    catalog = place.catalog()  # points MLflow at the project's server
    return promote_recorded(catalog, project_pipelines, run_id, override)


def promote_recorded(
    catalog: versions.Catalog,
    pipelines: Mapping[str, Pipeline],
    run_id: str,
    override: Override,
    server: Tracking = MLFLOW,
    now: Clock = utc_now,
) -> str:
    """Promote a recorded run of a catalog's model by hand; arguments and errors as above.

    Args:
        catalog: Its data sets are pinned in place.
        pipelines: By name; that of registering makes the challenger of what the run recorded.
        run_id: Id of the MLflow run, the beginning of it, or version of the run (its time).
        override: Who, when and why.
        server: Where the run was recorded.
        now: Tells the times that the ledger and the pointer keep.
    """
    release: Any = catalog.get("release")
    model_name = str(release.store.model_name)
    manifest = manifest_of(find_run(model_name, run_id, server), model_name, server)
    require_kept(catalog, release.store, manifest, complete=True)
    registration = recorded_registration(catalog, pipelines, manifest)
    return promote(release.store, release.registry, replace(registration, override=override), now)


def require_reason(reason: str) -> None:
    """Raise ConfigurationError for a reason that says nothing, or too much for the ledger."""
    if not reason.strip():
        raise ConfigurationError(
            "An override needs a reason, which the ledger keeps for ever. Write one: "
            'kedro promote RUN_ID --reason "…"'
        )
    if len(reason) > LONGEST_REASON:
        raise ConfigurationError(
            f"The reason has {len(reason)} characters; the ledger keeps {LONGEST_REASON}. Shorten "
            "it, and link what is longer."
        )


def recorded_registration(
    catalog: versions.Catalog, pipelines: Mapping[str, Pipeline], manifest: Manifest
) -> Registration:
    """What the run's own registration would have been, from the versions that it recorded.

    Args:
        catalog: Its data sets are pinned in place.
        pipelines: By name; that of registering is used.
        manifest: Of the run.

    Raises:
        ConfigurationError: If the run has no model, or no decision about it.
        LineageError: If a version is gone, or its content is not what the run recorded.
    """
    pipeline = pipelines[_REGISTERING]
    needed = sorted({*pipeline.inputs(), "model"})
    missing = [name for name in needed if name not in manifest.datasets]
    decision = manifest.datasets.get(_DECISION)
    # What a later run has kept of the one before is not its own to be named by.
    judged = decision is not None and decision.access == "written"
    if not missing and not judged:
        missing = [_DECISION]
    if missing and judged and "model" in manifest.datasets:
        raise ConfigurationError(
            f"The run {manifest.run_id} evaluated a model, but was recorded before runs kept "
            f"'{missing[0]}', which every release holds now. Make it again: kedro run"
        )
    if missing:
        raise ConfigurationError(
            f"The run {manifest.run_id} ({', '.join(manifest.pipelines)}) made no "
            f"'{missing[0]}': only a run that trained and evaluated a model can be promoted. "
            "Name another one."
        )
    versions.pin_inputs(catalog, pipeline, manifest, {}, pipelines["__default__"])
    versions.pin(catalog, "model", manifest.datasets["model"].version)
    for name in needed:
        dataset = versions.versioned(catalog, name)
        assert dataset is not None  # noqa: S101 (pinned just now)
        path = versions.content_path(dataset, "read")
        digest = versions.content_hash(getattr(dataset, "_fs", None), path)
        if digest != manifest.datasets[name].sha256:
            raise LineageError(
                f"'{name}' was changed since the run {manifest.run_id} wrote it "
                f"({manifest.datasets[name].path}): what would be promoted is not what was judged. "
                "Restore it, or make the run again: kedro run"
            )
    [node] = pipeline.nodes
    loaded = {name: catalog.load(name) for name in node.inputs}
    registration: Registration = node.run(loaded)["registered_version"]
    made_from = pipelines["__default__"].to_outputs("model").datasets()
    require_same_origin(manifest, registration.record, made_from)
    return replace(registration, model_files=versions.folder_hashes(catalog, "model"))


def promote(
    store: ReleaseStore,
    registry: ModelRegistry,
    registration: Registration,
    now: Clock = utc_now,
) -> str:
    """Make a challenger a version, the champion, and what is in production.

    Its release is stored and verified before the champion changes. Interrupted anywhere, the same
    call finishes the work; called again when all is done, it changes nothing.

    Args:
        store: The releases.
        registry: The registry of model versions.
        registration: The challenger, with the operator's ``override``.
        now: Tells the times that the ledger and the pointer keep.

    Returns:
        A message that says what was done.

    Raises:
        ReleaseError: If the release is refused; or if the version was champion before.
        ConflictError: If another process was faster, or works on the same production for long.
    """
    override = registration.override
    assert override is not None  # noqa: S101 (the caller's)
    with store.one_run_at_a_time() as still_held:
        champion, version = registry.champion(), registry.find(registration)
        if version is None or version != champion or is_lost(store, registry, champion):
            known = version is not None and store.runs.knows(version, registry.run_of(version))
            if version is not None and known and registry.was_champion(version):
                raise ReleaseError(
                    f"This run is version {version} of '{store.model_name}', which was champion "
                    f"before. Put it back into production by: kedro rollback --to {version}"
                )
            override = store.runs.remember_override(registration.record.mlflow_run_id, override)
            registration = replace(registration, override=override)
            version = register(store, registry, registration)
            registry.note_override(version, override)
            _prepare(store, registry, version, override)
            store.begin_move()
            registry.move_champion(version, champion, still_held)
        before, interrupted = store.pointer(), store.is_moving() and version == champion
        registered = registry.state("promoted by hand", promoted=True)
        state = publish(store, registry, registered, now)
    if not state.changed:
        since = f" since {before.at}" if before else ""
        done = "What was interrupted is finished" if interrupted else "Nothing to do"
        return (
            f"{done}: this run is version {version} of '{store.model_name}', which is the "
            f"champion and in production{since}."
        )
    replaced = before.version if before else None
    return "\n".join(
        [
            f"Version {version} of '{store.model_name}' is the champion and in production, in "
            f"place of {replaced or 'nothing'}.",
            *_warning(registration),
            f"Undo with: kedro rollback --to {replaced}" if replaced else "",
        ]
    ).strip()


def _prepare(
    store: ReleaseStore, registry: ModelRegistry, version: str, override: Override
) -> None:
    """Store the release and verify it; a refusal is written down."""
    try:
        prepare(store, registry, version)
    except MlopsError as error:
        pointer = store.pointer()
        move = LedgerEntry(
            at=override.at,
            action="promoted",
            version=version,
            replaced=pointer.version if pointer else None,
            by=override.by,
            reason=override.reason,
        )
        store.record_refusal(move, error)
        raise


def _warning(registration: Registration) -> list[str]:
    """What the operator takes upon himself; the ledger says so, too."""
    outcome = registration.decision.outcome
    if outcome != "overfitted":
        return []
    return ["Warning: its decision was 'overfitted': expect more errors on new rows than in it."]
