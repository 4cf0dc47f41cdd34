"""Continuous training: look at what is new, and train when needed, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import MemoryDataset
from kedro.runner import SequentialRunner

from mlops_basics.errors import ConflictError, DataError
from mlops_basics.pipelines.monitoring.adaptation import adopted, challenged
from mlops_basics.pipelines.monitoring.follow import pin_of
from mlops_basics.pipelines.monitoring.rebase import attempted
from mlops_basics.reporting.monitoring_text import policy_lines
from mlops_basics.reporting.text import sentence
from mlops_basics.runs import versions
from mlops_basics.runs.code_version import describe_code
from mlops_basics.runs.session import Place
from mlops_basics.safe_text import DEFAULT_ENVIRONMENT, plural
from mlops_basics.schemas import (
    CollectionParams,
    Decision,
    MonitoringParams,
    MonitoringState,
    Pointer,
    PreprocessingParams,
    Recipe,
    RegisteredVersion,
    RunContext,
    Verdict,
    Watch,
    WatchedBatch,
)
from mlops_basics.schemas.monitoring import settings_digest
from mlops_basics.schemas.policy import RELEASES, PolicyState

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
    outcome = _dry_run(place) if dry_run else look_and_train(place)
    pinned = _pinned(place.bare_catalog().get("release").store)
    return replace(outcome, text="\n".join([outcome.text, *pinned]))


def _pinned(store: Any) -> list[str]:
    """A line that tells of a release that somebody went back to; none of any other."""
    pointer = store.pointer()
    why = pin_of(store.last_move(pointer.version)) if pointer else ""
    if not why:
        return []
    told = f"Release {pointer.version} is pinned: {why.rstrip('.')}."
    return [f"{told} It stays until another model is shown to be better, or is promoted by hand."]


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
        return _first_release(place, catalog)
    state: MonitoringState = catalog.load("monitoring_state")
    if (nothing := _nothing_to_do(catalog, state, pointer)) is not None:
        return nothing
    run_id = place.run("monitoring")
    # Of this run: another process may have looked, or trained, and written a newer one.
    verdict: Verdict = versions.load_of(place.catalog(), "verdict", run_id)
    outcome = Outcome(ExitCode.NOTHING_TO_DO, verdict_text(verdict))
    if verdict.retrain:
        outcome = _search(place, verdict)
    if verdict.retrain or _is_due(verdict):  # what a search has found may be due at once
        outcome = _refresh(place, verdict, outcome)
    return outcome


def _is_due(verdict: Verdict) -> bool:
    """Whether a release is due."""
    return verdict.adaptation is not None and verdict.adaptation.action in RELEASES


def _search(place: Place, verdict: Verdict) -> Outcome:
    """Look for a new recipe, which is then compared with the present one batch by batch."""
    skip = _left_out(place, verdict)
    if not verdict.follows_policies:
        return _after_training(place, verdict, place.run("__default__", collection={"skip": skip}))
    try:
        run_id = place.run("recipe_search", collection={"skip": skip})
    except DataError as error:  # these rows choose no recipe: what is due all the same goes on
        return _not_searched(place, verdict, str(error))
    recipe: Recipe = versions.load_of(place.catalog(), "recipe", run_id)
    before = place.bare_catalog().load("monitoring_state").policy
    heard = None if before is None else _heard(place, run_id, skip)

    def searched(state: MonitoringState) -> MonitoringState:
        # Whoever has looked meanwhile has tested more: then the recipe speaks from now on.
        policy = heard if state.policy == before else None
        if policy is None and state.policy is not None:
            policy = challenged(state.policy, recipe)
        state = state.model_copy(update={"policy": policy})
        return attempted(state, verdict, run_id, promoted=False, outcome="searched")

    _update_state(place.catalog(), searched)
    same = before is not None and before.recipe.digest == recipe.digest
    found = (
        "it is the present one again."
        if same
        else f"a new recipe ({recipe.candidate}) is compared with the present one from now on."
    )
    text = f"Searched for a new recipe, since {_since(verdict)}: {found}"
    return Outcome(ExitCode.KEPT, "\n".join([text, *verdict.reasons, *verdict.warnings]))


def _since(verdict: Verdict) -> str:
    """What a search answers, in words."""
    kinds = {piece.partition(":")[0] for piece in verdict.evidence}
    told = {
        "concept_drift": "the error has risen",
        "label_shift": "the shares of the classes have moved, and the error with them",
        "data_drift": "columns have drifted",
        "worse_than_constant": "production does worse than a constant prediction",
    }
    return " and ".join(words for kind, words in told.items() if kind in kinds)


def _not_searched(place: Place, verdict: Verdict, reason: str) -> Outcome:
    """Remember a search that these rows did not allow: without new evidence it is not repeated."""

    def tried(state: MonitoringState) -> MonitoringState:
        return attempted(
            state, verdict, verdict.run_id, promoted=False, outcome="search_not_possible"
        )

    _update_state(place.catalog(), tried)
    text = f"Version {verdict.version} is kept: no recipe could be searched for. {reason}"
    return Outcome(ExitCode.KEPT, "\n".join([text, *verdict.reasons, *verdict.warnings]))


def _heard(place: Place, run_id: str, skip: list[str]) -> PolicyState:
    """The policies with the recipe of a search, after it has spoken on rows it has not seen."""
    catalog = place.catalog(collection={"skip": skip})
    for name in ("recipe", "train_data", "valid_data", "table_info"):
        catalog[name] = MemoryDataset(versions.load_of(place.catalog(), name, run_id), "assign")
    SequentialRunner().run(pipelines["recipe_hearing"], catalog)
    state: PolicyState = catalog.load("policy_state")
    return state


def _refresh(place: Place, verdict: Verdict, before: Outcome) -> Outcome:
    """Make the release that is due, and remember that it is in production."""
    state: MonitoringState = place.bare_catalog().load("monitoring_state")
    plan = state.policy.plan if state.policy else None
    if plan is None:
        return before
    skip = _left_out(place, verdict)
    run_id = place.run("refresh", collection={"skip": skip}, plan=plan.model_dump(mode="json"))
    catalog = place.catalog()
    registered: RegisteredVersion = versions.load_of(catalog, "registered_version", run_id)
    pointer: Pointer = catalog.get("release").store.pointer()
    if pointer.version == verdict.version:
        return Outcome(ExitCode.KEPT, f"Version {verdict.version} is kept: {registered.reason}")
    rows = len(versions.load_of(catalog, "fitted_rows", run_id))

    def done(state: MonitoringState) -> MonitoringState:
        now = state.policy.plan if state.policy else None
        if now is None or now.plan_id != plan.plan_id:  # another look has adopted it
            return state
        return adopted(state, pointer.version, rows)

    _update_state(catalog, done)
    verb = "Refreshed" if plan.action == "refresh" else "Switched"
    text = f"{verb}: version {pointer.version} replaces {verdict.version}. {plan.reason}"
    told = [before.text] if before.code is ExitCode.KEPT else list(verdict.warnings)
    return Outcome(ExitCode.PROMOTED, "\n".join([text, *told]))


def _first_release(place: Place, catalog: Any) -> Outcome:
    state: MonitoringState = catalog.load("monitoring_state")
    data = _data_digest(catalog)
    if state.unreleased == data:
        return Outcome(
            ExitCode.NOTHING_TO_DO,
            "Nothing to do: nothing is in production, and the last run on these data and "
            "parameters could not be released. `kedro run` tries again and says why.",
        )
    run_id = place.run("__default__")
    catalog = place.catalog()
    registered: RegisteredVersion = versions.load_of(catalog, "registered_version", run_id)
    pointer = catalog.get("release").store.pointer()
    # Not what this run has promoted: one that was killed may have left it to be published.
    if pointer is not None:
        return Outcome(
            ExitCode.PROMOTED, f"The first release is in production: version {pointer.version}."
        )
    _update_state(catalog, lambda now: now.model_copy(update={"unreleased": data}))
    return Outcome(ExitCode.KEPT, f"Nothing is in production yet: {registered.reason}")


def _after_training(place: Place, verdict: Verdict, run_id: str) -> Outcome:
    """Remember what came of a retraining, so that it is not repeated on the same evidence."""
    catalog = place.catalog()
    decision: Decision = versions.load_of(catalog, "decision", run_id)
    registered: RegisteredVersion = versions.load_of(catalog, "registered_version", run_id)
    # As above: what counts is whether production moved.
    pointer: Pointer = catalog.get("release").store.pointer()
    promoted = pointer.version != verdict.version

    def trained(state: MonitoringState) -> MonitoringState:
        return attempted(state, verdict, run_id, promoted=promoted, outcome=decision.outcome)

    _update_state(catalog, trained)
    if promoted:
        text = f"Retrained and promoted: version {pointer.version} replaces {verdict.version}."
        return Outcome(ExitCode.PROMOTED, text)
    return Outcome(
        ExitCode.KEPT, f"Retrained, and version {verdict.version} is kept: {registered.reason}"
    )


def _update_state(catalog: Any, change: Callable[[MonitoringState], MonitoringState]) -> None:
    """Write the next revision of the state, made from whatever it is by then."""
    for left in reversed(range(_MOST_ATTEMPTS)):
        state: MonitoringState = catalog.load("monitoring_state")
        changed = change(state)
        if changed == state:
            return
        try:
            changed = changed.model_copy(update={"revision": state.revision + 1})
            catalog.save("monitoring_state_next", changed)
            return
        except ConflictError:  # `kedro run --pipeline monitoring` may look at any time
            if not left:
                raise


def _nothing_to_do(catalog: Any, state: MonitoringState, pointer: Pointer) -> Outcome | None:
    """What to say where neither a batch, a label nor a parameter is new; None where one is."""
    watch = state.watches.get(pointer.version)
    if watch is None or watch.pending or (state.policy is not None and state.policy.plan):
        return None
    if state.settings != _settings(catalog) or _anything_new(catalog, state, watch):
        return None
    present = set(catalog.get("source").fingerprints()) - set(_skipped(catalog))
    out = [record for record in watch.quarantined if record.name in present]
    return Outcome(ExitCode.NOTHING_TO_DO, _nothing_new(pointer, watch, out))


def _settings(catalog: Any) -> str:
    return settings_digest(
        MonitoringParams.model_validate(catalog.load("params:monitoring")),
        PreprocessingParams.model_validate(catalog.load("params:preprocessing")),
        CollectionParams.model_validate(catalog.load("params:collection")),
    )


def _data_digest(catalog: Any) -> str:
    """Tells whether a run would find the data and parameters of the last one."""
    files = [sorted(catalog.get(name).fingerprints().items()) for name in ("source", "labels")]
    sections = [
        catalog.load(f"params:{name}")
        for name in ("collection", "preprocessing", "training", "evaluation", "decision")
    ]
    return hashlib.sha256(repr((files, sections)).encode()).hexdigest()


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


def _left_out(place: Place, verdict: Verdict) -> list[str]:
    """Files that a run has to leave out: those by configuration, and those that cannot be used."""
    return list(dict.fromkeys((*_skipped(place.catalog()), *verdict.skip)))


def _skipped(catalog: Any) -> tuple[str, ...]:
    """Files that are left out by configuration."""
    return CollectionParams.model_validate(catalog.load("params:collection")).skip


def _dry_run(place: Place) -> Outcome:
    catalog = place.catalog()
    store = catalog.get("release").store
    pointer, state = store.pointer(), catalog.load("monitoring_state")
    told = "Nothing was written (--dry-run)."
    if pointer is None:
        if state.unreleased == _data_digest(place.bare_catalog()):
            return Outcome(
                ExitCode.NOTHING_TO_DO,
                "Nothing to do: nothing has changed since a run "
                "that could not be released. " + told,
            )
        return Outcome(ExitCode.WOULD_RETRAIN, "Nothing is in production: a run would train.")
    moving = []
    if store.is_moving():
        moving = ["A promotion or a rollback goes on or was interrupted: `kedro ct` finishes it."]
    if (nothing := _nothing_to_do(catalog, state, pointer)) is not None:
        return Outcome(nothing.code, "\n".join([nothing.text, told, *moving]))
    catalog["run_context"] = MemoryDataset(
        RunContext(
            run_id="dry run",
            mlflow_run_id=None,
            env=place.env or DEFAULT_ENVIRONMENT,
            model_name=str(catalog.load("params:model_name")),
            code=describe_code(place.project_path),
            data_versions={},
        )
    )
    steps = ("read_once", "watch_batches", "follow_policies", "tell_verdict")
    look = pipelines["monitoring"].only_nodes(*(f"monitoring.{step}" for step in steps))
    catalog["verdict"] = MemoryDataset()
    SequentialRunner().run(look, catalog)
    verdict: Verdict = catalog.load("verdict")
    would = verdict.retrain or _is_due(verdict)
    code = ExitCode.WOULD_RETRAIN if would else ExitCode.NOTHING_TO_DO
    return Outcome(code, "\n".join([verdict_text(verdict), told, *moving]))


def _nothing_new(pointer: Pointer, watch: Watch, out: Sequence[WatchedBatch]) -> str:
    """Nothing happened; what is left out is named until it is mended or skipped."""
    text = (
        f"Nothing to do: no new batch and no new label since the last look at release "
        f"{pointer.version} ({plural(len(watch.batches), 'batch')} seen"
        + (f", {len(out)} of them left out)." if out else ").")
    )
    return "\n".join([text, *(f"{record.name}: {record.reason}" for record in out)])


def verdict_text(verdict: Verdict) -> str:
    """What follows for production, and what a look found."""
    outcome = f"Release {verdict.version}: {verdict.outcome.replace('_', ' ')}."
    found = [outcome, *verdict.reasons]
    follows = policy_lines(verdict)
    if _is_due(verdict):  # what will happen comes before what else is known
        found, follows = follows, found
    # A warning may begin with a file's name, which is not to be changed.
    return "\n".join([*map(sentence, [*found, *follows]), *verdict.warnings])
