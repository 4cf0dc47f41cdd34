"""Tests of the target: the task it poses, and what makes it unfit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from mlops_basics.errors import DataError
from mlops_basics.schemas import TargetRange
from mlops_basics.table.target import (
    alike_classes,
    class_names,
    new_class_fault,
    read_target,
    spelling_fault,
    target_range,
    target_values,
    unit_fault,
)

NUMBERS = np.arange(100)
TEXT = pd.Series(["a", "b", "c"] * 10, name="kind")


@pytest.mark.parametrize(
    ("values", "task", "dtype"),
    [
        (["yes", "no"] * 10, "binary", "str"),
        (["a", "b", "c"] * 10, "multiclass", "str"),
        ([True, False] * 10, "binary", "Int64"),
        ([0, 1] * 10, "binary", "Int64"),
        ([1.0, 2.0, None] * 10, "binary", "Int64"),
        ([0.5, 1.5] * 10, "binary", "str"),
        ([1, 2, 3] * 10, "multiclass", "Int64"),
        ([3.0, 4.0, 5.0, np.nan] * 10, "multiclass", "Int64"),
        (NUMBERS % 20, "multiclass", "Int64"),
        (NUMBERS % 21, "regression", "float64"),
        ([0.1, 0.2, 0.3] * 10, "regression", "float64"),
        (NUMBERS * 7, "regression", "float64"),
        (pd.Series([True, False, None] * 10, dtype=object), "binary", "Int64"),
        (pd.Series([True, False, None] * 10, dtype="boolean"), "binary", "Int64"),
        (pd.Series(["a", "b"] * 10, dtype="category"), "binary", "str"),
    ],
)
def test_the_task_follows_from_the_values(values, task, dtype):
    """Two values, few whole numbers or text are classes; other numbers are quantities."""
    target, posed = read_target(pd.Series(values, name="y"))
    assert posed == task
    assert str(target.dtype) == dtype
    assert (target.isna() == pd.Series(values).isna()).all()


def test_the_task_can_be_set():
    """Twenty-five whole numbers as classes, three as a quantity."""
    assert read_target(pd.Series(NUMBERS % 25), "multiclass")[1] == "multiclass"
    target, task = read_target(pd.Series([1, 2, 3] * 10), "regression")
    assert (task, str(target.dtype)) == ("regression", "float64")
    assert read_target(pd.Series([1, 2, 3, 4, 5]), "regression")[1] == "regression"


def test_positive_above_makes_two_classes():
    """1 above the number, 0 at or below it, missing where nothing is known."""
    target, task = read_target(pd.Series([14, 15, 16, 17, np.nan]), positive_above=15)
    assert task == "binary"
    assert_series_equal(target, pd.Series([0, 0, 1, 1, None], dtype="Int64"))


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        ([None, None], {}, "'y' has no value in any of 2 rows"),
        (["a", "a", None], {}, "'y' is 'a' in every row.*one class only"),
        ([1, 2, 3], {"positive_above": 9}, r"'y' is 0 in every row \(is it ever above 9\?\)"),
        (["a", "b"], {"positive_above": 9}, "'y' is not a number.*positive_above: null"),
        (["a", "b"], {"task": "regression"}, "'y' holds text such as 'a'.*task: auto"),
        ([f"id{i}" for i in range(9)], {}, "'y' has 9 distinct values in 9 rows.*identifies rows"),
        (list("aabbcdef"), {}, "'y' has 6 distinct values in 8 rows"),
        (range(100), {}, "'y' counts the rows from 0 to 99.*identifier"),
        (np.arange(1.0, 51.0)[::-1], {}, "'y' counts the rows.*identifier"),
        (["a", "b", "c"] * 9, {"task": "binary"}, "'y' has 3 classes, but task: binary needs 2"),
    ],
)
def test_an_unfit_target_is_explained(values, arguments, message):
    """Each message names the column, what is wrong with it, and what to do."""
    with pytest.raises(DataError, match=message):
        read_target(pd.Series(values, name="y"), **arguments)


def test_classes_are_named_as_scikit_learn_orders_them():
    """Numbers by size, text by letters; missing values are no class."""
    from sklearn.dummy import DummyClassifier

    for values in ([10, 9, 2, 2], ["b", "a", "B"]):
        model = DummyClassifier().fit(np.zeros((len(values), 1)), values)
        assert class_names(pd.Series(values)) == tuple(map(str, model.classes_))
    assert class_names(pd.Series(["b", None, "a"])) == ("a", "b")


def test_the_input_stays_as_it_was():
    """Reading a target changes nothing."""
    values = pd.Series([1, 2, 20, 21, None], name="y")
    before = values.copy(deep=True)
    read_target(values, positive_above=10)
    assert_series_equal(values, before)


@pytest.mark.parametrize(
    "values",
    [
        ["yes", "no", None] * 10,
        [0, 1] * 10,
        [1.0, 2.0, None] * 10,
        [True, False] * 10,
        pd.Series([True, False, None] * 10, dtype="boolean"),
        pd.Series([3, 4, None] * 10, dtype="Int64"),
        pd.Series(["a", "b"] * 10, dtype="category"),
        [0.5, 1.5, None] * 10,
        [1, 2, 3] * 10,
    ],
)
def test_later_rows_name_classes_as_the_training_did(values):
    """Row by row, whichever of them come, and as which type."""
    raw = pd.Series(values, name="y")
    target, task = read_target(raw)
    expected = target.astype(object).map(str, na_action="ignore")
    found = target_values(raw, task)
    assert found.dropna().tolist() == expected.dropna().tolist()
    assert (found.isna() == raw.isna()).all()
    assert set(found.dropna()) == set(class_names(target))
    one = target_values(raw[:1], task)
    assert one.tolist() == found[:1].tolist()
    assert target_values(raw.astype(object), task).dropna().tolist() == found.dropna().tolist()


def test_later_rows_of_a_quantity():
    """Numbers of any kind as floats; none known at all is no error."""
    for values in ([1, None, 2.5], [True, False], pd.array([1, None], "Int64")):
        assert target_values(pd.Series(values), "regression").dtype == np.float64
    for empty in ([None, None], pd.Series([None, None], dtype="str"), np.array([np.nan])):
        assert target_values(pd.Series(empty), "regression").isna().all()


def test_later_rows_above_a_number():
    """Named as the two classes are; the bound itself is not above."""
    found = target_values(pd.Series([15, 16.0, None]), "binary", positive_above=15)
    assert found[:2].tolist() == ["0", "1"]
    assert pd.isna(found[2])


@pytest.mark.parametrize(
    "values", [["1.5", "x"], ["1.5", "2"], pd.Series([1, 2], dtype="category")]
)
@pytest.mark.parametrize("positive_above", [None, 1.0])
def test_later_rows_that_are_no_numbers(values, positive_above):
    """Digits as text neither: a training on them with all others would fail."""
    task = "regression" if positive_above is None else "binary"
    with pytest.raises(DataError, match="'y' must hold numbers, but holds"):
        target_values(pd.Series(values, name="y"), task, positive_above)


PRICES = np.random.default_rng(0).lognormal(6, 0.5, 400)
KNOWN = target_range(pd.Series(PRICES))


def test_the_range_of_a_quantity():
    """Quantiles of what is known; none of nothing, or of what is infinite."""
    assert target_range(pd.Series([*range(101), np.nan])) == TargetRange(low=1, median=50, high=99)
    assert target_range(pd.Series([np.nan])) is None
    assert target_range(pd.Series([1.0, np.inf])) is None


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (100, "it looks like cents instead of whole units. Mend its unit"),
        (0.01, "it looks like whole units instead of cents"),
        (1000, "it looks like a unit that is 1,000 times smaller"),
        (1 / 3600, "it looks like a unit that is 3,600 times larger"),
        (300, "300 times the 393"),
    ],
)
def test_another_unit_is_told(factor, words):
    """Its factor, if it is a usual one; what to do, and how to overrule it."""
    fault = unit_fault(pd.Series(PRICES[:40] * factor * np.median(PRICES) / np.median(PRICES[:40])),
                       KNOWN)  # fmt: skip
    assert words in fault
    assert "collection.skip" in fault
    assert "kedro run" in fault
    assert ("looks like" in fault) == (factor != 300)


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (PRICES * 3, KNOWN),
        (PRICES / 3, KNOWN),
        (PRICES * 15, KNOWN),
        (PRICES[:4] * 100, KNOWN),  # too few
        (-PRICES, KNOWN),
        (np.zeros(40), KNOWN),
        (PRICES * 100, None),
        (PRICES * 100, target_range(pd.Series(PRICES - 300))),  # a quantity that may be negative
        (PRICES * 100, target_range(pd.Series([0.0] * 300))),
        # heavy tails: a hundred times the median is still within what was seen
        (np.full(40, 5e4), target_range(pd.Series(np.append(PRICES, [4e5] * 20)))),
        (np.append(PRICES[:30], PRICES[:10] * 100), KNOWN),  # a quarter of it
    ],
)
def test_what_is_no_other_unit(labels, known):
    """Fewer than 5 rows, less than 20 times, within the known range, or nothing known."""
    assert unit_fault(pd.Series(labels), known) == ""


@pytest.mark.parametrize(
    ("values", "known", "message"),
    [
        (["Yes ", "yes", "yes", "no"], (), "is 'Yes ' in 1 row, which seems to be 'yes'"),
        (["yes ", "yes ", "yes", "no"], (), "is 'yes ' in 2 rows, which seems to be 'yes'"),
        (["Yes ", "no", None], ("no", "yes"), "is 'Yes ' in 1 row, which seems to be 'yes'"),
        (["YES", "no"], ("no", "yes"), "is 'YES' in 1 row, which seems to be 'yes'"),
        (["a", "A", "b"], (), ""),
        (["a", "A", "b"], ("A", "a"), ""),
        (["maybe", "no"], ("no", "yes"), ""),
        ([" x", "y"], (), ""),
        ([1, 0], ("0", "1"), ""),
        ([" ", "yes", "no"], (), r"is ' ' in 1 row, which is no name of a class"),
        (["", "yes", "no"], ("no", "yes"), r"csv: {na_values: ['']}"),
        (["", "yes"], ("", "yes"), ""),
    ],
)
def test_one_class_that_is_written_in_two_ways(values, known, message):
    """White space is never meant; another case only counts against the classes of a model."""
    fault = spelling_fault(pd.Series(values, name="y"), known)
    assert message in fault
    assert bool(fault) == bool(message)


def test_a_class_that_is_written_in_two_ways_is_not_learned():
    """A training names it instead of making two classes."""
    with pytest.raises(DataError, match=r"'y' is 'yes ' in 2 rows.*Write it alike"):
        read_target(pd.Series(["yes", "yes ", "no", "no"] * 2, name="y"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["NO", "no", "yes"], ["'NO' and 'no' differ in case alone"]),
        (["0", "1", "no", "yes"], ["'0', '1', 'no', 'yes' all say yes or no"]),
        (["N", "Y", "Yes", "y"], ["'Y' and 'y' differ", "all say yes or no"]),
        (["no", "yes"], []),
        (["0", "1", "2"], []),
        (["maybe", "no", "yes"], []),
    ],
)
def test_classes_that_may_be_one_are_warned_of(names, words):
    """Another case alone, and yes beside 1: learned as they stand, and told."""
    warnings = alike_classes(names)
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


CUT = "'setosa' cut off at the end of the file"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["setosa"] * 9 + ["setos"], ["holds 'setos' in 1 row, a class that was not there", CUT]),
        (["s"] + ["setosa"] * 9, ["holds 's' in 1 row, a class that was not there before. Mend"]),
        (["setosa"] * 9 + ["other"] * 4, ["holds 'other' in 4 rows, a class", "kedro run"]),
        (["setosa"] * 9 + ["other"] * 5, []),
        (["setosa"] * 9 + ["virginica"], []),
        ([], []),
    ],
)
def test_a_new_class_of_few_rows_is_asked_about(labels, said):
    """A word that was cut, or mistyped, is no class; five rows of one may be."""
    fault = new_class_fault(pd.Series(labels, dtype=object), ("setosa", "virginica"))
    assert all(words in fault for words in said)
    assert bool(fault) == bool(said)
