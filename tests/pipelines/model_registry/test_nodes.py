"""Tests of putting a registration together."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_basics.pipelines.model_registry import create_pipeline
from mlops_basics.pipelines.model_registry.nodes import request_registration
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    Artifact,
    CollectionReport,
    ModelRecord,
    MonitoringReference,
)
from tests.support.artifacts import make_recipe
from tests.support.challengers import FITTED_ROWS, INFO, ROWS, decision_of, refused
from tests.support.tables import assert_inputs_unchanged, run_slice

RECORD = ModelRecord(
    candidate="linear",
    run_id="2026-01-01T00.00.00.000Z",
    mlflow_run_id="ab" * 16,
    data_versions={},
    git_commit=None,
    git_dirty=None,
)
COLLECTED = CollectionReport(batches=(), rows_in_source=6, rows=6, columns=3)


def inputs(**values):
    """What the node takes, by name."""
    return {
        "decision": decision_of("none", "ab", **values),
        "model_record": RECORD,
        "recipe": make_recipe(),
        "table_info": INFO,
        "collection_report": COLLECTED,
        "fitted_rows": pd.DataFrame({ROW_HASH_COLUMN: FITTED_ROWS}),
        "reference": ROWS,
        "reference_profile": {"n": 6},
        "reference_losses": pd.DataFrame({"error": [0.0, 1.0]}),
        "monitoring_reference": MonitoringReference(rows=6, thinned=5, losses=("error",)),
    }


@pytest.mark.parametrize("values", [{}, refused()], ids=["yes", "no"])
def test_a_registration_holds_all_that_a_release_needs(values):
    """For any decision it holds artifacts, tables and arrays by their names."""
    given = inputs(**values)
    registration = assert_inputs_unchanged(request_registration, *given.values())
    assert registration.decision == given["decision"]
    assert registration.record == RECORD
    assert set(registration.files) == set(given)
    assert all(
        isinstance(file, (Artifact, pd.DataFrame, dict)) for file in registration.files.values()
    )
    for name, file in given.items():
        assert registration.files[name] is file


def test_the_pipeline_ends_in_the_registered_version():
    """The pipeline takes data sets of earlier pipelines and makes the registered version."""
    given = inputs()
    pipeline = create_pipeline()
    assert pipeline.inputs() == set(given)
    found = run_slice(pipeline, given)
    assert set(found) == {"registered_version"}
    assert found["registered_version"].decision == given["decision"]
