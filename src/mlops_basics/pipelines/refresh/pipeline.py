"""plan, labelled batches -> model, and all that its release needs."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import decide_refresh, refit_release, refresh_reference


def create_pipeline() -> Pipeline:
    """Fits a planned release; its rows are those of the batches that the plan names."""
    return Pipeline(
        [
            Node(
                func=refit_release,
                inputs=[
                    "raw_data",
                    "watched_release",
                    "run_context",
                    "params:plan",
                    "params:preprocessing",
                    "params:training",
                ],
                outputs=["model", "recipe", "table_info", "fitted_rows", "model_record"],
                name="refit_release",
            ),
            Node(
                func=refresh_reference,
                inputs=[
                    "raw_data",
                    "watched_release",
                    "params:plan",
                    "params:preprocessing",
                    "params:training",
                ],
                outputs=[
                    "reference",
                    "reference_profile",
                    "reference_losses",
                    "monitoring_reference",
                ],
                name="refresh_reference",
            ),
            Node(
                func=decide_refresh,
                inputs=["params:plan", "table_info", "run_context", "params:monitoring"],
                outputs="decision",
                name="decide_refresh",
            ),
        ]
    )
