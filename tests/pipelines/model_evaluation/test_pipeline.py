"""Tests of the model_evaluation pipeline in memory."""

from __future__ import annotations

from mlops_basics.pipelines.model_evaluation import create_pipeline
from mlops_basics.schemas import EvaluationParams, OrderCheck
from tests.support.parameters import configured
from tests.support.run_report import report_inputs
from tests.support.tables import LINEAR, run_slice


def test_model_to_report(binary, binary_model):
    """A model and test rows in; metrics, scores, plots and one page out."""
    found = report_inputs(binary, binary_model, {"linear": LINEAR})
    known = found | {
        "judged_model": binary_model,
        "train_data": binary.train,
        "test_data": binary.test,
        "params:preprocessing": binary.preprocessing,
        "params:evaluation": configured(EvaluationParams, resamples=100, importance_repeats=2),
        "params:model_name": "mine",
    }
    known["order_check"] = OrderCheck(loss="log loss")
    pipeline = create_pipeline().only_nodes(
        "evaluate_model", "explain_model", "plot_evaluation", "write_report"
    )
    outputs = run_slice(pipeline, {name: known[name] for name in pipeline.inputs()})
    assert set(outputs) == {
        "test_metrics",
        "scores",
        "confusion_matrix",
        "importance",
        "confusion_plot",
        "performance_plot",
        "calibration_plot",
        "importance_plot",
        "report",
    }
    assert len(outputs["scores"]) == outputs["test_metrics"].rows == len(binary.test)
    assert outputs["importance"]["feature"][0] == "size"
    assert outputs["report"].startswith("<!DOCTYPE html>")
