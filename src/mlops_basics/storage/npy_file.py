"""numpy's files, read without trust."""

from __future__ import annotations

import io
import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_ELEMENTS = 2**31


class FileError(ValueError):
    """What is wrong with a file, in words that follow its name."""


class NpyFile:
    """A ``.npy`` file: its header is read at once and must fit its size, the values when asked.

    Attributes:
        shape: Length of each dimension.
        dtype: Type of an element; no objects.
    """

    def __init__(self, raw: bytes) -> None:
        """Raises FileError if it is none, or would take more memory than it has bytes."""
        stream = io.BytesIO(raw)
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise FileError("holds an array in a format that no model needs.")
        self.shape, self._fortran, self.dtype = read(stream)
        elements = math.prod(self.shape)
        if self.dtype.hasobject or not self.dtype.itemsize or elements > _MOST_ELEMENTS:
            raise FileError("holds an array of objects, or of nothing.")
        if elements * self.dtype.itemsize != len(raw) - stream.tell():
            raise FileError("holds an array whose size is not that of its header.")
        self._raw, self._offset = raw, stream.tell()

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """The elements; nothing is copied."""
        flat = np.frombuffer(self._raw, dtype=self.dtype, offset=self._offset)
        return flat.reshape(self.shape, order="F" if self._fortran else "C")
