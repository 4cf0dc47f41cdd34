"""Everything that the report of a run is written from."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd

from mlops_basics.pipelines.model_evaluation.nodes import (
    evaluate_model,
    explain_model,
    plot_evaluation,
    write_report,
)
from mlops_basics.pipelines.model_training.nodes import measure_fit
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    Batch,
    ChallengeRequest,
    CollectionParams,
    EvaluationParams,
    OrderCheck,
)
from tests.support.artifacts import REFIT, make_decision, make_run_context
from tests.support.parameters import configured
from tests.support.tables import search_of, training_params
from tests.support.whole import collect_batches

PARAMS = configured(EvaluationParams, resamples=200, importance_repeats=3)
NO_CHALLENGE = ChallengeRequest(
    champion_version="none",
    status="champion_unusable",
    rows=0,
    rows_hash="",
    predictions_hash="",
    which_rows="",
    classes=("short", "tall"),
)
FIRST_RELEASE = make_decision(reasons=("There is no champion yet.",), rows=0)


def report_inputs(data, model, candidates):
    """Everything that the report is written from, by name, in the order the node takes it."""
    batch = Batch.of("mine.csv", "ab" * 32, pd.DataFrame({"x": range(300)}))
    _, collection = collect_batches([batch], [], configured(CollectionParams))
    params = training_params(data.info.task, candidates, n_trials=1)
    _, _, _, search, plot = search_of(data, params)
    train, valid, check = measure_fit(
        model, data.train, data.valid, data.info, data.preprocessing, params, PARAMS
    )
    metrics, scores, matrix = evaluate_model(
        model, data.train, data.test, data.info, data.preprocessing, PARAMS
    )
    importance = explain_model(model, data.test, data.info, PARAMS)
    plots = plot_evaluation(scores, matrix, importance, FIRST_RELEASE, data.info)
    names = ("confusion_plot", "performance_plot", "calibration_plot", "importance_plot")
    known = {
        "model_name": "mine",
        "collection_report": collection,
        "table_info": data.info,
        "split_report": data.split,
        "search_report": search,
        "refit_report": REFIT,
        "overfit_check": check,
        "train_metrics": train,
        "valid_metrics": valid,
        "test_metrics": metrics,
        "order_check": OrderCheck(loss="log loss"),
        "decision": FIRST_RELEASE,
        "challenge_request": NO_CHALLENGE,
        "gate_scores": pd.DataFrame({ROW_HASH_COLUMN: np.array([], dtype=np.uint64)}),
        "search_plot": plot,
        "run_context": make_run_context(),
        **dict(zip(names, plots, strict=True)),
    }
    return {name: known[name] for name in inspect.signature(write_report).parameters}
