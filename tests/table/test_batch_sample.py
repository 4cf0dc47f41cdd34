"""Tests of rows drawn from large files: from all over, whole records alone, faults exact."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_basics.datasets import SourceDataset
from mlops_basics.table.batch_sample import sample_batch

ROWS = 20_000
MOST = 60_000  # bytes; the file has ten times as many


def numbered(text: str = "some text") -> pd.DataFrame:
    """Rows that know their place."""
    return pd.DataFrame({"row": np.arange(ROWS), "text": text, "value": np.arange(ROWS) / 7})


def drawn(path: Path, **csv_args):
    """A sample of a file."""
    with path.open("rb") as file:
        return sample_batch(path.name, file, path.stat().st_size, MOST, csv_args, [])


def require_of(sample, table: pd.DataFrame) -> None:
    """Each row is one of the table's, whole."""
    rows = sample.table["row"].to_numpy()
    expected = table.iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(sample.table, expected, check_dtype=False)


def test_a_small_file_is_read_whole(tmp_path):
    """Every row, and their number is exact."""
    numbered().head(100).to_csv(tmp_path / "a.csv", index=False)
    assert drawn(tmp_path / "a.csv") is None
    sample = SourceDataset(path=str(tmp_path / "a.csv")).sample(MOST)
    assert (len(sample.batches[0].table), sample.rows, sample.whole) == (100, 100, True)


def test_rows_come_from_all_over_a_csv_file(tmp_path):
    """None is cut, and their number in the file is estimated well."""
    table = numbered()
    table.to_csv(tmp_path / "a.csv", index=False)
    sample = drawn(tmp_path / "a.csv")
    require_of(sample, table)
    assert sample.table["row"].max() > 0.95 * ROWS
    assert len(np.unique(sample.table["row"] * 10 // ROWS)) == 10
    assert sample.rows == pytest.approx(ROWS, rel=0.05)


def test_line_breaks_in_quotes_cut_no_record(tmp_path):
    """Where a record begins is known from the beginning alone: the first rows are read."""
    table = numbered('two\nlines, "quoted"')
    table.to_csv(tmp_path / "a.csv", index=False)
    sample = drawn(tmp_path / "a.csv")
    require_of(sample, table)
    assert sample.table["row"].tolist() == list(range(len(sample.table)))


def test_a_packed_file_gives_its_first_rows(tmp_path):
    """It is not unpacked whole."""
    table = numbered()
    table.to_csv(tmp_path / "plain.csv", index=False)
    packed = gzip.compress((tmp_path / "plain.csv").read_bytes())
    (tmp_path / "a.csv.gz").write_bytes(packed)
    with (tmp_path / "a.csv.gz").open("rb") as file:
        sample = sample_batch("a.csv.gz", file, len(packed), MOST, {}, [])
    require_of(sample, table)
    assert sample.rows == pytest.approx(ROWS, rel=0.2)


@pytest.mark.parametrize("group", [500, 50_000])
def test_rows_come_from_all_over_a_parquet_file(tmp_path, group):
    """Of few row groups or of many; their number is exact."""
    table = numbered()
    table.to_parquet(tmp_path / "a.parquet", row_group_size=group)
    sample = drawn(tmp_path / "a.parquet")
    require_of(sample, table)
    assert sample.rows == ROWS
    assert sample.table["row"].max() > 0.95 * ROWS


def test_of_rows_with_long_texts_few_are_drawn(tmp_path):
    """Each counts as the cells that its bytes would be; a row group of them is not read at once."""
    few = [drawn_rows(tmp_path, text) for text in ("short", "long " * 10)]
    assert few[0] > 1.5 * few[1]


def drawn_rows(folder: Path, text: str) -> int:
    """How many rows are drawn of a file whose texts are all different."""
    table = numbered().assign(text=[f"{text}{at}" for at in range(ROWS)])
    table.to_parquet(folder / "a.parquet")
    return len(drawn(folder / "a.parquet").table)


def test_times_of_96_bits_are_drawn_as_they_are_read(tmp_path):
    """A time beyond the nanoseconds of 64 bits keeps its century in a sample, too."""
    table = numbered().assign(until=np.datetime64("9999-12-31", "us"))
    table.to_parquet(tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    require_of(drawn(tmp_path / "a.parquet"), table)


def test_a_fault_is_told_by_its_line_in_the_file(tmp_path):
    """Not by that of the sample: the file is read whole then."""
    lines = ["row,text"] + [f"{number},abcdefgh" for number in range(ROWS)]
    lines[ROWS] += ",more"
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (batch,) = SourceDataset(path=str(tmp_path / "a.csv")).sample(MOST).batches
    assert f"line {ROWS + 1} has 3 fields" in batch.fault


def test_a_folder_of_many_files_is_sampled_from_its_first_to_its_last(tmp_path):
    """Not all are opened; the number of rows is that of all."""
    for number in range(60):
        part = pd.DataFrame({"file": [number] * 10, "value": range(10)})
        part.to_csv(tmp_path / f"{number:02d}.csv", index=False)
    sample = SourceDataset(path=str(tmp_path)).sample(1_000_000)
    files = [int(batch.table["file"].iloc[0]) for batch in sample.batches]
    assert (files[0], files[-1], len(files)) == (0, 59, 24)
    assert (sample.rows, sample.files, sample.whole) == (600, 60, False)
