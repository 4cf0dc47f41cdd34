"""Tests of which rows belong together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.errors import DataError, LineageError
from mlops_basics.schemas import BATCH_COLUMN, ROW_HASH_COLUMN, PreprocessingParams
from mlops_basics.table.row_groups import counted, groups_of_sets, row_groups
from tests.support.parameters import configured
from tests.support.tables import preprocessed
from tests.support.whole import split_data


def rows_of(times=None, hashes=None, n=100):
    """What preprocessing leaves of a gate's rows."""
    table = pd.DataFrame({ROW_HASH_COLUMN: np.arange(n) if hashes is None else hashes})
    return table if times is None else table.assign(when=times)


def find(rows, keys=(), sets=(), for_proof=True):
    """The groups of these rows."""
    split = {"time_column": "when"} if "when" in rows else {}
    params = configured(
        PreprocessingParams, **{"target": "kind", "key_columns": keys, "split": split}
    )
    return row_groups(rows, params, sets, for_proof=for_proof)


def hours(n, every):
    """Times, so many hours apart."""
    return pd.Series(pd.date_range("2024-01-01", periods=n, freq=f"{every}h"))


def test_days_of_a_split_by_time_belong_together():
    """Each calendar day is a group."""
    times = hours(100, 6)
    found = find(rows_of(times))
    assert found.name == "day of when"
    assert pd.Series(found.codes).groupby(times.dt.date).nunique().eq(1).all()
    assert len(set(found.codes)) == 25


@pytest.mark.parametrize("days", [1, 3, 19])
def test_few_days_are_days_where_something_is_to_be_proved(days):
    """Hours of one day err together: three days prove nothing of the next, however many rows."""
    found = find(rows_of(hours(24 * days, 1), n=24 * days))
    assert (found.name, found.number, found.note) == ("day of when", days, "")


def test_one_moment_has_no_groups_and_says_so():
    """With a single time each row is its own group, and a note says so."""
    found = find(rows_of(pd.Series([pd.Timestamp("2024-01-01")] * 100)))
    assert found.codes is None
    assert "taken as independent" in found.note


def test_rows_of_equal_keys_belong_together():
    """Rows of one key form a group; if each key has one row there are no groups."""
    hashes = np.repeat(np.arange(25), 4)
    found = find(rows_of(hashes=hashes), keys=("customer",))
    assert found.name == "customer"
    assert list(found.codes) == list(hashes)
    assert find(rows_of(), keys=("customer",)).codes is None


def test_equal_rows_without_keys_stand_for_themselves():
    """Two flowers of one size are two flowers."""
    assert find(rows_of(hashes=np.repeat(np.arange(25), 4))).codes is None


def typed_rows(sites, **values):
    """A table with a column of sites that no model sees, behind preprocessing; its parameters."""
    n = len(sites)
    raw = pd.DataFrame(
        {
            BATCH_COLUMN: "a.csv",
            "site": pd.Series(sites, dtype=object),
            "size": np.arange(n) * 1.5,
            "kind": np.arange(n) % 2,
        }
    )
    given = {"target": "kind", "exclude": ["site"], "group_by": "site"} | values
    params = configured(PreprocessingParams, **given)
    return *preprocessed(raw, params), params


def test_one_value_is_one_group_however_it_was_stored():
    """A number in one batch, text in the next; it is the same group on every side."""
    rows, _, params = typed_rows([17, "17", 17.0, "18A"])
    found = row_groups(rows, params)
    assert found.name == "site"
    assert list(found.codes) == [0, 0, 0, 1]
    assert found.number == 2


def test_rows_without_a_value_are_one_group():
    """Rows without a value form one group, since their origin is unknown."""
    rows, _, params = typed_rows(["x", None, "y", None, "x"])
    assert list(row_groups(rows, params).codes) == [0, 1, 2, 1, 0]
    none = params.model_copy(update={"group_by": "none"})
    assert row_groups(rows, none).codes is None


def test_rows_keep_their_groups_when_they_are_divided():
    """Each side's groups are those of the raw rows, and the column is no feature."""
    sites = [f"site {row % 30}" for row in range(600)]
    rows, info, params = typed_rows(sites)
    assert info.features == ("size",)
    sides = split_data(rows, info, params)[:3]
    for side in sides:
        codes = row_groups(side, params).codes
        sites_of = (side["size"] / 1.5).round().astype(int) % 30
        pairs = set(zip(codes, sites_of, strict=True))
        assert len(pairs) == len(set(codes)) == sites_of.nunique()


def test_the_interval_of_a_single_day_takes_its_hours():
    """A week has seven days, which say more of the next week than its hours do."""
    week = rows_of(hours(168, 1), n=168)
    few = find(week, for_proof=False)
    assert (few.name, few.number, few.note) == ("day of when", 7, "")
    a_day = find(rows_of(hours(24, 1), n=24), for_proof=False)
    assert (a_day.name, a_day.number) == ("hour of when", 24)
    assert "hours of one day may still err together" in a_day.note


def test_sets_are_judged_by_one_kind_of_groups():
    """Many train days, one valid day: hours for both. A site has one code on both sides."""
    train, valid = rows_of(hours(480, 1), n=480), rows_of(hours(24, 1), n=24)
    params = configured(PreprocessingParams, **{"target": "y", "split": {"time_column": "when"}})
    found = groups_of_sets((train, valid), params)
    assert [each.name for each in found] == ["hour of when"] * 2
    assert [each.number for each in found] == [480, 24]
    rows, _, params = typed_rows(["x", "y", "x", "z", "y", "x"])
    first, second = groups_of_sets((rows[:3], rows[3:]), params)
    assert [*first.codes, *second.codes] == [0, 1, 0, 2, 1, 0]


def test_rows_that_were_preprocessed_otherwise_are_refused():
    """`kedro run --pipeline model_evaluation` after group_by was changed."""
    rows, _, params = typed_rows(["x", "y", "z", "x"])
    other = params.model_copy(update={"group_by": "shop"})
    with pytest.raises(LineageError, match=r"without the groups of 'shop'.*--from-nodes"):
        row_groups(rows, other)


def test_lists_are_no_groups():
    """Parquet can hold them."""
    with pytest.raises(DataError, match="The column 'site' holds lists"):
        typed_rows([[1], [2], [1, 2], [1]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, None), "1 row"),
        ((4973, None), "4,973 rows"),
        ((4973, 30), "4,973 rows of 30 groups"),
        ((12000, 1200, "days"), "12,000 rows of 1,200 days"),
    ],
)
def test_rows_are_counted_in_words(arguments, words):
    """Counts of rows and groups have the same wording everywhere."""
    assert counted(*arguments) == words


def copied_rows(times, **values):
    """A measured table whose rows are there so many times, preprocessed."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    table["kind"] = np.where(table["a"] + rng.normal(size=120) > 0, "tall", "short")
    table[BATCH_COLUMN] = "b.csv"
    params = configured(PreprocessingParams, **{"target": "kind"} | values)
    return (*preprocessed(pd.concat([table] * times, ignore_index=True), params), params)


@pytest.mark.parametrize("times", [2, 10])
def test_copies_of_a_row_are_one_witness(times):
    """A table that is concatenated with itself has no more groups than it had rows, and says so."""
    table, info, params = copied_rows(times)
    found = row_groups(table, params)
    assert (found.number, found.name) == (120, "copies of one row")
    assert f"{120 * (times - 1):,} rows repeated, target included" in " ".join(info.warnings)
    sets = groups_of_sets(split_data(table, info, params)[:3], params)
    assert sum(of_set.number for of_set in sets) == 120


def test_users_may_count_copies_as_rows():
    """`group_by: none` is the users' word that each row is an observation of its own."""
    table, info, params = copied_rows(2, group_by="none")
    assert row_groups(table, params).codes is None
    assert "repeated" not in " ".join(info.warnings)
    table, info, params = copied_rows(1)
    assert row_groups(table, params).codes is None
