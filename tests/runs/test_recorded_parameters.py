"""Tests of the parameters that a recorded run is run again with."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.recorded_parameters import recorded_parameters
from mlops_basics.schemas import Code, DataVersion, Manifest, SourceVersion, TrainingParams
from tests.support.parameters import configured

RECORDED = Manifest(
    run_id="then",
    mlflow_run_id=None,
    env="base",
    model_name="flowers",
    pipelines=("__default__",),
    code=Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={}),
    parameters={},
    datasets={},
)


def recorded_with(training=None, **parameters):
    """A manifest as a run of the checkout's own parameters records it, changed."""
    plain = configured(TrainingParams).model_dump(mode="json", by_alias=True)
    values = {"model_name": "flowers", "training": {**plain, **(training or {})}, **parameters}
    return RECORDED.model_copy(update={"parameters": values})


CHECKOUT = {"training": configured(TrainingParams).model_dump(mode="json", by_alias=True)}


def test_recorded_parameters_are_run_again_but_not_what_names_files():
    """Values go on; files and unknown sections come from the caller alone."""
    recorded = recorded_with(source="s3://elsewhere", labels="x", evil=1)
    params = recorded_parameters(recorded, CHECKOUT)
    assert params == {"model_name": "flowers", "training": recorded.parameters["training"]}


@pytest.mark.parametrize("key", ["class", "class_path"])
def test_a_class_that_the_checkout_does_not_name_is_refused(key):
    """A manifest in MLflow can be changed by whoever may write there: it runs no code here."""
    evil = {key: "subprocess.Popen", "dense": True, "fixed": {"args": ["true"]}, "space": {}}
    recorded = recorded_with({"candidates": {"multiclass": {"evil": evil}}})
    with pytest.raises(ConfigurationError, match=r"class subprocess\.Popen, which is none of the"):
        recorded_parameters(recorded, CHECKOUT)


@pytest.mark.parametrize("candidates", [None, [], {"multiclass": {"evil": {}}}, {"other": {}}])
def test_candidates_of_another_form_are_refused(candidates):
    """What is no candidate cannot be checked."""
    with pytest.raises(ConfigurationError, match="has recorded no candidates"):
        recorded_parameters(recorded_with({"candidates": candidates}), CHECKOUT)


def test_a_recorded_value_is_not_resolved():
    """``${env:...}`` would put a secret of this machine into the run's parameters."""
    recorded = recorded_with(collection={"exclude": ["${env:AWS_SECRET_ACCESS_KEY}"]})
    with pytest.raises(ConfigurationError, match="its manifest was changed"):
        recorded_parameters(recorded, CHECKOUT)


@pytest.mark.parametrize("name", ["../../.ssh/key", "a/b", "a\\b", "..", ""])
def test_what_becomes_a_part_of_a_path_is_one_part(name):
    """A data set's version and a source's name are folders and files below the project's own."""
    with pytest.raises(ValidationError, match="one part of a path"):
        DataVersion(version=name, path="x", sha256="00", access="read")
    with pytest.raises(ValidationError, match="one part of a path"):
        SourceVersion(name=name, md5="0" * 32, unchanged=True)
    with pytest.raises(ValidationError, match="pattern"):
        SourceVersion(name="a.csv", md5="../" + "0" * 29, unchanged=True)
