"""golden -> model."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import identify_model, list_fitted_rows, measure_fit, search_model


def create_pipeline() -> Pipeline:
    """Searches a model on train and valid rows, and checks that it does not overfit."""
    return Pipeline(
        [
            Node(
                func=search_model,
                inputs=[
                    "train_data",
                    "valid_data",
                    "table_info",
                    "params:preprocessing",
                    "params:training",
                    "search_monitor",
                ],
                outputs=["model", "trials", "search_report", "search_plot"],
                name="search_model",
            ),
            Node(
                func=measure_fit,
                inputs=[
                    "model",
                    "train_data",
                    "valid_data",
                    "table_info",
                    "params:preprocessing",
                    "params:training",
                    "params:evaluation",
                ],
                outputs=["train_metrics", "valid_metrics", "overfit_check"],
                name="measure_fit",
            ),
            Node(
                func=identify_model,
                inputs=["search_report", "run_context"],
                outputs="model_record",
                name="identify_model",
            ),
            Node(
                func=list_fitted_rows,
                inputs=["train_data", "valid_data"],
                outputs="fitted_rows",
                name="list_fitted_rows",
            ),
        ]
    )
