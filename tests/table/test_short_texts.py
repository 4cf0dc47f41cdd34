"""Tests of long texts that stand for themselves by their beginning and a hash."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.schemas import BATCH_COLUMN, Parts, parts
from mlops_basics.table import short_texts as module
from mlops_basics.table.checks import TableValidator
from mlops_basics.table.copies import copy_sets
from mlops_basics.table.seen_columns import see_columns
from mlops_basics.table.short_texts import short_texts

ROWS = 60
COLUMNS = {
    "each another": [f"{'Слово за словом. ' * 30}{at}" for at in range(ROWS)],
    "some alike": [f"{'word ' * 60}{at % 7}" for at in range(ROWS)],
    "all alike": ["word " * 60] * ROWS,
    "none": [None if at % 3 else f"{'word ' * 200}{at}" for at in range(ROWS)],
    "digits": [f"{at:0300}" for at in range(ROWS)],
    "digits and a word": ["word " * 60, *(f"{at:0300}" for at in range(1, ROWS))],
    "padded": [f"{'':400}{at}" for at in range(ROWS)],
    "short": ["a", "b"] * (ROWS // 2),
}
TABLE = pd.DataFrame(COLUMNS).assign(x=np.arange(ROWS) / 7, **{BATCH_COLUMN: "a.csv"})


def said(table: Parts) -> list[object]:
    """What checks and types say of a table."""
    names = [name for name in table.columns if name != BATCH_COLUMN]
    faults = []
    for name in names:
        try:
            TableValidator().validate(Parts.of(*(p.read([name]) for p in table.parts)))
        except DataError as error:
            faults.append(str(error))
    seen = see_columns(table, names, ["digits"])
    copies = copy_sets(seen, pd.Series(["a"] * len(table)))
    return [faults, {**vars(seen), "table": None}, None if copies is None else copies.tolist()]


def test_what_is_said_of_long_texts_is_what_is_said_of_all_their_letters(monkeypatch) -> None:
    """Which are alike, identify rows, are numbers or strays among them; in the same words."""
    table = Parts.of(TABLE[:20], TABLE[20:])
    expected = said(table)
    assert len(expected[0]) > 0
    assert_frame_equal(short_texts(table).read().map(beginning), TABLE.map(beginning))
    assert short_texts(table).read()["some alike"].nunique() == 7
    monkeypatch.setattr(module, "_LONG", 10**6)
    assert said(table) == expected


def beginning(value: object) -> object:
    """What messages show."""
    return value[:60] if isinstance(value, str) else value


def test_all_rows_of_long_texts_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of few columns is held where its texts would not be; one of short texts is as is."""
    texts = pd.DataFrame({"text": [f"{'word ' * 1000}{at}" for at in range(ROWS)]})
    table = Parts.of(texts[:30], texts[30:])
    monkeypatch.setattr(parts, "HELD_BYTES", 100_000)
    assert len(table.held().parts) == 2
    short = short_texts(table)
    assert short.read()["text"].is_unique
    assert short.read()["text"].array.nbytes <= short.bytes_of(["text"]) <= 100_000
    assert len(short.held().parts) == 1
    plain = Parts.of(TABLE[["short", "x"]])
    assert short_texts(plain) is plain
