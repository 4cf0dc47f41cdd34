"""Tests of what metrics take of the cells of a confusion matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.stats.paired.cell_sums import MarginSums, MatrixSums, sums_for
from mlops_basics.stats.paired.confusion_metrics import BY_MARGINS, accuracy

CELLS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, unique=True)


@given(CELLS, st.integers(0, 9))
def test_every_metric_is_the_same_by_margins_as_by_the_matrix(cells, seed):
    """Three sums a class hold all that these metrics ask of a matrix."""
    of_cells = np.array(cells)
    counts = np.random.default_rng(seed).integers(0, 5, (3, len(cells)))
    matrices, margins = MatrixSums(of_cells, 5)(counts), MarginSums(of_cells, 5)(counts)
    assert matrices.sum() == counts.sum()
    for metric in BY_MARGINS:
        assert metric(margins) == pytest.approx(metric(matrices))


def test_another_metric_gets_whole_matrices():
    """What asks for single cells has them, whatever stands beside it."""
    cells = np.array([[0, 1], [1, 1]])

    def costs(counts):
        return 3 * counts[..., 0, 1] + counts[..., 1, 0]

    assert isinstance(sums_for([accuracy], cells, 2), MarginSums)
    sums = sums_for([accuracy, costs], cells, 2)
    assert costs(sums(np.array([[2, 5]]))).tolist() == [6]
