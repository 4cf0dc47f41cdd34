"""Two models on the same rows, compared by any of the metrics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlops_basics.schemas import METRICS
from mlops_basics.scoring.scores import Scores, row_losses
from mlops_basics.stats.paired.auc import auc_influence, compare_auc, rank_scores
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
from mlops_basics.stats.paired.groups import compare_groups, group_sums
from mlops_basics.stats.paired.influence import compare_left_out, confusion_influence
from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.result import PairedResult
from mlops_basics.stats.paired.sums import PairedSums

#: More cells of (class, prediction, prediction) take seconds to draw; so few rows on which the
#: models differ are drawn all the same, since sums of their influences are not normal yet.
MOST_CELLS, FEW_DIFFERENCES = 500, 100


def compare_scores(
    metric: str,
    champion: Scores,
    challenger: Scores,
    groups: npt.NDArray[np.int64] | None,
    alpha: float,
    min_gain: float,
    rng: np.random.Generator,
    huber_delta: float = 1.0,
    *,
    in_order: bool = False,
) -> PairedResult:
    """Test whether the challenger is better by one metric.

    Args:
        metric: Name of one that may be tested.
        champion: Scores of n rows.
        challenger: Scores of the same rows.
        groups: The group of each row, shape (n,), where groups are the independent units.
        alpha: One-sided level.
        min_gain: Gain that has to be exceeded; minus the margin for non-inferiority.
        rng: Source of a bootstrap's draws.
        huber_delta: The error from which the Huber loss is linear.
        in_order: Whether the groups' codes are in the order of time, as those of days are.
    """
    spec, y = METRICS[metric], champion.y
    if spec.row_loss is not None:
        old, new = (row_losses(scores, metric, huber_delta) for scores in (champion, challenger))
        if groups is None:
            sums = PairedSums.from_losses(old, new)
        else:
            sums = group_sums(old, new, groups, in_order=in_order)
        return compare_losses(sums, metric=metric, alpha=alpha, min_gain=min_gain)
    if spec.of_confusion is None:
        return _compare_auc(champion, challenger, groups, alpha, min_gain, in_order)
    classes = champion.probabilities.shape[1]
    if groups is None and metric == "accuracy":
        counts = PairedCounts.from_predictions(y, champion.predicted, challenger.predicted)
        return mcnemar(counts, alpha=alpha, min_gain=min_gain)
    predicted = y, champion.predicted, challenger.predicted
    if groups is None:
        table = PairedTable.from_codes(*predicted, n_classes=classes)
        if len(table.cells) <= MOST_CELLS or table.disagreements < FEW_DIFFERENCES:
            metrics = {metric: spec.of_confusion}
            return paired_bootstrap(table, metrics, rng=rng, alpha=alpha, min_gain=min_gain)[metric]
        return compare_left_out(
            spec.of_confusion,
            *predicted,
            n_classes=classes,
            metric=metric,
            alpha=alpha,
            min_gain=min_gain,
        )
    influence = confusion_influence(spec.of_confusion, *predicted, n_classes=classes)
    return compare_groups(
        influence, groups, y, metric=metric, alpha=alpha, min_gain=min_gain, in_order=in_order
    )


def _compare_auc(
    champion: Scores,
    challenger: Scores,
    groups: npt.NDArray[np.int64] | None,
    alpha: float,
    min_gain: float,
    in_order: bool,
) -> PairedResult:
    y = champion.y
    old, new = (rank_scores(scores.probabilities) for scores in (champion, challenger))
    by_row = compare_auc(y, old, new, alpha=alpha, min_gain=min_gain)
    if groups is None or by_row.standard_error is None:  # these rows are of one class, or nearly
        return by_row
    influence = auc_influence(y, old, new)
    return compare_groups(
        influence,
        groups,
        y,
        metric=by_row.metric,
        alpha=alpha,
        min_gain=min_gain,
        in_order=in_order,
    )
