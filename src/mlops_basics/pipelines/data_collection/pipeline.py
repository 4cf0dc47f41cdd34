"""source -> bronze."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import collect_batches


def create_pipeline() -> Pipeline:
    """Collects the batches of the source into one raw table."""
    return Pipeline(
        [
            Node(
                func=collect_batches,
                inputs=["source", "labels", "params:collection"],
                outputs=["raw_data", "collection_report"],
                name="collect_batches",
            ),
        ]
    )
