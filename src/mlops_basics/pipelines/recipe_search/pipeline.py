"""labelled batches -> train and valid rows of a search after an alarm."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import hold_out_newest


def create_pipeline() -> Pipeline:
    """Divides the rows so that the newest labelled batches choose the recipe."""
    return Pipeline(
        [
            Node(
                func=hold_out_newest,
                inputs=[
                    "preprocessed_data",
                    "table_info",
                    "params:preprocessing",
                    "params:training",
                ],
                outputs=["train_data", "valid_data"],
                name="hold_out_newest",
            ),
        ]
    )
