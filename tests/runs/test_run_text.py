"""Tests of what MLflow's page shows of a run."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from mlops_basics.runs.run_text import (
    data_table,
    flatten,
    run_name,
    run_note,
    run_tags,
    shown_parameters,
)
from mlops_basics.schemas import DataVersion, TrainingParams
from tests.support.artifacts import make_decision, make_manifest, make_recipe
from tests.support.parameters import configured


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ({}, {}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": "1"}),
        ({"a": "text"}, {"a": "text"}),
        ({"a": None, "b": True, "c": 0.1}, {"a": "null", "b": "true", "c": "0.1"}),
        ({"a": [1, "x"], "b": []}, {"a": '[1, "x"]', "b": "[]"}),
        ({"a": {}}, {"a": "{}"}),
        ({"a": {"b.c": 1}, "d": [{"e": 1}]}, {"a.b.c": "1", "d": '[{"e": 1}]'}),
        ({"a": pd.Timestamp("2024-01-02")}, {"a": '"2024-01-02 00:00:00"'}),
    ],
)
def test_nested_parameters_become_dotted_names(values, flat):
    """One level, values as text, lists as JSON."""
    assert flatten(values) == flat


def test_flattening_changes_nothing():
    """The parameters themselves stay nested."""
    values = {"a": {"b": [1]}}
    flatten(values)
    assert values == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("pipelines", "recipe", "name"),
    [
        (("__default__",), make_recipe(task="binary"), "churn binary linear"),
        (("__default__",), None, "churn"),
        (("monitoring",), None, "churn (monitoring)"),
        (("refresh",), make_recipe(task="regression"), "churn regression linear (refresh)"),
    ],
)
def test_a_run_is_named_by_its_model_task_and_candidate(pipelines, recipe, name):
    """Kedro-mlflow would name each run of the loop `__default__`."""
    assert run_name("churn", pipelines, recipe) == name


@pytest.fixture
def manifest():
    """A manifest with all that a configuration says of the training."""
    training = configured(TrainingParams).model_dump(mode="json", by_alias=True)
    return make_manifest(
        model_name="m",
        num_instances=9,
        plan=None,
        reproduces="V0",
        training=training,
        monitoring={"patience": 3},
    )


def test_the_chosen_candidate_and_its_hyper_parameters_are_parameters(manifest):
    """They are the recipe's; what the training section says already is not said twice."""
    recipe = make_recipe(candidate="linear", parameters={"C": 0.5, "random_state": 0})
    shown = shown_parameters(manifest, {"recipe": recipe}, {"training"})
    assert {name: value for name, value in shown.items() if name.startswith("recipe.")} == {
        "recipe.task": "binary",
        "recipe.candidate": "linear",
        "recipe.class_path": "sklearn.linear_model.LogisticRegression",
        "recipe.parameters.C": "0.5",
    }


def test_parameters_that_did_not_matter_are_left_to_the_manifest(manifest):
    """Sections that no node takes, candidates of other tasks, and what a tag or a section says."""
    shown = shown_parameters(manifest, {"recipe": make_recipe(task="binary")}, {"training"})
    assert shown["reproduces"] == "V0"
    assert {name.split(".")[0] for name in shown} == {"reproduces", "training", "recipe"}
    candidates = [name for name in shown if name.startswith("training.candidates")]
    assert candidates == ["training.candidates.linear", "training.candidates.boosting"]
    assert "LogisticRegression" in shown["training.candidates.linear"]


def test_a_run_that_knows_no_task_shows_no_search_space(manifest):
    """What was collected alone is of no task yet."""
    shown = shown_parameters(manifest, {}, {"training"})
    assert "training.n_trials" in shown
    assert not [name for name in shown if "candidates" in name]


def test_data_versions_are_one_tag_and_one_table():
    """The tag is the raw data's; the table has a line for each data set."""
    raw = DataVersion(version="V1", path="raw, old", sha256="0" * 64, rows=3, access="read")
    manifest = make_manifest()
    manifest = manifest.model_copy(update={"datasets": {"raw_data": raw, **manifest.datasets}})
    tags = run_tags(manifest, {})
    assert tags["data_version"] == "V1"
    assert not [name for name in tags if name.startswith("data.")]
    heading, first, *others = csv.reader(io.StringIO(data_table(manifest)))
    assert heading == ["data set", "version", "access", "rows", "sha256", "path"]
    assert first == ["raw_data", "V1", "read", "3", "0" * 64, "raw, old"]
    assert [line[0] for line in others] == ["train", "old", "report"]


def test_the_description_tells_the_outcome_and_why():
    """Markdown, in which a name from the user's table is plain text."""
    reasons = ("The column '<img src=x>' is [new](http://x).",)
    note = run_note({"decision": make_decision(reasons=reasons)})
    heading, _, reason = note.split("\n")
    assert heading == "**First release: better than a constant prediction**"
    assert reason == r"- The column '\<img src=x\>' is \[new\](http://x)."
    assert run_note({}) == ""
