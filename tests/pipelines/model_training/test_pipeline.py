"""Tests of the model_training pipeline in memory."""

from __future__ import annotations

from mlops_basics.pipelines.model_training import create_pipeline
from mlops_basics.schemas import DecisionParams, EvaluationParams
from tests.support.parameters import configured
from tests.support.tables import LINEAR, NoMonitor, run_slice, training_params


def test_golden_to_model(binary):
    """Train and valid rows in; a model with trials, reports and fitted rows out."""
    inputs = {
        "train_data": binary.train,
        "valid_data": binary.valid,
        "test_data": binary.test,
        "table_info": binary.info,
        "split_report": binary.split,
        "search_monitor": NoMonitor(),
        "params:preprocessing": binary.preprocessing,
        "params:training": training_params(candidates={"linear": LINEAR}, n_trials=2),
        "params:evaluation": configured(EvaluationParams, resamples=100),
        "params:decision": configured(DecisionParams),
    }
    nodes = create_pipeline().only_nodes(
        "search_model", "measure_fit", "refit_model", "list_fitted_rows"
    )
    outputs = run_slice(nodes, inputs)
    assert set(outputs) == {
        "searched_model",
        "recipe",
        "model",
        "refit_report",
        "trials",
        "search_report",
        "search_plot",
        "train_metrics",
        "valid_metrics",
        "overfit_check",
        "fitted_rows",
    }
    predicted = outputs["model"].predict(binary.test[list(binary.info.features)])
    assert (predicted == binary.test["kind"]).mean() > 0.8
    assert len(outputs["trials"]) == outputs["search_report"].trials_run == 2
    assert outputs["refit_report"].rows == len(binary.train) + len(binary.valid)
    assert outputs["valid_metrics"].rows == len(binary.valid)
    assert len(outputs["fitted_rows"]) == len(binary.train) + len(binary.valid)
    assert outputs["search_plot"].data
