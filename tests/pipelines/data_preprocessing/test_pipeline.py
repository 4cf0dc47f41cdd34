"""Tests of the data_preprocessing pipeline in memory."""

from __future__ import annotations

import pandas as pd

from mlops_basics.pipelines.data_preprocessing import create_pipeline
from mlops_basics.schemas import PreprocessingParams, TrainingParams
from tests.support.parameters import configured
from tests.support.tables import raw_table, run_slice


def test_bronze_to_golden():
    """A raw table in; typed rows, what is known of them, three sets and their report out."""
    inputs = {
        "raw_data": raw_table(),
        "params:preprocessing": configured(PreprocessingParams, target="kind", exclude=("day",)),
        "params:training": configured(TrainingParams),
    }
    outputs = run_slice(create_pipeline(), inputs)
    assert set(outputs) == {
        "labelled_data",
        "target_info",
        "preprocessed_data",
        "table_info",
        "train_data",
        "valid_data",
        "test_data",
        "split_report",
    }
    sets = [outputs[f"{side}_data"] for side in ("train", "valid", "test")]
    assert sum(map(len, sets)) == outputs["table_info"].rows == 120
    assert outputs["split_report"].rows["train"] == len(sets[0])
    assert outputs["table_info"].features == ("size", "count", "colour")
    for part in sets:
        assert part.dtypes.equals(outputs["preprocessed_data"].dtypes)
        assert isinstance(part.index, pd.RangeIndex)
