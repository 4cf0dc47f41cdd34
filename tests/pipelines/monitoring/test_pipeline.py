"""Tests of the monitoring pipeline in memory."""

from __future__ import annotations

import json

from mlops_basics.pipelines.monitoring import create_pipeline
from mlops_basics.schemas import CollectionParams, MonitoringState, TrainingParams
from tests.support.parameters import configured
from tests.support.watched import (
    PARAMS,
    PREPROCESSING,
    file_of,
    look,
    rows_of,
    run_context,
    trained_batches,
)


def inputs_of(release):
    """What the pipeline reads."""
    return {
        "source": [*trained_batches(), file_of("c.csv", rows_of())],
        "labels": [],
        "watched_release": release,
        "monitoring_state": MonitoringState(),
        "run_context": run_context(),
        "params:monitoring": PARAMS,
        "params:preprocessing": PREPROCESSING,
        "params:collection": configured(CollectionParams),
        "params:training": configured(TrainingParams),
    }


def test_batches_in_and_verdict_out(release):
    """It reads production and the source, and nothing that a training has left behind."""
    from tests.support.tables import run_slice

    pipeline = create_pipeline()
    inputs = inputs_of(release)
    assert pipeline.inputs() == set(inputs)
    assert pipeline.outputs() == {
        "error_plot", "drift_plot", "monitoring_state_next",
    }  # fmt: skip
    found = run_slice(pipeline, inputs)
    expected = look(release, [file_of("c.csv", rows_of())])
    without = {"adaptation": None}  # a release without a recipe follows no policy
    assert found["verdict"].adaptation.action == "none"
    assert found["verdict"].model_copy(update=without) == expected.verdict
    assert found["monitoring_state_next"] == expected.state
    assert found["monitoring_report"].startswith("<!DOCTYPE html>")
    assert "c.csv" in found["monitoring_report"]
    for name in ("error_plot", "drift_plot"):
        assert json.loads(found[name].to_json())["data"]


def test_a_look_reads_each_file_once():
    """What is read and verified from storage grows with the batches: one node alone asks for it."""
    readers = [
        name
        for node in create_pipeline().nodes
        for name in node.inputs
        if name in ("source", "labels", "watched_release", "monitoring_state")
    ]
    assert sorted(readers) == ["labels", "monitoring_state", "source", "watched_release"]


def test_the_state_is_written_last():
    """What was not reported must not be remembered as seen."""
    order = [node.name for node in create_pipeline().nodes]
    assert order[-1] == "remember"
    (last,) = create_pipeline().only_nodes("remember").nodes
    assert {"verdict", "monitoring_report"} < set(last.inputs)
