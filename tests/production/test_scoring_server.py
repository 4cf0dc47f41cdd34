"""Tests of what stands between a request and the served model."""

from __future__ import annotations

import json

import pandas as pd
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from mlflow.types import ColSpec, Schema

from mlops_basics.production.scoring_server import in_utc

SCHEMA = Schema([ColSpec("datetime", "day"), ColSpec("double", "size")])


def test_times_with_a_zone_reach_the_model_in_utc():
    """As a batch file may write them: with Z, an offset, or none; missing ones stay missing."""
    for text in ("2026-01-01T01:00:00Z", "2026-01-01T02:00:00+01:00", "2026-01-01T01:00:00"):
        rows = [{"day": text, "size": 0.1}, {"day": None, "size": 0.2}]
        body = json.loads(json.dumps({"dataframe_records": rows}))
        data = in_utc(infer_and_parse_data(body, schema=SCHEMA))
        assert data["day"].dt.tz is None
        assert data["day"].tolist() == [pd.Timestamp("2026-01-01 01:00"), pd.NaT]
        assert data["size"].tolist() == [0.1, 0.2]


def test_what_is_no_table_stays_as_it_is():
    """Arrays and lists are MLflow's."""
    assert in_utc([1, 2]) == [1, 2]
