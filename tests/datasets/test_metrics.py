"""Tests of the metrics' data set."""

from __future__ import annotations

import inspect

import pytest

from mlops_basics.datasets import ArtifactDataset, MetricsDataset
from mlops_basics.schemas import Estimate
from tests.support.artifacts import make_metrics

FOUND = make_metrics(
    rows=31,
    accuracy=Estimate(value=0.9, low=0.8, high=0.95, greater_is_better=True),
    log_loss=Estimate(value=None, greater_is_better=False),
)


@pytest.fixture
def dataset(tmp_path):
    """Metrics, saved."""
    made = MetricsDataset(filepath=str(tmp_path / "metrics.json"))
    made.save(FOUND)
    return made


def test_metrics_are_saved_as_the_artifact_they_were(dataset, tmp_path):
    """A run that is older than the type can still be read, and the other way round."""
    older = ArtifactDataset(
        filepath=str(tmp_path / "metrics.json"), model="mlops_basics.schemas.Metrics"
    )
    assert dataset.load() == older.load() == FOUND


def test_the_preview_is_a_table(dataset):
    """kedro-viz chooses how to draw it by the annotation."""
    assert inspect.signature(dataset.preview).return_annotation == "TablePreview"
    assert dataset.preview() == {
        "index": [0, 1],
        "columns": ["metric", "value", "low (95 %)", "high (95 %)", "better", "rows"],
        "data": [
            ["Accuracy", "0.900", "0.800", "0.950", "higher", 31],
            ["Log loss", "not defined", "", "", "lower", 31],
        ],
    }
