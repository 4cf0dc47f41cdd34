"""Tests of what is told of guesses: counted, with what settles them."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, Guess
from mlops_basics.table.batch_file import parse_batch
from mlops_basics.table.guesses import guess_warnings, require_exact_keys


def read(text, csv_args=None, text_columns=(), name="a.csv"):
    """A batch of a CSV file."""
    table, guesses = parse_batch(name, text.encode(), csv_args or {}, list(text_columns))
    return Batch.of(name, "ab", table, guesses=guesses)


STATUS = "status,n\nNone,1\nnull,NA\nnone,3\n,4\nNone,5\n"
KEPT = {"keep_default_na": False, "na_values": [""]}


def test_words_that_were_taken_for_missing_are_counted():
    """Of columns of text; empty fields are missing, and in a number NA is nothing else."""
    batch = read(STATUS)
    assert batch.guesses == (
        Guess("missing", "status", "None", 2),
        Guess("missing", "status", "null", 1),
    )
    [line] = guess_warnings([batch, batch])
    assert line.startswith("Column 'status': 'None' (4 rows), 'null' (2 rows) read as missing")
    assert "csv: {keep_default_na: false, na_values: ['']}" in line


def test_what_the_message_proposes_keeps_the_words():
    """And then nothing is told, for nothing is guessed."""
    batch = read(STATUS.replace("NA", ""), KEPT)
    assert batch.table["status"].dropna().tolist() == ["None", "null", "none", "None"]
    assert batch.table["n"].tolist()[2:] == [3, 4, 5]
    assert batch.guesses == ()


@pytest.mark.parametrize("options", [{"sep": ";"}, {"quotechar": "'"}, {"skiprows": 1}, {}])
def test_a_column_of_nothing_but_such_words(options):
    """Under any options, in the first and the last field of a line."""
    separator, quote = options.get("sep", ","), options.get("quotechar", '"')
    lines = [["a", "b", "c"], [f"{quote}NA{quote}", "x", "None"], ["NA", "x", ""]]
    text = "title\n" * options.get("skiprows", 0)
    text += "\n".join(separator.join(line) for line in lines)
    assert {(guess.column, guess.example, guess.rows) for guess in read(text, options).guesses} == {
        ("a", "NA", 2),
        ("c", "None", 1),
    }


def test_numbers_that_lose_how_they_were_written():
    """Leading zeros, and 1E10, which is a code where all are whole; -1e-05 and dates are not."""
    batch = read("code,sku,x,day\n0071,1E10,-1e-05,01/02/2024\n71,10E9,0.5,02/02/2024\n")
    assert batch.guesses == (
        Guess("digits", "code", "0071", 1),
        Guess("digits", "sku", "1E10", 2),
    )
    code, sku = guess_warnings([batch])
    assert "'code': 1 numbers are written like '0071'; if it is a code: text" in code
    assert "'sku': 2 numbers are written like '1E10'" in sku
    assert guess_warnings([batch], ["code", "sku"]) == []
    with pytest.raises(DataError, match=r"keys such as '0071' in its column 'code'.*text_columns"):
        require_exact_keys(batch, ["code"])
    require_exact_keys(batch, ["x"])


def test_text_columns_lose_nothing():
    """What the message proposes ends the message."""
    batch = read("code,x\n0071,1\n71,2\n", text_columns=["code"])
    assert batch.table["code"].tolist() == ["0071", "71"]
    assert batch.guesses == ()


def test_text_columns_of_parquet_are_text_too():
    """Whole numbers keep their digits, missing ones stay missing; without the option, numbers."""
    stored = io.BytesIO()
    code = pd.array([10**18 + 1, None, 71], dtype="Int64")
    pd.DataFrame({"code": code, "x": [1, 2, 3]}).to_parquet(stored)
    table, guesses = parse_batch("a.parquet", stored.getvalue(), {}, ["code", "absent"])
    assert table["code"].tolist()[::2] == ["1000000000000000001", "71"]
    assert table["code"].isna().tolist() == [False, True, False]
    assert (str(table["x"].dtype), guesses) == ("int64", ())
    assert parse_batch("a.parquet", stored.getvalue(), {}, [])[0]["code"].dtype == "Int64"


def test_ids_of_predictions_are_text():
    """Also where a file holds one alone that looks like a number."""
    batch = read("prediction_id,y\n00000000001234567e10,yes\n")
    assert batch.table["prediction_id"].tolist() == ["00000000001234567e10"]


def test_files_that_were_passed_over_are_named():
    """Three by name, the others counted."""
    guesses = tuple(Guess("passed over", f"._{n}.csv", "hidden") for n in range(5))
    [line] = guess_warnings([Batch.of("a.csv", "", pd.DataFrame(), guesses=guesses)])
    assert line == (
        "Passed over, 5 in all: '._0.csv' (hidden), '._1.csv' (hidden), '._2.csv' (hidden) and 2 "
        "more."
    )
