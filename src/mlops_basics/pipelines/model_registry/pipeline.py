"""decision -> registry."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import request_registration


def create_pipeline() -> Pipeline:
    """Registers a new version when the decision says so, and only then."""
    return Pipeline(
        [
            Node(
                func=request_registration,
                inputs=[
                    "decision",
                    "model_record",
                    "recipe",
                    "table_info",
                    "collection_report",
                    "fitted_rows",
                    "reference",
                    "reference_profile",
                    "reference_losses",
                    "monitoring_reference",
                ],
                outputs="registered_version",
                name="request_registration",
            ),
        ]
    )
