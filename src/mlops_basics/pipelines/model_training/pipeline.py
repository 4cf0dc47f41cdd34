"""golden -> model."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import identify_model, list_fitted_rows, measure_fit, refit_model, search_model


def create_pipeline() -> Pipeline:
    """Searches a model, checks that it does not overfit, and fits it again on more rows."""
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
                    "params:decision",
                ],
                outputs=["searched_model", "recipe", "trials", "search_report", "search_plot"],
                name="search_model",
            ),
            Node(
                func=measure_fit,
                inputs=[
                    "searched_model",
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
                func=refit_model,
                inputs=[
                    "recipe",
                    "searched_model",
                    "train_data",
                    "valid_data",
                    "test_data",
                    "table_info",
                    "split_report",
                    "params:training",
                ],
                outputs=["model", "refit_report"],
                name="refit_model",
            ),
            Node(
                func=identify_model,
                inputs=["search_report", "run_context"],
                outputs="model_record",
                name="identify_model",
            ),
            Node(
                func=list_fitted_rows,
                inputs=["train_data", "valid_data", "test_data", "refit_report"],
                outputs="fitted_rows",
                name="list_fitted_rows",
            ),
        ]
    )
