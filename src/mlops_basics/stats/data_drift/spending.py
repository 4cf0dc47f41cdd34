"""Alpha spending over the batches of one release: the level of the j-th batch."""

from mlops_basics.stats import _check

_HORIZON = 50  # batches after which half is spent: a year, week by week


def drift_alpha_at(j: int, alpha: float = 0.05) -> float:
    r"""Level of the j-th batch so that all batches of a release together keep alpha.

    Args:
        j: Number of the batch in the release's life, at least 1.
        alpha: Probability of any false alarm about data drift, over the whole life of the release,
            in (0, 0.5).

    Returns:
        The level of this batch, to be divided over what is tested in it.

    Raises:
        ValueError: If j is not a positive integer or alpha is out of range.

    Note:
        .. math:: \alpha_j = \alpha \frac{50}{(j+49)(j+50)}

        The levels sum to alpha: with 1/((j+49)(j+50)) = 1/(j+49) - 1/(j+50) the sum telescopes,

        .. math:: \sum_{j=1}^{J} \frac{50}{(j+49)(j+50)}
                  = 50 \left( \frac{1}{50} - \frac{1}{J+50} \right) = \frac{J}{J+50} \to 1.

        By the union bound the probability of any false alarm is at most that sum, whatever the
        dependence between batches: all are compared with the same reference.

    Example:
        >>> from mlops_basics.stats.data_drift.spending import drift_alpha_at
        >>> [round(drift_alpha_at(j), 6) for j in (1, 2, 50, 500)]
        [0.00098, 0.000943, 0.000253, 8e-06]
        >>> round(sum(drift_alpha_at(j) for j in range(1, 51)), 6)
        0.025

        The first batch is tested at 0.1 %; after fifty batches half of the 5 % is spent.
    """
    j = _check.count(j, "j", at_least=1)
    alpha = _check.level(alpha)
    return alpha * _HORIZON / ((j + _HORIZON - 1) * (j + _HORIZON))
