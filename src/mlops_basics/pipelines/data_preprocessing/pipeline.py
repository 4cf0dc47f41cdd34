"""bronze -> silver -> golden."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import preprocess_data, split_data


def create_pipeline() -> Pipeline:
    """Types and checks the raw table, then divides its rows."""
    return Pipeline(
        [
            Node(
                func=preprocess_data,
                inputs=["raw_data", "params:preprocessing"],
                outputs=["preprocessed_data", "table_info"],
                name="preprocess_data",
            ),
            Node(
                func=split_data,
                inputs=["preprocessed_data", "table_info", "params:preprocessing"],
                outputs=["train_data", "valid_data", "test_data", "split_report"],
                name="split_data",
            ),
        ]
    )
