"""Tests of the parameter sections and artifacts: what is refused, and the messages."""

from __future__ import annotations

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from mlops_basics import schemas
from mlops_basics.schemas import (
    PARAMETER_SECTIONS,
    Artifact,
    Candidate,
    CollectionParams,
    Estimate,
    EvaluationParams,
    Metrics,
    MonitoringParams,
    PreprocessingParams,
    SearchRange,
    Section,
    SplitParams,
    ThresholdCost,
    TrainingParams,
)
from mlops_basics.stats.data_drift.result import DriftThresholds
from tests.support.parameters import configured
from tests.support.parameters import sections as stated
from tests.support.project import ROOT

#: Values that each section accepts: those of conf/base, of another table.
ACCEPTED = {
    **stated(),
    PreprocessingParams: {**stated()[PreprocessingParams], "target": "y"},
    SearchRange: {"type": "int", "low": 1, "high": 2},
    Candidate: {"class": "a.B", "dense": True},
    ThresholdCost: {"cost": {"false_negative": 10, "false_positive": 1}},
}


def sections(kind=Section):
    """Every type of parameter section, or of artifact."""
    return {
        item
        for item in vars(schemas).values()
        if isinstance(item, type) and issubclass(item, kind) and item is not kind
    }


@pytest.mark.parametrize("section", sorted(sections(), key=lambda kind: kind.__name__))
def test_unknown_keys_are_refused(section):
    """A misspelt parameter is an error in every section, never a silent default."""
    section.model_validate(ACCEPTED[section])
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate(ACCEPTED[section] | {"misspelt": 1})


@pytest.mark.parametrize("section", sorted(sections(), key=lambda kind: kind.__name__))
def test_sections_are_immutable(section):
    """A node cannot change the parameters of the next."""
    made = section.model_validate(ACCEPTED[section])
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, name, getattr(made, name))


@pytest.mark.parametrize("artifact", sorted(sections(Artifact), key=lambda kind: kind.__name__))
def test_artifacts_refuse_unknown_keys(artifact: type[BaseModel]):
    """A file of another version is not read as if it were of this one."""
    assert artifact.model_config["extra"] == "forbid"
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        artifact.model_validate({"misspelt": 1})


def test_what_the_yaml_states_has_no_second_default():
    """Only conf/base states the defaults of a run."""
    for section, values in stated().items():
        assert set(values) == set(section.model_fields)
        assert all(field.is_required() for field in section.model_fields.values())
        with pytest.raises(ValidationError, match="Field required"):
            section.model_validate({})


def test_thresholds_of_drift_are_those_of_the_statistics():
    """Their type belongs to the statistics and has defaults, which are what conf/base states."""
    assert configured(MonitoringParams).thresholds == DriftThresholds()


def test_metrics_are_stored_in_the_order_of_the_first_releases():
    """`kedro reproduce` compares bytes, also with runs that were recorded long ago."""
    estimate = Estimate(value=0.5, low=0.25, high=0.75, greater_is_better=True)
    metrics = Metrics(rows=2, confidence=0.95, metrics={"accuracy": estimate})
    assert metrics.model_dump_json() == (
        '{"rows":2,"groups":null,"grouped_by":"","grouping_note":"","confidence":0.95,"metrics":'
        '{"accuracy":{"value":0.5,"low":0.25,"high":0.75,"greater_is_better":true,"note":""}}}'
    )


def test_a_nested_section_refuses_unknown_keys_too():
    """The place of the key is part of the error."""
    with pytest.raises(ValidationError, match=r"split\.salted"):
        configured(PreprocessingParams, target="y", split={"salted": "x"})
    with pytest.raises(ValidationError, match=r"binary\.linear\.spaces"):
        configured(
            TrainingParams,
            candidates={"binary": {"linear": {"class": "a", "dense": True, "spaces": {}}}},
        )
    with pytest.raises(ValidationError, match=r"thresholds\.numerical\n +Unexpected keyword"):
        MonitoringParams.model_validate({"thresholds": {"numerical": 0.1}})


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (CollectionParams, {"num_instances": 0}, "greater than or equal to 1"),
        (CollectionParams, {"num_instances": 1.5}, "valid integer"),
        (SplitParams, {"valid_fraction": 0}, "greater than 0"),
        (SplitParams, {"test_fraction": 1}, "less than 1"),
        (SplitParams, {"valid_fraction": 0.5, "test_fraction": 0.5}, r"must be below 1, got 1\.0"),
        (SplitParams, {"period": "H"}, "'D', 'W', 'M', 'Q' or 'Y'"),
        (SplitParams, {"min_rows": 1}, "greater than or equal to 2"),
        (PreprocessingParams, {"target": None}, "valid string"),
        (PreprocessingParams, {"target": "y", "task": "ranking"}, "'auto', 'binary'"),
        (PreprocessingParams, {"target": "y", "rare_class_rows": 0}, "greater than or equal to 1"),
        (TrainingParams, {"candidates": {}, "n_trials": 0}, "greater than or equal to 1"),
        (TrainingParams, {"candidates": {}, "gap_tolerance": 0}, "greater than 0"),
        (TrainingParams, {"candidates": {}, "gap_confidence": 0.5}, r"greater than 0\.5"),
        (TrainingParams, {"candidates": {}, "gap_rows": 99}, "greater than or equal to 100"),
        (TrainingParams, {"candidates": {}, "refit": "valid"}, "'train_valid', 'all' or 'none'"),
        (TrainingParams, {"candidates": {"ranking": {}}}, "'multiclass' or 'regression'"),
        (EvaluationParams, {"confidence": 1}, "less than 1"),
        (EvaluationParams, {"resamples": 99}, "greater than or equal to 100"),
        (EvaluationParams, {"importance_rows": 9}, "greater than or equal to 10"),
        (EvaluationParams, {"importance_repeats": 0}, "greater than or equal to 1"),
        (MonitoringParams, {"thresholds": {"auc": 0.4}}, r"auc must be at least 0\.5 .* got 0\.4"),
        (MonitoringParams, {"thresholds": {"share": "x"}}, "valid number"),
        (SearchRange, {"type": "float", "low": 2, "high": 1}, r"low <= high, got 2\.0\.\.1\.0"),
        (SearchRange, {"type": "int", "low": 2}, r"low <= high, got 2\.0\.\.None"),
        (SearchRange, {"type": "float", "low": 0, "high": 1, "log": True}, r"low > 0, got 0\.0"),
        (SearchRange, {"type": "categorical"}, "must name its choices, got none"),
        (SearchRange, {"type": "normal"}, "'float', 'int' or 'categorical'"),
    ],
)
def test_ranges_are_checked(section, values, message):
    """Each number outside of its range is refused, with the rule."""
    with pytest.raises(ValidationError, match=message):
        section.model_validate(stated().get(section, {}) | values)


def test_a_candidate_is_written_with_the_word_class():
    """In YAML ``class``, in Python ``class_path``; it is written back as it was read."""
    candidate = Candidate.model_validate({"class": "a.B", "dense": False})
    assert candidate.class_path == "a.B"
    assert candidate == Candidate(class_path="a.B", dense=False)
    assert candidate.model_dump(by_alias=True)["class"] == "a.B"


def test_the_configured_search_spaces_are_valid():
    """What the repository ships is complete: candidates for each task, linear and boosted."""
    text = (ROOT / "conf" / "base" / "parameters_model_training.yml").read_text(encoding="utf-8")
    configured = yaml.safe_load(text)["training"] | {"seed": 0, "features": []}
    params = TrainingParams.model_validate(configured)
    assert set(params.candidates) == {"binary", "multiclass", "regression"}
    assert {frozenset(found) for found in params.candidates.values()} == {
        frozenset({"linear", "boosting"})
    }


def test_every_section_has_its_parameter():
    """What a node takes is what ``parameters*.yml`` may hold, in a section or within one."""
    nested = {ThresholdCost, SplitParams, SearchRange, Candidate}
    assert sections() - nested == {section for section in PARAMETER_SECTIONS.values() if section}
