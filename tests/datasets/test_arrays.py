"""Tests of named arrays in one file."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError, Version

from mlops_basics.datasets import ArraysDataset
from mlops_basics.stats.data_drift.table_drift import TableProfile
from mlops_basics.storage.arrays import read_arrays, write_arrays
from mlops_basics.table.profile import feature_profile
from tests.support.fitted import make_table

ARRAYS = {"numeric/0/points": np.arange(5.0), "names": ["x", "größe"], "n": 3, "exact": True}


def test_what_is_written_is_read():
    """Values, types, shapes; plain numbers and lists become arrays."""
    found = read_arrays(write_arrays(ARRAYS))
    assert list(found) == list(ARRAYS)
    assert found["names"].tolist() == ["x", "größe"]
    assert (found["n"].shape, int(found["n"]), bool(found["exact"])) == ((), 3, True)
    assert found["numeric/0/points"].dtype == np.float64


@given(
    values=hnp.arrays(
        st.sampled_from([np.float64, np.int64, np.bool_, np.dtype("U3")]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_any_array_comes_back(values):
    """Arrays of any shape, also empty ones, are loaded as they were saved."""
    found = read_arrays(write_arrays({"a": values}))["a"]
    assert (found.dtype, found.shape) == (values.dtype, values.shape)
    np.testing.assert_array_equal(found, values)


def test_the_bytes_are_always_the_same(monkeypatch):
    """Equal arrays give equal bytes at any time, since a release is identified by checksums."""
    first = write_arrays(ARRAYS)
    later = time.time() + 4e7
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(later))
    assert write_arrays(ARRAYS) == first


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args", "a b", "x.npy", "ä/1"])
def test_an_array_may_have_any_name(name):
    """An array may have the name of a parameter of numpy.savez."""
    assert list(read_arrays(write_arrays({name: [1.0]}))) == [name]


def test_objects_are_neither_written_nor_read():
    """A pickle would run code on loading."""
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays({"a": np.array([{}], dtype=object)})
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="an array of objects"):
        read_arrays(buffer.getvalue())


def test_a_profile_survives(tmp_path):
    """A column profile is loaded from a release as it was saved."""
    profile = feature_profile(make_table())
    dataset = ArraysDataset(filepath=str(tmp_path / "folder" / "profile.npz"))
    dataset.save(profile.to_dict())
    again = TableProfile.from_dict(dataset.load())
    assert list(again.columns) == ["number", "colour", "text", "time"]
    assert write_arrays(again.to_dict()) == write_arrays(profile.to_dict())


def test_versions_are_kept(tmp_path):
    """Versions are kept; a version that does not exist is named in the error."""
    place = str(tmp_path / "a.npz")
    for version in ("1", "2"):
        ArraysDataset(filepath=place, version=Version(None, version)).save({"n": int(version)})
    found = {v: ArraysDataset(filepath=place, version=Version(v, v)).load()["n"] for v in "12"}
    assert found == {"1": 1, "2": 2}
    missing = ArraysDataset(filepath=str(tmp_path / "b.npz"))
    assert not missing.exists()
    with pytest.raises(DatasetError):
        missing.load()


def test_other_file_systems():
    """Paths with another protocol are written and read."""
    dataset = ArraysDataset(filepath="memory://arrays/a.npz")
    dataset.save(ARRAYS)
    assert dataset.exists()
    assert int(dataset.load()["n"]) == 3
    assert "memory" in str(dataset)
