"""Tests of the parameters that a recorded run is run again with."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.recorded_parameters import recorded_parameters
from mlops_basics.schemas import (
    PARAMETER_SECTIONS,
    Code,
    DataVersion,
    Manifest,
    SourceVersion,
    TrainingParams,
)
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


CHECKOUT = {
    name: configured(PARAMETER_SECTIONS[name]).model_dump(mode="json", by_alias=True)
    for name in ("training", "evaluation")
}


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


@pytest.mark.parametrize(("section", "name"), [("training", "features"), ("evaluation", "metrics")])
def test_steps_and_metrics_that_the_checkout_does_not_name_are_refused(section, name):
    """They are imported by their names; what the checkout names itself is run again."""
    kind = PARAMETER_SECTIONS[section]
    plain = configured(kind).model_dump(mode="json", by_alias=True)
    own = CHECKOUT | {section: {**plain, name: ["mine.steps.own"]}}
    recorded = recorded_with(**{section: {**plain, name: ["mine.steps.own"]}})
    assert recorded_parameters(recorded, own)[section][name] == ["mine.steps.own"]
    evil = recorded_with(**{section: {**plain, name: ["os.system"]}})
    with pytest.raises(ConfigurationError, match=rf"os\.system, which is none of `{name}`"):
        recorded_parameters(evil, own)
    other = recorded_with(**{section: {**plain, name: {"a": 1}}})
    with pytest.raises(ConfigurationError, match=f"recorded `{name}` in another form"):
        recorded_parameters(other, own)


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


def with_candidate(fixed=None, space=None, name="boosting"):
    """A manifest in which one candidate of the checkout sets or searches something else."""
    plain = configured(TrainingParams).model_dump(mode="json", by_alias=True)
    candidate = plain["candidates"]["binary"][name]
    candidate["fixed"].update(fixed or {})
    candidate["space"].update(space or {})
    return recorded_with({"candidates": plain["candidates"]})


STRANGE = {
    "a parameter of its own": {"fixed": {"memory": "/home/me"}},
    "another type": {"fixed": {"early_stopping": "yes"}},
    "a list": {"fixed": {"categorical_features": ["a"]}},
    "a searched text": {"space": {"max_iter": {"type": "categorical", "choices": ["x"]}}},
    "a searched parameter of its own": {"space": {"verbose": {"type": "int", "low": 0, "high": 9}}},
    "a fraction": {"space": {"max_iter": {"type": "float", "low": 1.0, "high": 2.0}}},
    "true for a number": {"fixed": {"max_iter": True}},
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_value_that_the_checkout_could_not_set_is_refused(case):
    """A known class runs with parameters of known names and types alone."""
    with pytest.raises(ConfigurationError, match=r"boosting\..* this checkout's configuration"):
        recorded_parameters(with_candidate(**STRANGE[case]), CHECKOUT)


def test_a_setting_of_the_encoding_is_of_a_known_name_and_type():
    """The encoder's arguments come from the manifest, too."""
    for vectorizer in ({"n_jobs": 64}, {"cardinality_threshold": "all"}):
        with pytest.raises(ConfigurationError, match=r"training\.vectorizer\."):
            recorded_parameters(recorded_with({"vectorizer": vectorizer}), CHECKOUT)


def test_what_lies_outside_of_the_search_space_is_told(caplog):
    """It was another search space then: it is run as it was."""
    space = {"max_iter": {"type": "int", "low": 10, "high": 5_000, "log": True}}
    recorded = with_candidate(space=space)
    params = recorded_parameters(recorded, CHECKOUT)
    assert params["training"] == recorded.parameters["training"]
    assert "would not try itself: binary.boosting.max_iter 10" in caplog.text
    assert "max_iter 5000" in caplog.text
    caplog.clear()
    recorded_parameters(recorded_with(), CHECKOUT)
    assert not caplog.records


@pytest.mark.parametrize("trials", [1_001, 10**30, -1, 2.5, True])
def test_a_search_without_an_end_is_not_made_again(trials):
    """More than a thousand trials have to stand in the checkout, too."""
    with pytest.raises(ConfigurationError, match=r"recorded training\.n_trials = .* 1,000 at most"):
        recorded_parameters(recorded_with({"n_trials": trials}), CHECKOUT)


def test_the_checkout_allows_a_longer_search():
    """The message's remedy."""
    allowed = {"training": {**CHECKOUT["training"], "n_trials": 2_000}}
    params = recorded_parameters(recorded_with({"n_trials": 2_000}), allowed)
    assert params["training"]["n_trials"] == 2_000


def test_a_bootstrap_without_an_end_is_not_made_again():
    """The kind, not the one number."""
    for name in ("resamples", "importance_repeats"):
        with pytest.raises(ConfigurationError, match=f"evaluation.{name}"):
            recorded_parameters(recorded_with(evaluation={name: 10**9}), CHECKOUT)
