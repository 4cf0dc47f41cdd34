"""Nodes of the model_evaluation pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.fitting.recipe import fit_tables, require_known_code
from mlops_basics.reporting.figures import classification, regression
from mlops_basics.reporting.figures.importance import importance_figure
from mlops_basics.reporting.figures.style import empty_figure
from mlops_basics.reporting.pages.run_report import RunResult, run_report
from mlops_basics.schemas import (
    ON_DEMAND,
    ROW_HASH_COLUMN,
    Challenge,
    ChallengeRequest,
    Champion,
    CollectionReport,
    Decision,
    DecisionParams,
    EvaluationParams,
    Metrics,
    Model,
    OrderCheck,
    OverfitCheck,
    Parts,
    PreprocessingParams,
    Recipe,
    RefitReport,
    RunContext,
    SearchReport,
    SplitReport,
    TableInfo,
    TrainingParams,
)
from mlops_basics.schemas.metrics import Kind
from mlops_basics.scoring import gate_columns
from mlops_basics.scoring.importance import permutation_importance
from mlops_basics.scoring.metrics import compute_metrics, with_constant
from mlops_basics.scoring.scores import (
    LOSS_NAMES,
    Scores,
    baseline_scores,
    confusion_counts,
    losses,
    score_rows,
)
from mlops_basics.table.row_groups import row_groups
from mlops_basics.table.row_hash import rows_by_hash

from . import decision, evidence, gate
from .ages import FOLD_COLUMN
from .out_of_fold import ROW_COLUMN

THIRDS = ("low third", "middle third", "high third")


def pick_judged_model(
    model: Model,
    recipe: Recipe,
    refit_report: RefitReport,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    table_info: TableInfo,
    params: TrainingParams,
) -> Model:
    """The model that test rows may judge.

    It is the one that is released, unless that was fitted on the test rows, too: then the same
    recipe is fitted once more, without them.

    Raises:
        ConfigurationError: If the recipe has to be fitted, and no candidate has its class.
    """
    if refit_report.rule != "all":
        return model
    require_known_code(recipe, params)  # it may come from an earlier run's file
    judged: Model = fit_tables(recipe, [train_data, valid_data], table_info)
    return judged


def evaluate_model(
    judged_model: Model,
    train_data: pd.DataFrame,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    preprocessing: PreprocessingParams,
    params: EvaluationParams,
) -> tuple[Metrics, pd.DataFrame, pd.DataFrame]:
    """Measure the model on the test rows, beside the best constant prediction of the train rows.

    Returns:
        Metrics with intervals, and the constant's; a row a test row (hash, target, prediction,
        loss, probabilities); the confusion matrix (true classes down, predicted across; for a
        regression the thirds of the target).
    """
    predictions = score_rows(
        judged_model, test_data[list(table_info.features)], test_data, table_info
    )
    rng = np.random.default_rng(params.seed)
    groups = row_groups(test_data, preprocessing)
    metrics = with_constant(
        compute_metrics(predictions, params.confidence, params.resamples, rng, groups),
        predictions,
        baseline_scores(train_data, test_data, table_info),
        table_info.classes,
    )
    scores = pd.DataFrame(
        {
            ROW_HASH_COLUMN: test_data[ROW_HASH_COLUMN].to_numpy(),
            "target": test_data[table_info.target].to_numpy(),
            "loss": losses(predictions),
        }
    )
    if table_info.task == "regression":
        scores.insert(2, "prediction", predictions.predicted)
    else:
        scores.insert(
            2, "prediction", np.array(table_info.classes, dtype=object)[predictions.predicted]
        )
        scores["target"] = scores["target"].map(str)
        for code, name in enumerate(table_info.classes):
            scores[f"probability_{name}"] = predictions.probabilities[:, code]
    return metrics, scores, _confusion_matrix(predictions, table_info)


def explain_model(
    judged_model: Model, test_data: pd.DataFrame, table_info: TableInfo, params: EvaluationParams
) -> pd.DataFrame:
    """Measure how much the loss rises when one column's values are shuffled among the rows.

    Returns:
        A row a feature: its name, mean rise of the loss, the standard deviation of the repeats,
        and how many rows were predicted; largest first.
    """
    rng = np.random.default_rng(params.seed)
    rows = test_data
    if len(rows) > params.importance_rows:
        drawn = np.sort(rng.choice(len(rows), params.importance_rows, replace=False))
        rows = rows.iloc[drawn].reset_index(drop=True)
    return permutation_importance(judged_model, rows, table_info, params.importance_repeats, rng)


def score_gate(
    champion: Champion,
    judged_model: Model,
    labelled_data: Parts,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    overfit_check: OverfitCheck,
    preprocessing: PreprocessingParams,
    params: DecisionParams,
    fold_scores: pd.DataFrame | None = None,
    recipe: Recipe | None = None,
) -> tuple[pd.DataFrame, ChallengeRequest, ChallengeRequest]:
    """Predict with champion and challenger on rows that neither has seen; test nothing yet.

    Train rows of ``fold_scores`` come behind the test rows: the champion never saw them, and the
    fits that predicted them did not either.

    Returns:
        Both models' predictions, and the request of a challenge: to be kept, and to be written
        down before the test is made.
    """
    learned = pd.concat([table[ROW_HASH_COLUMN] for table in (train_data, valid_data)])
    fitted = test_data[ROW_HASH_COLUMN].isin(learned)
    rows = test_data[~fitted].reset_index(drop=True)
    folds = np.zeros(len(rows), dtype=np.int64)
    if fold_scores is not None and len(fold_scores):
        speaking = train_data.iloc[fold_scores[ROW_COLUMN]]
        rows = pd.concat([rows, speaking], ignore_index=True)
        folds = np.append(folds, fold_scores[FOLD_COLUMN])
    labelled, positions = rows_by_hash(labelled_data, rows, table_info.target)
    groups = row_groups(rows, preprocessing, for_proof=True)
    unseen, ages, which_rows = gate.unseen_rows(
        labelled, champion, table_info, params, groups.codes
    )
    classes = gate.shared_classes(champion, table_info)
    rows, labelled = (table[unseen].reset_index(drop=True) for table in (rows, labelled))
    folds = folds[unseen]
    if rows.empty:
        unusable = gate.why_unusable(champion, labelled, table_info)
        request = gate.request_challenge(
            champion, None, which_rows, classes, overfit_check, params, unusable
        )
        return rows[[ROW_HASH_COLUMN]], request, request
    parts = []
    if (judged := rows[folds == 0]).size:
        parts.append(gate.challenger_scores(judged_model, judged, table_info, classes))
    if fold_scores is not None and folds.any():
        parts.append(gate_columns.gate_scores(fold_scores, "challenger"))
    of_challenger = Scores.joined(parts)
    of_champion = gate.champion_scores(champion, labelled, rows, train_data, table_info, classes)
    unusable = of_champion if isinstance(of_champion, str) else ""
    scored = None
    if not isinstance(of_champion, str):
        scored = gate.gate_table(
            rows[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64),
            of_champion,
            of_challenger,
            groups.of(unseen).codes,
            ages[unseen],
            folds,
        )
    if folds.any():
        which_rows += "; and such that the challenger learns from, predicted by fits without them"
    which_rows = f"{which_rows}; {groups.note}" if groups.note else which_rows
    request = gate.request_challenge(
        champion,
        scored,
        which_rows,
        classes,
        overfit_check,
        params,
        unusable,
        groups.name,
        in_order=groups.in_order,
    )
    if scored is not None and recipe is not None:
        metric = decision.metric_to_test(params, "classification" if classes else "regression")
        at = positions[unseen].astype(np.int64)
        request = evidence.add_look(request, champion, scored, at, recipe, metric, params)
    return rows[[ROW_HASH_COLUMN]] if scored is None else scored, request, request


def decide(
    gate_scores: pd.DataFrame,
    challenge_request: ChallengeRequest,
    challenge: Challenge,
    test_metrics: Metrics,
    refit_report: RefitReport,
    params: DecisionParams,
) -> Decision:
    """Test whether the challenger deserves to become the champion.

    Returns:
        The decision, with its reasons in words and what the test could have seen.
    """
    kind: Kind = "classification" if challenge_request.classes else "regression"
    metric = decision.metric_to_test(params, kind)
    if challenge_request.status != "comparable":
        untested = decision.decide_untested(challenge_request, challenge, params, metric)
        return decision.with_refit(untested, refit_report)
    rng = np.random.default_rng(params.seed)
    result, rows, request = decision.compare_by_age(
        metric, gate_scores, challenge_request, challenge, params, rng
    )
    guards = decision.judge_guards(rows, request, metric, params, rng)
    tested = decision.decide_tested(result, guards, request, challenge, params, test_metrics)
    return decision.with_refit(decision.with_folds(tested), refit_report)


def plot_evaluation(
    scores: pd.DataFrame,
    confusion_matrix: pd.DataFrame,
    importance: pd.DataFrame,
    decision: Decision,
    table_info: TableInfo,
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure]:
    """Draw the confusion matrix, ROC and PR (or predicted against actual), calibration
    (or residuals), and the importance of the features; where figures of the test rows are
    withheld, say so instead."""
    if decision.withheld:
        nothing = empty_figure("Figures of the test rows are not shown", ON_DEMAND)
        return nothing, nothing, nothing, nothing
    confusion = classification.confusion_figure(confusion_matrix)
    bars = importance_figure(importance, LOSS_NAMES[table_info.task])
    if table_info.task == "regression":
        y, predicted = scores["target"].to_numpy(), scores["prediction"].to_numpy()
        return (
            confusion,
            regression.actual_figure(y, predicted),
            regression.residual_figure(y, predicted),
            bars,
        )
    codes = {name: code for code, name in enumerate(table_info.classes)}
    y = scores["target"].map(codes).to_numpy()
    probabilities = scores[[f"probability_{name}" for name in table_info.classes]].to_numpy()
    return (
        confusion,
        classification.ranking_figure(y, probabilities, table_info.classes),
        classification.calibration_figure(y, probabilities, table_info.classes),
        bars,
    )


def write_report(
    model_name: str,
    collection_report: CollectionReport,
    table_info: TableInfo,
    split_report: SplitReport,
    search_report: SearchReport,
    refit_report: RefitReport,
    overfit_check: OverfitCheck,
    train_metrics: Metrics,
    valid_metrics: Metrics,
    test_metrics: Metrics,
    order_check: OrderCheck,
    decision: Decision,
    challenge_request: ChallengeRequest,
    gate_scores: pd.DataFrame,
    confusion_plot: go.Figure,
    performance_plot: go.Figure,
    calibration_plot: go.Figure,
    importance_plot: go.Figure,
    search_plot: go.Figure,
    run_context: RunContext,
) -> str:
    """Write the run's report as one HTML page that needs no network.

    Where figures of the test rows are withheld, it shows those of the validation rows, and the
    decision.
    """
    metrics = {"train": train_metrics, "valid": valid_metrics, "test": test_metrics}
    ranks, trusts = ("How well it ranks", "How far to trust it")
    if table_info.task == "regression":
        ranks, trusts = ("How close it comes", "Where it errs")
    figures = {
        "Which mistakes it makes": confusion_plot,
        ranks: performance_plot,
        trusts: calibration_plot,
        "What it looks at": importance_plot,
        "How it was found": search_plot,
    }
    if decision.withheld:
        metrics.pop("test")
        figures = {"How it was found": search_plot}
    return run_report(
        RunResult(
            model_name=model_name,
            collection=collection_report,
            table=table_info,
            split=split_report,
            search=search_report,
            refit=refit_report,
            overfit=overfit_check,
            in_order=None if decision.withheld else order_check,
            decision=decision,
            request=challenge_request,
            gate=gate_scores,
            metrics=metrics,
            figures=figures,
            context=run_context,
        )
    )


def _confusion_matrix(scores: Scores, info: TableInfo) -> pd.DataFrame:
    if info.task != "regression":
        names, counts = info.classes, confusion_counts(scores)
    else:
        names = THIRDS
        edges = np.quantile(scores.y, [1 / 3, 2 / 3])
        true, predicted = np.digitize(scores.y, edges), np.digitize(scores.predicted, edges)
        counts = np.bincount(true * 3 + predicted, minlength=9).reshape(3, 3)
    matrix = pd.DataFrame(counts, columns=list(names))
    matrix.insert(0, "actual", list(names))
    return matrix
