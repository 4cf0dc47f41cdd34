"""The pipelines by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from mlops_basics.pipelines import (
    data_collection,
    data_preprocessing,
    model_evaluation,
    model_training,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Each pipeline by its name; ``__default__`` is the whole loop."""
    pipelines = {
        "data_collection": data_collection.create_pipeline(),
        "data_preprocessing": data_preprocessing.create_pipeline(),
        "model_training": model_training.create_pipeline(),
        "model_evaluation": model_evaluation.create_pipeline(),
    }
    loop = ("data_collection", "data_preprocessing", "model_training", "model_evaluation")
    pipelines["__default__"] = sum((pipelines[name] for name in loop), Pipeline([]))
    return pipelines
