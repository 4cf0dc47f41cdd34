"""A table in parts, each of which is read when it is needed: memory need not hold all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

#: Bytes of what memory holds at once: of a table that is kept between two steps of a node, of a
#: part that a node makes, of columns that are read together. What is made of it takes several times
#: as much.
HELD_BYTES = 80_000_000
_VALUE = 8  # bytes of a number or a time
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes:
        rows: How many.
        read: Reads all columns, or some, in the order of their names as given; under a fresh
            index. It can be pickled, so that another process can call it.
        sizes: Bytes that a column takes in memory, about, by its name; of texts. A value of all
            others takes 8.
    """

    rows: int
    read: Callable[[Sequence[str] | None], pd.DataFrame]
    sizes: Mapping[str, int] = field(default_factory=dict, hash=False)

    def bytes_of(self, columns: Iterable[str]) -> int:
        """How much memory some columns take, about."""
        return sum(self.sizes.get(name, _VALUE * self.rows) for name in columns)


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
            tuple(
                Part(len(table), partial(_columns_of, table), text_sizes(table)) for table in tables
            ),
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
        return _blocks(self.parts, columns)

    def bytes_of(self, columns: Sequence[str]) -> int:
        """How much memory all rows of some columns take, about."""
        return sum(part.bytes_of(columns) for part in self.parts)

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
        small = self.bytes_of(self.columns) <= HELD_BYTES
        return Parts.of(self.read()) if small else self

    def gathered(self) -> Parts:
        """The same table in fewer parts: neighbours together take ``HELD_BYTES`` at most."""
        gathered = _neighbours(self.parts, lambda part: part.bytes_of(self.columns))
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
            Part(
                int(count),
                partial(_changed, part, function, tuple(columns), given),
                _sizes_of_rows(part, int(count), columns),
            )
            for part, count, given in zip(self.parts, counts, arguments, strict=True)
        ]
        return Parts(tuple(columns), tuple(each for each in parts if each.rows) or (parts[0],))


def cut_rows(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Neighbouring rows of a table that take ``HELD_BYTES`` at most, about; all, if these do."""
    whole = Parts.of(table)
    pieces = max(1, -(-whole.bytes_of(whole.columns) // max(1, HELD_BYTES)))
    ends = np.linspace(0, len(table), 1 + min(pieces, max(1, len(table))), dtype=np.int64)
    return [table.iloc[begin:end] for begin, end in pairwise(ends)]


def text_sizes(table: pd.DataFrame) -> dict[str, int]:
    """Bytes of the columns of a table whose values do not take 8 bytes each."""
    return {
        str(table.columns[at]): int(table.iloc[:, at].array.nbytes)
        for at, dtype in enumerate(table.dtypes)
        if isinstance(dtype, pd.StringDtype)
    }


def _sizes_of_rows(part: Part, rows: int, columns: Iterable[str]) -> dict[str, int]:
    """Of some columns of a part, if it had so many rows."""
    share = rows / max(1, part.rows)
    return {name: round(part.sizes[name] * share) for name in columns if name in part.sizes}


def _blocks(parts: Sequence[Part], columns: Iterable[str]) -> list[list[str]]:
    return _neighbours(columns, lambda name: sum(part.bytes_of([name]) for part in parts))


def _neighbours(items: Iterable[_Item], size: Callable[[_Item], int]) -> list[list[_Item]]:
    """Neighbours together, as many as take ``HELD_BYTES`` at most; a larger one is alone."""
    groups: list[list[_Item]] = []
    taken = 0
    for item in items:
        of_item = size(item)
        if groups and taken + of_item <= HELD_BYTES:
            groups[-1].append(item)
            taken += of_item
        else:
            groups.append([item])
            taken = of_item
    return groups


def _taken(part: Part, columns: Sequence[str], at: npt.NDArray[np.integer]) -> pd.DataFrame:
    """Some rows of a part, of which memory need not hold all columns at once."""
    blocks = _blocks([part], columns)
    if len(blocks) < 2:
        return part.read(None).iloc[at]
    return pd.concat([part.read(block).iloc[at] for block in blocks], axis=1)


def _together(columns: tuple[str, ...], parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    texts = {name for part in parts for name in part.sizes}
    return Part(
        sum(part.rows for part in parts),
        Parts(columns, tuple(parts)).read,
        {name: sum(part.bytes_of([name]) for part in parts) for name in columns if name in texts},
    )


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
