"""Tests of the feature steps."""

import pandas as pd

from {{ cookiecutter.python_package }}_steps.features import count_missing


def test_missing_values_are_counted_in_each_row():
    """Beside the columns as they were."""
    table = pd.DataFrame({"age": [31.0, None], "city": ["Bonn", None]})
    found = count_missing(table)
    assert found["missing_values"].tolist() == [0, 2]
    pd.testing.assert_frame_equal(found[["age", "city"]], table)
