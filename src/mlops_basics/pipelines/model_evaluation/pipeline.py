"""model -> metrics, plots, report."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .in_order import measure_in_order
from .nodes import (
    decide,
    evaluate_model,
    explain_model,
    pick_judged_model,
    plot_evaluation,
    score_gate,
    write_report,
)
from .out_of_fold import predict_folds
from .reference import describe_reference, sample_reference


def create_pipeline() -> Pipeline:
    """Measures the model on rows that nothing was fitted or tuned on, and explains it."""
    return Pipeline(
        [
            Node(
                func=pick_judged_model,
                inputs=[
                    "model",
                    "recipe",
                    "refit_report",
                    "train_data",
                    "valid_data",
                    "table_info",
                    "params:training",
                ],
                outputs="judged_model",
                name="pick_judged_model",
            ),
            Node(
                func=evaluate_model,
                inputs=[
                    "judged_model",
                    "train_data",
                    "test_data",
                    "table_info",
                    "params:preprocessing",
                    "params:evaluation",
                ],
                outputs=["test_metrics", "scores", "confusion_matrix"],
                name="evaluate_model",
            ),
            Node(
                func=predict_folds,
                inputs=[
                    "champion",
                    "recipe",
                    "refit_report",
                    "labelled_data",
                    "train_data",
                    "valid_data",
                    "test_data",
                    "table_info",
                    "overfit_check",
                    "params:preprocessing",
                    "params:training",
                    "params:decision",
                    "search_monitor",
                ],
                outputs="fold_scores",
                name="predict_folds",
            ),
            Node(
                func=score_gate,
                inputs=[
                    "champion",
                    "judged_model",
                    "labelled_data",
                    "train_data",
                    "valid_data",
                    "test_data",
                    "table_info",
                    "overfit_check",
                    "params:preprocessing",
                    "params:decision",
                    "fold_scores",
                    "recipe",
                ],
                outputs=["gate_scores", "challenge_request", "challenge"],
                name="score_gate",
            ),
            Node(
                func=decide,
                inputs=[
                    "gate_scores",
                    "challenge_request",
                    "challenge",
                    "test_metrics",
                    "refit_report",
                    "params:decision",
                ],
                outputs="decision",
                name="decide",
            ),
            Node(
                func=sample_reference,
                inputs=[
                    "test_data",
                    "scores",
                    "table_info",
                    "params:preprocessing",
                    "params:evaluation",
                ],
                outputs="reference",
                name="sample_reference",
            ),
            Node(
                func=describe_reference,
                inputs=[
                    "judged_model",
                    "test_data",
                    "table_info",
                    "split_report",
                    "params:preprocessing",
                ],
                outputs=["reference_profile", "reference_losses", "monitoring_reference"],
                name="describe_reference",
            ),
            Node(
                func=measure_in_order,
                inputs=[
                    "recipe",
                    "train_data",
                    "valid_data",
                    "test_data",
                    "table_info",
                    "params:training",
                ],
                outputs="order_check",
                name="measure_in_order",
            ),
            Node(
                func=explain_model,
                inputs=["judged_model", "test_data", "table_info", "params:evaluation"],
                outputs="importance",
                name="explain_model",
            ),
            Node(
                func=plot_evaluation,
                inputs=["scores", "confusion_matrix", "importance", "decision", "table_info"],
                outputs=[
                    "confusion_plot",
                    "performance_plot",
                    "calibration_plot",
                    "importance_plot",
                ],
                name="plot_evaluation",
            ),
            Node(
                func=write_report,
                inputs=[
                    "params:model_name",
                    "collection_report",
                    "table_info",
                    "split_report",
                    "search_report",
                    "refit_report",
                    "overfit_check",
                    "train_metrics",
                    "valid_metrics",
                    "test_metrics",
                    "order_check",
                    "decision",
                    "challenge_request",
                    "gate_scores",
                    "confusion_plot",
                    "performance_plot",
                    "calibration_plot",
                    "importance_plot",
                    "search_plot",
                    "run_context",
                ],
                outputs="report",
                name="write_report",
            ),
        ]
    )
