"""Bursts: rows that err together. Blocks of rows long enough to be independent of each other."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped, unused-ignore]

from mlops_basics.safe_text import plural
from mlops_basics.stats import _check
from mlops_basics.stats._special import smallest_where

Floats = NDArray[np.float64]

LENGTHS = (1, 5, 10, 25, 50, 100, 500, 2500)
FEWEST = 40  # blocks that a variance is estimated from
_SLACK = 1.25  # growth of the variance that is no sign of dependence
_SHIFTS = 3  # of the level, that may lie in a reference
_SHORTEST_LEVEL = 10  # a level lasts at least a tenth of the rows


@dataclass(frozen=True, kw_only=True)
class BlockChoice:
    """The block length for a stream of losses.

    Attributes:
        length: Rows of a block, b.
        rows: Rows it was chosen from, n.
        effective_rows: n times the variance of the rows / V(b), n at most: as many independent
            rows would tell as much about the mean.
        variance: Variance of the block means around their slow trend, V(b) / b; 0 when the losses
            do not vary.
        candidates: Each block length that could be judged, and its V.
        reason: The choice in plain words.
    """

    length: int
    rows: int
    effective_rows: float
    variance: float
    candidates: tuple[tuple[int, float], ...]
    reason: str


def block_means(losses: ArrayLike, length: int) -> Floats:
    """Mean loss of each whole block of consecutive rows; a rest is left out.

    Args:
        losses: In time order, shape (n,).
        length: Rows of a block, at least 1.

    Returns:
        Shape (n // length,).

    Raises:
        ValueError: If losses are not finite or length is not positive.

    Example:
        >>> from mlops_basics.stats.concept_drift.blocks import block_means
        >>> block_means([0, 1, 1, 1, 0], 2)
        array([0.5, 1. ])
    """
    losses = _check.vector(losses, "losses")
    length = _check.count(length, "length", at_least=1)
    whole = len(losses) // length * length
    means: Floats = losses[:whole].reshape(-1, length).mean(axis=1)
    return means


def run_length(groups: ArrayLike) -> float:
    """How many rows of one group follow each other, in the mean over the rows.

    Args:
        groups: The group of each row, in time order; shape (n,).

    Example:
        >>> from mlops_basics.stats.concept_drift.blocks import run_length
        >>> run_length([1, 1, 1, 2]), run_length([1, 2, 1, 2])
        (2.5, 1.0)
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    if not codes.size:
        return 1.0
    begins = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    sizes = np.diff(np.append(begins, len(codes))).astype(np.float64)
    return float((sizes**2).sum() / sizes.sum())


def choose_block(losses: ArrayLike, *, run: float = 1.0) -> BlockChoice:
    r"""The shortest blocks whose means look independent.

    Args:
        losses: Losses of labelled rows in time order, seen before the test begins, shape (n,).
        run: Rows of one group (a day) that follow each other among these, see ``run_length``:
            blocks are no shorter.

    Returns:
        Length 1 when there are fewer than 80 rows, or when the losses do not vary.

    Raises:
        ValueError: If losses are not finite.

    Note:
        V(b) = b times the variance of the means of blocks of b rows is the same for every b when
        the rows are independent, and grows with b, until blocks are longer than the bursts, when
        they err together. Chosen is the smallest b of 1, 5, 10, 25, 50, 100, 500, 2,500 with

        .. math:: V(b') \le 1.25 \, V(b) \, (1 + \sqrt{3 / \mathrm{blocks}(b')})

        for each larger b' with at least 40 blocks: within a quarter, and one standard error. Bursts
        longer than these rows can show (a fortieth of them) are missed. Too long a block costs
        time (a bet cannot risk more than its wealth, however clear a block is): hence the fine
        steps. The idea is that of batch means in simulation [1].

        An error that slowly rises within the reference is no burst, but makes the overall variance
        of block means grow with b, too. So V(b) is b / 2 times the mean squared difference of
        neighbouring block means: the same for independent rows, hardly touched by a trend [2],
        known as the Allan variance of clocks that drift [3]. Differences across a shift of the
        level are left out: across at most three places, found by halving the squares again and
        again, between levels that last a tenth of the rows or longer. What lasts longer than two
        blocks counts as trend, so that V(b) is below the overall variance until blocks are a few
        times as long as the bursts.

    References:
        [1] B. Schmeiser, "Batch size effects in the analysis of simulation output", Operations
            Research 30, 556-568 (1982).
        [2] J. von Neumann, R. H. Kent, H. R. Bellinson and B. I. Hart, "The mean square successive
            difference", Annals of Mathematical Statistics 12, 153-162 (1941).
        [3] D. W. Allan, "Statistics of atomic frequency standards", Proceedings of the IEEE 54,
            221-230 (1966).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.concept_drift.blocks import choose_block
        >>> rng = np.random.default_rng(0)
        >>> alone = rng.random(20_000) < 0.1
        >>> together = np.repeat(rng.random(2_000) < 0.1, 10)
        >>> choose_block(alone).length, choose_block(together).length
        (1, 10)
        >>> round(choose_block(together).effective_rows, -2)
        2000.0

        When ten rows always err together 20,000 rows tell as much as 2,000 independent ones.
    """
    losses = _check.vector(losses, "losses")
    n = len(losses)
    shifts = level_shifts(losses) if n >= 2 * FEWEST else []
    candidates: list[tuple[int, float, int]] = []
    least = max(math.ceil(run), 1)
    for length in (least, *(each for each in LENGTHS if each > least)):
        means = block_means(losses, length)
        if len(means) < (FEWEST if length > least else 2):
            break
        candidates.append((length, _neighbour_variance(means, length, shifts), len(means)))
    if not candidates or candidates[0][1] <= 1e-18:
        return BlockChoice(
            length=1,
            rows=n,
            effective_rows=float(n),
            variance=0.0,
            candidates=tuple((b, v) for b, v, _ in candidates),
            reason=f"single rows: {n} losses that do not vary show no bursts",
        )
    best = shortest(candidates)
    b, v, _ = candidates[best]
    effective = n * min(float(losses.var(ddof=1)) / v, 1.0) if b > 1 else float(n)
    longest = candidates[-1][0]
    if b == 1:
        reason = f"single rows: blocks of up to {plural(longest, 'row')} show no bursts"
    else:
        reason = (
            f"blocks of {plural(b, 'row')}: errors come in bursts, {plural(n, 'row')} tell as much "
            f"as {effective:,.0f}"
        )
    if best and best == len(candidates) - 1:
        reason += "; longer bursts than these rows can show are not covered"
    return BlockChoice(
        length=b,
        rows=n,
        effective_rows=effective,
        variance=v / b,
        candidates=tuple((length, value) for length, value, _ in candidates),
        reason=reason,
    )


def shortest(candidates: Sequence[tuple[int, float, int]]) -> int:
    """The first candidate that no longer one exceeds by more than slack and chance: its place.

    Args:
        candidates: Each length, its V and how many blocks that was estimated from, ascending; one
            at least.
    """
    return next(
        at
        for at, (_, v, _) in enumerate(candidates)
        if all(w <= _SLACK * v * (1 + math.sqrt(3 / k)) for _, w, k in candidates[at + 1 :])
    )


def level_shifts(losses: Floats) -> list[int]:
    """Where the level of losses shifts most: the first row of each later level, at most three.

    Binary segmentation [1]: the split that takes most off the sum of squares, then the same within
    the parts. It finds something in any losses; what it is for is to be left out.

    Args:
        losses: In time order, shape (n,).

    References:
        [1] A. J. Scott and M. Knott, "A cluster analysis method for grouping means in the analysis
            of variance", Biometrics 30, 507-512 (1974).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.concept_drift.blocks import level_shifts
        >>> level_shifts(np.repeat([0.1, 0.5, 0.2], [300, 500, 200]))[:2]
        [300, 800]
    """
    n = len(losses)
    least = max(n // _SHORTEST_LEVEL, 2)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    borders, shifts = [0, n], []
    for _ in range(_SHIFTS):
        best, gain = None, 0.0
        for begin, end in itertools.pairwise(borders):
            at = np.arange(begin + least, end - least + 1)
            if not at.size:
                continue
            before, after = at - begin, end - at
            left = (sums[at] - sums[begin]) / before
            right = (sums[end] - sums[at]) / after
            gains = before * after / (end - begin) * (left - right) ** 2
            if gains.max() > gain:
                best, gain = int(at[gains.argmax()]), float(gains.max())
        if best is None:
            break
        shifts.append(best)
        borders = sorted([*borders, best])
    return shifts


def _neighbour_variance(means: Floats, length: int, shifts: list[int]) -> float:
    """Of block means, times their length; from neighbours between which no level shifts."""
    squares = np.diff(means) ** 2
    begins = np.arange(len(squares)) * length
    within = np.ones(len(squares), dtype=bool)
    for shift in shifts:
        within &= (shift <= begins) | (shift >= begins + 2 * length)
    if not within.any():  # of a few long blocks
        return length * float(means.var(ddof=1))
    return length / 2 * float(squares[within].mean())


def mean_upper(losses: ArrayLike, alpha: float, *, block: BlockChoice | None = None) -> float:
    r"""Upper confidence limit of the mean of losses in [0, 1].

    Args:
        losses: In [0, 1], in time order if they come in bursts, shape (n,).
        alpha: One-sided level, in (0, 0.5).
        block: What ``choose_block`` said about the bursts of this stream; none for independent
            rows.

    Returns:
        The limit; 1 when there is no row.

    Raises:
        ValueError: If a loss is outside [0, 1] or alpha is out of range.

    Note:
        0/1 losses: Clopper and Pearson's limit, exact for independent rows; with bursts the number
        of rows is multiplied by V(1) / V(b) (``BlockChoice.effective_rows``).

        Other losses: betting against "the mean is m or more" [1]. For each m the wealth prod(1 +
        lambda_i (m - x_i)), with bets that look at earlier losses only, exceeds 1 / alpha with
        probability at most alpha when m is the mean; the limit is the smallest m from which on it
        does. Exact for independent losses of any distribution, and as short as their variance
        allows. With bursts x_i are the means of blocks.

    References:
        [1] I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
            betting", Journal of the Royal Statistical Society B 86, 1-27 (2024).

    Example:
        >>> from mlops_basics.stats.concept_drift.blocks import mean_upper
        >>> round(mean_upper([1] * 50 + [0] * 450, 0.005), 3)
        0.139
        >>> round(mean_upper([0.1] * 500, 0.005), 3)
        0.112

        An error rate of 0.10 on 500 rows may be 0.139 in truth; a loss that is always 0.1 is known
        much better.
    """
    losses = unit_losses(losses, "losses")
    alpha = _check.level(alpha)
    if len(losses) == 0:
        return 1.0
    if is_zero_one(losses):
        share = block.effective_rows / block.rows if block is not None and block.rows else 1.0
        n = len(losses) * share
        k = float(losses.mean()) * n
        return 1.0 if n - k < 1e-9 else float(special.betaincinv(k + 1, n - k, 1 - alpha))
    x = losses if block is None else block_means(losses, block.length)
    return _betting_upper(x, alpha) if len(x) else 1.0


def unit_losses(losses: ArrayLike, name: str) -> Floats:
    """Losses between 0 and 1, checked.

    Args:
        losses: The losses, shape (n,).
        name: Their name in messages.

    Returns:
        Shape (n,).

    Raises:
        ValueError: If a loss is outside [0, 1].
    """
    x = _check.vector(losses, name)
    if x.size and (x.min() < 0 or x.max() > 1):
        bad = float(x.max() if x.max() > 1 else x.min())
        raise ValueError(f"{name} must be in [0, 1], got {bad!r}")
    return x


def is_zero_one(x: Floats) -> bool:
    """Whether every loss is 0 or 1."""
    return bool(((x == 0) | (x == 1)).all())


def _betting_upper(x: Floats, alpha: float) -> float:
    n = len(x)
    # variance of the earlier losses, begun with half a row at 1/2 of variance 1/4
    earlier = np.arange(1, n + 1)
    squares = (x - (0.5 + np.cumsum(x)) / (earlier + 1)) ** 2
    variance = (0.25 + np.concatenate([[0.0], np.cumsum(squares)[:-1]])) / earlier
    # capped so that no factor falls below 1/10, and alike for all m: wealth grows with m
    bets = np.minimum(np.sqrt(2 * math.log(1 / alpha) / (n * variance)), 0.9)

    def rejected(m: float) -> bool:
        wealth = np.cumsum(np.log1p(bets * (m - x)))
        return bool(wealth.max() >= math.log(1 / alpha))

    highest = 1.0 - 1e-9
    return smallest_where(rejected, float(x.mean()), highest) if rejected(highest) else 1.0
