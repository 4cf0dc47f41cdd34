"""Tests of what is told of columns that lose something when they become of one type."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.table.typing_losses import rounding_warning, stray_warning

DAYS = [f"2026-01-{day:02d}" for day in range(1, 21)]
NUMBERS = [str(number / 4) for number in range(20)]


def strays(first, second, text_columns=()):
    """What is told of a column in two files."""
    values = pd.Series([*first, *second], dtype="str")
    files = pd.Series(["a.csv"] * len(first) + ["b.csv"] * len(second), dtype="str")
    line = stray_warning(values.rename("x"), lambda: files, text_columns)
    return [line] if line else []


@pytest.mark.parametrize(
    ("usual", "kind"),
    [
        (DAYS, "times"),
        ([f"{day}T10:00:00Z" for day in DAYS], "times"),
        ([f"{day:02d}/02/2026" for day in range(1, 21)], "times"),
        (NUMBERS, "numbers"),
    ],
    ids=["days", "times", "day first", "numbers"],
)
def test_a_later_file_of_words_is_told(usual, kind):
    """Which column, what it would be, how many values are not, in which file, and the remedy."""
    [line] = strays(usual, ["unknown", "later", "unknown", None])
    assert line.startswith(
        f"Column 'x' is read as text, for 3 of 23 values are no {kind}: 'unknown', 'later' "
        "('b.csv': 3 rows)."
    )
    assert "csv: {na_values: ['unknown', 'later']}" in line
    assert line.endswith("text_columns: [x].")


def test_one_file_may_hold_them_too():
    """Long and many values are not repeated whole."""
    [line] = strays([*NUMBERS * 2, "a" * 80], [*NUMBERS, "b", "c", "d"])
    assert "4 of 64 values are no numbers" in line
    assert f"'{'a' * 30}', 'b', 'c' and 1 more ('b.csv': 3 rows, and 1 more files)" in line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-"] * 9, "for 9 of 29 values are no numbers: '-' ('a.csv': 9 rows)"),
        ([" ", "#DIV/0!", "#DIV/0!"], "csv: {na_values: ['#DIV/0!', ' ']}"),
        (["n.a."] * 20, "for 20 of 40 values are no numbers: 'n.a.'"),
    ],
)
def test_a_word_for_a_missing_number_is_told_however_often_it_stands(words, named):
    """Where numbers are not the fewer, and differ."""
    [line] = strays([*NUMBERS, *words], [None])
    assert named in line


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["1", "2", "3", "A"] * 20, [None]),
        ([*NUMBERS, "a", "b", "c", "d"], [None]),
        ([*NUMBERS, *["other"] * 21], [None]),
        (["red", "blue"] * 5, ["green", None]),
        (["12", "4A", "B7", "9"] * 5, ["3", "C1"]),
        (NUMBERS, NUMBERS),
        ([None], [None]),
    ],
    ids=["few codes", "four words", "more words", "words", "codes", "numbers alone", "nothing"],
)
def test_text_is_text(first, second):
    """A column that no file holds as times or numbers, or all do, is as it was meant."""
    assert strays(first, second) == []


def test_who_says_that_it_is_text_is_told_nothing():
    """What the message proposes ends the message."""
    assert strays(DAYS, ["unknown"], ["x"]) == []


def test_numbers_that_a_model_cannot_tell_apart_are_counted():
    """With 19 digits, signed or not, also where some are missing."""
    ids = [10**18 + number for number in range(300)]
    table = pd.DataFrame(
        {
            "signed": ids,
            "unsigned": np.array(ids, dtype=np.uint64) + np.uint64(2**63),
            "nullable": pd.array([*ids[1:], None], dtype="Int64"),
        }
    )
    lines = [line for name in table if (line := rounding_warning(table[name]))]
    assert [line.split("'")[1] for line in lines] == ["signed", "unsigned", "nullable"]
    assert (
        "such as 1000000000000000299, which a model sees rounded: 300 different ones become "
        in (lines[0])
    )
    seen = int(lines[0].split("become ")[1].split(".")[0])
    assert seen == len({float(number) for number in ids}) < 10
    assert "exclude: [signed]" in lines[0]
    assert "text_columns: [signed]" in lines[0]


def test_numbers_that_stay_different_are_not_mentioned():
    """Short ones, floats, text, and long ones that floats hold."""
    table = pd.DataFrame(
        {
            "short": [1, 2**53, 3],
            "float": [1e30, 2.0, 3.5],
            "long": [2**60, 2**61, 2**62],
            "text": ["1000000000000000001", "1000000000000000002", "x"],
            "flag": [True, False, True],
            "none": pd.array([None] * 3, dtype="Int64"),
        }
    )
    assert [line for name in table if (line := rounding_warning(table[name]))] == []
