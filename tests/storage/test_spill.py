"""Tests of tables that are put away for as long as they are used."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError, StorageError
from mlops_basics.storage.spill import Spill

TABLE = pd.DataFrame({"x": pd.Series([1, None], dtype="Int64"), "y": ["a", None]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The temporary folder of the system."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_table_comes_back_and_leaves_nothing(folder):
    """Its types too, and columns as asked; the folder goes with what last knows it."""
    spill = Spill("a.csv")
    stored = spill.put(0, TABLE)
    del spill
    gc.collect()
    assert_frame_equal(stored.read(), TABLE)
    assert_frame_equal(stored.read(["y", "x"]), TABLE[["y", "x"]])
    assert stored.rows == 2
    assert stored.sizes == {"y": TABLE["y"].array.nbytes}
    sent = pickle.dumps(stored)
    del stored
    gc.collect()
    assert list(folder.iterdir()) == []
    arrived = pickle.loads(sent)  # noqa: S301 (our own): on a machine that has no such folder
    assert_frame_equal(arrived.read(), TABLE)
    assert_frame_equal(arrived.read(["y", "x"]), TABLE[["y", "x"]])
    assert arrived.rows == 2
    assert set(arrived.sizes) == {"y"}


def test_a_copy_is_no_second_table(folder):
    """Kedro copies what goes from node to node."""
    stored = Spill("a.csv").put(0, TABLE)
    assert copy.deepcopy(stored) is stored


def test_a_file_that_needs_no_space_takes_none(folder):
    """Most are held in memory."""
    Spill("a.csv")
    assert list(folder.iterdir()) == []


def test_the_folder_goes_when_the_process_ends(folder):
    """Whatever still knows it."""
    script = (
        "import pandas as pd\n"
        "from mlops_basics.storage.spill import Spill\n"
        "stored = Spill('a.csv').put(0, pd.DataFrame({'x': [1]}))\n"
    )
    environment = os.environ | {"TMPDIR": str(folder)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert list(folder.iterdir()) == []


def test_a_table_that_the_disk_has_no_space_for_is_refused(folder, monkeypatch):
    """Before it is full, with what to do; what is put in the place of another counts once."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=200_000))
    table = pd.DataFrame({"x": range(10_000)})
    spill = Spill("a.csv")
    spill.put(0, table)
    spill.put(0, table)
    with pytest.raises(DataError, match=r"'a\.csv' holds a table of more than 0 MB.*set TMPDIR"):
        spill.put(1, table)


def test_a_disk_that_is_full_is_told(folder, monkeypatch):
    """In one line."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(*_, **__):
        raise full

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
    with pytest.raises(StorageError, match=r"Cannot write .*The disk is full: free some space"):
        Spill("a.csv").put(0, TABLE)


def test_what_is_no_value_of_a_table_is_named(folder):
    """Complex numbers have no place in a Parquet file."""
    with pytest.raises(DataError, match=r"'a\.csv' holds values that are no numbers, times or"):
        Spill("a.csv").put(0, pd.DataFrame({"x": [1j]}))
