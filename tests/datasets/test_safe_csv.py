"""Tests of CSV files that are harmless in a spreadsheet and lose nothing."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops_basics.datasets.safe_csv import SafeCSVDataset, hide_formulas, show_formulas

FORMULAS = [
    "=cmd()",
    "=HYPERLINK(\"http://evil\",'x')",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "\tx",
    "'=already quoted",
    "''=twice",
    "x;=1+1",
    "x,=1+1",
    'x",=1+1',
    "x\n=1+1",
    "x\t=1+1",
    "\uff1d1+1",
]
PLAIN = [
    "",
    "x",
    "-1",
    "+1.5",
    "-1e-3",
    "a=b",
    "a-b",
    "a@b",
    "it's",
    "'quoted'",
    "NA",
    "None",
    "🌼",
]
SIGNS = st.text(alphabet="=+-@'\",;|\t\r\n 1.e]ax", max_size=12)


def starts_formula(text):
    """Whether a spreadsheet would compute a cell that begins so."""
    if not text.strip():
        return False
    try:
        float(text)
    except ValueError:
        return text.startswith("\t") or text.lstrip()[0] in "=+-@\uff1d\uff20"
    return False


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_hidden(text):
    """Wherever a reader may begin a cell: at the beginning, or at any country's separator."""
    hidden = hide_formulas(text)
    assert show_formulas(hidden) == text
    for separator in "\0,;\t\n":
        pieces = hidden.split(separator)
        assert not any(starts_formula(piece) for piece in pieces), pieces


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text):
    """Negative numbers and addresses too."""
    assert hide_formulas(text) == text
    assert show_formulas(text) == text


@given(st.one_of(st.text(), SIGNS))
@example("'\t=")
@example("\"\t\t'=")
def test_what_was_hidden_is_shown_again(text):
    """Every hidden text is restored exactly."""
    assert show_formulas(hide_formulas(text)) == text


@given(st.one_of(st.text(), SIGNS))
def test_no_hidden_text_begins_a_formula(text):
    """No hidden text begins a formula at the beginning of a cell."""
    assert not starts_formula(hide_formulas(text))


def saved(table, tmp_path):
    """Save a table; returns the dataset and the file's text."""
    file = tmp_path / "table.csv"
    dataset = SafeCSVDataset(filepath=str(file), save_args={"index": False})
    dataset.save(table)
    return dataset, file.read_bytes().decode("utf-8")


def test_a_table_is_loaded_as_it_was_saved(tmp_path):
    """Cells and names of columns; numbers stay numbers, missing values stay missing."""
    words = [*FORMULAS, *(word for word in PLAIN if word), "x" * 10_000, "a\rb", "a\r\nb", " a "]
    numbers = np.arange(len(words)) - 3.5
    numbers[1] = np.nan
    table = pd.DataFrame({"word": words, "=name": numbers, "-2": range(len(words))})
    table[words[2]] = pd.Series(words).where(pd.Series(words) != "x")
    dataset, _ = saved(table, tmp_path)
    pd.testing.assert_frame_equal(dataset.load(), table, check_dtype=False)
    assert dataset.load()["=name"].dtype == np.float64


def test_no_cell_of_the_file_begins_a_formula(tmp_path):
    """No cell read by a plain CSV reader begins a formula; the caller's table is not changed."""
    table = pd.DataFrame({"=name": FORMULAS, "kind": pd.Categorical(FORMULAS)})
    before = table.copy()
    dataset, text = saved(table, tmp_path)
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert len(cells) == 2 * (len(FORMULAS) + 1)
    assert not any(starts_formula(cell) for cell in cells)
    assert dataset.load()["kind"].tolist() == FORMULAS
    pd.testing.assert_frame_equal(table, before)
