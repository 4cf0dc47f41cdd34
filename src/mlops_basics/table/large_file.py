"""A batch file whose table is too large for memory, read in parts where it can be cut."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from mlops_basics.errors import DataError
from mlops_basics.schemas import Guess, Parts
from mlops_basics.storage.spill import Spill

from .batch_file import PARQUET_SUFFIXES, is_table
from .csv_parts import LargeCsv
from .csv_pieces import can_be_cut
from .parquet_parts import LargeParquet
from .unpacked_size import OF_TEXT, fits_memory

#: Bytes of a table, or of a piece of one, that is held in memory: what is made of it takes several
#: times as much, and even a small machine has that.
HELD = 256 << 20
TEXT_OF_PIECE = HELD // OF_TEXT
#: Times larger than its file a table may be that memory would not hold: a packed file of more is no
#: table that somebody has, but one value over and over.
_UNPACKED = 500


def refuse_bomb(name: str, content: bytes, memory: int) -> None:
    """Raises DataError for a small file whose table is out of all proportion, before it is read.

    Args:
        name: Of the file; its ending says what it is.
        content: Its bytes.
        memory: Bytes that its table may take, however small the file.
    """
    most_bytes = max(memory, len(content) * _UNPACKED)
    if not fits_memory(name, content, most_bytes):
        raise DataError(
            f"The file '{name}' of {len(content) / 1e6:,.1f} MB holds a table of more than "
            f"{most_bytes / 1e6:,.0f} MB, which is over {_UNPACKED} times as much, and more than "
            "this machine's free memory is for. Write it with fewer rows, or remove it."
        )


def read_in_parts(
    name: str,
    opened: Callable[[], AbstractContextManager[BinaryIO]],
    csv_args: dict[str, Any],
    text_columns: list[str],
    spill: Spill,
    memory: int,
) -> tuple[Parts, tuple[Guess, ...]] | None:
    """The table of a batch file as ``parse_batch`` would read it; None where it cannot be cut.

    Args:
        name: Of the file; its ending says what it is.
        opened: Opens it for reading.
        csv_args: Arguments of ``pandas.read_csv``.
        text_columns: Columns that are text.
        spill: Where the pieces of its table are put away.
        memory: Bytes that its table could take at most.

    Raises:
        DataError: If it cannot be read, or the spill refuses it.
    """
    if name.lower().endswith(PARQUET_SUFFIXES):
        with opened() as file:
            parquet = LargeParquet(name, file, text_columns, HELD // 4)
            return (parquet.read(spill), ()) if parquet.can_be_cut() else None
    if not (is_table(name) and can_be_cut(csv_args)):
        return None
    longest = memory // OF_TEXT
    # It makes a part of a table, and reading it takes some ten times as much as the text.
    of_piece = TEXT_OF_PIECE // 2
    return LargeCsv(name, opened, csv_args, text_columns, of_piece, longest).read(spill)
