"""Small files that unpack to far more than memory, and things that are no files at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import socket
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MIB = 1 << 20


def gzip_bomb(mebibytes: int) -> bytes:
    """A CSV file of two columns, packed to about a thousandth."""
    member = gzip.compress(b"1,2\n" * (MIB // 4), mtime=0)
    return gzip.compress(b"a,b\n", mtime=0) + member * mebibytes


def number_bomb(millions: int) -> bytes:
    """A Parquet file of so many million times one number."""
    table, buffer = pa.table({"a": np.zeros(1_000_000)}), io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
        for _ in range(millions):
            writer.write_table(table)
    return buffer.getvalue()


def text_bomb(rows: int, length: int) -> bytes:
    """A Parquet file of one long text, repeated."""
    indices = pa.array([0] * rows, pa.int32())
    texts = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * length]))
    return _parquet(pa.table({"a": texts}))


def list_bomb(rows: int, length: int) -> bytes:
    """A Parquet file of lists of one text, repeated."""
    return _parquet(pa.table({"a": pa.array([["text"] * length] * rows)}))


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


#: What ``no_files`` makes, and how each is told.
NO_FILES = {
    "folder.csv": "'folder.csv' is a folder, not a file",
    "nowhere.csv": "what the link 'nowhere.csv' names: No such file",
    "itself.csv": "what the link 'itself.csv' names: Too many levels",
    "device.csv": "'device.csv' is a device, not a file",
    "pipe.csv": "'pipe.csv' is a pipe, not a file",
    "pipe_link.csv": "'pipe_link.csv' is a pipe, not a file",
    "socket.csv": "'socket.csv' is a socket, not a file",
    "huge.csv": "'huge.csv' has 4,398,047 MB, more than this machine has room for",
}


def no_files(folder: Path) -> None:
    """Put what is no readable file into a folder."""
    (folder / "folder.csv").mkdir()
    (folder / "nowhere.csv").symlink_to("/nowhere/a.csv")
    (folder / "itself.csv").symlink_to(folder / "itself.csv")
    (folder / "device.csv").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.csv")
    (folder / "pipe_link.csv").symlink_to(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as own, contextlib.chdir(folder):
        own.bind("socket.csv")  # by a short path: that of a socket has 108 bytes at most
    with (folder / "huge.csv").open("wb") as huge:
        huge.truncate(1 << 42)  # takes no space
