"""Bursts that a stream shows as it goes on: what block lengths are chosen from, batch by batch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.stats import _check
from mlops_basics.stats.concept_drift.blocks import FEWEST, LENGTHS, shortest

Floats = NDArray[np.float64]

_NONE = (0.0,) * len(LENGTHS)


@dataclass(frozen=True, kw_only=True)
class Bursts:
    """What is remembered of a stream of losses; a value a length of ``LENGTHS``.

    Attributes:
        rows: Rows seen.
        sums: Of the losses in the block that is not complete.
        last: Mean of the last complete block.
        squares: Sum of the squared differences between the means of neighbouring blocks.
    """

    rows: int = 0
    sums: tuple[float, ...] = _NONE
    last: tuple[float, ...] = _NONE
    squares: tuple[float, ...] = _NONE

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        state = dataclasses.asdict(self)
        return state | {name: list(state[name]) for name in ("sums", "last", "squares")}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Bursts":
        """What ``to_dict`` described.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        lists = {name: tuple(state[name]) for name in ("sums", "last", "squares")}
        return cls(**(dict(state) | lists))


def observe(seen: Bursts, losses: ArrayLike) -> Bursts:
    """What is known after further losses.

    Args:
        seen: Before.
        losses: In time order, shape (n,).

    Raises:
        ValueError: If losses are not finite.

    Example:
        >>> from mlops_basics.stats.concept_drift.bursts import Bursts, observe
        >>> once = observe(Bursts(), [0, 1, 1, 1, 0, 0])
        >>> observe(observe(Bursts(), [0, 1]), [1, 1, 0, 0]) == once
        True
        >>> once.squares[0], once.last[1]
        (2.0, 0.6)
    """
    x = _check.vector(losses, "losses")
    sums, last, squares = [], [], []
    totals = np.concatenate([[0.0], np.cumsum(x)])
    for at, length in enumerate(LENGTHS):
        ends = np.arange(length - seen.rows % length, len(x) + 1, length)
        of_blocks = np.diff(totals[ends], prepend=-seen.sums[at])
        means = of_blocks / length
        if seen.rows >= length:
            means = np.concatenate([[seen.last[at]], means])
        sums.append(float(totals[-1] - totals[ends[-1]] if ends.size else seen.sums[at] + x.sum()))
        last.append(float(means[-1]) if means.size else 0.0)
        squares.append(seen.squares[at] + float((np.diff(means) ** 2).sum()))
    return Bursts(
        rows=seen.rows + len(x), sums=tuple(sums), last=tuple(last), squares=tuple(squares)
    )


def block_shown(seen: Bursts) -> tuple[int, float]:
    r"""The shortest blocks whose means look independent in this stream.

    Args:
        seen: What ``observe`` has seen of it.

    Returns:
        Rows of a block, and the variance of the block means; 1 and 0 when there are fewer than 80
        rows, or when the losses do not vary.

    Note:
        The rule of ``choose_block``, without its care for shifts of the level: a stream is far
        longer than a reference, and one difference of many. The choice looks at rows of the past
        only, so that a test by betting that goes on in such blocks stays valid.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.concept_drift.bursts import Bursts, block_shown, observe
        >>> together = np.repeat(np.random.default_rng(0).random(2_000) < 0.1, 10)
        >>> block_shown(observe(Bursts(), together))[0]
        10
    """
    candidates = []
    for length, squares in zip(LENGTHS, seen.squares, strict=True):
        blocks = seen.rows // length
        if blocks < FEWEST:
            break
        candidates.append((length, length / 2 * squares / (blocks - 1), blocks))
    if not candidates or candidates[0][1] <= 1e-18:  # rounding
        return 1, 0.0
    length, variance, _ = candidates[shortest(candidates)]
    return length, variance / length
