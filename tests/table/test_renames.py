"""Tests of what is taken for a renamed column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.table.renames import likely_renames, rename_hint

SAME = [
    ("carat", "Carat"), ("dep_time", "dep time"), ("dep_time", "depTime"), ("dep-time", "DepTime"),
    ("größe", "grosse"), ("größe", "GRÖSSE"), ("café", "cafe"), ("weight", "weight_kg"),
    ("weight (kg)", "Weight"), ("price", "price [€]"), ("temperature", "temprature"),
    ("year", "years"), ("colour", "color"), ("x1", "X_1"), ("温度", "温度 (c)"),
]  # fmt: skip
OTHER = [
    ("x1", "x2"), ("x1", "x11"), ("lat", "long"), ("price_min", "price_max"), ("a", "b"),
    ("weight", "height"), ("sensor_10", "sensor_11"), ("kg", "m"), ("", "x"), ("x", "y"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), SAME)
def test_the_same_name_in_other_letters(old, new):
    """In both directions, beside others that are like nothing."""
    assert likely_renames([old, "qqqq"], ["zzzz", new]) == {old: new}
    assert likely_renames([new], [old]) == {new: old}


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_names_that_are_not_alike(old, new):
    """Another number, or too many other letters."""
    assert likely_renames([old], [new]) == {}
    assert rename_hint([old], [new]) == ""


def test_what_is_like_two_is_left_out():
    """Nothing is said where it is not clear which."""
    assert likely_renames(["price"], ["Price", "prices"]) == {}
    assert likely_renames(["price", "prices"], ["Price"]) == {}
    assert likely_renames(["price", "carat"], ["Price", "prices", "Carat"]) == {"carat": "Carat"}


def test_the_question_names_both_and_what_to_do():
    """One column or several; of many only the first."""
    assert rename_hint(["carat"], ["Carat"]).startswith(
        "Was 'carat' renamed to 'Carat'? Then rename it back in the file; to keep the new name,"
    )
    assert "Were 'a1', 'b1' renamed to 'A1', 'B1'?" in rename_hint(["a1", "b1"], ["B1", "A1"])
    assert (
        rename_hint([f"n{at}" for at in range(9)], [f"N{at}" for at in range(9)]).count("'") == 20
    )


@given(st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_any_names_are_compared(lacking, unknown):
    """No name is an error, and no column is two."""
    renames = likely_renames(dict.fromkeys(lacking), dict.fromkeys(unknown))
    assert set(renames) <= set(lacking)
    assert len(set(renames.values())) == len(renames)
