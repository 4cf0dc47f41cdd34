"""Tests of a table in parts: what is read of it is what the whole table holds."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from mlops_basics.schemas import Part, Parts, cut_rows, parts

WHOLE = pd.DataFrame({"x": range(10), "name": list("abcdefghij")})


def cut(*ends: int) -> Parts:
    """The table, cut before these rows."""
    return Parts.of(*(WHOLE.iloc[begin:end] for begin, end in pairwise([0, *ends, 10])))


def doubled(part: Part, columns: list[str], added: int) -> pd.DataFrame:
    """Each row twice, ``x`` larger."""
    table = part.read(columns)
    twice = pd.concat([table, table])
    return twice.assign(x=twice["x"] + added) if "x" in columns else twice


@given(st.lists(st.integers(0, 10)).map(sorted), st.lists(st.integers(0, 9)))
def test_wherever_it_is_cut_it_is_the_same_table(ends: list[int], positions: list[int]) -> None:
    """All of it, some columns, some rows in any order, and the first ones."""
    table = cut(*ends)
    assert len(table) == 10
    assert_frame_equal(table.read(), WHOLE)
    assert_frame_equal(table.read(["name"]), WHOLE[["name"]])
    assert_series_equal(table["x"], WHOLE["x"])
    expected = WHOLE.iloc[positions].reset_index(drop=True)
    assert_frame_equal(table.take(np.array(positions, dtype=np.int64)), expected)
    assert_frame_equal(table.head(3), WHOLE.head(3))
    assert pd.DataFrame(dict(table.items(["name", "x"]))).equals(WHOLE[["name", "x"]])
    found = [WHOLE.iloc[rows].reset_index(drop=True) for rows in table.slices]
    assert all(len(rows) == part.rows for rows, part in zip(found, table.parts, strict=True))


def test_few_rows_of_a_large_part_are_read_some_columns_at_a_time(monkeypatch) -> None:
    """A part of a million rows need not be held for a thousand of them."""
    asked: list[list[str]] = []

    def read(columns: list[str] | None) -> pd.DataFrame:
        asked.append(list(WHOLE.columns if columns is None else columns))
        return WHOLE[asked[-1]]

    monkeypatch.setattr(parts, "HELD_BYTES", 8 * 15)
    found = Parts(("x", "name"), (Part(10, read),)).take(np.array([7, 2, 2]))
    assert_frame_equal(found, WHOLE.iloc[[7, 2, 2]].reset_index(drop=True))
    assert asked == [["x"], ["name"]]


def test_rows_without_a_column_are_rows() -> None:
    """As many as are asked for."""
    assert len(Parts.of(WHOLE[[]]).take(np.array([3, 1]))) == 2


def test_a_change_is_made_when_a_part_is_read() -> None:
    """Of the columns that are asked for; parts without rows are left out."""
    table = cut(4, 4, 9)
    counts = [2 * part.rows for part in table.parts]
    changed = table.changed(doubled, [100, 200, 300, 400], columns=table.columns, rows=counts)
    assert [part.rows for part in changed.parts] == [8, 10, 2]
    assert changed["x"].tolist() == [
        *[100, 101, 102, 103] * 2,
        *[304, 305, 306, 307, 308] * 2,
        *[409] * 2,
    ]
    assert changed.read(["name"]).columns.tolist() == ["name"]
    assert_frame_equal(pickle.loads(pickle.dumps(changed)).read(), changed.read())  # noqa: S301 (our own)


def test_neighbours_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the bytes of a part; larger ones stay as they are. A letter takes 9 bytes, as text."""
    monkeypatch.setattr(parts, "HELD_BYTES", 4 * (8 + 9))
    gathered = cut(1, 2, 4, 9).gathered()
    assert [part.rows for part in gathered.parts] == [4, 5, 1]
    assert_frame_equal(gathered.read(), WHOLE)


def test_a_small_table_is_held_and_a_large_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bytes."""
    monkeypatch.setattr(parts, "HELD_BYTES", 10 * (8 + 9))
    assert len(cut(5).held().parts) == 1
    monkeypatch.setattr(parts, "HELD_BYTES", 10 * (8 + 9) - 1)
    assert len(cut(5).held().parts) == 2


def test_long_texts_count_as_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """In what is held, gathered and read at once: of few rows and columns, but many bytes."""
    texts = [WHOLE.assign(name=[letter * 3000 for letter in WHOLE["name"]])] * 4
    monkeypatch.setattr(parts, "HELD_BYTES", 70_000)
    table = Parts.of(*texts)
    assert table.bytes_of(table.columns) == 4 * (10 * 8 + 10 * 3008)
    assert len(table.held().parts) == 4
    assert [part.rows for part in table.gathered().parts] == [20, 20]
    assert table.gathered().parts[0].sizes == {"name": 20 * 3008}
    assert table.blocks(["x", "name"]) == [["x"], ["name"]]
    assert len(table.where(np.arange(40) % 4 == 0).held().parts) == 1
    assert len(table.changed(doubled, [0] * 4, columns=["x"]).held().parts) == 1


def test_a_large_table_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of as many bytes as memory holds at once; a small one stays whole."""
    monkeypatch.setattr(parts, "HELD_BYTES", 4 * (8 + 9))
    assert_frame_equal(pd.concat(cut_rows(WHOLE)), WHOLE)
    assert [len(rows) for rows in cut_rows(WHOLE)] == [3, 3, 4]
    assert [len(rows) for rows in cut_rows(WHOLE[:4])] == [4]


def test_columns_are_read_several_at_once_where_they_are_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a wide table each read costs more than its column; of a long one each column counts."""
    read: list[list[str]] = []

    def noted(part: Part, columns: list[str]) -> pd.DataFrame:
        read.append(columns)
        return pd.DataFrame(0, index=range(part.rows), columns=columns)

    names = [f"x{at}" for at in range(7)]
    table = cut(5).changed(noted, columns=names)
    monkeypatch.setattr(parts, "HELD_BYTES", 8 * 30)
    assert [name for name, _ in table.items(names)] == names
    assert read == [each for block in (names[:3], names[3:6], names[6:]) for each in (block, block)]
    monkeypatch.setattr(parts, "HELD_BYTES", 8 * 9)
    assert table.blocks(names) == [[name] for name in names]


def test_it_says_how_it_becomes_a_table() -> None:
    """For who loads one in a notebook."""
    assert repr(cut(5)) == (
        "Parts(10 rows x 2 columns, parts: 2): .read() gives a pandas.DataFrame, .head(5) its "
        "first rows"
    )
