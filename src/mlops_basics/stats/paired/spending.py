"""Alpha spending: the level of the k-th challenge of one champion."""

from mlops_basics.stats import _check

_START = 0.2  # share spent at once
_LASTING = 0.8  # share spent slowly
_HORIZON = 52  # challenges after which half of the slow share is spent: a year, week by week


def alpha_at(k: int, alpha: float = 0.05) -> float:
    r"""Level of the k-th challenge so that all challenges of a champion together keep alpha.

    Args:
        k: Number of the challenge in the champion's life, refused and crashed ones counted, at
            least 1.
        alpha: Probability of ever promoting a challenger that is no better, over the whole life, in
            (0, 0.5).

    Returns:
        The level of this challenge.

    Raises:
        ValueError: If k is not a positive integer or alpha is out of range.

    Note:
        .. math:: \alpha_k = \alpha \left[ \frac{0.2}{k (k+1)}
                  + \frac{0.8 \cdot 52}{(k+51)(k+52)} \right]

        The levels sum to alpha. With 1/(j (j+1)) = 1/j - 1/(j+1) both sums telescope:

        .. math:: \sum_{k=1}^{K} \frac{1}{k (k+1)} = 1 - \frac{1}{K+1} \to 1, \qquad
                  \sum_{k=1}^{K} \frac{52}{(k+51)(k+52)}
                  = 52 \left( \frac{1}{52} - \frac{1}{K+52} \right) \to 1,

        so the total is alpha (0.2 + 0.8) = alpha. By the union bound the probability that any of
        the challenges errs is at most that sum, whatever the dependence between them: also on
        reused rows, and for challengers chosen after earlier refusals.

    Example:
        >>> from mlops_basics.stats.paired.spending import alpha_at
        >>> [round(alpha_at(k), 6) for k in (1, 2, 26, 53)]
        [0.005755, 0.002393, 0.000361, 0.000194]
        >>> bool(sum(alpha_at(k) for k in range(1, 10_000)) < 0.05)
        True

        The first challenge is tested at 0.6 %, the one after a year of weekly challenges at 0.02 %.
    """
    k = _check.count(k, "k", at_least=1)
    alpha = _check.level(alpha)
    start = _START / (k * (k + 1))
    lasting = _LASTING * _HORIZON / ((k + _HORIZON - 1) * (k + _HORIZON))
    return alpha * (start + lasting)
