"""The pipelines by name."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from inspect import getdoc
from types import ModuleType

from kedro.framework import project
from kedro.pipeline import Pipeline
from kedro.pipeline.preview_contract import TextPreview
from kedro.utils import KedroExperimentalWarning

from mlops_basics.config.own_code import own_packages, source_folder
from mlops_basics.errors import ConfigurationError
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
    """Each pipeline by its name; ``__default__`` is the whole loop.

    The nodes of each have its name before theirs (``data_preprocessing.label_rows``), so that
    kedro-viz folds them into one; the names of data sets and parameters stay as they are.
    """
    pipelines = {
        _name(module): _folded(_name(module), module.create_pipeline())
        for module in (*LOOP, batch_inference, monitoring)
    }
    preprocessing = data_preprocessing.create_pipeline().only_nodes("label_rows", "preprocess_data")
    pipelines["recipe_search"] = (
        pipelines["data_collection"]
        + _folded("data_preprocessing", preprocessing)
        + _folded("recipe_search", recipe_search.create_pipeline())
        + _folded("model_training", model_training.create_pipeline().only_nodes("search_model"))
    )
    hearing = monitoring.create_hearing_pipeline()
    pipelines["recipe_hearing"] = _folded("recipe_hearing", hearing)
    # What a policy has planned goes the way of any other release.
    pipelines["refresh"] = (
        pipelines["data_collection"]
        + _folded("refresh", refresh.create_pipeline())
        + pipelines["model_registry"]
        + pipelines["model_publishing"]
    )
    whole = (pipelines[_name(module)] for module in LOOP)
    pipelines["__default__"] = sum(whole, Pipeline([]))
    for package in own_packages(source_folder()):
        if package != project.PACKAGE_NAME:  # which calls this, where a project is built on it
            pipelines |= _own(package, pipelines)
    return pipelines


def _own(package: str, ours: dict[str, Pipeline]) -> dict[str, Pipeline]:
    """The pipelines of a package of the user's, if it registers any as Kedro has it.

    Raises:
        ConfigurationError: If one has the name of another.
    """
    name = f"{package}.pipeline_registry"
    if importlib.util.find_spec(name) is None:
        return {}
    own: dict[str, Pipeline] = importlib.import_module(name).register_pipelines()
    own.pop("__default__", None)  # the whole loop, which other commands run and compare with
    for taken in sorted(set(own) & set(ours)):
        raise ConfigurationError(
            f"src/{package}/pipeline_registry.py registers a pipeline {taken!r}, and there is one "
            "of that name. Give it another one."
        )
    return own


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _folded(name: str, pipeline: Pipeline) -> Pipeline:
    """The nodes under one name, each with its function's docstring, as kedro-viz shows them."""
    with warnings.catch_warnings():  # a docstring too many or too few breaks nothing
        warnings.simplefilter("ignore", KedroExperimentalWarning)
        nodes = [node._copy(preview_fn=partial(_docstring, node.func)) for node in pipeline.nodes]
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False)


def _docstring(function: Callable[..., object]) -> TextPreview:
    return TextPreview(content=getdoc(function) or function.__name__)
