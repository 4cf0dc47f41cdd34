"""bronze -> silver -> golden."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import label_rows, preprocess_data, split_data


def create_pipeline() -> Pipeline:
    """Reads the target of the raw table, types the other columns, then divides the rows."""
    return Pipeline(
        [
            Node(
                func=label_rows,
                inputs=["raw_data", "params:preprocessing"],
                outputs=["labelled_data", "target_info"],
                name="label_rows",
            ),
            Node(
                func=preprocess_data,
                inputs=["labelled_data", "target_info", "params:preprocessing"],
                outputs=["preprocessed_data", "table_info"],
                name="preprocess_data",
            ),
            Node(
                func=split_data,
                inputs=[
                    "preprocessed_data",
                    "table_info",
                    "params:preprocessing",
                    "params:training",
                ],
                outputs=["train_data", "valid_data", "test_data", "split_report"],
                name="split_data",
            ),
        ]
    )
