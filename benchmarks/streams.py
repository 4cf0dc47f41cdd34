"""Many streams of losses at once, watched from a mean that is known: for simulations."""

import numpy as np
from numpy.typing import NDArray

from mlops_basics.stats.concept_drift.sequential import (
    BETS,
    SPANS,
    SequentialState,
    advance,
    log_unspent,
    start_betting,
)

Floats = NDArray[np.float64]


def start_known(
    mean: float,
    *,
    tolerance: float = 0.01,
    alpha: float = 0.01,
    length: int = 1,
    variance: float | None = None,
) -> SequentialState:
    """Begin to watch a model whose mean loss is known exactly; ``start_monitor`` estimates it.

    Args:
        mean: In [0, 1).
        tolerance: Rise that does not matter, in [0, 1).
        alpha: Probability of any false alarm, for ever; all of it is the test's.
        length: Rows of a block.
        variance: Of a block's mean (of a row's loss); by default that of independent 0/1 losses.
    """
    tolerated = min(max(mean + tolerance, 1e-6), 1.0)
    if variance is None:
        variance = tolerated * (1 - tolerated) / length
    return SequentialState(
        mean=tolerated,
        reference=mean,
        tolerance=tolerance,
        alpha=alpha,
        known=True,
        block=length,
        variance=max(variance, 1e-6 * tolerated),
    )


def first_alarms(
    x: NDArray[np.generic],
    states: SequentialState | tuple[Floats, Floats, SequentialState],
    *,
    batch: int = 500,
) -> NDArray[np.intp]:
    """Row of the first alarm in each of many independent streams.

    The same as ``update`` with batches of ``batch`` rows on each stream, and tested to be.

    Args:
        x: Losses in [0, 1] of any numeric type, shape (streams, rows); rows of a batch together a
            multiple of the block.
        states: The fresh state that each stream begins with; or m and V of each stream, and a
            state that gives all else.
        batch: Rows between two starts, a multiple of the state's block (or a divisor).

    Returns:
        Rows seen when the alarm was raised, -1 without one, shape (streams,).

    Raises:
        ValueError: If batch does not fit the block.
    """
    if isinstance(states, tuple):
        mean, variance, state = states
    else:
        state = states
        mean, variance = np.array(state.mean), np.array(state.variance)
    b, streams = state.block, len(x)
    if batch % b and b % batch:
        raise ValueError(f"batch must be a multiple or divisor of {b}, got {batch!r}")
    step = max(batch // b, 1)
    log_s = np.full((streams, BETS), -np.inf)
    averages = np.repeat(np.broadcast_to(mean, (streams,))[:, None], len(SPANS), axis=1).copy()
    alarms = np.full(streams, -1, dtype=np.intp)
    observations = x.shape[1] // b
    for j, begin in enumerate(range(0, observations, step), 1):
        rows = x[:, begin * b : (begin + step) * b]
        piece = rows[:, : rows.shape[1] // b * b].reshape(streams, -1, b).mean(axis=2)
        log_s, averages, first, _ = advance(
            start_betting(log_s, j),
            averages,
            piece,
            mean=mean,
            variance=variance,
            block=b,
            log_rest=log_unspent(j),
            log_threshold=state.log_threshold,
        )
        new = (alarms < 0) & (first >= 0)
        alarms[new] = (begin + first[new] + 1) * b
    return alarms
