"""What follows for production from the batches whose labels suffice now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mlops_basics.errors import DataError
from mlops_basics.fitting.recipe import require_known_code
from mlops_basics.schemas import (
    Batch,
    CollectionParams,
    Findings,
    LedgerEntry,
    MonitoringParams,
    MonitoringState,
    PreprocessingParams,
    Recipe,
    Release,
    TrainingParams,
    Watch,
)
from mlops_basics.schemas.policy import Adaptation, PolicyState
from mlops_basics.table.columns import batch_features
from mlops_basics.table.labels import LabelBook, RowKeys
from mlops_basics.table.learning import LabelledRows, join_labelled

from .adaptation import Entered, adopted, begin_state, follow, replay, worse_than_constant
from .intake import rows_of_part
from .policies import Fits, names_now, with_names_now
from .policy import conclude_policy


def follow_policies(
    watched: Findings,
    source: list[Batch],
    labels: list[Batch],
    production: Release,
    params: MonitoringParams,
    preprocessing: PreprocessingParams,
    collection: CollectionParams,
    training: TrainingParams,
) -> Findings:
    """Test every policy on the batches whose labels suffice since this look.

    Args:
        watched: What the look found so far.
        source: All batches.
        labels: Label files.
        production: The release, with its recipe.
        params: How production may follow the data.
        preprocessing: Target, key columns, groups and time column.
        collection: Which files are left out.
        training: Names the classes that a recipe may have.

    Returns:
        What the look found, with what follows for production: nothing, a release that is due, or a
        search for a new recipe.

    Raises:
        ConfigurationError: If a stored recipe names a class that the configuration does not.
    """
    if params.adapt != "policy" or production.recipe is None:
        nothing = Adaptation(action="none", policy="", reasons=_why_not(params))
        return _with(watched, None, nothing, params)
    state = watched.state.policy
    if state is not None:
        state = with_names_now(state, {old: (new,) for old, new in watched.renamed.items()})
    watch = watched.state.watches[watched.verdict.version]
    of_state = (state.recipe, state.challenger) if state else ()
    require_known_recipes((production.recipe, *of_state), training)
    if state is not None and not watched.entered:
        state = _with_files(state, watched.moved)
        return _with(watched, state, _nothing_tested(state), params)
    skip = {*collection.skip, *watched.verdict.skip}
    book = LabelBook(
        [file for file in labels if file.name not in skip],
        RowKeys(preprocessing.target, preprocessing.exclude, preprocessing.key_columns),
    )
    new = {name for name, _ in watched.entered}
    before = sorted(
        {*names_now({*watch.trained} | _tested(watch), watched.moved)}
        - {n for n, row in watched.entered if not row}
    )
    rows = readable_rows(source, book, {*before, *new} - skip, production, preprocessing)
    if rows is None:
        return _with(watched, state, _nothing_tested(state), params)
    fits = Fits(rows, production, training.max_rows, preprocessing.split.salt)
    if state is not None:
        state = with_names_now(state, watched.moved)
    else:
        known = [name for name in before if name in set(rows.batch)]
        state = begin_state(production, production.recipe, known, params, pin_of(production.moved))
        state = replay(state, fits, params)
    ends = {part.key: rows_of_part(part, watch.batches).stop for part in watch.batches}
    entered = [Entered(*key, ends.get(key)) for key in watched.entered]
    state, adaptation = follow(state, fits, entered, params)
    state = with_names_now(state, _names_before(watched.moved))
    return _with(watched, _with_files(state, watched.moved), adaptation, params)


def require_known_recipes(recipes: Sequence[Recipe | None], training: TrainingParams) -> None:
    """Refuse recipes, which come from files, of classes that the configuration does not name.

    Raises:
        ConfigurationError: If there is one.
    """
    for recipe in recipes:
        if recipe is not None:
            require_known_code(recipe, training)


def caught_up(state: MonitoringState, production: Release) -> MonitoringState:
    """The state that belongs to what is in production, whoever has moved it.

    A release that was planned is adopted, also if the process that made it was killed. Any other
    was an operator's word, or the whole loop's: it begins with a state of its own.
    """
    policy, version = state.policy, production.manifest.version
    if policy is None or policy.version == version:
        return state
    plan, challenge = policy.plan, production.manifest.decision.challenge
    if plan is not None and challenge.challenge_id == plan.plan_id:
        rows = 0 if production.fitted_rows is None else len(production.fitted_rows)
        return adopted(state, version, rows)
    return state.model_copy(update={"policy": None})


def _names_before(moved: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """By file, the batches whose rows it holds: the state keeps their names."""
    found: dict[str, tuple[str, ...]] = {}
    for before, files in moved.items():
        for file in files:
            found[file] = (*found.get(file, ()), before)
    return found


def _with_files(state: PolicyState, moved: Mapping[str, Sequence[str]]) -> PolicyState:
    """The state whose plan tells where the rows of its batches are now."""
    plan = state.plan
    if plan is None:
        return state
    files = names_now(plan.batches, moved)
    return state.model_copy(update={"plan": plan.model_copy(update={"files": files})})


def pin_of(moved: LedgerEntry | None) -> str:
    """Why a release stays, by its latest way into production; empty if it need not."""
    if moved is None or moved.action != "rollback":
        return ""
    because = f": {moved.reason}" if moved.reason else ""
    return f"{moved.by} went back to it on {moved.at[:10]}{because}"


def _tested(watch: Watch) -> set[str]:
    return {record.name for record in watch.batches if record.entered}


def readable_rows(
    source: Sequence[Batch],
    book: LabelBook,
    names: Collection[str],
    production: Release,
    preprocessing: PreprocessingParams,
) -> LabelledRows | None:
    """The labelled rows of the batches that can be read as the model needs them; None of none."""
    usable = []
    for batch in source:
        if batch.name in names:
            try:
                batch_features(batch, production.table)
            except DataError:  # named by the watch; nothing is learned from it
                continue
            usable.append(batch)
    return None if not usable else join_labelled(usable, book, production.table, preprocessing)


def _nothing_tested(state: PolicyState | None) -> Adaptation:
    if state is None:
        return Adaptation(action="none", policy="")
    plan = state.plan
    return Adaptation(
        action=plan.action if plan else "none",
        policy=state.policy,
        reasons=(plan.reason,) if plan else (),
        worse_than_constant=worse_than_constant(state),
    )


def _why_not(params: MonitoringParams) -> tuple[str, ...]:
    if params.adapt != "policy":
        return ()
    return (
        "The release was made before releases held a recipe, so that no policy can be followed. "
        "Train and publish a new one: kedro run",
    )


def _with(
    watched: Findings, state: PolicyState | None, adaptation: Adaptation, params: MonitoringParams
) -> Findings:
    """The findings with what follows; one that does worse than a constant is an alarm."""
    verdict = watched.verdict.model_copy(update={"adaptation": adaptation})
    after = watched.state.model_copy(update={"policy": state})
    if adaptation.worse_than_constant:
        watch = after.watches[verdict.version]
        concluded = conclude_policy(
            watch,
            verdict.concept,
            params,
            labelled_rows=verdict.labelled_rows,
            anything_new=bool(verdict.batches),
            worse_than_constant=True,
        )
        retrain = concluded.outcome == "retrain"
        verdict = verdict.model_copy(update={"retrain": retrain, **concluded._asdict()})
        watch = watch.model_copy(update={"pending": concluded.evidence if retrain else ()})
        after = after.model_copy(update={"watches": {**after.watches, watch.version: watch}})
    return replace(watched, verdict=verdict, state=after)
