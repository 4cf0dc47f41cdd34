"""A large Parquet file as a table in parts, equal to what it would be if it was read at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pandas as pd

from mlops_basics.schemas import Parts
from mlops_basics.storage.spill import Spill, Stored

from .batch_file import TIMES_OF_96_BITS, plain_parquet, readable_parquet, without_rows
from .freed_memory import give_back_freed
from .piece_types import Again, whole_type_of_stored
from .plain import plain_arrow
from .spilled import parts_of, replace_columns
from .unpacked_size import bytes_of

_ROWS = 1_000_000  # of a piece, at most
_VALUE = 8  # bytes of a number or a time in a table
_INDEX = 4  # bytes of one, into a dictionary
_BUFFER = 1 << 20  # bytes of a column that are read ahead


@dataclass(frozen=True)
class LargeParquet:
    """A Parquet file whose table is larger than what memory should hold.

    Attributes:
        name: Of the file.
        file: Open for reading.
        text_columns: Columns that are text.
        most_bytes: Of the table of a piece, about.
    """

    name: str
    file: BinaryIO
    text_columns: list[str]
    most_bytes: int

    def can_be_cut(self) -> bool:
        """Whether no value is a list and the like, of which one may be as large as a table."""
        with readable_parquet(self.name):
            return all(_is_flat(field.type) for field in self._opened().schema_arrow)

    def read(self, spill: Spill) -> Parts:
        """Its table, in the types of the whole file.

        Args:
            spill: Where its pieces are put away.

        Raises:
            DataError: If the file is damaged.
        """
        with readable_parquet(self.name):
            stored: list[Stored] = []
            dtypes, gone = [], []
            for table in self._tables():
                give_back_freed()
                stored.append(spill.put(len(stored), table))
                dtypes.append(list(table.dtypes))
                gone.append(list(table.isna().all()))
                names = [str(name) for name in table]
            if not stored:
                raise without_rows(self.name)
            types = {
                name: whole_type_of_stored([of[at] for of in dtypes], [of[at] for of in gone])
                for at, name in enumerate(names)
            }
            again = [name for name, found in types.items() if found is Again.AT_ONCE]
            whole = {name: self._at_once(name) for name in again}
        replace_columns(spill, stored, whole)
        return parts_of(stored, types | {name: values.dtype for name, values in whole.items()})

    def _tables(self) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        opened = self._opened(as_dictionaries=True)
        rows, begin = opened.metadata.num_rows, 0
        step = max(1, min(_ROWS, self.most_bytes // (_VALUE * max(1, len(opened.schema_arrow)))))
        batches = (
            batch  # group by group: read all at once, Arrow keeps the bytes of each
            for group in range(opened.num_row_groups)
            for batch in opened.iter_batches(
                min(step, self._rows_at_once(opened.metadata.row_group(group))),
                row_groups=[group],
                use_threads=False,
            )
        )
        for pieces in _gathered(batches, step, self.most_bytes):
            stored = pa.Table.from_batches(pieces)
            yield plain_parquet(self.name, stored, self.text_columns, begin, rows)
            begin += len(stored)

    def _written_once(self, file: Any) -> list[str]:
        """Text columns that are too small for each value to be written out.

        Of others, Arrow would make one dictionary after the other, and keep them.
        """
        import pyarrow as pa

        texts = {field.name for field in file.schema_arrow if pa.types.is_string(field.type)}
        groups = (file.metadata.row_group(at) for at in range(file.metadata.num_row_groups))
        chunks = (group.column(at) for group in groups for at in range(group.num_columns))
        return sorted(
            texts
            - {
                chunk.path_in_schema
                for chunk in chunks
                if chunk.total_uncompressed_size > self.most_bytes + _INDEX * chunk.num_values
            }
        )

    def _rows_at_once(self, group: Any) -> int:
        """How many rows of a group a piece may have, whose texts may be long."""
        return max(1, int(self.most_bytes * group.num_rows // max(1, group.total_byte_size)))

    def _at_once(self, name: str) -> pd.Series:
        import pyarrow.parquet as pq

        self.file.seek(0)
        stored = pq.read_table(
            self.file, columns=[name], coerce_int96_timestamp_unit=TIMES_OF_96_BITS
        )
        return plain_arrow(stored.column(name))

    def _opened(self, *, as_dictionaries: bool = False) -> Any:
        """The file; texts as dictionaries, for one may stand in it once for millions of rows."""
        import pyarrow.parquet as pq

        texts = self._written_once(pq.ParquetFile(self.file)) if as_dictionaries else []
        self.file.seek(0)
        return pq.ParquetFile(
            self.file,
            read_dictionary=texts,
            coerce_int96_timestamp_unit=TIMES_OF_96_BITS,
            buffer_size=_BUFFER,
        )


def _is_flat(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(
        is_text
        or pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def _gathered(batches: Iterable[Any], most_rows: int, most_bytes: int) -> Iterator[list[Any]]:
    """Batches by the piece that they make: a batch of a small row group is small."""
    held: list[Any] = []
    rows, size = 0, 0
    for piece in (each for batch in batches for each in _slices(batch, most_bytes)):
        taken = _bytes_of_batch(piece)
        if held and (rows + len(piece) > most_rows or size + taken > most_bytes):
            yield held
            held, rows, size = [], 0, 0
        held.append(piece)
        rows, size = rows + len(piece), size + taken
    if held:
        yield held


def _slices(batch: Any, most_bytes: int) -> Iterator[Any]:
    """A batch in halves of halves, until the tables of these are not larger than they may be."""
    if batch.num_rows <= 1 or _bytes_of_batch(batch) <= most_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _slices(batch.slice(0, half), most_bytes)
    yield from _slices(batch.slice(half), most_bytes)


def _bytes_of_batch(batch: Any) -> int:
    return sum(bytes_of(column) for column in batch.columns)
