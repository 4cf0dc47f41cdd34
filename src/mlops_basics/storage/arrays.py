"""Arrays by name as bytes, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def read_arrays(content: bytes) -> Arrays:
    """The arrays of an ``.npz`` file; one that would run code on loading is refused by numpy."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_arrays(arrays: Arrays) -> bytes:
    """The arrays as an ``.npz`` file, byte for byte the same whenever it is written."""
    buffer = io.BytesIO()
    # numpy.savez takes names as keywords: no array could be called "file"
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, values in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(values), allow_pickle=False)
    return buffer.getvalue()
