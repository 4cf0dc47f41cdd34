"""production, new batches, labels -> verdict, report, state."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .follow import follow_policies
from .hearing import hear_recipe
from .nodes import (
    draw_monitoring,
    read_once,
    remember,
    tell_verdict,
    watch_batches,
    write_monitoring_report,
)


def create_pipeline() -> Pipeline:
    """Watches the release in production; trains nothing."""
    return Pipeline(
        [
            Node(
                func=read_once,
                inputs=["source", "labels", "watched_release"],
                outputs=["seen_batches", "seen_labels", "seen_release"],
                name="read_once",
            ),
            Node(
                func=watch_batches,
                inputs=[
                    "seen_batches",
                    "seen_labels",
                    "seen_release",
                    "monitoring_state",
                    "run_context",
                    "params:monitoring",
                    "params:preprocessing",
                    "params:collection",
                ],
                outputs="watched",
                name="watch_batches",
            ),
            Node(
                func=follow_policies,
                inputs=[
                    "watched",
                    "seen_batches",
                    "seen_labels",
                    "seen_release",
                    "params:monitoring",
                    "params:preprocessing",
                    "params:collection",
                    "params:training",
                ],
                outputs="findings",
                name="follow_policies",
            ),
            Node(func=tell_verdict, inputs="findings", outputs="verdict", name="tell_verdict"),
            Node(
                func=draw_monitoring,
                inputs="findings",
                outputs=["error_plot", "drift_plot"],
                name="draw_monitoring",
            ),
            Node(
                func=write_monitoring_report,
                inputs="findings",
                outputs="monitoring_report",
                name="write_monitoring_report",
            ),
            # Last: what was not reported must not be remembered as seen.
            Node(
                func=remember,
                inputs=["findings", "verdict", "monitoring_report"],
                outputs="monitoring_state_next",
                name="remember",
            ),
        ]
    )


def create_hearing_pipeline() -> Pipeline:
    """Lets a recipe that a search has found speak at once; run behind the search."""
    return Pipeline(
        [
            Node(
                func=hear_recipe,
                inputs=[
                    "recipe",
                    "train_data",
                    "valid_data",
                    "table_info",
                    "source",
                    "labels",
                    "watched_release",
                    "monitoring_state",
                    "params:preprocessing",
                    "params:collection",
                    "params:training",
                ],
                outputs="policy_state",
                name="hear_recipe",
            ),
        ]
    )
