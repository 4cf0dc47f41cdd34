"""A small table that went through preprocessing, for the pipelines behind it."""

from __future__ import annotations

import pytest

from tests.support.tables import LINEAR, RIDGE, prepare, raw_table, search_of, training_params


@pytest.fixture(scope="package")
def binary():
    """Two classes; the size leads, the count is noise."""
    return prepare(raw_table(300), exclude=["day"])


@pytest.fixture(scope="package")
def regression():
    """A size that follows from the count and the colour."""
    raw = raw_table(300)
    raw["size"] += 0.1 * raw["count"] + 2 * (raw["colour"] == "red")
    return prepare(raw, target="size", exclude=["day", "kind"])


@pytest.fixture(scope="package")
def binary_model(binary):
    """A fitted classifier."""
    params = training_params(candidates={"linear": LINEAR}, n_trials=2)
    return search_of(binary, params)[0]


@pytest.fixture(scope="package")
def regression_model(regression):
    """A fitted regression."""
    params = training_params("regression", {"linear": RIDGE}, n_trials=2)
    return search_of(regression, params)[0]
