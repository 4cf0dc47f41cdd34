"""How much memory the texts of a Parquet file take, by its metadata and its first rows."""

from __future__ import annotations

from typing import Any

from mlops_basics.schemas import HELD_BYTES

_POINTER = 8  # bytes of a text's place in memory
_LOOKED_AT = 256  # rows


def sizes_of_texts(file: Any) -> dict[str, int]:
    """Bytes of the text columns of a ``pyarrow.parquet.ParquetFile`` in memory, about, by name.

    A text may be written once for many rows. Where that may matter, the first rows are read.
    """
    metadata = file.metadata
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    names = {field.name for field in file.schema_arrow if _is_text(field.type)}
    stored = dict.fromkeys(names, 0)
    for group in groups:
        for chunk in (group.column(at) for at in range(group.num_columns)):
            if chunk.path_in_schema in names:
                stored[chunk.path_in_schema] += chunk.total_uncompressed_size
    rows = metadata.num_rows
    sizes = {name: rows * _POINTER + size for name, size in stored.items()}
    if not names or not rows or rows * sum(stored.values()) <= HELD_BYTES:
        return sizes
    first = next(file.iter_batches(_LOOKED_AT, columns=sorted(names), use_threads=False))
    for name, values in zip(first.schema.names, first.columns, strict=True):
        sizes[name] = max(sizes[name], rows * values.nbytes // len(values))
    return sizes


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
