"""Guards: a metric shown to be worse vetoes."""

import numpy as np
import pytest
from scipy import stats

from mlops_basics.stats.paired.auc import compare_auc
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
from mlops_basics.stats.paired.confusion_metrics import macro_f1
from mlops_basics.stats.paired.guards import shown_worse
from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.sums import PairedSums


def _results(flip, seed=0):
    """Every kind of comparison of a good and a poor model, the poor one as challenger or not."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 800)
    good, poor = y + rng.normal(0, 0.6, 800), y + rng.normal(0, 1.2, 800)
    old, new = (poor, good) if flip else (good, poor)
    old_class, new_class = (old > 0.5).astype(int), (new > 0.5).astype(int)
    table = PairedTable.from_codes(y, old_class, new_class, n_classes=2)
    return [
        compare_losses(PairedSums.from_losses((old - y) ** 2, (new - y) ** 2)),
        mcnemar(PairedCounts.from_predictions(y, old_class, new_class)),
        paired_bootstrap(table, {"macro_f1": macro_f1}, rng=rng)["macro_f1"],
        compare_auc(y, old, new),
    ]


def test_a_poor_challenger_is_vetoed_by_every_kind_of_metric():
    """Loss, accuracy, macro F1 and AUC all show the worse model to be worse."""
    guards = [shown_worse(result) for result in _results(flip=False)]
    assert [guard.shown_worse for guard in guards] == [True] * 4
    assert all("is shown to be worse" in guard.reason for guard in guards)


def test_a_good_challenger_is_vetoed_by_none():
    """The better model is shown better, and vetoed by no metric."""
    results = _results(flip=True)
    assert all(result.significant for result in results)
    assert not any(shown_worse(result).shown_worse for result in results)


def test_the_veto_uses_its_own_level():
    """A veto at 5 % does not depend on the spent level of the test."""
    counts = PairedCounts(n=500, both_right=430, gained=8, lost=22)
    strict = mcnemar(counts, alpha=0.0002)
    expected = stats.binomtest(22, 30, alternative="greater").pvalue
    assert shown_worse(strict).p_worse == pytest.approx(expected)
    assert shown_worse(strict).shown_worse
    assert not shown_worse(strict, alpha=0.001).shown_worse


def test_a_guard_holds_the_gain_and_its_interval():
    """A guard has the comparison's gain and interval; without an interval it has no limits."""
    result = mcnemar(PairedCounts(n=500, both_right=430, gained=8, lost=22))
    guard = shown_worse(result)
    assert (guard.metric, guard.effect) == ("accuracy", result.effect)
    assert (guard.low, guard.high) == result.interval
    empty = shown_worse(mcnemar(PairedCounts()))
    assert (empty.low, empty.high) == (None, None)


@pytest.mark.parametrize(
    "result",
    [
        compare_losses(PairedSums()),
        compare_losses(PairedSums.from_losses(np.zeros(19), np.arange(19.0))),
        compare_losses(PairedSums.from_losses(np.zeros(50), np.ones(50))),
        mcnemar(PairedCounts()),
        compare_auc([1] * 30, np.arange(30.0), -np.arange(30.0)),
    ],
    ids=["no rows", "19 rows", "constant", "no rows of accuracy", "one class"],
)
def test_what_cannot_be_computed_vetoes_nothing(result):
    """A refused or impossible comparison is no proof of harm."""
    assert not shown_worse(result).shown_worse


def test_level_is_checked():
    """A level out of range is refused."""
    with pytest.raises(ValueError, match=r"alpha must be between 0 and 0\.5, got 1"):
        shown_worse(mcnemar(PairedCounts()), alpha=1)
