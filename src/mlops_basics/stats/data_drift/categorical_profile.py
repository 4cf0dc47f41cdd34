"""Summary of one categorical column: counts of its levels, missing values counted apart."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mlops_basics.stats import _check

MAX_LEVELS = 10_000


def _missing(value: object) -> bool:
    """None, NaN, NaT, and pandas' NA, which equals nothing and says so in its own way."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return bool(value != value)  # noqa: PLR0124 - true of NaN alone


def _label(value: object) -> str:
    """The level's name: a whole number has one name, whether it came as int or as float."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, kw_only=True)
class CategoricalProfile:
    """Counts of the levels of a column: mergeable.

    Attributes:
        counts: Rows of each level, at most ``max_levels`` of them.
        missing: Rows without a value.
        other: Rows of levels that were not kept: 0 unless there were more than ``max_levels``, when
            the most frequent are kept.
        max_levels: Bound of the number of levels.

    Note:
        Exact for up to ``max_levels`` distinct levels, and merging is then exactly associative.
        Beyond, a level that matters (2 % of the rows) is kept with its count in every part where it
        is among the most frequent; what is bounded is the memory, what is lost are the names of
        rare levels.
    """

    counts: dict[str, int]
    missing: int = 0
    other: int = 0
    max_levels: int = MAX_LEVELS

    @classmethod
    def from_values(cls, values: ArrayLike, *, max_levels: int = MAX_LEVELS) -> Self:
        """Summarise a column: one count.

        Args:
            values: Strings, numbers or booleans; None and NaN are missing. A pandas column is
                counted by its codes, without an object for each row. Shape (n,).
            max_levels: Bound of the summary's size, at least 1.

        Raises:
            ValueError: If values are not one-dimensional or max_levels is not positive.

        Example:
            >>> from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
            >>> profile = CategoricalProfile.from_values(["a", "b", None, "a"])
            >>> profile.counts, profile.missing
            ({'a': 2, 'b': 1}, 1)

            Two rows of level a, one of b, one without a value.
        """
        factorize = getattr(values, "factorize", None)
        if factorize is not None:
            codes, levels = factorize()
            return cls.from_codes(codes, list(levels), max_levels=max_levels)
        array = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
        if array.ndim != 1:
            raise ValueError(f"values must be one-dimensional, got {array.shape!r}")
        rows: Counter[Hashable] = Counter(array.tolist())
        return cls._of(rows.items(), 0, max_levels)

    @classmethod
    def from_codes(
        cls, codes: ArrayLike, levels: Sequence[object], *, max_levels: int = MAX_LEVELS
    ) -> Self:
        """Summarise a column that is coded already, as a pandas Categorical is: fastest.

        Args:
            codes: Position of each row's level in ``levels``; -1 is missing. Shape (n,).
            levels: The levels.
            max_levels: Bound of the summary's size, at least 1.

        Raises:
            ValueError: If a code is out of range.
        """
        shifted = _check.codes(np.asarray(codes) + 1, "codes + 1", len(levels) + 1)
        rows = np.bincount(shifted, minlength=len(levels) + 1).tolist()
        return cls._of(zip(levels, rows[1:], strict=True), rows[0], max_levels)

    @classmethod
    def _of(cls, level_counts: Any, missing: int, max_levels: int) -> Self:
        max_levels = _check.count(max_levels, "max_levels", at_least=1)
        counts: Counter[str] = Counter()
        for value, count in level_counts:
            if _missing(value):
                missing += count
            elif count:
                counts[_label(value)] += count
        return cls._bounded(counts, missing, 0, max_levels)

    @classmethod
    def _bounded(cls, counts: Mapping[str, int], missing: int, other: int, bound: int) -> Self:
        # by count, then by name: the order of the rows must not matter
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            counts=dict(ordered[:bound]),
            missing=missing,
            other=other + sum(count for _, count in ordered[bound:]),
            max_levels=bound,
        )

    @property
    def rows(self) -> int:
        """Rows of the column, missing ones counted."""
        return sum(self.counts.values()) + self.missing + self.other

    def merge(self, other: "CategoricalProfile") -> Self:
        """The profile of the rows of both.

        Args:
            other: Profile of other rows of the same column.
        """
        counts = Counter(self.counts)
        counts.update(other.counts)
        return self._bounded(
            counts,
            self.missing + other.missing,
            self.other + other.other,
            max(self.max_levels, other.max_levels),
        )

    def to_dict(self) -> dict[str, Any]:
        """Arrays and plain numbers, for ``numpy.savez``, Parquet, or (as lists) JSON."""
        return {
            "levels": np.array(list(self.counts), dtype=np.str_),
            "counts": np.array(list(self.counts.values()), dtype=np.int64),
            "missing": self.missing,
            "other": self.other,
            "max_levels": self.max_levels,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` described; lists in place of arrays are fine.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        levels = [str(level) for level in state["levels"]]
        counts = [int(count) for count in state["counts"]]
        return cls(
            counts=dict(zip(levels, counts, strict=True)),
            missing=int(state["missing"]),
            other=int(state["other"]),
            max_levels=int(state["max_levels"]),
        )
