"""The pipelines by name: those of mlops-basics, and this project's own."""

from kedro.pipeline import Pipeline
from mlops_basics.pipeline_registry import register_pipelines as register_ours


def register_pipelines() -> dict[str, Pipeline]:
    """Add your own by name, as in ``register_ours() | {"export": create_pipeline()}``."""
    return register_ours()
