"""The parameters of a recorded run, as they may be run again."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mlops_basics.errors import ConfigurationError
from mlops_basics.fitting.recipe import require_known_candidates
from mlops_basics.schemas import (
    PARAMETER_SECTIONS,
    Candidate,
    Manifest,
    Task,
    TrainingParams,
)

_CANDIDATES = TypeAdapter(dict[Task, dict[str, Candidate]])


def recorded_parameters(recorded: Manifest, configured: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run, as they may be run again.

    A manifest comes from MLflow, where others may write: it gives values, never what is executed.

    Args:
        recorded: Of the run.
        configured: The parameters of this checkout.

    Raises:
        ConfigurationError: If a value would be resolved, a section has another form, or a class
            is none that this checkout's configuration names.
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
        **params.get("training", {}),
    }
    try:
        candidates = _CANDIDATES.validate_python(params["training"].get("candidates"))
    except ValidationError as error:
        raise ConfigurationError(
            f"The run {recorded.run_id} has recorded no candidates that could be searched again: "
            f"{error.errors()[0]['msg']}."
        ) from error
    known = TrainingParams.model_validate(configured["training"]).candidates
    require_known_candidates(candidates, known)
    return params
