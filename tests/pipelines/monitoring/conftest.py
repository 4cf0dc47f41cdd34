"""A classifier and a regression, as production has them."""

from __future__ import annotations

import pytest

from tests.support.watched import OF_SIZE, PREPROCESSING, make_release


@pytest.fixture(scope="package")
def release(binary, binary_model):
    """Tells tall from short."""
    return make_release(binary, binary_model, PREPROCESSING)


@pytest.fixture(scope="package")
def of_size(regression, regression_model):
    """Predicts the size."""
    return make_release(regression, regression_model, OF_SIZE)
