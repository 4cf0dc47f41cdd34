"""A table in parts, each of which is read when it is needed: memory need not hold all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

#: A table of fewer cells is kept in memory between two steps of a node: 80 MB of numbers.
HELD_CELLS = 10_000_000
#: Rows of a part that a node makes, about: 80 MB of ten columns of numbers.
PART_ROWS = 1_000_000


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes:
        rows: How many.
        read: Reads all columns, or some, in the order of their names as given; under a fresh
            index. It can be pickled, so that another process can call it.
    """

    rows: int
    read: Callable[[Sequence[str] | None], pd.DataFrame]


@dataclass(frozen=True, repr=False)
class Parts:
    """A table whose rows are those of its parts, one part after the other.

    All parts have the same columns in the same types. What needs all columns of a row goes part by
    part; what needs all rows of a column reads that column (``parts["x"]``).

    Attributes:
        columns: Their names, in order.
        parts: At least one.
    """

    columns: tuple[str, ...]
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *tables: pd.DataFrame) -> Self:
        """Tables that memory holds as the parts of one."""
        return cls(
            tuple(map(str, tables[0].columns)),
            tuple(Part(len(table), partial(_columns_of, table)) for table in tables),
        )

    def __repr__(self) -> str:
        shape = f"{len(self):,} rows x {len(self.columns):,} columns, parts: {len(self.parts):,}"
        return f"Parts({shape}): .read() gives a pandas.DataFrame, .head(5) its first rows"

    def __len__(self) -> int:
        return sum(part.rows for part in self.parts)

    def __getitem__(self, name: str) -> pd.Series:
        """All rows of a column."""
        return self.read([name])[name]

    @property
    def slices(self) -> list[slice]:
        """Which rows of the table each part has."""
        ends = [0]
        for part in self.parts:
            ends.append(ends[-1] + part.rows)
        return [slice(begin, end) for begin, end in pairwise(ends)]

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows of some columns, or of all: shape (rows, columns), under a fresh index."""
        if len(self.parts) == 1:
            return self.parts[0].read(columns)
        return pd.concat([part.read(columns) for part in self.parts], ignore_index=True)

    def blocks(self, columns: Sequence[str]) -> list[list[str]]:
        """The columns in turn, as many at once as memory holds easily: each read has its price."""
        return _blocks(columns, len(self))

    def items(self, columns: Sequence[str] | None = None) -> Iterator[tuple[str, pd.Series]]:
        """Name and rows of some columns, or of all, one after the other."""
        for block in self.blocks(self.columns if columns is None else columns):
            for name, values in self.read(block).items():
                yield str(name), values

    def where(self, kept: npt.NDArray[np.bool_]) -> Parts:
        """Some rows, in their order; ``kept`` is of shape (rows,)."""
        if kept.all():
            return self
        of_each = [kept[rows] for rows in self.slices]
        counts = [int(of.sum()) for of in of_each]
        return self.changed(_rows_where, of_each, columns=self.columns, rows=counts)

    def take(self, positions: npt.NDArray[np.integer]) -> pd.DataFrame:
        """Some rows, in the order of their positions; shape (positions, columns)."""
        order = np.argsort(positions, kind="stable")
        wanted = np.asarray(positions)[order]
        found: list[pd.DataFrame] = []
        for part, rows in zip(self.parts, self.slices, strict=True):
            begin, end = np.searchsorted(wanted, [rows.start, rows.stop])
            if begin < end or not found:  # the first one tells the columns' types
                found.append(_taken(part, self.columns, wanted[begin:end] - rows.start))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        taken: pd.DataFrame = pd.concat(found, ignore_index=True).iloc[back]
        return taken.reset_index(drop=True)

    def head(self, rows: int) -> pd.DataFrame:
        """The first rows."""
        return self.take(np.arange(min(rows, len(self))))

    def held(self) -> Parts:
        """The same table as one part that memory holds, if it is small."""
        small = len(self) * len(self.columns) <= HELD_CELLS
        return Parts.of(self.read()) if small else self

    def gathered(self) -> Parts:
        """The same table in fewer parts: neighbours together have ``PART_ROWS`` at most."""
        gathered: list[list[Part]] = []
        for part in self.parts:
            together = gathered[-1] if gathered else []
            if together and sum(each.rows for each in together) + part.rows <= PART_ROWS:
                together.append(part)
            else:
                gathered.append([part])
        return Parts(self.columns, tuple(_together(self.columns, each) for each in gathered))

    def changed(
        self,
        function: Callable[..., pd.DataFrame],
        *of_each: Sequence[Any],
        columns: Sequence[str],
        rows: Sequence[int] | None = None,
    ) -> Parts:
        """The table that a function makes of each part; it is called when a part is read.

        Args:
            function: ``function(part, columns, ...)`` returns the columns that are asked for, in
                their order, of a part; further arguments are what ``of_each`` holds for it. It is
                a function of a module: another process may call it.
            of_each: Each of shape (parts,).
            columns: All that it can return.
            rows: How many it returns of each part; as many as the part has, if None. Parts of none
                are left out, unless all are.
        """
        counts = rows or [part.rows for part in self.parts]
        arguments = zip(*of_each, strict=True) if of_each else [()] * len(self.parts)
        parts = [
            Part(int(count), partial(_changed, part, function, tuple(columns), given))
            for part, count, given in zip(self.parts, counts, arguments, strict=True)
        ]
        return Parts(tuple(columns), tuple(each for each in parts if each.rows) or (parts[0],))


def _blocks(columns: Sequence[str], rows: int) -> list[list[str]]:
    at_once = max(1, HELD_CELLS // max(1, rows))
    return [list(columns[begin : begin + at_once]) for begin in range(0, len(columns), at_once)]


def _taken(part: Part, columns: Sequence[str], at: npt.NDArray[np.integer]) -> pd.DataFrame:
    """Some rows of a part, of which memory need not hold all columns at once."""
    blocks = _blocks(columns, part.rows)
    if len(blocks) < 2:
        return part.read(None).iloc[at]
    return pd.concat([part.read(block).iloc[at] for block in blocks], axis=1)


def _together(columns: tuple[str, ...], parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return Part(sum(part.rows for part in parts), Parts(columns, tuple(parts)).read)


def _columns_of(table: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    return (table if columns is None else table[list(columns)]).reset_index(drop=True)


def _rows_where(part: Part, columns: list[str], kept: npt.NDArray[np.bool_]) -> pd.DataFrame:
    return part.read(columns)[kept]


def _changed(
    part: Part,
    function: Callable[..., pd.DataFrame],
    every: tuple[str, ...],
    given: tuple[Any, ...],
    columns: Sequence[str] | None,
) -> pd.DataFrame:
    return _columns_of(function(part, list(every if columns is None else columns), *given), None)
