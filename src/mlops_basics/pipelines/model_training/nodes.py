"""Nodes of the model_training pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.fitting.recipe import fit_tables, require_known_code
from mlops_basics.fitting.threshold import (
    choose_threshold,
    pipeline_with_threshold,
    require_possible,
)
from mlops_basics.reporting.figures.search import search_figure
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    DecisionParams,
    EvaluationParams,
    FittedModel,
    Metrics,
    Model,
    ModelRecord,
    OverfitCheck,
    PreprocessingParams,
    Recipe,
    RefitReport,
    RunContext,
    SearchReport,
    SplitReport,
    TableInfo,
    Threshold,
    TrainingParams,
)
from mlops_basics.scoring.metrics import compute_metrics, with_constant
from mlops_basics.scoring.scores import LOSS_NAMES, baseline_scores, losses, score_rows
from mlops_basics.stats.intervals.gap import loss_gap
from mlops_basics.table.row_groups import groups_of_sets

from .learning_curve import measure_curve
from .search import Search, run_search, spread, trials_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

EXAMPLE_ROWS = 5


class Monitor(Protocol):
    """Watches the search."""

    def watch(self, trials: int) -> AbstractContextManager[Callable[[str], bool]]:
        """Yields a function to call after each trial; it answers whether to stop."""
        ...

    def require_savable(self, model: Model) -> None:
        """Raises DataError if a fitted model could not be saved."""
        ...


def search_model(
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    table_info: TableInfo,
    preprocessing: PreprocessingParams,
    params: TrainingParams,
    search_monitor: Monitor,
    decision: DecisionParams,
) -> tuple[Model, Recipe, pd.DataFrame, SearchReport, go.Figure]:
    """Search the candidates; each is fitted on train rows only and judged on valid rows.

    A model that does not overfit is preferred to one that does, whatever their losses. The search
    goes by probabilities; from which on a class is predicted is chosen after it
    (``decision.threshold``).

    Returns:
        The best model (encoding and estimator in one pipeline), its recipe, a row a trial, how the
        search went, and a figure of it.
    """
    require_possible(decision.threshold, table_info)
    search = Search(train_data, valid_data, table_info, preprocessing, params)
    for model in search.small_fits():  # what cannot be saved is told now, not after the search
        search_monitor.require_savable(model)
    with search_monitor.watch(params.n_trials) as after_trial:
        best, rows, stopped = run_search(search, after_trial)
    model, recipe = best.model, best.recipe
    threshold = choose_threshold(model, valid_data, table_info, decision.threshold)
    if threshold is not None:
        model = pipeline_with_threshold(model, threshold.value)
        chosen = Threshold(value=threshold.value, chosen_by=threshold.chosen_by)
        recipe = recipe.model_copy(update={"threshold": chosen})
    report = SearchReport(
        best_candidate=best.recipe.candidate,
        best_params=best.params,
        best_valid_loss=best.gap.valid_loss,
        loss=LOSS_NAMES[table_info.task],
        trials_requested=params.n_trials,
        trials_run=len(rows),
        stopped_early=stopped,
        threshold=threshold,
    )
    trials = trials_table(rows)
    return model, recipe, trials, report, search_figure(trials, report.loss)


def refit_model(
    recipe: Recipe,
    searched_model: Model,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    split_report: SplitReport,
    params: TrainingParams,
) -> tuple[FittedModel, RefitReport]:
    """Fit what the search chose again, on the rows that ``training.refit`` names.

    Rows are taken in the order train, valid, test. Where a table has more than may be used, a
    learning curve says what they would bring.

    Returns:
        The model that is released, and on which rows it was fitted.

    Raises:
        ConfigurationError: If the recipe has to be fitted, and no candidate has its class.
    """
    tables = [train_data]
    if params.refit != "none":
        tables.append(valid_data)
    if params.refit == "all":
        tables.append(test_data)
    if params.refit != "none" or split_report.of_rows:
        require_known_code(recipe, params)  # Kedro reads it from its file
    model = searched_model
    if params.refit != "none":
        model = fit_tables(recipe, tables, table_info)
    example = train_data[list(table_info.features)].head(EXAMPLE_ROWS)
    report = RefitReport(rule=params.refit, rows=sum(map(len, tables)))
    if split_report.of_rows:
        loss = LOSS_NAMES[table_info.task].replace("_", " ")
        curve = measure_curve(recipe, searched_model, train_data, valid_data, table_info)
        report = report.model_copy(update={"loss": loss, "curve": curve})
    return FittedModel(model, example), report


def measure_fit(
    searched_model: Model,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    table_info: TableInfo,
    preprocessing: PreprocessingParams,
    params: TrainingParams,
    evaluation: EvaluationParams,
) -> tuple[Metrics, Metrics, OverfitCheck]:
    """Measure the search's own fit on the rows it was fitted and tuned on, and whether it overfits.

    Returns:
        Train metrics, valid metrics, and the check of the gap between the losses.
    """
    features = list(table_info.features)
    seen = spread(train_data, params.gap_rows)
    train_scores = score_rows(searched_model, seen[features], seen, table_info)
    valid_scores = score_rows(searched_model, valid_data[features], valid_data, table_info)
    groups = groups_of_sets((seen, valid_data), preprocessing)
    constants = tuple(baseline_scores(train_data, rows, table_info) for rows in (seen, valid_data))
    gap = loss_gap(
        losses(train_scores),
        losses(valid_scores),
        losses(constants[0]),
        losses(constants[1]),
        params.gap_confidence,
        *(of_set.codes for of_set in groups),
    )
    overfitted = gap.exceeds(params.gap_tolerance)
    direction = "worse" if gap.gap > 0 else "better"
    limits = "The rows of one set are all of one group, so that nobody can tell how exact this is"
    if gap.low is not None and gap.high is not None:
        limits = f"The gap lies between {100 * gap.low:.1f} and {100 * gap.high:.1f} %"
    check = OverfitCheck(
        **vars(gap),
        tolerance=params.gap_tolerance,
        overfitted=overfitted,
        reason=(
            f"{'Shown' if overfitted else 'Not shown'}: on valid rows the search's own fit, made "
            f"on train rows alone, does {direction} than on train rows, by "
            f"{100 * abs(gap.gap):.1f} % of a constant prediction's loss. {limits}; up to "
            f"{100 * params.gap_tolerance:.0f} % is tolerated."
        ),
    )
    rng = np.random.default_rng(evaluation.seed)
    train_metrics, valid_metrics = (
        with_constant(
            compute_metrics(scores, evaluation.confidence, evaluation.resamples, rng, of_set),
            scores,
            constant,
            table_info.classes,
        )
        for scores, of_set, constant in zip(
            (train_scores, valid_scores), groups, constants, strict=True
        )
    )
    return train_metrics.model_copy(update={"of_rows": len(train_data)}), valid_metrics, check


def identify_model(search_report: SearchReport, run_context: RunContext) -> ModelRecord:
    """Note which run fitted the model, from which data and code: a release names them."""
    return ModelRecord(
        candidate=search_report.best_candidate,
        run_id=run_context.run_id,
        mlflow_run_id=run_context.mlflow_run_id,
        data_versions={
            name: version
            for name, version in run_context.data_versions.items()
            if name.endswith("_data")
        },
        git_commit=run_context.code.git_commit,
        git_dirty=run_context.code.git_dirty,
        own_code=run_context.code.own_code,
    )


def list_fitted_rows(
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    test_data: pd.DataFrame,
    refit_report: RefitReport,
) -> pd.DataFrame:
    """List the hashes of the rows that the model was fitted or tuned on, each once, sorted."""
    tables = [train_data, valid_data, *([test_data] if refit_report.rule == "all" else [])]
    hashes = pd.concat([table[ROW_HASH_COLUMN] for table in tables])
    return pd.DataFrame({ROW_HASH_COLUMN: np.unique(hashes.to_numpy(dtype=np.uint64))})
