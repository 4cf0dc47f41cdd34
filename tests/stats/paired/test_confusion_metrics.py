"""Metrics of confusion matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics

from mlops_basics.stats.paired.confusion_metrics import (
    accuracy,
    balanced_accuracy,
    macro_f1,
    mcc,
)

ALL = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
}
matrices = arrays.arrays(np.float64, (4, 3, 3), elements=st.integers(0, 5).map(float))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("accuracy", metrics.accuracy_score),
        ("balanced_accuracy", metrics.balanced_accuracy_score),
        ("macro_f1", lambda y, p: metrics.f1_score(y, p, average="macro")),
        ("mcc", metrics.matthews_corrcoef),
    ],
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.parametrize("absent", [None, 0, 2])
def test_metrics_are_sklearns(name, reference, absent):
    """Every metric equals scikit-learn's, also when a class is absent from the truth."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        y, p = rng.integers(0, 3, (2, 40))
        keep = y != absent
        y, p = y[keep], p[keep]
        counts = metrics.confusion_matrix(y, p, labels=[0, 1, 2]).astype(float)
        assert ALL[name](counts) == pytest.approx(reference(y, p), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(matrices)
@pytest.mark.parametrize("name", ALL)
def test_a_stack_is_evaluated_matrix_by_matrix_without_nan(name, stack):
    """The values of a stack are those of its matrices, finite for every matrix, even the empty."""
    values = ALL[name](stack)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, [float(ALL[name](matrix)) for matrix in stack])
    assert (np.abs(values) <= 1 + 1e-12).all()


@settings(deadline=None, max_examples=40)
@given(matrices, st.permutations([0, 1, 2]))
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "mcc"])
def test_renaming_the_classes_changes_nothing(name, stack, order):
    """Metrics over all classes do not depend on their order."""
    renamed = stack[:, order][:, :, order]
    np.testing.assert_allclose(ALL[name](renamed), ALL[name](stack), atol=1e-12)
