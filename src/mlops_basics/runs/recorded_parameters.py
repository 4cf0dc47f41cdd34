"""The parameters of a recorded run, as they may be run again."""

from __future__ import annotations

import json
import logging
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mlops_basics.errors import ConfigurationError
from mlops_basics.fitting.recipe import require_named
from mlops_basics.fitting.recorded_values import require_known_candidates, require_known_settings
from mlops_basics.schemas import (
    PARAMETER_SECTIONS,
    Candidate,
    Candidates,
    EvaluationParams,
    Manifest,
    Section,
    TrainingParams,
)
from mlops_basics.schemas.policy import Plan

_CANDIDATES = TypeAdapter(Candidates)
_PATHS = TypeAdapter(tuple[str, ...])
#: What a run may be made to do by a number alone; more has to stand in the checkout.
_MOST = {
    ("training", "n_trials"): 1_000,
    ("evaluation", "resamples"): 100_000,
    ("evaluation", "importance_repeats"): 100,
}

log = logging.getLogger(__name__)


def recorded_parameters(recorded: Manifest, configured: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run, as they may be run again.

    A manifest comes from MLflow, where others may write: it gives values, never what is executed.

    Args:
        recorded: Of the run.
        configured: The parameters of this checkout.

    Raises:
        ConfigurationError: If a value would be resolved, a section has another form, a class or
            a parameter of it is none that this checkout's configuration names, or a number asks
            for more work than this checkout's would, beyond a bound.
    """
    # Not the files to read: the record says which version of them it was.
    names = [name for name, section in PARAMETER_SECTIONS.items() if section is not None]
    params = {
        name: value
        for name, value in recorded.parameters.items()
        if name in (*names, "model_name", "num_instances", "plan") and value is not None
    }
    if "${" in json.dumps(params):
        raise ConfigurationError(
            f"The run {recorded.run_id} has recorded a parameter with '${{': its manifest was "
            "changed, since a run records values alone. Restore it."
        )
    params["training"] = {
        "refit": "none",  # where the run is older than the parameter
        "max_rows": None,  # likewise
        "features": [],
        **params.get("training", {}),
    }
    if "evaluation" in params:
        params["evaluation"] = {"metrics": [], **params["evaluation"]}
    if "decision" in params:
        params["decision"] = {"threshold": None, **params["decision"]}
    try:
        candidates = _CANDIDATES.validate_python(params["training"].get("candidates"))
    except ValidationError as error:
        raise ConfigurationError(
            f"The run {recorded.run_id} has recorded no candidates that could be searched again: "
            f"{error.errors()[0]['msg']}."
        ) from error
    known = TrainingParams.model_validate(configured["training"])
    outside = require_known_candidates(candidates, known.candidates)
    outside += _outside_of_the_rest(recorded, params, known)
    _require_paths(recorded, params["training"]["features"], known.features, "features")
    checkout: dict[str, Section] = {"training": known}
    if "evaluation" in params:
        evaluation = EvaluationParams.model_validate(configured["evaluation"])
        checkout["evaluation"] = evaluation
        _require_paths(recorded, params["evaluation"]["metrics"], evaluation.metrics, "metrics")
    if outside:
        log.warning(
            "The run %s was made with values that this checkout would not try itself: %s.",
            recorded.run_id,
            ", ".join(outside[:10]),
        )
    for (section, name), most in _MOST.items():
        value = params.get(section, {}).get(name)
        if value is not None:
            usual = getattr(checkout[section], name)
            require_bounded(recorded.run_id, f"{section}.{name}", value, max(most, usual))
    return params


def require_bounded(run_id: str, name: str, value: Any, most: int) -> None:
    """Refuse a recorded number that would make a run endless.

    Args:
        run_id: The recorded run.
        name: Of the parameter.
        value: What was recorded.
        most: What may be.

    Raises:
        ConfigurationError: If it is more, or no such number.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise ConfigurationError(
            f"The run {run_id} has recorded {name} = {str(value)[:40]}; a run is repeated with "
            f"{most:,} at most. If the record is right, set {name} as high in this checkout's "
            "parameters, and call it again."
        )


def _outside_of_the_rest(
    recorded: Manifest, params: dict[str, Any], known: TrainingParams
) -> list[str]:
    """As ``require_known_candidates``, of the encoding's settings and of a planned recipe."""
    vectorizer = params["training"].get("vectorizer") or {}
    outside = require_known_settings("training.vectorizer", vectorizer, known.vectorizer)
    if "plan" not in params:
        return outside
    try:
        recipe = Plan.model_validate(params["plan"]).recipe
    except ValidationError as error:
        raise ConfigurationError(
            f"The run {recorded.run_id} has recorded no plan that could be followed again: "
            f"{error.errors()[0]['msg']}."
        ) from error
    _require_paths(recorded, recipe.features, known.features, "features")
    fixed = {key: value for key, value in recipe.parameters.items() if key != "random_state"}
    candidate = Candidate.model_validate(
        {"class": recipe.class_path, "dense": recipe.dense, "fixed": fixed}
    )
    outside += require_known_candidates(
        {recipe.task: {recipe.candidate: candidate}}, known.candidates
    )
    return outside + require_known_settings("vectorizer", recipe.vectorizer, known.vectorizer)


def _require_paths(recorded: Manifest, value: Any, named: tuple[str, ...], option: str) -> None:
    try:
        paths = _PATHS.validate_python(value)
    except ValidationError as error:
        raise ConfigurationError(
            f"The run {recorded.run_id} has recorded `{option}` in another form than a list of "
            f"names: {error.errors()[0]['msg']}."
        ) from error
    require_named("The recorded run", paths, named, option)
