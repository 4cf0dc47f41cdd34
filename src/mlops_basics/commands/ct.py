"""Continuous training: look at what is new, and train when needed, and only then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import MemoryDataset
from kedro.runner import SequentialRunner

from mlops_basics.errors import ConflictError
from mlops_basics.runs import versions
from mlops_basics.runs.code_version import describe_code
from mlops_basics.runs.session import Place
from mlops_basics.schemas import (
    Attempt,
    CollectionParams,
    Decision,
    MonitoringState,
    Pointer,
    RegisteredVersion,
    RunContext,
    Verdict,
    Watch,
)

_MOST_ATTEMPTS = 5  # to write an outcome down while others write into the state


class ExitCode(IntEnum):
    """What ``kedro ct`` tells a scheduler; 1 is an error, 2 a wrong option."""

    NOTHING_TO_DO = 0
    PROMOTED = 3
    KEPT = 4
    WOULD_RETRAIN = 5


@dataclass(frozen=True)
class Outcome:
    """What was done, for a scheduler and for users."""

    code: ExitCode
    text: str


def continuous_training(place: Place, *, dry_run: bool = False) -> Outcome:
    """Monitor the release in production, and run the training loop when the verdict says so.

    Two at once do no harm: the second waits, and then finds nothing new. Killed anywhere, the same
    call finishes the work: a batch counts as seen only once its verdict is written, and a
    retraining as done only once its outcome is.

    Args:
        place: Which model, in which project.
        dry_run: Look and tell, but write, train and publish nothing.
    """
    return _dry_run(place) if dry_run else look_and_train(place)


def look_and_train(place: Place) -> Outcome:
    """Monitor the release in production and train when needed, one process at a time."""
    with place.bare_catalog().get("monitoring_state").one_at_a_time():
        return _once(place)


def _once(place: Place) -> Outcome:
    catalog = place.bare_catalog()
    store = catalog.get("release").store
    if store.is_moving():
        finished = place.catalog().get("release").finish()
        if finished.changed:
            went_back = store.ledger()[-1].action == "rollback"
            text = f"What was interrupted is finished: {finished.reason} The next call looks at it."
            return Outcome(ExitCode.NOTHING_TO_DO if went_back else ExitCode.PROMOTED, text)
    return _look(place, catalog)


def _look(place: Place, catalog: Any) -> Outcome:
    pointer = catalog.get("release").store.pointer()
    if pointer is None:
        return _first_release(place)
    state: MonitoringState = catalog.load("monitoring_state")
    watch = state.watches.get(pointer.version)
    if watch is not None and not watch.pending and not _anything_new(catalog, state, watch):
        return Outcome(ExitCode.NOTHING_TO_DO, _nothing_new(pointer, watch))
    run_id = place.run("monitoring")
    # Of this run: another process may have looked, or trained, and written a newer one.
    verdict: Verdict = versions.load_of(place.catalog(), "verdict", run_id)
    if not verdict.retrain:
        return Outcome(ExitCode.NOTHING_TO_DO, _verdict_text(verdict))
    skip = dict.fromkeys((*_skipped(place.catalog()), *verdict.skip))
    run_id = place.run("__default__", collection={"skip": list(skip)})
    return _after_training(place, verdict, run_id)


def _first_release(place: Place) -> Outcome:
    run_id = place.run("__default__")
    catalog = place.catalog()
    registered: RegisteredVersion = versions.load_of(catalog, "registered_version", run_id)
    pointer = catalog.get("release").store.pointer()
    # Not what this run has promoted: one that was killed may have left it to be published.
    if pointer is not None:
        return Outcome(
            ExitCode.PROMOTED, f"The first release is in production: version {pointer.version}."
        )
    return Outcome(ExitCode.KEPT, f"Nothing is in production yet: {registered.reason}")


def _after_training(place: Place, verdict: Verdict, run_id: str) -> Outcome:
    """Remember what came of a retraining, so that it is not repeated on the same evidence."""
    catalog = place.catalog()
    decision: Decision = versions.load_of(catalog, "decision", run_id)
    registered: RegisteredVersion = versions.load_of(catalog, "registered_version", run_id)
    # As above: what counts is whether production moved.
    pointer: Pointer = catalog.get("release").store.pointer()
    promoted = pointer.version != verdict.version
    for left in reversed(range(_MOST_ATTEMPTS)):
        state: MonitoringState = catalog.load("monitoring_state")
        watch = state.watches[verdict.version]
        attempt = Attempt(
            run_id=run_id,
            evidence=verdict.evidence,
            batches=watch.newest,
            labelled_batches=watch.labelled_batches,
            promoted=promoted,
            outcome=decision.outcome,
        )
        watch = watch.model_copy(update={"attempts": (*watch.attempts, attempt), "pending": ()})
        try:
            catalog.save("monitoring_state_next", _with(state, verdict.version, watch))
            break
        except ConflictError:  # `kedro run --pipeline monitoring` may look at any time
            if not left:
                raise
    if promoted:
        text = f"Retrained and promoted: version {pointer.version} replaces {verdict.version}."
        return Outcome(ExitCode.PROMOTED, text)
    return Outcome(
        ExitCode.KEPT, f"Retrained, and version {verdict.version} is kept: {registered.reason}"
    )


def _with(state: MonitoringState, version: str, watch: Watch) -> MonitoringState:
    """The next revision of the state, in which one watch is another."""
    watches = {**state.watches, version: watch}
    return state.model_copy(update={"revision": state.revision + 1, "watches": watches})


def _anything_new(catalog: Any, state: MonitoringState, watch: Watch) -> bool:
    """Whether a file of the source or of the labels is not as it was at the last look."""
    seen = watch.trained | {batch.name: batch.sha256 for batch in watch.batches}
    source: dict[str, str] = catalog.get("source").fingerprints()
    labels: dict[str, str] = catalog.get("labels").fingerprints()
    labels_seen = state.label_files
    skip = _skipped(catalog)
    return any(seen.get(name) != sha for name, sha in source.items() if name not in skip) or any(
        labels_seen.get(f"{watch.version}/{name}") != sha
        for name, sha in labels.items()
        if name not in skip
    )


def _skipped(catalog: Any) -> tuple[str, ...]:
    """Files that are left out by configuration."""
    return CollectionParams.model_validate(catalog.load("params:collection")).skip


def _dry_run(place: Place) -> Outcome:
    catalog = place.catalog()
    if catalog.get("release").store.pointer() is None:
        return Outcome(ExitCode.WOULD_RETRAIN, "Nothing is in production: a run would train.")
    catalog["run_context"] = MemoryDataset(
        RunContext(
            run_id="dry run",
            mlflow_run_id=None,
            env=place.env or "local",
            model_name=str(catalog.load("params:model_name")),
            code=describe_code(place.project_path),
            data_versions={},
        )
    )
    look = pipelines["monitoring"].only_nodes("watch_batches", "tell_verdict")
    catalog["verdict"] = MemoryDataset()
    SequentialRunner().run(look, catalog)
    verdict: Verdict = catalog.load("verdict")
    code = ExitCode.WOULD_RETRAIN if verdict.retrain else ExitCode.NOTHING_TO_DO
    lines = [_verdict_text(verdict), "Nothing was written (--dry-run)."]
    if catalog.get("release").store.is_moving():
        lines.append(
            "A promotion or a rollback goes on or was interrupted: `kedro ct` finishes it."
        )
    return Outcome(code, "\n".join(lines))


def _nothing_new(pointer: Pointer, watch: Watch) -> str:
    return (
        f"Nothing to do: no new batch and no new label since the last look at release "
        f"{pointer.version} ({len(watch.batches)} batches seen)."
    )


def _verdict_text(verdict: Verdict) -> str:
    return "\n".join(
        [
            f"Release {verdict.version}: {verdict.outcome.replace('_', ' ')}.",
            *verdict.reasons,
            *verdict.warnings,
        ]
    )
