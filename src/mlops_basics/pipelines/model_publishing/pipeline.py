"""registry -> production."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import request_release


def create_pipeline() -> Pipeline:
    """Makes production equal to the registry's champion."""
    return Pipeline(
        [
            Node(
                func=request_release,
                inputs="registered_version",
                outputs="release",
                name="request_release",
            ),
        ]
    )
