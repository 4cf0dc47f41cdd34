"""What a report says of the next batch, where batches come in order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.errors import ConfigurationError
from mlops_basics.pipelines.model_evaluation.in_order import MEASURED, measure_in_order
from mlops_basics.pipelines.model_evaluation.nodes import write_report
from mlops_basics.schemas import BATCH_COLUMN, OrderCheck, TrainingParams
from tests.support.artifacts import make_table_info
from tests.support.parameters import configured
from tests.support.parsed_page import ParsedPage
from tests.support.policies import slope_recipe
from tests.support.run_report import report_inputs
from tests.support.tables import LINEAR, assert_inputs_unchanged

RECIPE = slope_recipe()
PARAMS = configured(
    TrainingParams,
    candidates={"regression": {"line": {"class": RECIPE.class_path, "dense": True}}},
)
INFO = make_table_info()


def sets_of(*levels: float, rows: int = 60) -> list[pd.DataFrame]:
    """Batches b0, b1, ... of these levels, divided into three sets whatever their order."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"b{number}" for number in range(len(levels))], rows)
    x = rng.normal(size=len(names))
    table = pd.DataFrame({"x": x, "y": np.repeat(levels, rows) + x, BATCH_COLUMN: names})
    mixed = table.sample(frac=1, random_state=0)
    return [mixed.iloc[at::3].reset_index(drop=True) for at in range(3)]


def test_each_batch_is_predicted_from_those_before_it() -> None:
    """Prices that rise by ten a batch: the error of the next batch grows with the past's length."""
    sets = sets_of(0.0, 10.0, 20.0, 30.0, 40.0)
    found = assert_inputs_unchanged(measure_in_order, RECIPE, *sets, INFO, PARAMS)
    assert (found.batches, found.rows) == (("b2", "b3", "b4"), (60,) * MEASURED)
    assert found.losses == pytest.approx((15.0, 20.0, 25.0), abs=1.5)
    assert found.mean == pytest.approx(np.mean(found.losses))
    assert found.loss == "mean absolute error"


def test_without_an_order_nothing_is_claimed() -> None:
    """One batch has none before it."""
    found = measure_in_order(RECIPE, *sets_of(1.0), INFO, PARAMS)
    assert (found.batches, found.mean) == ((), None)


def test_a_class_that_the_configuration_does_not_name_is_refused() -> None:
    """A recipe comes from a file."""
    other = RECIPE.model_copy(update={"class_path": "os.system"})
    with pytest.raises(ConfigurationError, match=r"os\.system"):
        measure_in_order(other, *sets_of(1.0, 2.0), INFO, PARAMS)


def test_the_report_begins_with_the_next_batch(binary, binary_model) -> None:
    """Before the metrics of rows of all times; without an order these lead."""
    inputs = report_inputs(binary, binary_model, {"linear": LINEAR})
    check = OrderCheck(loss="log loss", batches=("m1", "m2"), rows=(10, 30), losses=(0.5, 0.9))
    words = ParsedPage(write_report(**inputs | {"order_check": check})).words
    claim = "Log loss on the newest 2 batches: 0.800 (40 rows, each batch predicted from those"
    assert words.index(claim) < words.index("test rows:")
    assert "m1: 0.500 (10 rows); m2: 0.900 (30 rows)" in words
    assert "On the next batch" not in ParsedPage(write_report(**inputs)).words
