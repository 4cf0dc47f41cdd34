"""Which test a metric of the confusion matrix is compared by."""

import numpy as np
import pytest

from mlops_basics.scoring.comparison import compare_scores
from mlops_basics.scoring.scores import Scores


@pytest.mark.parametrize(
    ("classes", "apart", "method"),
    [(3, 300, "bootstrap"), (200, 20, "bootstrap"), (200, 300, "Hall")],
)
def test_many_cells_are_not_drawn_unless_the_models_hardly_differ(classes, apart, method):
    """A bootstrap of 200 classes takes seconds; of few differing rows it is the safe one."""
    rng, rows = np.random.default_rng(0), 2_000
    y = rng.integers(0, classes, rows)
    old = np.where(rng.random(rows) < 0.7, y, rng.integers(0, classes, rows))
    new = old.copy()
    new[:apart] = (old[:apart] + 1) % classes
    nothing = np.empty((rows, classes))
    champion, challenger = (Scores("multiclass", y, model, nothing) for model in (old, new))
    found = compare_scores("macro_f1", champion, challenger, None, 0.05, 0.0, rng)
    assert method in found.method
    assert found.p_worse < 0.05
