"""The pipelines by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from mlops_basics.pipelines import (
    batch_inference,
    data_collection,
    data_preprocessing,
    model_evaluation,
    model_publishing,
    model_registry,
    model_training,
    monitoring,
    recipe_search,
    refresh,
)

#: The whole loop, in its order.
LOOP = (
    data_collection,
    data_preprocessing,
    model_training,
    model_evaluation,
    model_registry,
    model_publishing,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Each pipeline by its name; ``__default__`` is the whole loop."""
    pipelines = {
        module.__name__.rpartition(".")[2]: module.create_pipeline()
        for module in (*LOOP, batch_inference, monitoring)
    }
    pipelines["recipe_search"] = (
        data_collection.create_pipeline()
        + data_preprocessing.create_pipeline().only_nodes("label_rows", "preprocess_data")
        + recipe_search.create_pipeline()
        + model_training.create_pipeline().only_nodes("search_model")
    )
    pipelines["recipe_hearing"] = monitoring.create_hearing_pipeline()
    # What a policy has planned goes the way of any other release.
    pipelines["refresh"] = sum(
        (
            module.create_pipeline()
            for module in (data_collection, refresh, model_registry, model_publishing)
        ),
        Pipeline([]),
    )
    pipelines["__default__"] = sum((module.create_pipeline() for module in LOOP), Pipeline([]))
    return pipelines
