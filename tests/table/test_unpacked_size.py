"""Tests that a small file's table is measured before it is unpacked."""

from __future__ import annotations

import tracemalloc

import pandas as pd
import pytest

from mlops_basics.errors import DataError
from mlops_basics.table.unpacked_size import require_fits_memory
from tests.support.bombs import MIB, gzip_bomb, list_bomb, number_bomb, text_bomb
from tests.support.files import as_parquet

BOMBS = {
    "numbers.csv.gz": gzip_bomb(64),
    "NUMBERS.CSV.GZ": gzip_bomb(64),
    "numbers.parquet": number_bomb(4),
    "text.parquet": text_bomb(4000, 20_000),
    "lists.pq": list_bomb(40, 100_000),
    "plain.csv": b"a,b\n" + b"1,2\n" * (5 * MIB),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_memory(name):
    """The error names the file and the limit; what is looked at is no multiple of the file."""
    content = BOMBS[name]
    tracemalloc.start()
    with pytest.raises(DataError, match=f"'{name}' holds a table of more than 17 MB.*Split it"):
        require_fits_memory(name, content, 16 * MIB)
    assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_the_same_file_is_read_where_there_is_memory(name):
    """A limit is one of memory, not of how well a file was packed."""
    require_fits_memory(name, BOMBS[name], 1 << 30)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz", "a.csv"])
def test_ordinary_and_damaged_files_are_left_to_their_reader(name):
    """It says what is wrong, with the line."""
    table = pd.DataFrame({"x": range(1000), "y": [f"category {at % 7}" for at in range(1000)]})
    for content in (as_parquet(table), as_parquet(table)[:-20], b"", b"PAR1", b"\x1f\x8b\x08"):
        require_fits_memory(name, content, MIB)
