"""Arrays by name as bytes, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from mlops_basics.storage.npy_file import FileError, NpyFile

Arrays = dict[str, Any]


def read_arrays(content: bytes) -> Arrays:
    """The arrays of an ``.npz`` file, without trust.

    Raises:
        FileError: If it holds objects, or would take more memory than it has bytes.
        BadZipFile: If it is none.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = file.infolist()
        if sum(entry.file_size for entry in entries) > len(content):
            raise FileError("is packed, which arrays here are not.")
        return {
            entry.filename.removesuffix(".npy"): np.array(NpyFile(file.read(entry)).values)
            for entry in entries
        }


def write_arrays(arrays: Arrays) -> bytes:
    """The arrays as an ``.npz`` file, byte for byte the same whenever it is written."""
    buffer = io.BytesIO()
    # numpy.savez takes names as keywords: no array could be called "file"
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, values in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(values), allow_pickle=False)
    return buffer.getvalue()
