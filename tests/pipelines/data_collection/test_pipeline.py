"""Tests of the data_collection pipeline in memory."""

from __future__ import annotations

import pandas as pd

from mlops_basics.pipelines.data_collection import create_pipeline
from mlops_basics.schemas import BATCH_COLUMN, Batch, CollectionParams
from tests.support.parameters import configured
from tests.support.tables import run_slice


def test_source_to_bronze():
    """Batches in, one raw table and its report out."""
    source = [Batch.of(name, "00", pd.DataFrame({"x": [1, 2]})) for name in ("a.csv", "b.csv")]
    outputs = run_slice(
        create_pipeline(),
        {"source": source, "labels": [], "params:collection": configured(CollectionParams)},
    )
    assert set(outputs) == {"raw_data", "collection_report"}
    assert outputs["raw_data"][BATCH_COLUMN].tolist() == ["a.csv", "a.csv", "b.csv", "b.csv"]
    assert outputs["collection_report"].rows == 4
