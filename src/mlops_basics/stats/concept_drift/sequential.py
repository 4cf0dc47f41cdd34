"""Concept drift: an anytime-valid one-sided test that the mean loss has risen, by betting."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.safe_text import plural
from mlops_basics.stats import _check
from mlops_basics.stats._special import smallest_where
from mlops_basics.stats.concept_drift.blocks import (
    BlockChoice,
    block_means,
    is_zero_one,
    mean_upper,
    unit_losses,
)

Floats = NDArray[np.float64]

RISES = (1.15, 1.35, 1.7, 2.2, 3.0)  # factors of the mean loss that the fixed bets are made for
SPANS = (300.0, 1500.0)  # rows that the adaptive bets look back
BETS = len(RISES) + len(SPANS)
_SHARES = np.repeat([0.5 / len(RISES), 0.5 / len(SPANS)], [len(RISES), len(SPANS)])
_SHORTEST = 4.0  # observations that an adaptive bet looks back at least
_CAP = 0.9  # a bet risks at most this share of its wealth
_CHUNK = 2048  # observations worked on at a time


@dataclass(frozen=True, kw_only=True)
class SequentialState:
    """Everything that the test remembers between batches: plain numbers, ready for JSON.

    Attributes:
        mean: The mean loss that is tolerated, m; the null hypothesis is "the mean is m or less".
        reference, tolerance: What m was made of: the reference's upper limit (or known mean) and
            the tolerance.
        alpha: Probability of any false alarm, for ever.
        known: Whether the reference's mean was known; else alpha / 2 went into its limit.
        block: Rows of one observation.
        variance: Variance of one observation that the bets are sized for; it has no part in the
            validity.
        starts: Batches that betting has started at.
        rows: Rows seen.
        log_wealths: Log of the wealth of each bet, summed over the starts; empty before the first.
        averages: Running means of the adaptive bets.
        pending_rows: Rows of a block that is not complete yet.
        pending_sum: Sum of their losses.
        start_due: Whether a start waits for the end of that block.
        log_peak: Largest log wealth so far, unspent starts included.
        alarm_row: Row (counted from 1) at which the alarm was raised first.
    """

    mean: float
    reference: float
    tolerance: float
    alpha: float
    known: bool
    block: int
    variance: float
    starts: int = 0
    rows: int = 0
    log_wealths: tuple[float, ...] = ()
    averages: tuple[float, ...] = ()
    pending_rows: int = 0
    pending_sum: float = 0.0
    start_due: bool = False
    log_peak: float = 0.0
    alarm_row: int | None = None

    @property
    def log_threshold(self) -> float:
        """Log of the wealth that raises the alarm: 1 / alpha, or 2 / alpha (``known`` False)."""
        return math.log((1 if self.known else 2) / self.alpha)

    @property
    def log_wealth(self) -> float:
        """Log of the wealth now, starts not used yet included."""
        rest = log_unspent(self.starts)
        return float(np.logaddexp.reduce([rest, *self.log_wealths]))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        state = dataclasses.asdict(self)
        return state | {name: list(state[name]) for name in ("log_wealths", "averages")}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "SequentialState":
        """The state that ``to_dict`` described.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        lists = {name: tuple(state[name]) for name in ("log_wealths", "averages")}
        return cls(**(dict(state) | lists))


@dataclass(frozen=True, kw_only=True)
class SequentialResult:
    """What the test says after the rows seen so far.

    Attributes:
        alarm: Whether the mean loss is shown to have risen above ``mean`` (now, or in an earlier
            batch).
        alarm_row: Row at which that was shown first.
        rows: Rows seen.
        log_wealth, log_peak, log_threshold: Log wealth now, its peak, and what it takes.
        mean, reference, tolerance, alpha: See ``SequentialState``.
        smallest: The smallest mean loss that would be found within ``horizon`` rows (about every
            second time), if it came with the next batch; None when none would.
        horizon: These rows.
        reason: The outcome in plain words.
    """

    alarm: bool
    alarm_row: int | None
    rows: int
    log_wealth: float
    log_peak: float
    log_threshold: float
    mean: float
    reference: float
    tolerance: float
    alpha: float
    smallest: float | None
    horizon: int
    reason: str


def start_monitor(
    reference: ArrayLike,
    *,
    tolerance: float = 0.01,
    alpha: float = 0.01,
    block: BlockChoice | None = None,
) -> SequentialState:
    """Begin to watch a model whose loss on a reference set is known.

    Args:
        reference: Losses of the model on rows that it was not trained on, in [0, 1], shape (n,).
        tolerance: Rise of the mean loss that does not matter, in [0, 1).
        alpha: Probability of any false alarm, for ever; half of it goes into the reference's limit.
            In (0, 0.5).
        block: Bursts, from ``choose_block`` on losses in time order; none: rows are independent.

    Raises:
        ValueError: If a loss is outside [0, 1], or tolerance or alpha is out of range.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.concept_drift.sequential import conclude, start_monitor, update
        >>> rng = np.random.default_rng(0)
        >>> state = start_monitor(rng.random(10_000) < 0.1)
        >>> for _ in range(20):
        ...     state = update(state, rng.random(500) < 0.1)
        >>> conclude(state).alarm
        False
        >>> for _ in range(2):
        ...     state = update(state, rng.random(500) < 0.2)
        >>> conclude(state).alarm, conclude(state).alarm_row
        (True, 10617)

        The model's error of 0.1 doubles after 10,000 rows, and 617 rows later it is shown to have
        risen.
    """
    losses = unit_losses(reference, "reference")
    alpha = _check.level(alpha)
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance must be at least 0 and below 1, got {tolerance!r}")
    upper = mean_upper(losses, alpha / 2, block=block)
    # a mean loss of 0 or of 1 leaves nothing to bet on: an unreachable edge keeps all finite
    mean = min(max(upper + tolerance, 1e-6), 1.0)
    if block is not None and block.length > 1:
        length, variance = block.length, block.variance
    elif len(losses) > 1 and not is_zero_one(losses):
        length, variance = 1, float(losses.var(ddof=1))
    else:
        length, variance = 1, mean * (1 - mean)
    return SequentialState(
        mean=mean,
        reference=upper,
        tolerance=float(tolerance),
        alpha=alpha,
        known=False,
        block=length,
        variance=max(float(variance), 1e-6 * mean),
    )


def restarted(state: SequentialState) -> SequentialState:
    """The test before its first row, with the same limit: what it has seen is no evidence any more.

    Each restart has a chance of a false alarm of its own.

    Example:
        >>> from mlops_basics.stats.concept_drift.sequential import restarted, start_monitor, update
        >>> begun = start_monitor([0] * 90 + [1] * 10)
        >>> restarted(update(begun, [1, 1, 1])) == begun
        True
    """
    return SequentialState(
        mean=state.mean,
        reference=state.reference,
        tolerance=state.tolerance,
        alpha=state.alpha,
        known=state.known,
        block=state.block,
        variance=state.variance,
    )


def update(state: SequentialState, x: ArrayLike, *, start: bool = True) -> SequentialState:
    r"""The state after further losses.

    Args:
        state: Before.
        x: Losses in [0, 1], in time (or any other order that does not look at them): a batch. Shape
            (n,).
        start: Whether a batch begins here. A batch that comes in pieces is the same as the whole
            when its later pieces have ``start=False``.

    Returns:
        The same state when x is empty.

    Raises:
        ValueError: If a loss is outside [0, 1].

    Note:
        A bet lambda on a rise multiplies its wealth by 1 + lambda (x - m) at each observation. With
        lambda in [0, 1/m) and chosen before x is seen, the wealth is a nonnegative supermartingale
        while the mean is at most m, whatever the distribution [1]. One process that bets from
        deployment on goes blind: quiet years cost it its wealth. So a part w_j of the capital
        starts to bet at the j-th batch,

        .. math:: w_j = \ln 2 \left( \frac{1}{\ln(j+1)} - \frac{1}{\ln(j+2)} \right),
                  \qquad \sum_j w_j = 1, \qquad R_j = \frac{\ln 2}{\ln(j+2)}

        with R_j not used yet. All starts make the same bets, so their sum obeys one recursion for
        each bet: S_b += w_j v_b at a start, S_b *= 1 + lambda_b (x - m) at each observation. The
        total R + sum S_b is a supermartingale that starts at 1: by Ville's inequality it ever
        reaches 1 / alpha with probability at most alpha (Robbins' mixtures, as in [2]). Half of the
        shares v are fixed bets, min((k - 1) m / V, 0.9 / m) for k = 1.15, 1.35, 1.7, 2.2, 3, with V
        the variance of an observation (m (1 - m) for 0/1 losses); half are adaptive,
        min(max((average - m) / V, 0), 0.9 / m) with running averages over 300 and 1,500 rows.

        When rows err together single rows are not independent, and the promise is void; an
        observation is then the mean of a block of rows (``choose_block``). A start waits for the
        end of a block: capital must not join when part of a block has been seen.

        The cost is O(bets) per row, the memory O(bets), whatever the age.

    References:
        [1] I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
            betting", Journal of the Royal Statistical Society B 86, 1-27 (2024).
        [2] J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric framework for
            sequential change detection", New England Journal of Statistics in Data Science 2,
            229-260 (2024).

    Example:
        >>> from mlops_basics.stats.concept_drift.sequential import start_monitor, update
        >>> state = update(start_monitor([0] * 9_000 + [1] * 1_000), [0, 0, 1, 0])
        >>> state.rows, state.starts, round(state.log_wealth, 3)
        (4, 1, 0.036)

        One error in four rows, where one in eight is tolerated: a wealth of exp(0.036), no
        evidence.
    """
    x = unit_losses(x, "x")
    if x.size == 0:
        return state
    begins, rows = state.starts, state.rows + len(x)
    log_s, averages = _arrays(state)
    alarm_row, peak = state.alarm_row, state.log_peak
    due = state.start_due or start
    seen = state.rows - state.pending_rows  # rows in complete blocks
    pending_rows, pending_sum = state.pending_rows, state.pending_sum
    observations = x
    joined = 0  # observations before the start
    if state.block > 1:
        observations, pending_rows, pending_sum = _blocks(state, x)
        joined = 1 if state.pending_rows else 0
    pieces = [observations[:joined], observations[joined:]]
    # a start needs a block's beginning: now, or when the pending block is complete
    reached = joined <= len(observations)
    for at, piece in enumerate(pieces):
        if at == 1 and due and reached:
            log_s = start_betting(log_s, begins + 1)
            begins += 1
            due = False
        if piece.size == 0:
            continue
        log_s, averages, first, top = advance(
            log_s,
            averages,
            piece[None, :],
            mean=state.mean,
            variance=state.variance,
            block=state.block,
            log_rest=log_unspent(begins),
            log_threshold=state.log_threshold,
        )
        if alarm_row is None and first[0] >= 0:
            alarm_row = seen + (int(first[0]) + 1) * state.block
        peak = max(peak, float(top[0]))
        seen += piece.size * state.block
    return dataclasses.replace(
        state,
        starts=begins,
        rows=rows,
        log_wealths=() if begins == 0 else tuple(log_s[0].tolist()),
        averages=tuple(averages[0].tolist()),
        pending_rows=pending_rows,
        pending_sum=pending_sum,
        start_due=due,
        log_peak=peak,
        alarm_row=alarm_row,
    )


def _arrays(state: SequentialState) -> tuple[Floats, Floats]:
    log_s = np.array([state.log_wealths or (-np.inf,) * BETS])
    return log_s, np.array([state.averages or (state.mean,) * len(SPANS)])


def _blocks(state: SequentialState, x: Floats) -> tuple[Floats, int, float]:
    """Means of the blocks that are complete now, and the rows and sum of the one that is not."""
    b, before = state.block, state.pending_rows
    missing = b - before if before else 0
    if before and len(x) < missing:
        return x[:0], before + len(x), state.pending_sum + float(x.sum())
    head = [np.array([(state.pending_sum + float(x[:missing].sum())) / b])] if before else []
    rest = x[missing:]
    left = rest[len(rest) // b * b :]
    means = np.concatenate([*head, block_means(rest, b)])
    return np.clip(means, 0.0, 1.0), len(left), float(left.sum())


def start_weight(j: int) -> float:
    """Share of the capital that starts to bet at the j-th batch.

    Args:
        j: Number of the start, at least 1.

    Returns:
        ln 2 (1 / ln(j+1) - 1 / ln(j+2)).

    Raises:
        ValueError: If j is not a positive integer.

    Example:
        >>> from mlops_basics.stats.concept_drift.sequential import start_weight
        >>> [round(start_weight(j), 4) for j in (1, 2, 20, 1000)]
        [0.3691, 0.1309, 0.0034, 0.0]
    """
    j = _check.count(j, "j", at_least=1)
    # the difference of the reciprocals, without cancellation for large j
    a, b = math.log(j + 1), math.log(j + 2)
    return math.log(2) * math.log1p(1 / (j + 1)) / (a * b)


def log_unspent(starts: int) -> float:
    """Log of the capital that has not begun to bet after so many starts: ln(ln 2 / ln(j+2))."""
    return math.log(math.log(2) / math.log(starts + 2))


def start_betting(log_s: Floats, j: int) -> Floats:
    """Log wealth of each bet, shape (streams, bets), once the j-th start's capital has joined."""
    joined: Floats = np.logaddexp(log_s, np.log(start_weight(j) * _SHARES))
    return joined


def fixed_bets(mean: ArrayLike, variance: ArrayLike) -> Floats:
    """The fixed bets against a mean.

    Args:
        mean: m, positive.
        variance: Variance of an observation.

    Returns:
        min((k - 1) m / V, 0.9 / m), last axis of length 5.

    Example:
        >>> from mlops_basics.stats.concept_drift.sequential import fixed_bets
        >>> fixed_bets(0.11, 0.11 * 0.89).round(2).tolist()
        [0.17, 0.39, 0.79, 1.35, 2.25]
    """
    m, v = np.asarray(mean, dtype=np.float64)[..., None], np.asarray(variance)[..., None]
    bets: Floats = np.minimum((np.array(RISES) - 1) * m / v, _CAP / m)
    return bets


def advance(
    log_s: Floats,
    averages: Floats,
    x: Floats,
    *,
    mean: float | Floats,
    variance: float | Floats,
    block: int,
    log_rest: float,
    log_threshold: float,
) -> tuple[Floats, Floats, NDArray[np.intp], Floats]:
    """The recursion between two starts, for many independent streams at once.

    Args:
        log_s: Log wealth of each bet, shape (streams, bets).
        averages: Running averages, shape (streams, spans).
        x: Observations, shape (streams, n).
        mean, variance: m and V of each stream.
        block: Rows of an observation (the spans are in rows).
        log_rest, log_threshold: Log of the capital that has not started, and of the wealth that
            raises the alarm.

    Returns:
        log_s, averages: After the observations.
        first: Index of the first observation with an alarm, -1 without, shape (streams,).
        peak: Largest log wealth, starts not used yet included, shape (streams,).
    """
    streams = len(x)
    m = np.broadcast_to(np.asarray(mean, dtype=np.float64), (streams,))
    v = np.broadcast_to(np.asarray(variance, dtype=np.float64), (streams,))
    spans = [max(span / block, _SHORTEST) for span in SPANS]
    fixed = fixed_bets(m, v)
    first = np.full(streams, -1, dtype=np.intp)
    peak = np.full(streams, -np.inf)
    # powers of the decay within a chunk stay below exp(9)
    length = min(_CHUNK, int(-9 / math.log1p(-1 / min(spans))))
    log_s, averages = log_s.copy(), averages.copy()
    for begin in range(0, x.shape[1], length):
        part = x[:, begin : begin + length]
        size = part.shape[1]
        excess = part - m[:, None]
        logs = np.empty((BETS, streams, size))
        if is_zero_one(part):  # a fixed bet has two factors: counting does
            wrong, right = np.log1p(fixed * (1 - m[:, None])), np.log1p(-fixed * m[:, None])
            count, rows = np.cumsum(part, axis=1, dtype=np.float64), np.arange(1.0, size + 1)
            for bet in range(len(RISES)):
                np.multiply(count, (wrong - right)[:, bet, None], out=logs[bet])
                logs[bet] += right[:, bet, None] * rows
            todo = logs[len(RISES) :]
        else:
            for bet in range(len(RISES)):
                np.multiply(excess, fixed[:, bet, None], out=logs[bet])
            todo = logs
        for at, span in enumerate(spans):
            average, averages[:, at] = _running(part, averages[:, at], span)
            average -= m[:, None]
            average /= v[:, None]
            np.clip(average, 0, (_CAP / m)[:, None], out=average)
            np.multiply(average, excess, out=logs[len(RISES) + at])
        np.log1p(todo, out=todo)
        np.cumsum(todo, axis=2, out=todo)
        logs += log_s.T[:, :, None]
        log_s = logs[:, :, -1].T.copy()
        # total wealth of each moment only where the largest bet could have made it matter
        largest = logs.max(axis=(0, 2))
        exact = np.flatnonzero(
            (np.logaddexp(log_rest, largest + math.log(BETS)) >= log_threshold) | (streams == 1)
        )
        peak = np.maximum(peak, np.logaddexp(log_rest, largest))
        if exact.size:
            total = np.logaddexp(log_rest, _log_sum(logs[:, exact]))
            peak[exact] = np.maximum(peak[exact], total.max(axis=1))
            over = total >= log_threshold
            hit = exact[over.any(axis=1)]
            new = hit[first[hit] < 0]
            first[new] = begin + over[np.isin(exact, new)].argmax(axis=1)
    return log_s, averages, first, peak


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # before the first start there is no wealth
        total: Floats = top + np.log(np.exp(logs - top).sum(axis=0))
    return total


def _running(x: Floats, average: Floats, span: float) -> tuple[Floats, Floats]:
    """The running average before each observation, and after the last."""
    c = 1 / span
    decay = (1 - c) ** np.arange(x.shape[1] + 1)
    sums = np.zeros((len(x), x.shape[1] + 1))
    np.cumsum(x / decay[1:], axis=1, out=sums[:, 1:])
    sums *= c
    sums += average[:, None]
    sums *= decay
    return sums[:, :-1], sums[:, -1].copy()


def conclude(
    state: SequentialState, *, horizon: int = 10_000, scale: float = 1.0
) -> SequentialResult:
    """What the test says now, and what it could say.

    Args:
        state: After the last batch.
        horizon: Rows within which the smallest mean loss would be found, at least 1.
        scale: What a loss of 1 is in the reader's unit, positive; of the reason alone.

    Raises:
        ValueError: If horizon is not a positive integer, or scale is not positive.

    Note:
        A mean loss e is found after about (log threshold - log of the capital of the next start) /
        (growth of the best fixed bet at e) observations; ``smallest`` solves this for e. A loss
        above m is always found in the end, one of m or less never counts as a rise.

    Example:
        >>> from mlops_basics.stats.concept_drift.sequential import conclude, start_monitor, update
        >>> result = conclude(update(start_monitor([0] * 9_000 + [1] * 1_000), [0] * 500))
        >>> result.alarm, round(result.mean, 2), round(result.smallest, 3)
        (False, 0.12, 0.132)
        >>> result.reason.split("; ")[1]
        '0.132 would be found within 10000 more'
    """
    horizon = _check.count(horizon, "horizon", at_least=1)
    smallest = _smallest(state, horizon)
    if not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"scale must be positive and finite, got {scale!r}")
    digits = 3 if scale == 1 else 4
    limit = f"{state.mean * scale:.{digits}g}"
    if state.alarm_row is not None:
        reason = (
            f"the error has risen above {limit}, as shown at row {state.alarm_row} "
            f"(a false alarm, ever, has a probability of {100 * state.alpha:g} % at most)"
        )
    elif state.rows == 0:
        reason = "no losses yet"
    elif smallest is None:
        reason = (
            f"no rise of the error above {limit} is shown in "
            f"{plural(state.rows, 'row')}, nor could be soon"
        )
    else:
        reason = (
            f"no rise of the error above {limit} is shown in {plural(state.rows, 'row')}; "
            f"{smallest * scale:.{digits}g} would be found within {horizon} more"
        )
    return SequentialResult(
        alarm=state.alarm_row is not None,
        alarm_row=state.alarm_row,
        rows=state.rows,
        log_wealth=state.log_wealth,
        log_peak=state.log_peak,
        log_threshold=state.log_threshold,
        mean=state.mean,
        reference=state.reference,
        tolerance=state.tolerance,
        alpha=state.alpha,
        smallest=smallest,
        horizon=horizon,
        reason=reason,
    )


def _growth(state: SequentialState, e: float) -> float:
    """Expected log growth per observation of the best bet when the mean is e."""
    m = state.mean
    scale = state.variance / (m * (1 - m)) if m < 1 else 1.0
    bets = np.minimum(np.geomspace(1e-3, 1, 200) / m, _CAP / m)
    if scale >= 1 - 1e-9:  # independent 0/1 losses
        growth = e * np.log1p(bets * (1 - m)) + (1 - e) * np.log1p(-bets * m)
    else:  # to second order, the variance growing as that of 0/1 losses does
        spread = scale * e * (1 - e) + (e - m) ** 2
        growth = bets * (e - m) - bets**2 * spread / 2
    return float(growth.max())


def _smallest(state: SequentialState, horizon: int) -> float | None:
    observations = horizon // state.block
    needed = state.log_threshold - math.log(start_weight(state.starts + 1) * float(_SHARES.min()))

    def is_found(mean: float) -> bool:
        return _growth(state, mean) * observations >= needed

    if state.mean >= 1 or not is_found(1.0):
        return None
    return smallest_where(is_found, state.mean, 1.0)
