"""Tests of collecting batches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import DataError
from mlops_basics.schemas import BATCH_COLUMN, RESERVED_COLUMNS, Batch, CollectionParams, Guess
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged
from tests.support.whole import collect_batches


def make_batch(name, rows, start=0, **columns):
    """A batch of counted rows."""
    table = pd.DataFrame({"x": np.arange(start, start + rows), "y": "a"}).assign(**columns)
    return Batch.of(name, f"sha of {name}", table)


ALL = configured(CollectionParams)


def test_batches_are_joined_in_order():
    """Rows in the order of the batches, each with its batch's name, under a fresh index."""
    table, report = collect_batches([make_batch("a.csv", 2), make_batch("b.csv", 3, 2)], [], ALL)
    assert table["x"].tolist() == [0, 1, 2, 3, 4]
    assert table[BATCH_COLUMN].tolist() == ["a.csv"] * 2 + ["b.csv"] * 3
    assert table.index.tolist() == list(range(5))
    assert list(table.columns) == ["x", "y", BATCH_COLUMN]
    assert [(item.name, item.sha256, item.rows) for item in report.batches] == [
        ("a.csv", "sha of a.csv", 2),
        ("b.csv", "sha of b.csv", 3),
    ]
    assert (report.rows_in_source, report.rows, report.columns) == (5, 5, 2)
    assert report.warnings == ()


def test_columns_may_come_in_another_order():
    """They are matched by name; the first batch gives the order."""
    other = make_batch("b.csv", 1, 7)
    other = Batch.of(other.name, other.sha256, other.table[["y", "x"]])
    table, _ = collect_batches([make_batch("a.csv", 1), other], [], ALL)
    assert table["x"].tolist() == [0, 7]
    assert table["y"].tolist() == ["a", "a"]


def test_a_first_missing_value_in_a_later_batch():
    """Whole numbers become floats, no value is lost."""
    other = make_batch("b.csv", 1, x=np.nan)
    table, _ = collect_batches([make_batch("a.csv", 2), other], [], ALL)
    assert table["x"].tolist()[:2] == [0, 1]
    assert table["x"].isna().tolist() == [False, False, True]


def test_a_sample_is_seeded_and_keeps_the_order():
    """The same seed draws the same rows; another one others; each row at most once."""
    source = [make_batch("a.csv", 50), make_batch("b.csv", 50, 50)]
    params = configured(CollectionParams, num_instances=30, seed=1)
    table, report = collect_batches(source, [], params)
    again, _ = collect_batches(source, [], params)
    other, _ = collect_batches(source, [], configured(CollectionParams, num_instances=30, seed=2))
    assert_frame_equal(table, again)
    assert table["x"].tolist() != other["x"].tolist()
    assert table["x"].is_monotonic_increasing
    assert table["x"].is_unique
    assert table.index.tolist() == list(range(30))
    assert (report.rows_in_source, report.rows) == (100, 30)
    assert ((table["x"] < 50) == (table[BATCH_COLUMN] == "a.csv")).all()


@pytest.mark.parametrize(("wanted", "warnings"), [(5, 0), (6, 1)])
def test_a_sample_of_all_rows_is_all_rows(wanted, warnings):
    """Asking for more rows than there are gives a warning with both numbers."""
    table, report = collect_batches(
        [make_batch("a.csv", 5)], [], configured(CollectionParams, num_instances=wanted)
    )
    assert table["x"].tolist() == list(range(5))
    assert len(report.warnings) == warnings
    for warning in report.warnings:
        assert "6" in warning
        assert "5 rows" in warning


def test_every_row_can_be_drawn():
    """The sample is uniform over the batches: over many seeds each row comes up."""
    source = [make_batch("a.csv", 5), make_batch("b.csv", 5, 5)]
    drawn = [
        collect_batches(source, [], params)[0]["x"]
        for seed in range(40)
        for params in [configured(CollectionParams, num_instances=2, seed=seed)]
    ]
    counts = pd.concat(drawn).value_counts()
    assert set(counts.index) == set(range(10))
    assert counts.max() < 25


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_batch("b.csv", 1, z=1), r"'b\.csv' does not have the columns of 'a\.csv'.*adds 'z'"),
        (
            Batch.of("b.csv", "", pd.DataFrame({"x": [1], "z": [1]})),
            "it lacks 'y' and adds 'z'",
        ),
        (Batch.of("b.csv", "", pd.DataFrame({"x": [1]})), "it lacks 'y'. All batches"),
    ],
)
def test_batches_of_other_columns_are_refused(other, message):
    """The file is named, with what it lacks and what it adds."""
    with pytest.raises(DataError, match=message):
        collect_batches([make_batch("a.csv", 1), other], [], ALL)


@pytest.mark.parametrize("name", RESERVED_COLUMNS)
def test_reserved_names_are_refused(name):
    """A column with a reserved name is refused instead of being overwritten."""
    with pytest.raises(
        DataError, match=rf"'a\.csv' has a column '{name}', a name that is reserved"
    ):
        collect_batches([make_batch("a.csv", 1, **{name: 1})], [], ALL)


def test_the_inputs_stay_as_they_were():
    """Collecting does not change the batches."""
    source = [make_batch("a.csv", 5), make_batch("b.csv", 5)]
    params = configured(CollectionParams, num_instances=3)
    assert_inputs_unchanged(collect_batches, source, [], params)


TARGETED = configured(CollectionParams, target="y", exclude=("late",), key_columns=("x",))


def test_a_batch_may_wait_for_its_target_and_for_what_is_excluded():
    """It is collected with missing values; the report counts the labelled rows of each."""
    whole = make_batch("a.csv", 2, late=1.0)
    waiting = Batch.of("b.csv", "00", make_batch("b.csv", 3, 2).table[["x"]])
    table, report = collect_batches([waiting, whole], [], TARGETED)
    assert list(table.columns) == ["x", "y", "late", BATCH_COLUMN]
    assert table["y"].isna().tolist() == [True] * 3 + [False] * 2
    assert [batch.labelled for batch in report.batches] == [0, 2]


def test_labels_that_came_later_are_filled_in():
    """Later labels are joined by the key columns into the batch that waits for them."""
    waiting = Batch.of("b.csv", "00", pd.DataFrame({"x": [5, 6, 7]}))
    labels = Batch.of("l.csv", "11", pd.DataFrame({"x": [7, 5], "y": [70, 50]}))
    table, report = collect_batches([make_batch("a.csv", 2, y=1), waiting], [labels], TARGETED)
    assert table["y"].tolist()[2:] == pytest.approx([50, np.nan, 70], nan_ok=True)
    assert [batch.labelled for batch in report.batches] == [2, 2]


def test_what_is_to_be_left_out_is_left_out():
    """Named damaged batches and label files are skipped with a warning; others are an error."""
    bad = Batch.of("bad.csv", "00", pd.DataFrame(), fault="The file 'bad.csv' is empty.")
    source = [make_batch("a.csv", 2), bad]
    with pytest.raises(DataError, match=r"'bad\.csv' is empty"):
        collect_batches(source, [], TARGETED)
    wrong = Batch.of("l.csv", "11", pd.DataFrame({"x": [1]}))
    with pytest.raises(DataError, match=r"'l\.csv' lacks the target"):
        collect_batches(source[:1], [wrong], TARGETED)
    params = TARGETED.model_copy(update={"skip": ("bad.csv", "l.csv", "gone.csv")})
    table, report = collect_batches(source, [wrong], params)
    assert len(table) == 2
    assert [batch.name for batch in report.batches] == ["a.csv"]
    assert len(report.warnings) == 2
    assert "'bad.csv' is left out" in report.warnings[0]
    with pytest.raises(DataError, match=r"All of the source \(1 file\) is left out"):
        collect_batches([bad], [], params)


def test_a_batch_is_known_by_its_rows_whatever_their_order_and_labels():
    """The digest leaves target and excluded columns out; it is empty where lists are compared."""
    table = pd.DataFrame({"x": [1, 2, 2, 4], "seen": [0, 0, 0, 1], "y": ["a", "b", "a", "b"]})

    def content(rows, **params):
        options = configured(CollectionParams, target="y", **params)
        return collect_batches([Batch.of("a.csv", "0", rows)], [], options)[1].batches[0].content

    whole = content(table, exclude=("seen",))
    assert whole
    assert content(table[::-1].assign(y="b", seen=7), exclude=("seen",)) == whole
    assert content(table, exclude=()) != whole
    assert content(table[:3], exclude=("seen",)) != whole
    assert content(table.assign(x=[[1]] * 4)) == ""


def test_what_was_guessed_or_matched_nothing_is_in_the_report():
    """Words for missing values, files that were passed over, labels of no row, contradictions."""
    guesses = (Guess("missing", "y", "None", 3), Guess("passed over", "._a.csv", "hidden"))
    batch = make_batch("a.csv", 3, y=[1, 2, None])
    batch = Batch.of(batch.name, batch.sha256, batch.table, guesses=guesses)
    labels = [
        Batch.of("1.csv", "11", pd.DataFrame({"x": [2, 77], "y": [70, 50]})),
        Batch.of("2.csv", "22", pd.DataFrame({"x": [2], "y": [71]})),
    ]
    table, report = collect_batches([batch], labels, TARGETED)
    assert table["y"].tolist() == [1, 2, 71]
    told = " ".join(report.warnings)
    for words in ("'None' (3 rows) read as missing", "'._a.csv' (hidden)"):
        assert words in told
    assert "1 of 1 labels in '1.csv' match no row" in told
    assert "1 labels were contradicted by a later file" in told


def test_keys_that_are_others_as_numbers_stop_the_collection():
    """Rows of 0071 and 71 would be one."""
    batch = make_batch("a.csv", 3, y=1)
    guessed = Batch.of("a.csv", "0", batch.table, guesses=(Guess("digits", "x", "0071", 1),))
    with pytest.raises(DataError, match=r"'a\.csv' has keys such as '0071'"):
        collect_batches([guessed], [], TARGETED)
