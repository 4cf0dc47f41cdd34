"""production -> predictions."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import score_batches


def create_pipeline() -> Pipeline:
    """Scores a table or a folder of batches with the published release."""
    return Pipeline(
        [
            Node(
                func=score_batches,
                inputs=["inference_source", "production", "params:preprocessing"],
                outputs="predictions",
                name="score_batches",
            ),
        ]
    )
