"""The exact power of McNemar's test, without the grid that the search for a smallest gain uses."""

import numpy as np

from mlops_basics.stats._special import binom_sf
from mlops_basics.stats.paired.mcnemar import gained_share, likely_disagreements, needed_gains


def mcnemar_power(
    n: int, *, disagreement: float, gain: float, alpha: float = 0.05, min_gain: float = 0.0
) -> float:
    """Probability that ``mcnemar`` shows a given true gain.

    0.969 for ``n=10_000, disagreement=0.08, gain=0.01``: one point of accuracy is found nearly
    always on 10,000 rows; on 1,000 rows with probability 0.26.

    Args:
        n: Rows, at least 1.
        disagreement: Rate of rows that exactly one of the models gets right, in [0, 1].
        gain: True gain in accuracy, in [-disagreement, disagreement].
        alpha: One-sided level, in (0, 0.5).
        min_gain: Gain that has to be exceeded, in (-1, 1).

    Returns:
        The sum over the number of disagreements of its probability times the conditional power.
    """
    m, probability = likely_disagreements(n, disagreement)
    needed = needed_gains(m, n, alpha, min_gain)
    theta = float(gained_share(gain, disagreement))
    return float(np.dot(probability, binom_sf(needed - 1, m, theta)))
