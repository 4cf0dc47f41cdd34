"""A recipe that a search has found speaks at once, on rows that the search has not seen."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    Batch,
    CollectionParams,
    Hashes,
    Model,
    MonitoringState,
    PreprocessingParams,
    Recipe,
    Release,
    TableInfo,
    TrainingParams,
)
from mlops_basics.schemas.policy import NEW_RECIPE, PRODUCTION, PolicyState, learns_from
from mlops_basics.scoring.policy_loss import (
    in_unit_interval,
    losses_in_parts,
    next_limit,
)
from mlops_basics.stats.prequential.evidence import Evidence, update
from mlops_basics.table.labels import LabelBook, RowKeys

from .adaptation import REPLAYED, challenged, policy_of_new_recipe, switched
from .follow import readable_rows, require_known_recipes
from .policies import Fits, past_batches


def hear_recipe(
    recipe: Recipe,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    table_info: TableInfo,
    source: list[Batch],
    labels: list[Batch],
    watched_release: Release,
    monitoring_state: MonitoringState,
    preprocessing: PreprocessingParams,
    collection: CollectionParams,
    training: TrainingParams,
) -> PolicyState:
    """Let a new recipe join the policies, and test it on the labelled rows that chose nothing.

    Args:
        recipe: That a search has found.
        train_data: Rows that the search has fitted candidates on, with their hashes.
        valid_data: Rows that it has compared them on.
        table_info: Of the search: which columns the hashes are of.
        source: All batches; files that ``collection`` skips are left out.
        labels: Label files.
        watched_release: In production.
        monitoring_state: With the policies.
        preprocessing: Target, key columns, groups and time column.
        collection: Which files are left out.
        training: Names the classes that a recipe may have.

    Returns:
        The state of the policies; with a release that is due if the recipe is shown to be better.

    Raises:
        ConfigurationError: If a recipe names a class that the configuration does not.
    """
    state = monitoring_state.policy
    assert state is not None  # noqa: S101 (the caller's)
    require_known_recipes([recipe, state.recipe], training)
    state = challenged(state, recipe)
    if state.challenger != recipe or table_info.key_columns != watched_release.table.key_columns:
        return state  # the same recipe, or hashes that tell nothing
    book = LabelBook(
        [file for file in labels if file.name not in collection.skip],
        RowKeys(preprocessing.target, preprocessing.exclude, preprocessing.key_columns),
    )
    names = set(past_batches(state)) - set(collection.skip)
    rows = readable_rows(source, book, names, watched_release, preprocessing)
    if rows is None:
        return state
    seen = np.concatenate([table[ROW_HASH_COLUMN].to_numpy() for table in (train_data, valid_data)])
    fits = Fits(rows, watched_release, training.max_rows, preprocessing.split.salt)
    return heard(state, fits, seen.astype(np.uint64))


def heard(state: PolicyState, fits: Fits, seen: Hashes) -> PolicyState:
    """Test the challenger on rows of the newest batches that its search has not seen.

    Each batch is tested with models of the batches before it. What is in production may have been
    fitted on it meanwhile: so its place takes the model that the policy had before the batch.

    Args:
        state: With the challenger.
        fits: All labelled rows.
        seen: Hashes of the rows that the recipe was fitted or tuned on.
    """
    assert state.challenger is not None  # noqa: S101 (the caller's)
    unseen = fits.rows.where(~np.isin(fits.rows.hashes, seen))
    evidence, known = Evidence.from_dict(state.evidence), past_batches(state)
    is_pinned = state.policy == "keep"
    totals, tested, batches, latest = {PRODUCTION: 0.0, NEW_RECIPE: 0.0}, 0, 0, math.inf
    reference = fits.release.reference
    limit = reference.info.clip if reference else state.limit
    for name in sorted(known)[1:][-REPLAYED:]:
        rows = unseen.of([name])
        if not len(rows) or (is_pinned and name in state.known):  # which it may have learned from
            continue
        past, before = [other for other in known if other < name], (name, 0)
        current: Model | None = fits.release.model
        if not is_pinned:
            learned = learns_from(state.policy, past, state.known)
            current = fits.of(state.recipe, learned, before)
        of_new = learns_from(policy_of_new_recipe(state), past, state.known)
        model = fits.of(state.challenger, of_new, before)
        if current is None or model is None:
            continue
        unit, table = {}, fits.release.table
        before_limit = limit
        for of, fitted in ((PRODUCTION, current), (NEW_RECIPE, model)):
            losses = losses_in_parts(fitted, rows.features, rows.target, table)
            totals[of] += float(losses.sum())
            unit[of] = in_unit_interval(losses, table, before_limit)
            if of == PRODUCTION and table.task == "regression":
                limit = next_limit(losses, limit)
        evidence = update(evidence, unit[PRODUCTION], {NEW_RECIPE: unit[NEW_RECIPE]}, rows.groups)
        tested, batches = tested + len(rows), batches + 1
        latest = float(unit[NEW_RECIPE].mean() - unit[PRODUCTION].mean())
    state = state.model_copy(update={"evidence": evidence.to_dict()})
    if NEW_RECIPE not in evidence.shown or latest >= 0:
        return state
    told = {"totals": totals, "tested_rows": tested, "batches_tested": batches}
    return switched(state.model_copy(update=told), fits, NEW_RECIPE, evidence)[0]
