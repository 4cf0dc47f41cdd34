"""Paired comparison of accuracy: the exact test of McNemar."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from mlops_basics.stats import _check
from mlops_basics.stats._special import (
    Floats,
    binom_lower,
    binom_pmf,
    binom_ppf,
    binom_sf,
    binom_upper,
)
from mlops_basics.stats.paired.result import PairedResult, outcome

_POWER = 0.8
_NUISANCE = 1 / 20  # share of alpha paid for not knowing how often the models disagree
_NODES = 256  # numbers of disagreements that the search for the smallest gain looks at
_PRECISION = 1e-4  # relative, of that search
_TAIL = 1e-10  # numbers of disagreements less likely than this are left out of the power


@dataclass(frozen=True)
class PairedCounts:
    """How often both models, one, or none were right: mergeable.

    Attributes:
        n: Rows.
        both_right: Rows that both models got right.
        gained: Rows that the challenger alone got right.
        lost: Rows that the champion alone got right.

    Example:
        >>> from mlops_basics.stats.paired.mcnemar import PairedCounts
        >>> PairedCounts.from_predictions([0, 1, 1], champion=[0, 0, 1], challenger=[0, 1, 0])
        PairedCounts(n=3, both_right=1, gained=1, lost=1)

        Each model is right twice; they differ on two rows, one in favour of each.
    """

    n: int = 0
    both_right: int = 0
    gained: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "both_right", "gained", "lost"):
            object.__setattr__(self, name, _check.count(getattr(self, name), name))
        total = self.both_right + self.gained + self.lost
        if total > self.n:
            raise ValueError(f"n must be at least both_right + gained + lost, got {self.n!r}")

    @classmethod
    def from_predictions(cls, y: ArrayLike, champion: ArrayLike, challenger: ArrayLike) -> Self:
        """Count from true classes and the predictions of both models, in one coding.

        Args:
            y, champion, challenger: True and predicted classes, shape (n,).

        Raises:
            ValueError: If the shapes differ or are not one-dimensional.
        """
        y, champion, challenger = np.asarray(y), np.asarray(champion), np.asarray(challenger)
        if y.ndim != 1:
            raise ValueError(f"y must be one-dimensional, got {y.shape!r}")
        for name, values in (("champion", champion), ("challenger", challenger)):
            if values.shape != y.shape:
                raise ValueError(f"{name} must be of shape {y.shape}, got {values.shape!r}")
        old, new = champion == y, challenger == y
        both = int(np.count_nonzero(old & new))
        return cls(
            n=len(y),
            both_right=both,
            gained=int(np.count_nonzero(new)) - both,
            lost=int(np.count_nonzero(old)) - both,
        )

    def merge(self, other: "PairedCounts") -> Self:
        """The counts of the rows of both.

        Args:
            other: Counts of other rows, of the same two models.
        """
        return type(self)(
            n=self.n + other.n,
            both_right=self.both_right + other.both_right,
            gained=self.gained + other.gained,
            lost=self.lost + other.lost,
        )


@dataclass(frozen=True, kw_only=True)
class McNemarResult(PairedResult):
    """``PairedResult`` of accuracy, with the counts it was computed from.

    Attributes:
        counts: The input.
    """

    counts: PairedCounts


def mcnemar(counts: PairedCounts, *, alpha: float = 0.05, min_gain: float = 0.0) -> McNemarResult:
    r"""Is the challenger's accuracy higher by more than ``min_gain``? Exact.

    Args:
        counts: Rows that both, one or none of the models got right.
        alpha: One-sided level, in (0, 0.5).
        min_gain: Gain in accuracy that has to be exceeded; -margin for non-inferiority. In (-1, 1).

    Raises:
        ValueError: If alpha or min_gain is out of range.

    Note:
        Only the m = gained + lost rows count on which exactly one model is right. Given m, gained
        is binomial with share theta = (1 + gain / pi) / 2, where pi is the rate of such rows.

        For min_gain = 0, theta = 1/2 whatever pi, and p = P(Bin(m, 1/2) >= gained): exact on any
        number of rows, so there is no smallest n.

        For min_gain != 0, theta depends on the unknown pi. Following Berger and Boos [2], p is the
        largest binomial tail over a confidence interval of pi at level 1 - alpha / 20, plus alpha /
        20. Exact as well, at the price of a slightly smaller level.

        The interval inverts that test; each end pays alpha / 20 for pi. The test at 0 does not pay,
        so where its p lies within 5 % of alpha the end is moved to 0, for interval and test to
        agree.

        The smallest gain is found from the exact unconditional power at the observed rate of
        disagreement; a gain larger than that rate is taken to be all of it.

    References:
        [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions
            or percentages", Psychometrika 12, 153-157 (1947).
        [2] R. L. Berger and D. D. Boos, "P values maximized over a confidence set for the nuisance
            parameter", Journal of the American Statistical Association 89, 1012-1016 (1994).

    Example:
        >>> from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
        >>> result = mcnemar(PairedCounts(n=1000, both_right=850, gained=50, lost=28))
        >>> result.effect, round(result.p_value, 4), result.significant
        (0.022, 0.0084, True)
        >>> [round(limit, 4) for limit in result.interval], round(result.smallest_gain, 3)
        ([0.0045, 0.0498], 0.023)

        The challenger gains 2.2 points of accuracy, and at least 0.45 with 95 % confidence. On
        1,000 rows with 78 disagreements the test finds gains of 2.3 points or more in four cases of
        five.
    """
    alpha, min_gain = _check.level(alpha), _check.gain_in_shares(min_gain)
    n, gained, lost = counts.n, counts.gained, counts.lost
    m = gained + lost
    if n == 0:
        champion = challenger = effect = interval = smallest = None
        p_value = p_worse = 1.0
        reason = "refused: there are no rows"
    else:
        champion = (counts.both_right + lost) / n
        challenger = (counts.both_right + gained) / n
        effect = (gained - lost) / n
        p_worse = _p_value(lost, m, n, 0.0, alpha)
        p_better = _p_value(gained, m, n, 0.0, alpha)
        p_value = p_better if min_gain == 0 else _p_value(gained, m, n, min_gain, alpha)
        low, high = _lower(gained, m, n, alpha), -_lower(lost, m, n, alpha)
        interval = (
            max(low, 0.0) if p_better <= alpha else low,
            min(high, 0.0) if p_worse <= alpha else high,
        )
        smallest = smallest_gain(n, m / n, alpha, min_gain)
        reason = outcome(p_value <= alpha, p_value, alpha, min_gain, "accuracy")
        if m == 0:
            reason = f"the models are right on the same rows, {n} of {n}; {reason}"
    return McNemarResult(
        metric="accuracy",
        method="exact McNemar",
        n=n,
        champion=champion,
        challenger=challenger,
        effect=effect,
        interval=interval,
        p_value=p_value,
        p_worse=p_worse,
        alpha=alpha,
        min_gain=min_gain,
        smallest_gain=smallest,
        level_note="",
        reason=reason,
        counts=counts,
    )


def gained_share(gain: float, rate: ArrayLike) -> Floats:
    """theta = P(challenger is the right one | they differ) of a gain at a disagreement rate."""
    rate = np.asarray(rate, dtype=np.float64)
    theta: Floats = np.clip((1 + gain / np.maximum(rate, 1e-300)) / 2, 0.0, 1.0)
    return theta


def _worst_rate(m: ArrayLike, n: int, gain: float, alpha: float) -> Floats:
    """The disagreement rate within its confidence limits at which a null gain is likeliest."""
    # theta = (1 + gain / rate) / 2 grows as the rate falls for gain > 0, as it rises for gain < 0;
    # a large theta makes many gained rows likely. A rate below |gain| is impossible.
    gamma = _NUISANCE * alpha / 2
    limit = binom_lower(m, n, gamma) if gain > 0 else binom_upper(m, n, gamma)
    return np.maximum(limit, abs(gain))


def _p_value(gained: int, m: int, n: int, gain: float, alpha: float) -> float:
    if gain == 0:
        return float(binom_sf(gained - 1, m, 0.5))
    if gain < 0 and float(binom_upper(m, n, _NUISANCE * alpha / 2)) < -gain:
        return _NUISANCE * alpha  # so few rows differ that no loss of this size is possible
    theta = gained_share(gain, _worst_rate(m, n, gain, alpha))
    return min(1.0, float(binom_sf(gained - 1, m, theta)) + _NUISANCE * alpha)


def _lower(gained: int, m: int, n: int, alpha: float) -> float:
    """Lower confidence limit of the gain: the nulls that ``_p_value`` rejects lie below it."""
    tilt = 2 * float(binom_lower(gained, m, alpha * (1 - _NUISANCE))) - 1 if m else -1.0
    gamma = _NUISANCE * alpha / 2
    rate = binom_lower(m, n, gamma) if tilt > 0 else binom_upper(m, n, gamma)
    return tilt * float(rate)


def likely_disagreements(n: int, rate: float) -> tuple[Floats, Floats]:
    """The likely numbers of disagreements and their probabilities."""
    width = 7 * math.sqrt(n * rate * (1 - rate)) + 30  # beyond: less than _TAIL, by Bernstein
    m = np.arange(max(0, math.floor(n * rate - width)), min(n, math.ceil(n * rate + width)) + 1.0)
    probability = binom_pmf(m, n, rate)
    kept = probability > _TAIL / len(m)
    return m[kept], probability[kept]


def needed_gains(m: Floats, n: int, alpha: float, min_gain: float) -> Floats:
    """Smallest number of gained rows that is significant, for each number of disagreements."""
    if min_gain == 0:
        # P(Bin(m, 1/2) >= g) = P(Bin(m, 1/2) <= m - g)
        return m - binom_ppf(alpha, m, 0.5)
    theta = gained_share(min_gain, _worst_rate(m, n, min_gain, alpha))
    needed = m - binom_ppf(alpha * (1 - _NUISANCE), m, 1 - theta)
    if min_gain > 0:
        return needed
    return np.where(binom_upper(m, n, _NUISANCE * alpha / 2) < -min_gain, 0.0, needed)


def smallest_gain(n: int, rate: float, alpha: float, min_gain: float = 0.0) -> float | None:
    """The smallest true gain in accuracy that ``mcnemar`` finds in four cases of five.

    By bisection on the power; a gain above the rate is all of the disagreements.

    Args:
        n: Rows, at least 1.
        rate: Share of the rows on which exactly one of the models is right, in [0, 1].
        alpha: One-sided level, in (0, 0.5).
        min_gain: Gain that has to be exceeded.

    Returns:
        None where no gain would be found on so few rows.

    Example:
        >>> from mlops_basics.stats.paired.mcnemar import smallest_gain
        >>> [round(smallest_gain(n, 0.1, 0.05), 3) for n in (200, 2000, 20_000)]
        [0.058, 0.018, 0.006]
    """

    def conditions(rate: float) -> tuple[Floats, Floats, Floats]:
        m, probability = likely_disagreements(n, rate)
        step = -(-len(m) // _NODES)  # the power varies slowly with m: a grid of them is enough
        m, probability = m[step // 2 :: step], probability[step // 2 :: step]
        return m, probability / probability.sum(), needed_gains(m, n, alpha, min_gain)

    def power(gain: float, at: tuple[Floats, Floats, Floats], rate: float) -> float:
        m, probability, needed = at
        return float(np.dot(probability, binom_sf(needed - 1, m, float(gained_share(gain, rate)))))

    if rate > abs(min_gain) and power(rate, fixed := conditions(rate), rate) >= _POWER:
        low, high = min_gain, rate
        while high - low > _PRECISION * (rate - min_gain):
            middle = (low + high) / 2
            enough = power(middle, fixed, rate) >= _POWER
            low, high = (low, middle) if enough else (middle, high)
        return high
    low, high = max(min_gain, rate, 0.0), 1.0
    if power(1.0, conditions(1.0), 1.0) < _POWER:
        return None
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        enough = power(middle, conditions(middle), middle) >= _POWER
        low, high = (low, middle) if enough else (middle, high)
    return high
