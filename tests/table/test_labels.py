"""Tests of labels that come later: which rows they belong to, and how many there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.schemas import Batch, Guess
from mlops_basics.table.labels import PREDICTION_ID, LabelBook, RowKeys
from tests.support.labels import prediction_ids

KEYS = RowKeys("kind", exclude=("landed",))
BY_ORDER = RowKeys("kind", key_columns=("order",))


def batch_of(rows=10, seed=0, name="new.csv", **columns):
    """Rows of two features, without a target."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"size": rng.normal(size=rows), "colour": "red"}).assign(**columns)
    return Batch.of(name, "ab" * 32, table)


def file_of(name="labels.csv", **columns):
    """A file of labels."""
    return Batch.of(name, "cd" * 32, pd.DataFrame(columns))


def ids_of(table, name="new.csv", keys=KEYS):
    """Ids of a table's rows."""
    return prediction_ids(Batch.of(name, "", table), keys)


@given(rows=st.lists(st.sampled_from([1.0, 2.0, None]), min_size=1, max_size=40))
def test_ids_are_unique_however_often_rows_repeat(rows):
    """Repeated rows, also in another batch, have unique ids that are the same when scored again."""
    table = pd.DataFrame({"size": rows, "colour": "red"})
    ids = ids_of(table) + ids_of(table, "other.csv")
    assert len(set(ids)) == 2 * len(rows)
    assert ids_of(table.copy()) == ids[: len(rows)]
    assert all(len(each) == 20 for each in ids)


@given(order=st.permutations(range(20)))
def test_ids_follow_their_rows(order):
    """When the rows of a batch come in another order, each keeps its id."""
    table = batch_of(20).table
    ids = pd.Series(ids_of(table))
    assert ids_of(table.iloc[order]) == ids.iloc[order].tolist()


def test_ids_do_not_change_when_target_and_excluded_columns_come():
    """Ids do not depend on target and excluded columns, which come later."""
    table = batch_of().table
    later = table.assign(kind="good", landed=12.0)
    assert ids_of(later) == ids_of(table)
    assert ids_of(table.assign(weight=1.0)) != ids_of(table)


def test_ids_do_not_depend_on_the_storage():
    """A row has the same id when another row turns its column into one of floats."""
    table = batch_of(count=range(10)).table
    more = pd.concat([table, table[:1].assign(count=np.nan)], ignore_index=True)
    assert ids_of(more)[:10] == ids_of(table)


def test_named_keys_identify_rows():
    """Then other values of a row do not change its id; without the key it has one all the same."""
    table = batch_of(order=range(10)).table
    corrected = table.assign(size=table["size"] + 1)
    assert ids_of(corrected, keys=BY_ORDER) == ids_of(table, keys=BY_ORDER)
    assert len(set(ids_of(table.drop(columns="order"), keys=BY_ORDER))) == 10


def test_labels_in_part_out_of_order_and_twice():
    """Each goes to its row; rows without one stay without; a second time changes nothing."""
    batch = batch_of()
    ids = prediction_ids(batch, KEYS)
    first = file_of("1.csv", prediction_id=[ids[7], ids[2]], kind=["good", "bad"])
    again = file_of("2.csv", prediction_id=[ids[2], "unknown"], kind=["bad", "good"])
    target, count = LabelBook([first, again], KEYS).fill(batch)
    assert target.dropna().to_dict() == {2: "bad", 7: "good"}
    assert (count.rows, count.labelled, count.conflicting) == (10, 2, 0)
    assert count.coverage == 0.2


def test_the_later_file_counts_and_contradictions_are_counted():
    """Contradictions with an earlier file and with the batch itself are counted."""
    batch = batch_of(kind=["good"] * 9 + [None])
    ids = prediction_ids(batch, KEYS)
    files = [
        file_of("1.csv", prediction_id=[ids[0], ids[9]], kind=["bad", "bad"]),
        file_of("2.csv", prediction_id=[ids[0]], kind=["ugly"]),
    ]
    target, count = LabelBook(files, KEYS).fill(batch)
    assert target.tolist() == ["ugly"] + ["good"] * 8 + ["bad"]
    assert (count.labelled, count.conflicting) == (10, 1)


def test_labels_by_key_columns():
    """Labels are joined by the user's key with any storage type; numbers stay numbers."""
    batch = batch_of(order=range(10))
    file = file_of(order=[3.0, 4.0], kind=[1, 0])
    target, count = LabelBook([file], BY_ORDER).fill(batch)
    assert target.dropna().to_dict() == {3: 1, 4: 0}
    assert pd.api.types.is_numeric_dtype(target.dtype)
    assert count.labelled == 2


def test_equal_numbers_do_not_contradict_each_other():
    """1 and 1.0 are the same label."""
    batch = batch_of(kind=[1] * 10)
    ids = prediction_ids(batch, KEYS)
    _, count = LabelBook([file_of(prediction_id=ids, kind=[1.0] * 10)], KEYS).fill(batch)
    assert count.conflicting == 0


@pytest.mark.parametrize(
    ("file", "keys", "message"),
    [
        (file_of(prediction_id=["a"]), KEYS, "'labels.csv' lacks the target column 'kind'"),
        (file_of(order=[1], kind=[1]), KEYS, "does not say which rows.*'prediction_id'\\."),
        (file_of(size=[1], kind=[1]), BY_ORDER, "key columns \\('order' missing\\)"),
        (Batch.of("x.csv", "", pd.DataFrame(), "The file 'x.csv' is empty."), KEYS, "is empty"),
    ],
)
def test_a_file_that_labels_nothing_is_named_and_stops_no_other(file, keys, message):
    """The fault says what it needs."""
    batch = batch_of(order=range(10))
    good = file_of("z.csv", **{PREDICTION_ID: prediction_ids(batch, keys)[:1], "kind": ["good"]})
    book = LabelBook([file, good], keys)
    assert list(book.faults) == [file.name]
    import re

    assert re.search(message, book.faults[file.name])
    assert book.fill(batch)[1].labelled == 1


def test_without_files_the_batch_keeps_its_own():
    """Without label files the batch keeps its own labels, or has none."""
    own, count = LabelBook([], KEYS).fill(batch_of(kind=["good"] * 10))
    assert own.tolist() == ["good"] * 10
    assert count.labelled == 10
    none, count = LabelBook([], KEYS).fill(batch_of())
    assert none.isna().all()
    assert count.labelled == 0


@pytest.mark.parametrize("stored", ["int64", "str", "float with a missing one"])
def test_labels_find_rows_whose_keys_differ_in_the_last_of_19_digits(stored):
    """Each label goes to its own row, and no two rows share a prediction id."""
    orders = [1541815604606036480 + n for n in range(10)]
    batch = batch_of(order=orders)
    assert len(set(prediction_ids(batch, BY_ORDER))) == 10
    keys: pd.Series = pd.Series(orders, dtype="int64")
    if stored == "str":
        keys = keys.map(str)
    elif stored != "int64":
        keys = keys.astype("Int64").where(keys != orders[0])
    names = [f"class {n}" for n in range(10)]
    target, count = LabelBook([file_of(order=keys, kind=names)], BY_ORDER).fill(batch)
    assert target.iloc[1:].tolist() == names[1:]
    assert count.labelled == (9 if stored.startswith("float") else 10)


def test_texts_that_look_like_one_number_are_several_keys():
    """0071 is not 71, and 1E10 is not 10E9."""
    orders = ["0071", "71", "1E10", "10E9", "7.10", "7.1"]
    batch = batch_of(6, order=orders)
    assert len(set(prediction_ids(batch, BY_ORDER))) == 6
    target, _ = LabelBook([file_of(order=orders[:1], kind=["good"])], BY_ORDER).fill(batch)
    assert target.dropna().to_dict() == {0: "good"}


def test_contradictions_between_two_files_are_counted():
    """Also where the batch itself says nothing, or agrees with the later one; repeats do not."""
    batch = batch_of()
    ids = prediction_ids(batch, KEYS)
    first = file_of("1.csv", prediction_id=ids[:4], kind=["good", "good", "bad", "1"])
    later = file_of("2.csv", prediction_id=ids[:4], kind=["bad", "good", "good", 1.0])
    target, count = LabelBook([first, later], KEYS).fill(batch)
    assert target.iloc[:3].tolist() == ["bad", "good", "good"]
    assert count.conflicting == 2
    assert LabelBook([first, later], KEYS).fill(batch, slice(1, 2))[1].conflicting == 0


def test_labels_that_match_no_row_are_counted_by_file():
    """Of all batches together; a file that is about these rows is not named."""
    batches = [batch_of(order=range(10)), batch_of(order=range(10, 20), name="b.csv")]
    good = file_of("1.csv", order=[3, 13], kind=["good", "bad"])
    lost = file_of("2.csv", order=range(100, 900), kind="good")
    part = file_of("3.csv", order=[4, 901], kind=["good", "bad"])
    book = LabelBook([good, lost, part], BY_ORDER)
    told = book.unmatched(batches)
    assert [line.split(":")[0] for line in told] == [
        "800 of 800 labels in '2.csv' match no row",
        "1 of 2 labels in '3.csv' match no row",
    ]
    assert book.unmatched(batches, ["1.csv", "3.csv"]) == told[1:]


def test_keys_that_were_read_as_numbers_are_refused():
    """0071 and 71 would be one row's key: the file says to read them as text."""
    table = pd.DataFrame({"order": [71, 71], "kind": ["good", "bad"]})
    guess = Guess("digits", "order", "0071", 1)
    book = LabelBook([Batch.of("l.csv", "ab", table, guesses=(guess,))], BY_ORDER)
    assert "such as '0071' in its column 'order'" in book.faults["l.csv"]
    assert "`text_columns`" in book.faults["l.csv"]
