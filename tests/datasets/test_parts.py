"""Tests of tables in parts on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError, Version
from kedro_datasets.pandas import ParquetDataset
from pandas.testing import assert_frame_equal

from mlops_basics.datasets import PartsDataset
from mlops_basics.errors import DataError, own_error
from mlops_basics.schemas import Part, Parts

FIRST = pd.DataFrame(
    {"x": [1.5, None], "day": pd.to_datetime(["2026-01-01", None]), "c": ["a", None]}
)
SECOND = FIRST.iloc[::-1].reset_index(drop=True)
WHOLE = pd.concat([FIRST, SECOND], ignore_index=True)


def failing(part: Part, columns: list[str], number: int) -> pd.DataFrame:
    """Fails at the second part."""
    if number:
        raise DataError("The column 'x' holds text.")
    return part.read(columns)


@pytest.mark.parametrize("parts", [(FIRST,), (FIRST, SECOND)], ids=["one", "two"])
def test_what_is_saved_is_loaded(tmp_path: Path, parts: tuple[pd.DataFrame, ...]) -> None:
    """Part by part, columns in their types; pandas reads it, too."""
    path = tmp_path / "table.parquet"
    dataset = PartsDataset(filepath=str(path))
    assert not dataset.exists()
    dataset.save(Parts.of(*parts))
    assert dataset.exists()
    loaded = dataset.load()
    assert [part.rows for part in loaded.parts] == [2] * len(parts)
    expected = WHOLE.head(2 * len(parts))
    assert_frame_equal(loaded.read(), expected)
    assert_frame_equal(loaded.read(["c", "x"]), expected[["c", "x"]])
    assert_frame_equal(pd.read_parquet(path), expected)
    assert path.is_dir() == (len(parts) > 1)
    assert_frame_equal(PartsDataset(filepath=str(path), whole=True).load(), expected)


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        pytest.param([f"{at:04}" * 500 for at in range(2_000)], 2_008, id="each another"),
        pytest.param(["long" * 500] * 30_000, 2_008, id="written once"),
        pytest.param(["ab", "cd"] * 15_000, 10, id="short"),
    ],
)
def test_a_part_knows_how_much_its_texts_take(tmp_path: Path, texts: list[str], size: int) -> None:
    """Before it is read, as a table that memory holds does."""
    table = pd.DataFrame({"x": range(len(texts)), "text": texts})
    dataset = PartsDataset(filepath=str(tmp_path / "table.parquet"))
    dataset.save(Parts.of(table))
    (part,) = dataset.load().parts
    assert set(part.sizes) == {"text"}
    assert part.sizes["text"] == pytest.approx(size * len(table), rel=0.1, abs=100_000)


def test_a_table_of_one_part_is_the_file_that_it_was_before(tmp_path: Path) -> None:
    """So that a run of an earlier version is reproduced byte for byte."""
    version = Version(None, "2026-01-01T00.00.00.000Z")
    ours = PartsDataset(filepath=str(tmp_path / "a.parquet"), version=version)
    before = ParquetDataset(filepath=str(tmp_path / "b.parquet"), version=version)
    ours.save(Parts.of(FIRST))
    before.save(FIRST)
    (one,), (other,) = (list(tmp_path.glob(f"{name}.parquet/*/*")) for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    earlier = PartsDataset(filepath=str(tmp_path / "b.parquet"), version=Version(None, None))
    assert_frame_equal(earlier.load().read(), FIRST)


def test_half_a_table_is_none(tmp_path: Path) -> None:
    """What fails at a later part leaves nothing, and is told as it was."""
    dataset = PartsDataset(filepath=str(tmp_path / "table.parquet"))
    table = Parts.of(FIRST, SECOND)
    with pytest.raises(DatasetError) as caught:
        dataset.save(table.changed(failing, [0, 1], columns=table.columns))
    assert str(own_error(caught.value)) == "The column 'x' holds text."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["folder", "memory"])
@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("now", [1, 2])
def test_without_versions_the_next_table_takes_the_place(tmp_path, where, before, now) -> None:
    """Whatever the parts of the one before, also where it is made of that one."""
    path = str(tmp_path / "table.parquet") if where == "folder" else f"memory:/{tmp_path}/t.parquet"
    dataset = PartsDataset(filepath=path)
    dataset.save(Parts.of(*[FIRST] * before))
    table = dataset.load()
    dataset.save(Parts(table.columns, tuple(table.parts[0] for _ in range(now))))
    assert_frame_equal(dataset.load().read(), pd.concat([FIRST] * now, ignore_index=True))
    other = Parts.of(SECOND, SECOND)
    with pytest.raises(DatasetError, match="holds text"):
        dataset.save(other.changed(failing, [0, 1], columns=other.columns))
    assert_frame_equal(dataset.load().read(), pd.concat([FIRST] * now, ignore_index=True))
    if where == "folder":
        assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_some_parts_are_no_table(tmp_path: Path, lost: int) -> None:
    """A worker may write one after the run has failed; whichever it is, nothing is loaded."""
    dataset = PartsDataset(filepath=str(tmp_path / "table.parquet"))
    dataset.save(Parts.of(FIRST, SECOND, FIRST))
    sorted((tmp_path / "table.parquet").iterdir())[lost].unlink()
    with pytest.raises(DatasetError, match="some parts of a table whose save has failed: part-0"):
        dataset.load()


def test_an_empty_folder_is_no_table(tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "table.parquet").mkdir()
    with pytest.raises(DatasetError, match="holds no part of a table"):
        PartsDataset(filepath=str(tmp_path / "table.parquet")).load()
