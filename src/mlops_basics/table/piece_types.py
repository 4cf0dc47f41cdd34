"""Which type the columns of a file have whose pieces were read one by one: that of the whole file.

pandas takes a column for the narrowest type that holds all its values. What it would have taken the
whole column for follows from what it took the pieces for, but for a few whose text has to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import Guess

from .csv_file import CsvTable
from .csv_text import MISSING_WORDS, is_whole

_ROUNDED = 2**53  # from here on a float skips whole numbers
_LONG = 19  # digits of a number that may need more than 64 bits
_TEXT = pd.Series([], dtype="str").dtype
_FLOAT, _WHOLE = np.dtype("float64"), np.dtype("int64")
_OF_PANDAS = {
    "str": "text",
    "bool": "flag",
    "boolean": "flag",
    "int64": "whole",
    "float64": "float",
}


class Again(Enum):
    """How a column has to be read again for its type to be known."""

    AS_TEXT = "each piece of it as text"
    AT_ONCE = "all its rows at once"


@dataclass(frozen=True)
class PieceColumn:
    """A column of a piece.

    Attributes:
        kind: "whole" (numbers), "float", "flag" (true or false), "text", "missing" (all of it),
            "typed" (its type was given) or "other".
        dtype: Of the plain column.
        some_missing: Whether a value is missing.
        is_large: Whether a whole number is one that a float may round.
        is_whole: Whether all its numbers are whole ones.
    """

    kind: str
    dtype: Any
    some_missing: bool
    is_large: bool = False
    is_whole: bool = False


def columns_of_piece(read: CsvTable) -> dict[str, PieceColumn]:
    """The columns of a piece of a CSV file, by name."""
    return {
        name: _column(read.table[name], read.dtypes[name], is_typed=name in read.typed)
        for name in map(str, read.table.columns)
    }


def _column(plain: pd.Series, read_as: str, *, is_typed: bool) -> PieceColumn:
    missing = plain.isna()
    if is_typed:
        return PieceColumn("typed", plain.dtype, bool(missing.any()))
    kind = _OF_PANDAS.get(read_as, "other")
    if kind == "float" and plain.dtype == _FLOAT and missing.all():
        return PieceColumn("missing", plain.dtype, True)
    if plain.dtype != {"float": _FLOAT, "text": _TEXT}.get(kind, plain.dtype):
        kind = "other"  # its text was looked at
    if kind == "text" and _has_too_large_number(plain):
        kind = "other"
    ends = (plain.min(), plain.max()) if kind in ("whole", "float") else ()
    is_large = any(abs(float(end)) >= _ROUNDED for end in ends)
    return PieceColumn(kind, plain.dtype, bool(missing.any()), is_large, is_whole(plain))


def _has_too_large_number(texts: pd.Series) -> bool:
    """Whether one is a number beyond 64 bits: pandas then keeps missing values as empty texts."""
    long = texts[texts.str.len() >= _LONG]
    return bool(long.str.fullmatch(r"\s*[+-]?\d+\s*").any())


def whole_type(pieces: Sequence[PieceColumn]) -> Any:
    """The type of a column of a CSV file; an ``Again`` where it has to be read again.

    Args:
        pieces: The column in each piece, at least one.
    """
    present = [each for each in pieces if each.kind != "missing"]
    kinds = {each.kind for each in present}
    if kinds in ({"typed"}, {"text"}):
        dtypes = {each.dtype for each in present}
        found = present[0].dtype if len(dtypes) == 1 else _nullable_of(dtypes) or Again.AT_ONCE
    elif "other" in kinds:
        found = Again.AT_ONCE
    elif kinds == {"flag"}:
        found = pd.Int64Dtype() if any(each.some_missing for each in pieces) else _WHOLE
    elif kinds == {"whole"} and present == list(pieces):
        found = _WHOLE
    elif kinds <= {"whole", "float"}:
        is_rounded = any(each.is_large for each in present if each.kind == "whole")
        found = Again.AT_ONCE if is_rounded else _FLOAT
    else:
        found = Again.AT_ONCE if any(each.is_large for each in present) else Again.AS_TEXT
    return found


def whole_type_of_stored(dtypes: Sequence[Any], all_missing: Sequence[bool]) -> Any:
    """The type of a column of a Parquet file; an ``Again`` where it has to be read again.

    Args:
        dtypes: Of the plain column in each piece.
        all_missing: Whether nothing else is in the column of the piece.
    """
    known = {dtype for dtype, gone in zip(dtypes, all_missing, strict=True) if not gone}
    if len(set(dtypes)) == 1:
        return dtypes[0]
    if known and (nullable := _nullable_of(known)) is not None:
        return nullable
    if set(dtypes) <= {np.dtype("datetime64[us]"), np.dtype("datetime64[ns]")}:
        return np.dtype("datetime64[ns]")
    return Again.AT_ONCE


def _nullable_of(dtypes: set[Any]) -> Any | None:
    """What holds whole numbers of which some pieces lack some; None for other types."""
    for whole, nullable in (("int64", pd.Int64Dtype()), ("uint64", pd.UInt64Dtype())):
        if dtypes <= {np.dtype(whole), nullable}:
            return nullable
    return None


def as_types(table: pd.DataFrame, types: dict[str, Any]) -> pd.DataFrame:
    """Some columns of a piece in the types that they have in the whole table."""
    return pd.DataFrame(
        {name: _as_type(table[name], types[str(name)]) for name in table},
        columns=table.columns,
        index=table.index,
    )


def _as_type(values: pd.Series, dtype: Any) -> pd.Series:
    if values.dtype == dtype:
        return values
    gone = values.isna().all()
    cast: pd.Series = (
        pd.Series(None, index=values.index, dtype=dtype) if gone else values.astype(dtype)
    )
    return cast


def whole_guesses(
    guesses: Sequence[Guess], columns: Mapping[str, Sequence[PieceColumn]], types: dict[str, Any]
) -> tuple[Guess, ...]:
    """What would have been guessed of a file at once.

    Args:
        guesses: Of its pieces.
        columns: Each column's pieces, in the order of the table.
        types: Each column's.
    """
    counts: dict[tuple[str, str, str], Guess] = {}
    for guess in guesses:
        pieces, dtype = columns[guess.column], types[guess.column]
        present = [each for each in pieces if each.kind != "missing"]
        if guess.kind == "digits" and (
            dtype == _TEXT or not all(each.is_whole for each in present)
        ):
            continue
        if guess.kind == "missing" and not (dtype == _TEXT or not present):
            continue
        key = (guess.kind, guess.column, guess.example if guess.kind == "missing" else "")
        known = counts.get(key)
        counts[key] = (
            Guess(guess.kind, guess.column, known.example, known.rows + guess.rows)
            if known
            else guess
        )
    return in_order(counts.values(), list(columns))


def in_order(guesses: Iterable[Guess], columns: list[str]) -> tuple[Guess, ...]:
    """Guesses in the order in which those of a whole file come.

    Args:
        guesses: Of one file.
        columns: Of its table, in their order.
    """

    def place(guess: Guess) -> tuple[bool, int, int]:
        is_word = guess.kind == "missing"
        word = MISSING_WORDS.index(guess.example) if is_word else 0
        return is_word, columns.index(guess.column), word

    return tuple(sorted(guesses, key=place))
