"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import io
import subprocess
import sys

import pandas as pd
import pytest

from mlops_basics.storage.spill import Spill
from mlops_basics.table import csv_parts, parquet_parts
from tests.support.files import as_parquet

#: Every other array is freed: the others keep a heap from shrinking.
FREE_HALF = """
import sys
import numpy as np
import pyarrow as pa
from mlops_basics.table.freed_memory import keep_no_freed
if "give back" in sys.argv:
    keep_no_freed()
resident = lambda: 4096 * int(open("/proc/self/statm").read().split()[1])
pa.array(np.ones(5)).cast(pa.float32())  # what it imports is no array
before = resident()
arrays = [np.ones(500_000) for _ in range(61)]
buffers = [pa.array(np.ones(500_000)).cast(pa.float32()) for _ in range(40)]
arrays = arrays[::2]
arrays = [np.ones(500_000) for _ in range(61)] + arrays
arrays, buffers = arrays[::2], buffers[::2]
held = 4e6 * len(arrays) + 2e6 * len(buffers)
print((resident() - before) / held)
"""


#: Small arrays lie within the heap, where the last one keeps it from shrinking.
FREE_SMALL = """
import numpy as np
from mlops_basics.table.freed_memory import give_back_freed
resident = lambda: 4096 * int(open("/proc/self/statm").read().split()[1])
arrays = [np.ones(1_000) for _ in range(5_000)]
last = arrays.pop()
del arrays
before = resident()
give_back_freed()
print(before - resident())
"""


def _has_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL("libc.so.6"), "mallopt")
    except OSError:
        return False


def _printed(code: str, *words: str) -> float:
    command = [sys.executable, "-c", code, *words]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not _has_glibc(), reason="another C library does as it does")
def test_what_was_freed_is_no_longer_the_process_s() -> None:
    """By default nearly twice as much as what is held stays with it."""
    assert _printed(FREE_HALF, "give back") < 1.1 < _printed(FREE_HALF)


@pytest.mark.skipif(not _has_glibc(), reason="another C library does as it does")
def test_small_blocks_go_back_when_a_step_begins() -> None:
    """40 MB of them: nearly all."""
    assert _printed(FREE_SMALL) > 30e6


def test_each_piece_of_a_large_file_gives_back_what_it_was_made_of(monkeypatch) -> None:
    """Of many columns these are small arrays, which the next piece would be added to."""
    freed: list[str] = []
    monkeypatch.setattr(csv_parts, "give_back_freed", lambda: freed.append("csv"))
    monkeypatch.setattr(parquet_parts, "give_back_freed", lambda: freed.append("parquet"))
    text = b"x,y\n" + b"1,2\n" * 20
    of_csv = csv_parts.LargeCsv("a.csv", lambda: io.BytesIO(text), {}, [], 8, 99)
    found = of_csv.read(Spill("a.csv"))[0]
    assert freed == ["csv"] * len(found.parts)
    content = as_parquet(pd.DataFrame({"x": range(20)}))
    of_parquet = parquet_parts.LargeParquet("a.parquet", io.BytesIO(content), [], 80)
    freed.clear()
    found = of_parquet.read(Spill("a.parquet"))
    assert freed == ["parquet"] * len(found.parts)
    assert len(found.parts) == 3
