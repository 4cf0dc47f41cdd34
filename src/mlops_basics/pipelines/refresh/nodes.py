"""Nodes of the refresh pipeline: the release that a policy has planned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.fitting.recipe import fit_recipe, require_known_code
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    Challenge,
    Decision,
    FittedModel,
    ModelRecord,
    MonitoringParams,
    MonitoringReference,
    Parts,
    PreprocessingParams,
    Recipe,
    Release,
    RunContext,
    TableInfo,
    TrainingParams,
)
from mlops_basics.schemas.monitoring import SAMPLE_GROUP
from mlops_basics.schemas.policy import Plan, learns_from
from mlops_basics.scoring.policy_loss import score_target
from mlops_basics.scoring.scores import Scores, error_clip, watched_losses
from mlops_basics.table.learning import LabelledRows, as_learned, labelled_rows
from mlops_basics.table.profile import feature_profile, time_columns
from mlops_basics.table.row_groups import NO_GROUPS, Codes, RowGroups
from mlops_basics.table.row_hash import hashes_of_parts, smallest_hashes

EXAMPLE_ROWS = 5
#: The newest batches that a new watch compares later ones with.
REFERENCE_BATCHES = 3


def refit_release(
    raw_data: Parts,
    production: Release,
    run_context: RunContext,
    plan: dict[str, Any] | None,
    preprocessing: PreprocessingParams,
    training: TrainingParams,
) -> tuple[FittedModel, Recipe, TableInfo, pd.DataFrame, ModelRecord]:
    """Fit the planned recipe on the labelled rows of the planned batches.

    Returns:
        The model, its recipe, what is known of its table, the hashes of its rows, and which run
        fitted it.

    Raises:
        ConfigurationError: If nothing is planned, or the recipe names a class that the
            configuration does not.
        DataError: If the batches hold nothing to learn from.
    """
    due = read_plan(plan)
    require_known_code(due.recipe, training)
    rows = _rows(raw_data, due.files or due.batches, production, preprocessing, training)
    rows = rows.of_classes(production.table.classes)
    features = rows.features.read()
    model = fit_recipe(due.recipe, features, as_learned(rows.target, production.model))
    table = production.table.model_copy(
        update={"rows": len(rows), "missing_target_rows": 0, "duplicate_rows": 0, "warnings": ()}
    )
    record = ModelRecord(
        candidate=due.recipe.candidate,
        run_id=run_context.run_id,
        mlflow_run_id=run_context.mlflow_run_id,
        data_versions={
            name: version
            for name, version in run_context.data_versions.items()
            if name == "raw_data"
        },
        git_commit=run_context.code.git_commit,
        git_dirty=run_context.code.git_dirty,
        own_code=run_context.code.own_code,
    )
    hashes = pd.DataFrame({ROW_HASH_COLUMN: np.unique(rows.hashes)})
    return FittedModel(model, features.head(EXAMPLE_ROWS)), due.recipe, table, hashes, record


def refresh_reference(
    raw_data: Parts,
    production: Release,
    plan: dict[str, Any] | None,
    preprocessing: PreprocessingParams,
    training: TrainingParams,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame, MonitoringReference]:
    """What the release's batches are going to be compared with.

    A refresh is watched as its release was before. Anything else is compared with the newest
    batches, each scored by the recipe's model of the batches before it.

    Returns:
        A sample of the rows, the profile of their features, their losses, how these came about.
    """
    due, reference = read_plan(plan), production.reference
    require_known_code(due.recipe, training)
    if due.action == "refresh" and reference is not None:
        return reference.sample, reference.profile, reference.losses, reference.info
    rows = _rows(raw_data, None, production, preprocessing, training)
    names = sorted(set(rows.batch))
    features_of, scores_of, groups_of = [], [], []
    for name in names[1:][-REFERENCE_BATCHES:]:
        past = [other for other in names if other < name]
        learned = rows.of(learns_from(due.policy, past, past))
        learned = learned.of_classes(production.table.classes)
        tested = rows.of([name])
        try:
            model = fit_recipe(
                due.recipe, learned.features.read(), as_learned(learned.target, production.model)
            )
        except DataError:  # one class only in a small batch
            continue
        features_of.append(features := tested.features.read())
        groups_of.append(tested.groups)
        scores_of.append(score_target(model, features, tested.target, production.table))
    if not features_of:
        if reference is None:
            raise DataError("There are too few labelled batches to compare later ones with.")
        return reference.sample, reference.profile, reference.losses, reference.info
    features, scores = pd.concat(features_of, ignore_index=True), Scores.joined(scores_of)
    groups = _joined_groups(groups_of, preprocessing)
    clip = error_clip(scores)
    losses = watched_losses(scores, clip)
    times = time_columns(features)
    info = MonitoringReference(
        rows=len(features),
        thinned=1,
        losses=tuple(losses),
        clip=clip,
        times=times,
    )
    profile = feature_profile(features, times, groups).to_dict()
    sample = features if groups.codes is None else features.assign(**{SAMPLE_GROUP: groups.codes})
    return sample, profile, pd.DataFrame(losses), info


def decide_refresh(
    plan: dict[str, Any] | None,
    table_info: TableInfo,
    run_context: RunContext,
    params: MonitoringParams,
) -> Decision:
    """The plan as a decision: why this release replaces the one before it."""
    due = read_plan(plan)
    gain = None
    if due.action != "refresh" and due.production_loss is not None and due.policy_loss is not None:
        gain = due.production_loss - due.policy_loss
    return Decision(
        promote=True,
        outcome="refreshed" if due.action == "refresh" else "switched",
        reasons=(due.reason,),
        champion_version=due.replaces,
        challenge=Challenge(
            champion_version=due.replaces,
            number=0,
            challenge_id=due.plan_id,
            repeated=False,
            mlflow_run_id=run_context.mlflow_run_id,
        ),
        metric="absolute_error" if table_info.task == "regression" else "log_loss",
        unit="" if table_info.task == "regression" else "nats",
        rows=due.rows,
        which_rows="labelled rows that neither had learned from when they came",
        champion_value=due.production_loss,
        challenger_value=due.policy_loss,
        gain=gain,
        total_alpha=params.policy_alpha,
        rule="prequential",
        min_gain=0.0,
        policy=due.policy,
    )


def read_plan(plan: dict[str, Any] | None) -> Plan:
    """The release that is due.

    Raises:
        ConfigurationError: If there is none.
    """
    if plan is None:
        raise ConfigurationError(
            "No release is due: `kedro ct` looks at the batches and runs this pipeline when one is."
        )
    return Plan.model_validate(plan)


def _rows(
    raw: Parts,
    batches: Collection[str] | None,
    production: Release,
    params: PreprocessingParams,
    training: TrainingParams,
) -> LabelledRows:
    """The labelled rows of some batches, or of all; of too many a sample by hash."""
    batch, target = raw[BATCH_COLUMN], raw[production.table.target]
    position = batch.groupby(batch, sort=False).cumcount().to_numpy(dtype=np.int64)
    wanted = np.ones(len(raw), dtype=bool)
    if batches is not None:
        wanted = batch.isin(batches).to_numpy()
    labelled = wanted & target.notna().to_numpy()
    if training.max_rows is not None and int(labelled.sum()) > training.max_rows:
        keys = [name for name in production.table.key_columns if name in raw.columns]
        hashes = hashes_of_parts(raw, keys)
        wanted = labelled & smallest_hashes(hashes, labelled, params.split.salt, training.max_rows)
    rows = Parts.of(raw.take(np.flatnonzero(wanted)))
    target = target[wanted].reset_index(drop=True)
    return labelled_rows(rows, target, position[wanted].astype(np.int64), production.table, params)


def _joined_groups(codes: Sequence[Codes | None], preprocessing: PreprocessingParams) -> RowGroups:
    """The groups of several batches, whose codes were given to all of them together."""
    known = [of_batch for of_batch in codes if of_batch is not None]
    if len(known) < len(codes):
        return NO_GROUPS
    by_time = bool(preprocessing.split.time_column) and not preprocessing.group_columns
    return RowGroups(np.concatenate(known), in_order=by_time)
