"""Tests of the registered pipelines: what they take and make, and what their nodes may know."""

from __future__ import annotations

import ast
import inspect
import typing

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import CatalogConfigResolver

from mlops_basics.pipeline_registry import register_pipelines
from mlops_basics.schemas import PARAMETER_SECTIONS, Section
from mlops_basics.settings import CONFIG_LOADER_ARGS
from tests.support.project import ROOT

PIPELINES = register_pipelines()
NODES = {node.name: node for pipeline in PIPELINES.values() for node in pipeline.nodes}
#: The hearing is a step of the monitoring that runs by itself.
OF_OTHER_NAME = {"recipe_hearing.hear_recipe"}
#: Data sets that no node reads or writes: hooks do.
OF_HOOKS = {"manifest", "reproduction"}
FORBIDDEN = ("mlflow", "kedro", "fsspec", "boto3", "s3fs", "mlops_basics.datasets")

#: By pipeline: nodes, their inputs, their outputs.
DOCUMENTED = {
    "data_collection": (
        ("collect_batches",),
        {"source", "labels", "params:collection"},
        {"raw_data", "collection_report"},
    ),
    "data_preprocessing": (
        ("label_rows", "preprocess_data", "split_data"),
        {"raw_data", "params:preprocessing", "params:training"},
        {
            "labelled_data",
            "target_info",
            "preprocessed_data",
            "table_info",
            "train_data",
            "valid_data",
            "test_data",
            "split_report",
        },
    ),
    "model_training": (
        ("search_model", "measure_fit", "refit_model", "identify_model", "list_fitted_rows"),
        {
            "run_context",
            "train_data",
            "valid_data",
            "test_data",
            "table_info",
            "split_report",
            "search_monitor",
            "params:preprocessing",
            "params:training",
            "params:evaluation",
            "params:decision",
        },
        {
            "searched_model",
            "recipe",
            "model",
            "refit_report",
            "trials",
            "search_report",
            "search_plot",
            "train_metrics",
            "valid_metrics",
            "overfit_check",
            "model_record",
            "fitted_rows",
        },
    ),
    "model_evaluation": (
        (
            "pick_judged_model",
            "evaluate_model",
            "predict_folds",
            "score_gate",
            "decide",
            "sample_reference",
            "describe_reference",
            "measure_in_order",
            "explain_model",
            "plot_evaluation",
            "write_report",
        ),
        {
            "model",
            "recipe",
            "refit_report",
            "champion",
            "labelled_data",
            "train_data",
            "valid_data",
            "test_data",
            "table_info",
            "search_monitor",
            "params:preprocessing",
            "params:training",
            "params:evaluation",
            "params:decision",
            "params:model_name",
            "run_context",
            "collection_report",
            "split_report",
            "search_report",
            "search_plot",
            "overfit_check",
            "train_metrics",
            "valid_metrics",
        },
        {
            "judged_model",
            "order_check",
            "test_metrics",
            "scores",
            "confusion_matrix",
            "fold_scores",
            "gate_scores",
            "challenge_request",
            "challenge",
            "decision",
            "reference",
            "reference_profile",
            "reference_losses",
            "monitoring_reference",
            "importance",
            "confusion_plot",
            "performance_plot",
            "calibration_plot",
            "importance_plot",
            "report",
        },
    ),
    "model_registry": (
        ("request_registration",),
        {
            "decision",
            "model_record",
            "recipe",
            "table_info",
            "collection_report",
            "fitted_rows",
            "reference",
            "reference_profile",
            "reference_losses",
            "monitoring_reference",
        },
        {"registered_version"},
    ),
    "model_publishing": (("request_release",), {"registered_version"}, {"release"}),
    "batch_inference": (
        ("score_batches",),
        {"inference_source", "production", "params:preprocessing"},
        {"predictions"},
    ),
    "monitoring": (
        (
            "read_once",
            "watch_batches",
            "follow_policies",
            "tell_verdict",
            "draw_monitoring",
            "write_monitoring_report",
            "remember",
        ),
        {
            "source",
            "labels",
            "watched_release",
            "monitoring_state",
            "run_context",
            "params:monitoring",
            "params:preprocessing",
            "params:collection",
            "params:training",
        },
        {
            "seen_batches",
            "seen_labels",
            "seen_release",
            "watched",
            "findings",
            "verdict",
            "error_plot",
            "drift_plot",
            "monitoring_report",
            "monitoring_state_next",
        },
    ),
}
DOCUMENTED["refresh"] = (
    (
        "collect_batches",
        "refit_release",
        "refresh_reference",
        "decide_refresh",
        "request_registration",
        "request_release",
    ),
    {
        "source",
        "labels",
        "watched_release",
        "run_context",
        "params:plan",
        "params:collection",
        "params:preprocessing",
        "params:training",
        "params:monitoring",
    },
    {
        "raw_data",
        "collection_report",
        "model",
        "recipe",
        "table_info",
        "fitted_rows",
        "model_record",
        "decision",
        "reference",
        "reference_profile",
        "reference_losses",
        "monitoring_reference",
        "registered_version",
        "release",
    },
)
DOCUMENTED["recipe_search"] = (
    ("collect_batches", "label_rows", "preprocess_data", "hold_out_newest", "search_model"),
    {
        "source",
        "labels",
        "search_monitor",
        "params:collection",
        "params:preprocessing",
        "params:training",
        "params:decision",
    },
    {
        "raw_data",
        "collection_report",
        "labelled_data",
        "target_info",
        "preprocessed_data",
        "table_info",
        "train_data",
        "valid_data",
        "searched_model",
        "recipe",
        "trials",
        "search_report",
        "search_plot",
    },
)
DOCUMENTED["recipe_hearing"] = (
    ("hear_recipe",),
    {
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
    },
    {"policy_state"},
)
#: Of the pipelines beside the loop.
ASIDE = {"batch_inference", "monitoring", "refresh", "recipe_search", "recipe_hearing"}
#: What a run of the whole loop finds: the source, what is in production, and what hooks supply.
GIVEN = {"source", "labels", "search_monitor", "champion", "run_context"}


def catalog_entries():
    """The catalog's entries by name; a pattern counts as the entries that pipelines make of it."""
    written = OmegaConfigLoader(str(ROOT / "conf"), "base", **CONFIG_LOADER_ARGS)["catalog"]
    resolver = CatalogConfigResolver(written)
    used = {name for pipeline in PIPELINES.values() for name in pipeline.datasets()}
    by_pattern = {resolver.match_dataset_pattern(name) for name in used - set(written)}
    assert by_pattern - {None} == {name for name in written if resolver.is_pattern(name)}
    names = {name for name in written if not resolver.is_pattern(name)}
    names |= {name for name in used if resolver.match_dataset_pattern(name)}
    return {name: resolver.resolve_pattern(name) for name in names}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_pipeline_takes_and_makes_what_is_documented(name):
    """Inputs and outputs of its nodes, also those that they hand each other."""
    nodes, inputs, outputs = DOCUMENTED[name]
    found = PIPELINES[name]
    assert {node.func.__name__ for node in found.nodes} == set(nodes)
    assert found.inputs() == inputs
    assert found.all_outputs() == outputs


def test_the_whole_loop_needs_the_source_alone():
    """Beside parameters, the champion, and what hooks supply."""
    needed = {name for name in PIPELINES["__default__"].inputs() if not name.startswith("params:")}
    assert needed == GIVEN
    for name in set(DOCUMENTED) - ASIDE:
        assert set(PIPELINES[name].nodes) <= set(PIPELINES["__default__"].nodes)


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_a_node_is_named_as_its_function(node):
    """One name in graph, log and code, below that of the pipeline that kedro-viz folds it into."""
    assert node.name == f"{node.namespace}.{node.func.__name__}"
    assert node.namespace == node.func.__module__.split(".")[2] or node.name in OF_OTHER_NAME
    assert node.preview().content == inspect.getdoc(node.func)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_pipeline_is_folded_without_a_circle(name):
    """What is folded stays in one piece: kedro-viz could not draw a graph that runs through a
    folded pipeline twice."""
    order = [node.namespace for node in PIPELINES[name].nodes]
    grouped = PIPELINES[name].group_nodes_by("namespace")
    assert {group.name for group in grouped} == set(order)
    assert all(group.type == "namespace" for group in grouped)
    done = set()
    waiting = {group.name: set(group.dependencies) for group in grouped}
    while ready := {group for group, needed in waiting.items() if needed <= done}:
        done |= ready
        waiting = {group: needed for group, needed in waiting.items() if group not in ready}
    assert not waiting


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_type_hints_resolve(node):
    """Kedro builds the typed parameter sections from them; one that fails would be a plain dict."""
    hints = typing.get_type_hints(node.func)
    names = list(inspect.signature(node.func).parameters)
    assert set(names) | {"return"} == set(hints)
    for name, dataset in zip(names, node.inputs, strict=True):
        section = PARAMETER_SECTIONS.get(dataset.removeprefix("params:"))
        if dataset.startswith("params:") and section is not None:
            assert issubclass(section, Section)
            assert hints[name] is section


def test_every_parameter_section_is_known():
    """A ``params:`` input that nothing configures would be found at run time only."""
    used = {
        name.removeprefix("params:")
        for node in NODES.values()
        for name in node.inputs
        if name.startswith("params:")
    }
    assert used <= set(PARAMETER_SECTIONS)


def imported_modules(file):
    """Every module that a file imports, also inside of functions; relative ones resolved."""
    package = file.relative_to(ROOT / "src").with_suffix("").parts[:-1]
    for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(item, ast.Import):
            yield from (alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            base = package[: len(package) - item.level + 1] if item.level else ()
            module = ".".join((*base, item.module or "")).rstrip(".")
            yield module
            yield from (f"{module}.{alias.name}" for alias in item.names)


NODE_FILES = [
    file
    for file in sorted((ROOT / "src" / "mlops_basics" / "pipelines").glob("*/*.py"))
    if file.name not in ("__init__.py", "pipeline.py")
]


@pytest.mark.parametrize("file", NODE_FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_nodes_know_neither_framework_nor_storage(file):
    """Nodes are plain functions of tables: they can be called, tested and moved by themselves."""
    found = {
        module
        for module in imported_modules(file)
        if any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)
    }
    assert found == set()


def test_each_data_set_has_an_entry_and_each_entry_is_used():
    """A forgotten entry would be kept in memory and lost; an unused one misleads."""
    used = {
        name
        for pipeline in PIPELINES.values()
        for name in pipeline.datasets()
        if not name.startswith("params:")
    }
    assert used == set(catalog_entries()) - OF_HOOKS


def test_what_nodes_make_is_versioned():
    """Nothing that a run produced is overwritten by the next."""
    entries = catalog_entries()
    made = {name for node in NODES.values() for name in node.outputs}
    unversioned = {name for name in made if not entries[name].get("versioned")}
    assert unversioned == {
        *("watched", "findings", "policy_state", "searched_model", "judged_model"),  # in memory
        *("seen_batches", "seen_labels", "seen_release"),  # as they are in storage
        "monitoring_state_next",  # replaced on purpose
    }


def test_each_data_set_of_the_graph_has_a_layer():
    """kedro-viz groups by it."""
    made = {name for node in NODES.values() for name in node.outputs} | {"source"}
    entries = catalog_entries()
    assert [name for name in sorted(made) if "kedro-viz" not in entries[name]["metadata"]] == []
