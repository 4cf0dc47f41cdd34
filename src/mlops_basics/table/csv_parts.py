"""A large CSV file as a table in parts, equal to what it would be if it was read at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Guess, Parts, cut_rows
from mlops_basics.storage.spill import Spill, Stored

from .batch_file import unpacked, without_rows
from .csv_file import CsvTable, csv_arguments, csv_file_of, read_csv_file
from .csv_lines import Place
from .csv_pieces import OF_TIMES, Piece, cut
from .csv_text import text_of
from .freed_memory import give_back_freed
from .piece_types import (
    Again,
    PieceColumn,
    columns_of_piece,
    in_order,
    whole_guesses,
    whole_type,
)
from .spilled import parts_of, replace_columns

Open = Callable[[], AbstractContextManager[BinaryIO]]
#: Options that say what a field means, not where it is.
_OF_VALUES = (
    "dtype", "decimal", "thousands", "na_values", "keep_default_na", "na_filter", "true_values",
    "false_values",
)  # fmt: skip
#: pandas infers how times are written from a column's first one.
_OF_WHOLE_COLUMNS = ("parse_dates", *OF_TIMES)


@dataclass
class _Pieces:
    """What was read of a file, piece by piece: each is put away."""

    stored: list[Stored] = field(default_factory=list)
    columns: dict[str, list[PieceColumn]] = field(default_factory=dict)
    guesses: list[Guess] = field(default_factory=list)

    @property
    def types(self) -> dict[str, Any]:
        return {name: whole_type(pieces) for name, pieces in self.columns.items()}


@dataclass(frozen=True)
class LargeCsv:
    """A CSV file whose table is larger than what memory should hold.

    Attributes:
        name: Of the file; its ending says how it is packed.
        open: Opens it for reading.
        csv_args: Arguments of ``pandas.read_csv`` with which it can be cut.
        text_columns: Columns that are text.
        most_bytes: Of text in a piece, unless a record is longer.
        longest: Bytes of the longest record that there may be.
    """

    name: str
    open: Open
    csv_args: dict[str, Any]
    text_columns: list[str]
    most_bytes: int
    longest: int

    def read(self, spill: Spill) -> tuple[Parts, tuple[Guess, ...]]:
        """Its table, in the types of the whole file, and what was guessed in reading it.

        Args:
            spill: Where its pieces are put away.

        Raises:
            DataError: If a piece cannot be read; the message names the file and the line.
        """
        times = self.csv_args.get("parse_dates", [])
        read = self._read(spill, [*self.text_columns, *times])
        as_text = [name for name, found in read.types.items() if found is Again.AS_TEXT]
        if as_text:
            read = self._read(spill, [*self.text_columns, *times, *as_text])
        types, guesses = read.types, read.guesses
        if unknown := set(times) - set(types):
            raise DataError(
                f"The file '{self.name}' has no column {', '.join(sorted(unknown))}, which "
                "`parse_dates` of `csv` in globals.yml names."
            )
        at_once = [name for name, of in types.items() if of is Again.AT_ONCE or name in times]
        if at_once:
            rows = sum(each.rows for each in read.stored)
            whole = {name: self._at_once(name, rows) for name in at_once}
            types |= {name: each.table[name].dtype for name, each in whole.items()}
            guesses = [guess for guess in guesses if guess.column not in whole]
            replace_columns(
                spill, read.stored, {name: each.table[name] for name, each in whole.items()}
            )
        merged = whole_guesses(guesses, read.columns, types)
        own = [guess for each in (whole.values() if at_once else ()) for guess in each.guesses]
        return parts_of(read.stored, types), in_order([*merged, *own], list(types))

    def _read(self, spill: Spill, text_columns: list[str]) -> _Pieces:
        found = _Pieces()
        args = {key: self.csv_args[key] for key in self.csv_args if key not in _OF_WHOLE_COLUMNS}
        with self._pieces() as (name, pieces):
            for piece in pieces:
                read = read_csv_file(name, piece.content, args, text_columns, piece.place)
                if read.table.empty:  # blank lines below the header
                    continue
                give_back_freed()  # of what was made of the text: small arrays, but many
                for rows in cut_rows(read.table):
                    found.stored.append(spill.put(len(found.stored), rows))
                found.guesses += read.guesses
                for column, known in columns_of_piece(read).items():
                    found.columns.setdefault(column, []).append(known)
        if not found.stored:
            raise without_rows(self.name)
        return found

    @contextmanager
    def _pieces(self) -> Iterator[tuple[str, Iterator[Piece]]]:
        with self.open() as file, unpacked(self.name, file) as (name, text):
            yield name, cut(name, text, self.csv_args, self.most_bytes, self.longest)

    def _at_once(self, column: str, rows: int) -> CsvTable:
        """A column as a file of its own that has no other; memory holds its text."""
        texts = []
        with self._pieces() as (name, pieces):
            for piece in pieces:
                file = csv_file_of(name, piece.content, self.csv_args, piece.place)
                texts.append(text_of(file, csv_arguments(file, self.text_columns), {column}))
        text = pd.concat(texts, ignore_index=True)
        options = {key: self.csv_args[key] for key in _OF_VALUES if key in self.csv_args}
        if column in self.csv_args.get("parse_dates", []):
            options |= {key: self.csv_args[key] for key in OF_TIMES if key in self.csv_args}
            options["parse_dates"] = [column]
        read = read_csv_file(
            name,
            # Quoted, since a value may hold the end of a line, or be a line of spaces.
            text.to_csv(index=False, quoting=csv.QUOTE_ALL).encode(),
            options | {"sep": ","},
            self.text_columns,
            Place(is_later=True),  # its header was looked at
        )
        if len(read.table) != rows:
            raise DataError(
                f"The column '{column}' of the file '{name}' cannot be read by itself: it has "
                f"{len(read.table):,} values in {rows:,} rows. Add it to `text_columns` in "
                "globals.yml."
            )
        return read
