"""Put an earlier release back into production."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from mlops_basics.errors import ConflictError, MlopsError, ReleaseError, StorageError
from mlops_basics.production.history import Period, periods, without_refused
from mlops_basics.production.publish import Registry, prepare
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import LedgerEntry, ReleaseManifest


def rollback(
    store: ReleaseStore, registry: Registry, to: str | None, reason: str, by: str, now: str
) -> str:
    """Put an earlier release into production: first the alias, then the ledger, then the pointer.

    Interrupted anywhere, the same call finishes the work; called again when all is done, it
    changes nothing.

    Args:
        store: The releases.
        registry: The registry of model versions.
        to: The release; None: the one before the present one.
        reason: Why, for the ledger.
        by: The user, for the ledger.
        now: ISO time.

    Returns:
        A message that says what was done.

    Raises:
        ReleaseError: If there is no such release, or it is refused and MLflow has it no longer.
        ConflictError: If another process was faster, or works on the same production for long.
    """
    with store.one_run_at_a_time() as still_held:
        return _roll_back(store, registry, to, reason, by, now, still_held)


def _roll_back(
    store: ReleaseStore,
    registry: Registry,
    to: str | None,
    reason: str,
    by: str,
    now: str,
    still_held: Callable[[], None],
) -> str:
    pointer, champion, ledger = store.pointer(), registry.champion(), store.ledger()
    history = periods(ledger, pointer)
    present = pointer.version if pointer else None
    target = to or _way_back(store, history, present, registry)
    _require_known(store, registry, target)
    if champion == target == present and pointer is not None:
        if store.is_moving():  # killed after the pointer had moved: all but the mark was done
            store.end_move()
            return (
                f"What was interrupted is finished: release {target} of '{store.model_name}' is in "
                f"production since {pointer.at}."
            )
        if mended := _whole(store, registry, target)[1]:
            return f"Release {target} of '{store.model_name}' stays in production. {mended}".strip()
        return (
            f"Nothing to do: release {target} of '{store.model_name}' is in production since "
            f"{pointer.at}. To go elsewhere, name a release: kedro rollback --to VERSION "
            "(`kedro releases` lists them)."
        )
    announced = LedgerEntry(
        at=now, action="rollback", version=target, replaced=present, by=by, reason=reason
    )
    try:
        manifest, restored = _whole(store, registry, target)
        entry = announced.model_copy(update=store.origin_of(manifest))
        store.begin_move(entry)
        registry.move_champion(target, champion, still_held)
    except MlopsError as error:
        store.record_refusal(announced, error)
        raise
    if target == present:
        dropped = announced.model_copy(update={"version": champion or target})
        store.record_refusal(dropped, reason)
        store.end_move()
        return (
            f"Release {target} of '{store.model_name}' stays in production; the registry's "
            f"champion, which was {champion or 'none'}, is {target} again."
        )
    try:
        unfinished = _unfinished(ledger, entry)
        if unfinished is None:
            store.record(entry)
        store.point(target, pointer, (unfinished or entry).at)
    except ConflictError as error:
        store.record_refusal(announced, error)
        raise
    except (ReleaseError, StorageError):
        if champion is not None:
            with suppress(MlopsError):  # production did not change, so the alias should not
                registry.move_champion(champion, target, still_held)
        raise
    store.end_move()
    was_there = not history or target in {period.entry.version for period in history}
    first = "" if was_there else "It has not been in production before. "
    return (
        f"Release {target} of '{store.model_name}' is in production, in place of "
        f"{present or 'nothing'}. {first}{restored}"
        f"Undo with: kedro rollback --to {present or 'VERSION'}"
    )


def _way_back(
    store: ReleaseStore, history: Sequence[Period], present: str | None, registry: Registry
) -> str:
    """Where a rollback without a named release goes; to the present one if all is done."""
    champion, released = registry.champion(), [period.entry.version for period in history]
    if champion is not None and champion != present and (store.is_moving() or present is None):
        # An interrupted rollback goes on; a release that never came into production is dropped.
        return champion if champion in released or present is None else present
    if history and history[-1].entry.action == "rollback" and present is not None:
        return present
    previous = registry.previous()
    # The ledger says what was in production before; where there is none, the alias has to do.
    first = [previous] if previous is not None and not released else []
    earlier = (version for version in [*first, *reversed(released)] if version != present)
    target = next(earlier, None)
    if target is None:
        raise ReleaseError(
            f"There is no earlier release of '{store.model_name}' to go back to: "
            f"{f'{present} is the first one' if present else 'nothing was published yet'}."
        )
    return target


def _require_known(store: ReleaseStore, registry: Registry, target: str) -> None:
    stored, registered = store.versions(), registry.versions()
    both = [version for version in stored if version in registered]
    if target not in both:
        place = "the production store" if target not in stored else "MLflow's registry"
        raise ReleaseError(
            f"There is no release {target!r} of '{store.model_name}' in {place}. "
            f"There are: {', '.join(both) or 'none'}."
        )


def _whole(store: ReleaseStore, registry: Registry, version: str) -> tuple[ReleaseManifest, str]:
    """The verified manifest; a refused release is written anew from MLflow, with a note.

    It was damaged, or it is older than the key that releases are signed with now. What is as it
    was published stays; only here, by an operator's word, is anything else removed.
    """
    try:
        return store.verify(version), ""
    except (ReleaseError, StorageError) as refused:
        try:
            manifest, _ = prepare(store, registry, version, mend=True)
        except StorageError:
            raise  # no right to remove: who has it is what has to be known
        except MlopsError:
            raise refused from None
        why = refused.__cause__ or refused  # without what else could be done
        return manifest, f"It was written anew from MLflow, since it was refused: {why} "


def _unfinished(ledger: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry | None:
    """The same move as the last one of the ledger, if it was announced and not finished."""
    moves = without_refused(ledger)
    same = ("action", "version", "replaced")
    if moves and all(getattr(moves[-1], name) == getattr(entry, name) for name in same):
        return moves[-1]
    return None
