"""Tests of split_data: the side of a row depends on its values alone, or on its time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlops_basics.datasets import SourceDataset
from mlops_basics.errors import DataError
from mlops_basics.schemas import BATCH_COLUMN, CollectionParams, PreprocessingParams
from tests.support.parameters import configured
from tests.support.strategies import tables
from tests.support.tables import assert_inputs_unchanged, preprocessed, raw_table
from tests.support.whole import collect_batches, split_data

SIDES = ("train", "valid", "test")
fast = settings(max_examples=20, deadline=None)
faster = settings(max_examples=15, deadline=None)


def make_params(target="row", **split):
    """Parameters of a regression whose target numbers the rows, so that each can be followed."""
    values = {"target": target, "split": {"min_rows": 2} | split}
    if target == "row":
        values["task"] = "regression"
    return configured(PreprocessingParams, **values)


PARAMS = make_params()
_rng = np.random.default_rng(7)
#: Rows that are in each table, so that no set is ever too small.
ANCHORS = pd.DataFrame(
    {
        "number": _rng.integers(-1000, 1000, 40),
        "real": _rng.normal(size=40),
        "word": _rng.choice(["red", "green", "dark blue"], 40),
        "time": pd.date_range("2020-01-01", periods=40, freq="h"),
    }
)


def numbered(drawn):
    """Anchors and drawn rows, each with a number of its own as its target."""
    table = pd.concat([ANCHORS, drawn], ignore_index=True)
    return table.assign(row=np.arange(float(len(table))), **{BATCH_COLUMN: "a.csv"})


SALTED = preprocessed(raw_table(400).drop(columns="kind").assign(row=np.arange(400.0)), PARAMS)


def sides_of(raw, params=PARAMS):
    """The side of each row, by its number."""
    table, info = preprocessed(raw, params)
    *parts, _ = split_data(table, info, params)
    return {
        row: side
        for side, part in zip(SIDES, parts, strict=True)
        for row in part[info.target].tolist()
    }


@fast
@given(tables())
def test_every_row_is_on_exactly_one_side(drawn):
    """Every row is on exactly one side."""
    raw = numbered(drawn)
    table, info = preprocessed(raw, PARAMS)
    *parts, report = split_data(table, info, PARAMS)
    joined = pd.concat(parts).sort_values("row").reset_index(drop=True)
    assert_frame_equal(joined, table)
    assert report.rows == {side: len(part) for side, part in zip(SIDES, parts, strict=True)}


@fast
@given(tables(), st.lists(st.integers(0, 39), min_size=1, max_size=20))
def test_duplicates_stay_together(drawn, copies):
    """Rows with the same features are on the same side, also with different targets."""
    raw = numbered(pd.concat([drawn, ANCHORS.iloc[copies]], ignore_index=True))
    sides = sides_of(raw)
    first_copy = len(raw) - len(copies)
    for position, original in enumerate(copies):
        assert sides[first_copy + position] == sides[original]


@fast
@given(tables(), tables())
def test_appended_rows_move_no_row(drawn, more):
    """Appended rows do not change the side of earlier rows."""
    before = sides_of(numbered(drawn))
    after = sides_of(numbered(pd.concat([drawn, more], ignore_index=True)))
    assert before.items() <= after.items()


@fast
@given(tables(), st.randoms(use_true_random=False))
def test_another_order_moves_no_row(drawn, random):
    """Reordering rows or columns moves no row to another side."""
    raw = numbered(drawn)
    rows = list(range(len(raw)))
    random.shuffle(rows)
    columns = random.sample(list(raw.columns), len(raw.columns))
    assert sides_of(raw.iloc[rows][columns].reset_index(drop=True)) == sides_of(raw)


@faster
@given(tables(), st.lists(st.integers(1, 40), max_size=4, unique=True), st.sampled_from("cp"))
def test_other_files_move_no_row(tmp_path_factory, drawn, cuts, kind):
    """One table or several files, CSV or Parquet: read by the source, divided alike."""
    raw = numbered(drawn)
    folder = tmp_path_factory.mktemp("source")
    bounds = [0, *sorted(cuts), len(raw)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        part = raw.iloc[begin:end].drop(columns=BATCH_COLUMN)
        if kind == "c":
            part.to_csv(folder / f"{number}.csv", index=False)
        else:
            part.to_parquet(folder / f"{number}.parquet")
    collected, report = collect_batches(
        SourceDataset(path=str(folder)).load(), [], configured(CollectionParams)
    )
    assert len(report.batches) == len(bounds) - 1
    assert sides_of(collected) == sides_of(raw)


@fast
@given(tables(min_rows=2), st.data())
def test_a_first_missing_value_moves_only_its_row(drawn, data):
    """An integer column that becomes one of floats keeps the other rows where they were."""
    raw = numbered(drawn)
    row = data.draw(st.integers(0, len(raw) - 1))
    changed = raw.astype({"number": "float64"})
    changed.loc[row, "number"] = np.nan
    before, after = sides_of(raw), sides_of(changed)
    assert {name: side for name, side in after.items() if name != row} == {
        name: side for name, side in before.items() if name != row
    }


@fast
@given(st.text(max_size=20))
def test_another_salt_draws_another_split(salt):
    """Only as many test rows are test rows again as chance has it; equal salts agree."""
    table, info = SALTED
    before, again, after = (
        split_data(table, info, make_params(salt=text))[2]["row"]
        for text in (salt + "x", salt + "x", salt)
    )
    assert before.tolist() == again.tolist()
    kept = set(before) & set(after)
    assert len(kept) < 45  # by chance 400 * 0.2 * 0.2 = 16; this is 7 sd above


@pytest.mark.parametrize(("valid", "test"), [(0.2, 0.2), (0.1, 0.3), (0.45, 0.45)])
def test_shares_are_near_the_fractions(valid, test):
    """Binomial: within 4 standard deviations of 20,000 rows."""
    rows = 20_000
    raw = pd.DataFrame({"x": np.arange(rows), "row": np.arange(float(rows)), BATCH_COLUMN: "a.csv"})
    table, info = preprocessed(raw, PARAMS)
    *_, report = split_data(table, info, make_params(valid_fraction=valid, test_fraction=test))
    expected = {"train": 1 - valid - test, "valid": valid, "test": test}
    for side, share in expected.items():
        error = 4 * np.sqrt(share * (1 - share) / rows)
        assert report.rows[side] / rows == pytest.approx(share, abs=error)


def test_a_larger_test_share_takes_no_test_row_back():
    """Changed fractions move the bounds, not the draw."""
    raw = raw_table(400).drop(columns="kind").assign(row=np.arange(400.0))
    small, large = (sides_of(raw, make_params(test_fraction=share)) for share in (0.1, 0.3))
    assert {row for row in small if small[row] == "test"} < {
        row for row in large if large[row] == "test"
    }


def timed(months, rows=20):
    """A raw table with some rows in each month (or a number of rows for each)."""
    counts = months if isinstance(months, dict) else dict.fromkeys(months, rows)
    times = [
        pd.Timestamp(f"{month}-01") + pd.Timedelta(days=27 * position / count)
        for month, count in counts.items()
        for position in range(count)
    ]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=len(times)),
            "when": times,
            "row": np.arange(float(len(times))),
            BATCH_COLUMN: "a.csv",
        }
    )


def split_by_time(raw, **split):
    """Sides as tables, and the report."""
    params = make_params(time_column="when", **split)
    table, info = preprocessed(raw, params)
    return split_data(table, info, params)


def test_the_last_period_is_test_and_the_one_before_valid():
    """The rest is train; the boundaries are recorded."""
    raw = timed(["2023-11", "2023-12", "2024-01", "2024-02"]).sample(frac=1, random_state=0)
    train, valid, test, report = split_by_time(raw)
    assert set(train["when"].dt.strftime("%Y-%m")) == {"2023-11", "2023-12"}
    assert set(valid["when"].dt.strftime("%Y-%m")) == {"2024-01"}
    assert set(test["when"].dt.strftime("%Y-%m")) == {"2024-02"}
    assert report.method == "time"
    assert report.boundaries == {
        "train_from": "2023-11-01T00:00:00",
        "valid_from": "2024-01-01T00:00:00",
        "test_from": "2024-02-01T00:00:00",
        "test_to": raw["when"].max().floor("us").isoformat(),
    }


def test_boundaries_move_as_periods_arrive():
    """With March, February becomes valid and January train."""
    months = ["2023-12", "2024-01", "2024-02"]
    before = split_by_time(timed(months))[3].boundaries
    after = split_by_time(timed([*months, "2024-03"]))[3].boundaries
    assert (before["valid_from"][:7], before["test_from"][:7]) == ("2024-01", "2024-02")
    assert (after["valid_from"][:7], after["test_from"][:7]) == ("2024-02", "2024-03")


@pytest.mark.parametrize(("rows", "test_from"), [(1, "2024-03"), (2, "2024-04")])
def test_a_period_that_has_only_begun_is_judged_with_the_one_before(rows, test_from):
    """A period with less than a tenth of the median rows is judged with the previous one."""
    raw = timed({"2024-01": 20, "2024-02": 20, "2024-03": 20, "2024-04": rows})
    *_, test, report = split_by_time(raw)
    assert report.boundaries["test_from"][:7] == test_from
    assert len(test) == (21 if test_from == "2024-03" else 2)


def test_a_begun_period_counts_where_there_are_no_others():
    """Three periods are needed, even if the last has few rows."""
    raw = timed({"2024-01": 30, "2024-02": 30, "2024-03": 2})
    *_, test, report = split_by_time(raw)
    assert report.boundaries["test_from"][:7] == "2024-03"
    assert len(test) == 2


@fast
@given(
    st.lists(st.integers(0, 500), min_size=30, max_size=60),
    st.sampled_from(["D", "W", "M", "Q", "Y"]),
)
def test_no_row_is_later_than_one_of_the_next_set(days, period):
    """Train comes before valid and valid before test, for each period."""
    raw = pd.DataFrame(
        {
            "x": np.arange(len(days)) % 7,
            "when": pd.Timestamp("2022-01-05") + pd.to_timedelta([*days[:-2], 800, 1200], unit="D"),
            "row": np.arange(float(len(days))),
            BATCH_COLUMN: "a.csv",
        }
    )
    try:
        train, valid, test, report = split_by_time(raw, period=period)
    except DataError as error:
        assert "needs at least 2" in str(error)  # noqa: PT017 (too few rows are allowed to be)
        return
    assert train["when"].max() < valid["when"].min()
    assert valid["when"].max() < test["when"].min()
    assert valid["when"].min() >= pd.Timestamp(report.boundaries["valid_from"])
    assert test["when"].min() >= pd.Timestamp(report.boundaries["test_from"])
    assert sum(report.rows.values()) == len(days)


def test_too_few_periods_are_an_error():
    """Two months are no three sets; the remedy is a shorter period."""
    raw = timed(["2024-01", "2024-02"])
    with pytest.raises(DataError, match=r"'when' covers 2 periods of length 'M'.*shorter `period`"):
        split_by_time(raw)
    longer = pd.concat([raw, raw.assign(when=raw["when"] + pd.Timedelta(days=60))])
    assert split_by_time(longer, period="W")[3].rows["test"] >= 2


def test_too_small_sets_are_an_error():
    """The message has all three sizes, the set that is too small, and the parameter."""
    raw = numbered(ANCHORS.head(0)).head(12)
    with pytest.raises(
        DataError,
        match=r"Of 12 rows, \d+ are train, \d+ valid and \d+ test: (train|valid|test) needs at "
        r"least 10 \(preprocessing\.split\.min_rows\)",
    ):
        sides_of(raw, make_params(min_rows=10))


def classes_by_time(train, valid, test):
    """A raw table of three months with the given classes, twenty rows each at most."""
    raw = timed({"2024-01": len(train), "2024-02": len(valid), "2024-03": len(test)}).drop(
        columns="row"
    )
    return raw.assign(kind=[*train, *valid, *test])


def split_classes(raw):
    """The report of a split by time of a table of classes."""
    params = make_params("kind", time_column="when")
    table, info = preprocessed(raw, params)
    return split_data(table, info, params)[3]


def test_a_train_set_of_one_class_is_an_error():
    """A train set of one class is an error for any classes in the other sets."""
    raw = classes_by_time("a" * 20, "ab" * 10, "ab" * 10)
    with pytest.raises(DataError, match="All 20 train rows are of one class, 'a'"):
        split_classes(raw)


def test_balanced_sets_bring_no_warning():
    """The shares of each class in each set are recorded."""
    report = split_classes(classes_by_time("ab" * 10, "ab" * 10, "abbb" * 5))
    assert report.class_shares == {
        "train": {"a": 0.5, "b": 0.5},
        "valid": {"a": 0.5, "b": 0.5},
        "test": {"a": 0.25, "b": 0.75},
    }
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("train", "valid", "test", "warning"),
    [
        ("ab" * 10, "abc" * 6, "abc" * 6, "Class 'c' has no train row: it can never be predicted."),
        ("abc" * 6, "ab" * 10, "abc" * 6, "Class 'c' has no row in valid."),
        ("abc" * 6, "ab" * 10, "ab" * 10, "Class 'c' has no row in valid and test."),
        (
            "ab" * 10,
            "ab" * 10,
            "abbbb" * 4,
            "Class 'a' has 50.0 % of train, 50.0 % of valid, 20.0 % of test rows: the sets differ "
            "by chance.",
        ),
    ],
)
def test_uneven_classes_are_warnings(train, valid, test, warning):
    """A class that is missing in a set, or much rarer there, gives a warning."""
    report = split_classes(classes_by_time(train, valid, test))
    assert warning in report.warnings


@pytest.mark.parametrize("split", [{}, {"time_column": "day", "period": "M"}])
def test_the_inputs_stay_as_they_were(split):
    """Table and info are not changed."""
    params = make_params("kind", **split)
    table, info = preprocessed(raw_table(), params)
    assert_inputs_unchanged(split_data, table, info, params)
