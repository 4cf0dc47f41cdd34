"""Tests of the profile that drift is judged by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.table_drift import TableProfile
from mlops_basics.table.profile import feature_profile, time_columns

FEATURES = pd.DataFrame(
    {
        "size": [1.0, np.nan, 3.0, 4.0],
        "colour": pd.Series(["red", None, "red", "blue"], dtype="str"),
        "day": pd.date_range("2024-01-01", periods=4, unit="us"),
    }
)


def test_numbers_by_their_distribution_and_the_rest_by_levels():
    """Missing values are counted of both."""
    profile = feature_profile(FEATURES, ["day"])
    assert list(profile.columns) == ["size", "colour"]
    size, colour = profile.columns.values()
    assert isinstance(size, NumericProfile)
    assert isinstance(colour, CategoricalProfile)
    assert (size.rows, size.missing) == (colour.rows, colour.missing) == (4, 1)
    assert colour.counts == {"red": 2, "blue": 1}


def test_times_are_recognised_by_their_type():
    """Time columns are named as such, and all columns are in the profile."""
    assert time_columns(FEATURES) == ("day",)
    assert time_columns(FEATURES[["size", "colour"]]) == ()
    assert list(feature_profile(FEATURES).columns) == ["size", "colour", "day"]


def test_parts_merge_to_the_whole():
    """A batch may come in pieces."""
    parts = [feature_profile(part, ["day"]) for part in (FEATURES[:1], FEATURES[1:])]
    whole, merged = feature_profile(FEATURES, ["day"]), parts[0].merge(parts[1])
    size, colour = merged.columns["size"], merged.columns["colour"]
    assert (size.rows, size.missing, colour.rows, colour.missing) == (4, 1, 4, 1)
    assert colour.counts == whole.columns["colour"].counts


def test_no_column_at_all():
    """A profile without columns is possible."""
    assert isinstance(feature_profile(FEATURES, FEATURES.columns), TableProfile)
    assert feature_profile(FEATURES[[]]).columns == {}
