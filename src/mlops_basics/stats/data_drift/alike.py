"""Rows of one group that are alike: as how many independent rows they tell as much of a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped, unused-ignore]

from mlops_basics.stats import _check
from mlops_basics.stats.paired.persistence import independent_days

Ints = NDArray[np.int64]
Views = dict[str, NDArray[Any]]

MAX_ROWS = 20_000  # that likeness is measured on
_SHOWN = 0.01  # level at which groups are shown to differ, shared by the views of a column
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # at which the values of a column are cut
_LEAST_SHARE = 0.01  # of a level whose rows are looked at


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike rows of one group are, by column, and how large groups are.

    Attributes:
        values, missing: By column the intraclass correlation of its values (of a categorical
            column: of its levels), and of the fact that a value is missing; 0 where rows of one
            group are not shown to be alike. Above the correlation where groups are days in order
            that persist.
        size: Rows of the group that a row is of, in the mean over the rows; 1 without groups.
        copies: Rows that are copies of a row, itself included, in the mean over the rows.
        known: Whether it was measured; not in releases of older versions of this project.
    """

    values: dict[str, float]
    missing: dict[str, float]
    size: float = 1.0
    copies: float = 1.0
    known: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Arrays and plain numbers, for ``numpy.savez``; sizes of a reference alone."""
        return {
            "values": np.array(list(self.values.values()), dtype=np.float64),
            "missing": np.array(list(self.missing.values()), dtype=np.float64),
            "size": self.size,
        }

    @classmethod
    def from_dict(cls, names: list[str], state: Mapping[str, Any]) -> Self:
        """The likeness that ``to_dict`` described; of columns in this order."""
        if not state:
            return cls(values={}, missing={}, known=False)
        values, missing = (
            dict(zip(names, (float(value) for value in state[key]), strict=True))
            for key in ("values", "missing")
        )
        return cls(values=values, missing=missing, size=float(state["size"]))

    def merge(self, other: "Likeness") -> Self:
        """The larger of both, which holds for the rows of both."""
        values, missing = (
            {name: max(mine.get(name, 0.0), theirs.get(name, 0.0)) for name in {**mine, **theirs}}
            for mine, theirs in ((self.values, other.values), (self.missing, other.missing))
        )
        return type(self)(
            values=values,
            missing=missing,
            size=max(self.size, other.size),
            copies=max(self.copies, other.copies),
            known=self.known and other.known,
        )

    def select(self, names: list[str]) -> Self:
        """Of some of the columns."""
        values, missing = (
            {name: of_all[name] for name in names if name in of_all}
            for of_all in (self.values, self.missing)
        )
        return type(self)(
            values=values, missing=missing, size=self.size, copies=self.copies, known=self.known
        )

    def design_effect(self, correlation: float) -> float:
        r"""How many rows say no more than one independent row.

        Args:
            correlation: Intraclass correlation of what is looked at.

        Note:
            The variance of a mean of n rows is 1 + (size - 1) rho times that of independent rows,
            with size = sum of n_g^2 / n [1]; copies of a row, of correlation 1, come on top.

        References:
            [1] L. Kish, "Survey Sampling", section 5.4 (1965).

        Example:
            >>> from mlops_basics.stats.data_drift.alike import Likeness
            >>> week = Likeness(values={}, missing={}, size=100)
            >>> round(week.design_effect(0.2), 1)
            20.8

            700 rows of seven days that explain a fifth of the variance are worth 34.
        """
        return self.copies + (max(self.size, self.copies) - self.copies) * correlation


NOTHING_ALIKE = Likeness(values={}, missing={})


def group_size(groups: ArrayLike) -> float:
    """Rows of the group that a row is of, in the mean over the rows.

    Args:
        groups: The group of each row: any values that can be sorted. Shape (n,).

    Example:
        >>> from mlops_basics.stats.data_drift.alike import group_size
        >>> group_size(["a", "a", "a", "b"])
        2.5
    """
    _, sizes = np.unique(np.asarray(groups), return_counts=True)
    return float((sizes.astype(np.float64) ** 2).sum() / sizes.sum()) if sizes.size else 1.0


def evenly_spaced(rows: int, most: int) -> NDArray[np.intp]:
    """Positions of ``most`` rows that are spread over all; of all where these are not more."""
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).astype(np.intp)


def measure_likeness(
    numeric: Mapping[str, ArrayLike],
    codes: Mapping[str, Ints],
    groups: ArrayLike,
    *,
    in_order: bool = False,
) -> Likeness:
    """How alike rows of one group are in each column of a table.

    Args:
        numeric: Numeric columns of the same rows; NaN is missing. Shape (n,).
        codes: Categorical columns, as codes; -1 is missing. Shape (n,).
        groups: The group of each row: any values that can be sorted. Shape (n,).
        in_order: Whether groups, sorted, are days in the order of time.

    Note:
        A column is looked at by its ranks, by whether its values are above some of their quantiles,
        by its levels, by its gaps: what a bound of drift is about is a share of rows, and a day may
        move any of them. Of those by which groups are shown to differ (analysis of variance, level
        0.01 for all of a column together) the largest intraclass correlation counts; without any it
        is 0, so that nothing is taken from a table whose groups explain nothing. Where days are in
        order it is multiplied by how much persists (``independent_days``).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.alike import measure_likeness
        >>> rng = np.random.default_rng(0)
        >>> day = np.repeat(np.arange(200), 50)
        >>> warm, price = rng.normal(0, 0.5, 200)[day] + rng.normal(size=10_000), rng.random(10_000)
        >>> alike = measure_likeness({"warm": warm, "price": price}, {}, day)
        >>> round(alike.values["warm"], 1), alike.values["price"]
        (0.2, 0.0)

        Days explain a fifth of how warm it is, and nothing of the price.
    """
    _, of_row = np.unique(np.asarray(groups), return_inverse=True)
    size = group_size(of_row)
    n = len(of_row)
    at = evenly_spaced(n, MAX_ROWS)
    of_row = np.unique(of_row[at], return_inverse=True)[1]
    values, missing = {}, {}
    for name, column in numeric.items():
        x = np.asarray(column, dtype=np.float64)[at]
        there = ~np.isnan(x)
        values[name] = _largest(_numeric_views(x[there]), of_row[there], in_order)
        missing[name] = _largest({"gaps": there.astype(np.float64)}, of_row, in_order)
    for name, levels in codes.items():
        values[name] = _largest(_level_views(levels[at]), of_row, in_order)
        missing[name] = values[name]
    return Likeness(values=values, missing=missing, size=size)


def _numeric_views(x: NDArray[np.float64]) -> Views:
    if not x.size:
        return {}
    order = np.unique(x, return_inverse=True)[1]
    views: Views = {"ranks": (np.cumsum(np.bincount(order)))[order].astype(np.float64)}
    for cut in np.unique(np.quantile(x, _QUANTILES, method="lower")):
        views[f"above {cut}"] = (x > cut).astype(np.float64)
    return views


def _level_views(codes: Ints) -> Views:
    counts = np.bincount(codes + 1) if codes.size else np.zeros(0, dtype=np.int64)
    shown = np.flatnonzero(counts >= _LEAST_SHARE * max(codes.size, 1))
    return {f"level {level}": (codes + 1 == level).astype(np.float64) for level in shown}


def _largest(views: Views, groups: Ints, in_order: bool) -> float:
    largest = 0.0
    for view in views.values():
        correlation, p_value, means = intraclass(view, groups)
        if p_value > _SHOWN / len(views):
            continue
        if in_order and len(means) > 2:
            correlation *= len(means) / float(independent_days(means))
        largest = max(largest, correlation)
    return largest


def intraclass(x: ArrayLike, groups: Ints) -> tuple[float, float, NDArray[np.float64]]:
    """The intraclass correlation of a column, whether it is shown, and the groups' means.

    Args:
        x: Finite, shape (n,).
        groups: Codes, shape (n,).

    Returns:
        The correlation, by the one-way analysis of variance [1], in [0, 1]; its p-value (1 where it
        cannot be told); the mean of each group, in the order of the codes, shape (G,).

    References:
        [1] A. Donner, "A review of inference procedures for the intraclass correlation coefficient
            in the one-way random effects model", International Statistical Review 54, 67-82 (1986).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.alike import intraclass
        >>> pairs = np.array([0, 0, 1, 1, 2, 2])
        >>> correlation, p_value, means = intraclass([1, 1, 2, 2, 3, 3], pairs)
        >>> correlation, p_value, means.tolist()
        (1.0, 0.0, [1.0, 2.0, 3.0])
    """
    x = _check.vector(x, "x")
    groups = np.unique(groups, return_inverse=True)[1]
    n, sizes = len(x), np.bincount(groups)
    count = len(sizes)
    means = np.bincount(groups, weights=x) / np.maximum(sizes, 1)
    if count < 2 or n <= count:
        return 0.0, 1.0, means
    centre = x.mean()
    between = float((sizes * (means - centre) ** 2).sum())
    total = float(((x - centre) ** 2).sum())
    if total <= 0:
        return 0.0, 1.0, means
    within = max(total - between, 0.0) / (n - count)
    between /= count - 1
    if within <= 1e-12 * total:
        return 1.0, 0.0, means
    common = (n - float((sizes.astype(np.float64) ** 2).sum()) / n) / (count - 1)
    correlation = (between - within) / (between + (common - 1) * within)
    p_value = float(special.fdtrc(count - 1, n - count, between / within))
    return min(max(correlation, 0.0), 1.0), p_value, means
