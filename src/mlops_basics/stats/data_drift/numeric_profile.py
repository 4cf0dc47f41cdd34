"""Summary of one numeric column: its distribution function on a bounded number of points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.stats import _check

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_POINTS = 8192  # 0.13 MB a column, ranks known to 0.012 % of the rows


@dataclass(frozen=True, eq=False, kw_only=True)
class NumericProfile:
    """How many values of a column are at or below each of some of its values: mergeable.

    Attributes:
        points: Distinct values of the column, ascending; k <= ``max_points``. Shape (k,).
        low, high: Bounds of the number of values <= point. Equal unless compressed profiles were
            merged. Shape (k,).
        below: Upper bound of the number of values < point, shape (k,).
        n: Values that are not missing.
        missing: Missing values (NaN).
        exact: Whether ``points`` are all distinct values: then nothing is lost.
        max_points: Bound of k.

    Note:
        A column with at most ``max_points`` distinct values is kept exactly. Of others the values
        at evenly spaced ranks are kept *with their exact ranks*: bounded is the memory, and what is
        unknown is only where values lie between two neighbouring points, at most 1 / max_points of
        them. Merging adds the counts; at a point that only one side has kept the other side's count
        is known to lie between two bounds, and the bounds are carried along. A merge of compressed
        profiles thus widens the bounds by at most 1 / max_points of the rows: merge in a balanced
        tree and log2(parts) / max_points bounds the sum. Comparisons use the bounds, so they stay
        valid.
    """

    points: Floats
    low: Ints
    high: Ints
    below: Ints
    n: int
    missing: int
    exact: bool
    max_points: int = MAX_POINTS

    @classmethod
    def from_values(cls, values: ArrayLike, *, max_points: int = MAX_POINTS) -> Self:
        """Summarise a column: one sort.

        Args:
            values: The column; NaN (and None) is missing, infinities are values. Shape (n,).
            max_points: Bound of the summary's size, at least 2.

        Raises:
            ValueError: If values are not one-dimensional or max_points is too small.

        Example:
            >>> from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
            >>> profile = NumericProfile.from_values([2.0, 1.0, float("nan"), 2.0])
            >>> profile.points.tolist(), profile.low.tolist(), profile.n, profile.missing
            ([1.0, 2.0], [1, 3], 3, 1)

            One value is at most 1, three are at most 2, one is missing.
        """
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 1:
            raise ValueError(f"values must be one-dimensional, got {array.shape!r}")
        max_points = _check.count(max_points, "max_points", at_least=2)
        values = np.sort(array)  # NaN comes last
        n = int(np.searchsorted(values, np.nan))
        missing, values = len(values) - n, values[:n]
        changes = values[1:] != values[:-1]
        exact = int(np.count_nonzero(changes)) < max_points
        if exact:
            ends = np.flatnonzero(np.append(changes, n > 0))
            points = values[ends]
            at_most = ends + 1
            below = np.concatenate([[0], at_most])[:-1]
        else:
            ranks = np.linspace(0, n - 1, max_points).astype(np.intp)
            points = np.unique(values[ranks])
            at_most = np.searchsorted(values, points, side="right")
            below = np.searchsorted(values, points, side="left")
        at_most = at_most.astype(np.int64)
        return cls(
            points=points + 0.0,  # -0 is 0: the order of the rows must not matter
            low=at_most,
            high=at_most,
            below=below.astype(np.int64),
            n=n,
            missing=missing,
            exact=exact,
            max_points=max_points,
        )

    @property
    def rows(self) -> int:
        """Rows of the column, missing ones counted."""
        return self.n + self.missing

    def bounds(self, x: Floats) -> tuple[Ints, Ints]:
        """Bounds of the number of values <= x.

        Args:
            x: Places, none NaN.

        Returns:
            low, high: Of the shape of x.
        """
        if self.n == 0:
            zero = np.zeros(x.shape, dtype=np.int64)
            return zero, zero
        after = np.searchsorted(self.points, x, side="right")
        low = np.concatenate([[0], self.low])[after]
        here = np.concatenate([[0], self.high])[after]
        if self.exact:
            return low, here
        kept = (after > 0) & (self.points[after - 1] == x)
        return low, np.where(kept, here, np.append(self.below, self.n)[after])

    def _below(self, x: Floats) -> Ints:
        """Upper bound of the number of values < x."""
        if self.n == 0:
            return np.zeros(x.shape, dtype=np.int64)
        at = np.searchsorted(self.points, x, side="left")
        if self.exact:
            return np.concatenate([[0], self.high])[at]
        return np.append(self.below, self.n)[at]

    def merge(self, other: "NumericProfile") -> Self:
        """The profile of the rows of both.

        Args:
            other: Profile of other rows of the same column.

        Returns:
            Exact when both are and their distinct values fit; else at most ``max_points`` points
            (the larger bound of the two).

        Example:
            >>> from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
            >>> first = NumericProfile.from_values([1.0, 3.0])
            >>> both = first.merge(NumericProfile.from_values([2.0, 3.0]))
            >>> both.points.tolist(), both.low.tolist()
            ([1.0, 2.0, 3.0], [1, 2, 4])

            The same as the profile of all four values.
        """
        points = np.union1d(self.points, other.points)
        mine, theirs = self.bounds(points), other.bounds(points)
        low, high = mine[0] + theirs[0], mine[1] + theirs[1]
        below = self._below(points) + other._below(points)
        n, max_points = self.n + other.n, max(self.max_points, other.max_points)
        exact = self.exact and other.exact and len(points) <= max_points
        if len(points) > max_points:
            middle = (low + high) / 2
            ranks = np.linspace(middle[0], middle[-1], max_points)
            keep = np.unique(np.minimum(np.searchsorted(middle, ranks), len(points) - 1))
            points, low, high, below = points[keep], low[keep], high[keep], below[keep]
        return type(self)(
            points=points,
            low=low,
            high=high,
            below=below,
            n=n,
            missing=self.missing + other.missing,
            exact=exact,
            max_points=max_points,
        )

    def to_dict(self) -> dict[str, Any]:
        """Arrays and plain numbers, for ``numpy.savez``, Parquet, or (as lists) JSON.

        What follows from the rest is left out: ``high`` where it is ``low``, and ``below`` of an
        exact profile.
        """
        state = dict(vars(self))
        if np.array_equal(self.high, self.low):
            del state["high"]
        if self.exact:
            del state["below"]
        return state

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` described; lists in place of arrays are fine.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        low = np.asarray(state["low"], dtype=np.int64)
        high = np.asarray(state.get("high", low), dtype=np.int64)
        before = np.concatenate([[0], low])[:-1]
        return cls(
            points=np.asarray(state["points"], dtype=np.float64),
            low=low,
            high=high,
            below=np.asarray(state.get("below", before), dtype=np.int64),
            n=int(state["n"]),
            missing=int(state["missing"]),
            exact=bool(state["exact"]),
            max_points=int(state["max_points"]),
        )
