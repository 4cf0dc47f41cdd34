"""Tests of asking for a release."""

from __future__ import annotations

from mlops_basics.pipelines.model_publishing import create_pipeline
from mlops_basics.pipelines.model_publishing.nodes import request_release
from mlops_basics.schemas import RegisteredVersion
from tests.support.tables import assert_inputs_unchanged, run_slice

REGISTERED = RegisteredVersion(
    model_name="flowers", version="2", previous="1", promoted=True, reason="It is better."
)


def test_what_the_registry_holds_is_asked_for():
    """What the registry holds is passed on unchanged, also if it holds nothing."""
    assert assert_inputs_unchanged(request_release, REGISTERED) == REGISTERED
    nothing = REGISTERED.model_copy(update={"version": None, "previous": None, "promoted": False})
    assert request_release(nothing) == nothing


def test_the_pipeline_goes_from_the_registry_to_the_release():
    """One input, one output."""
    pipeline = create_pipeline()
    assert (pipeline.inputs(), pipeline.outputs()) == ({"registered_version"}, {"release"})
    assert run_slice(pipeline, {"registered_version": REGISTERED}) == {"release": REGISTERED}
