"""Sums of paired loss differences: what a comparison needs of its rows, batch by batch."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from mlops_basics.stats import _check

_BLOCK = 1 << 20  # rows per block: bounds the memory, and keeps the sums accurate
_LARGEST = 1e90  # cubes of larger losses, summed over rows, leave the range of a double
ROUNDING = 1e-12  # differences below this share of the losses are rounding


@dataclass(frozen=True)
class PairedSums:
    """Sums of the paired loss differences of some rows: all that the test needs, and mergeable.

    The difference of a row is its gain: champion's loss - challenger's loss. Kept are central
    moments, from which the plain sums of d, d^2, d^3 follow, because plain sums cancel
    catastrophically when the gain is small beside the losses.

    Attributes:
        n: Independent units: rows, or groups of rows (``mlops_basics.stats.paired.groups``).
        champion: Mean loss of the champion.
        gain: Mean difference.
        m2, m3: Sums of the squared and cubed deviations of the differences from their mean.
        scale: Largest absolute loss of either model: tells differences from rounding.
        unit: What the units are, in messages: ``"rows"`` or ``"groups"``.
        worth: As how many independent units these tell of the mean; None: as all n.
        freedom: Degrees of freedom of their variance; None: worth - 1.

    Note:
        Merging uses the pairwise formulas of Chan, Golub and LeVeque [1] and their extension to
        third moments by Pebay [2]; it is commutative and associative up to rounding, and
        ``PairedSums()`` is its neutral element.

    References:
        [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample
            variance", The American Statistician 37, 242-247 (1983).
        [2] P. Pebay, "Formulas for robust, one-pass parallel computation of covariances and
            arbitrary-order statistical moments", Sandia report SAND2008-6212 (2008).

    Example:
        >>> from mlops_basics.stats.paired.sums import PairedSums
        >>> first = PairedSums.from_losses([1.0, 2.0], [0.5, 2.0])
        >>> second = PairedSums.from_losses([3.0], [1.0])
        >>> both = first.merge(second)
        >>> both.n, both.champion, round(both.gain, 4)
        (3, 2.0, 0.8333)

        Two batches, summarised apart, give the summary of all three rows.
    """

    n: int = 0
    champion: float = 0.0
    gain: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    scale: float = 0.0
    unit: str = "rows"
    worth: float | None = None
    freedom: float | None = None

    @classmethod
    def from_losses(cls, champion: ArrayLike, challenger: ArrayLike) -> Self:
        """Summarise the losses of both models on the same rows.

        Args:
            champion, challenger: Loss of each model per row, finite, below 1e90, shape (n,).

        Raises:
            ValueError: If the shapes differ, or a loss is not finite or too large.
        """
        champion = _check.vector(champion, "champion")
        challenger = _check.vector(challenger, "challenger")
        _check.same_length("challenger", len(challenger), len(champion))
        total = cls()
        for start in range(0, len(champion), _BLOCK):
            total = total.merge(
                cls._block(champion[start : start + _BLOCK], challenger[start : start + _BLOCK])
            )
        return total

    @classmethod
    def _block(cls, champion: np.ndarray, challenger: np.ndarray) -> Self:
        scale = float(max(np.abs(champion).max(), np.abs(challenger).max()))
        if scale > _LARGEST:
            raise ValueError(f"losses must be below {_LARGEST:g}, got {scale!r}")
        d = champion - challenger
        gain = float(d.mean())
        d -= gain
        squares = d * d
        return cls(
            n=len(d),
            champion=float(champion.mean()),
            gain=gain,
            m2=float(squares.sum()),
            m3=float(np.dot(squares, d)),
            scale=scale,
        )

    def merge(self, other: "PairedSums") -> Self:
        """The summary of the rows of both.

        Args:
            other: Summary of other rows, of the same two models and loss.

        Raises:
            ValueError: If one of them is of groups, which may have rows in both.
        """
        if "groups" in (self.unit, other.unit):
            raise ValueError("sums of groups cannot be merged: a group may have rows in both")
        if other.n == 0:
            return self
        n = self.n + other.n
        a, b = self.n / n, other.n / n  # shares: products of counts would overflow nothing here,
        delta = other.gain - self.gain  # but shares keep the terms of the size of the data
        m2 = self.m2 + other.m2 + delta**2 * n * a * b
        m3 = self.m3 + other.m3 + delta**3 * n * a * b * (a - b)
        m3 += 3 * delta * (a * other.m2 - b * self.m2)
        return type(self)(
            n=n,
            champion=self.champion + (other.champion - self.champion) * b,
            gain=self.gain + delta * b,
            m2=m2,
            m3=m3,
            scale=max(self.scale, other.scale),
        )

    @property
    def sd(self) -> float:
        """Standard deviation of the differences (ddof 1); 0 for less than two rows, or rounding."""
        if self.n < 2:
            return 0.0
        sd = math.sqrt(self.m2 / (self.n - 1))
        return sd if sd > ROUNDING * self.scale else 0.0

    @property
    def skewness(self) -> float:
        """Skewness of the differences, m3 / n over (m2 / n)^(3/2); 0 when they do not vary."""
        if self.sd == 0:
            return 0.0
        variance = self.m2 / self.n
        # divided step by step: variance ** 1.5 underflows where the moments themselves do not
        return self.m3 / self.n / variance / math.sqrt(variance)
