"""Tests of label_rows and preprocess_data: target, hashes, types, dropped columns, warnings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import ConfigurationError, DataError, LineageError
from mlops_basics.schemas import BATCH_COLUMN, ROW_HASH_COLUMN, PreprocessingParams
from mlops_basics.table.row_hash import row_hashes
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged, preprocessed, raw_table
from tests.support.whole import label_rows, preprocess_data


def make_params(**values):
    """Parameters for the table of the helpers."""
    split = {name: values.pop(name) for name in ("time_column", "period") if name in values}
    return configured(PreprocessingParams, **{"target": "kind", "split": split} | values)


def test_columns_are_typed():
    """Numbers and booleans as floats, times in UTC, the rest as text; hash and batch in front."""
    raw = raw_table().assign(
        flag=[True, False] * 60, when=pd.date_range("2024-01-01", periods=120, tz="Asia/Tokyo")
    )
    table, info = preprocessed(raw, make_params())
    assert list(table.columns) == [
        ROW_HASH_COLUMN,
        BATCH_COLUMN,
        "size",
        "count",
        "colour",
        "day",
        "flag",
        "when",
        "kind",
    ]
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        ROW_HASH_COLUMN: "uint64",
        BATCH_COLUMN: "str",
        "size": "float64",
        "count": "float64",
        "colour": "str",
        "day": "datetime64[us]",
        "flag": "float64",
        "when": "datetime64[us]",
        "kind": "str",
    }
    assert info.features == ("size", "count", "colour", "day", "flag", "when")
    assert info.numeric == ("size", "count", "flag")
    assert (info.task, info.classes, info.rows) == ("binary", ("short", "tall"), 120)


def test_useless_columns_are_dropped_with_a_reason():
    """Empty and constant columns; a constant with a gap says something and stays."""
    raw = raw_table().assign(
        nothing=np.nan, same=7, word="x", gap=np.where(np.arange(120) == 3, np.nan, 7.0)
    )
    table, info = preprocessed(raw, make_params())
    assert info.dropped_columns == {
        "nothing": "no value in any row",
        "same": "one value in all rows",
        "word": "one value in all rows",
    }
    assert not set(info.dropped_columns) & set(table.columns)
    assert "gap" in info.features
    assert "Column 'same' is dropped: one value in all rows." in info.warnings


def test_rows_without_a_target_are_left_out_and_counted():
    """The other rows stay in order, with their own values."""
    raw = raw_table()
    raw.loc[[0, 5, 119], "kind"] = None
    table, info = preprocessed(raw, make_params())
    assert (info.missing_target_rows, info.rows, len(table)) == (3, 117, 117)
    assert table.index.tolist() == list(range(117))
    kept = raw.drop(index=[0, 5, 119])
    assert table["size"].tolist() == kept["size"].tolist()
    assert table["kind"].tolist() == kept["kind"].tolist()
    assert "3 rows without a target left out." in info.warnings


def test_labelled_rows_are_as_collected():
    """All columns, also those that no model sees; the target as it is learned, and the hash."""
    raw = raw_table()
    raw.loc[[0, 5, 119], "count"] = np.nan
    params = make_params(target="count", positive_above=15, exclude=["day"])
    labelled, info = label_rows(raw, params)
    assert list(labelled.columns) == [ROW_HASH_COLUMN, *raw.columns]
    kept = raw.drop(index=[0, 5, 119]).reset_index(drop=True)
    others = [name for name in raw.columns if name != "count"]
    assert_frame_equal(labelled[others], kept[others])
    assert labelled["count"].dtype == np.int64
    assert labelled["count"].tolist() == (kept["count"] > 15).astype(int).tolist()
    assert (info.task, info.missing_target_rows) == ("binary", 3)
    assert info.key_columns == ("colour", "kind", "size")
    assert (labelled[ROW_HASH_COLUMN] == row_hashes(kept, info.key_columns)).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"target": "size"},
        {"task": "multiclass"},
        {"positive_above": 3.0},
        {"exclude": ["day"]},
        {"key_columns": ["size"]},
    ],
)
def test_a_target_that_was_read_otherwise_is_refused(changed):
    """Nothing is learned from labels or hashes of other options; the remedy is named."""
    labelled = label_rows(raw_table(), make_params())
    with pytest.raises(LineageError, match=r"'kind'.*--from-nodes data_preprocessing\.label_rows"):
        preprocess_data(*labelled, make_params(**changed))


@pytest.mark.parametrize("option", ["exclude", "key_columns", "group_by", "time_column"])
def test_a_misspelt_column_is_named_also_by_a_run_that_begins_later(option):
    """`--from-nodes preprocess_data` skips label_rows; a column not excluded would be learned."""
    given = {"key_columns": ["size"]} | {
        option: "nope" if option in ("group_by", "time_column") else ["nope"]
    }
    labelled = label_rows(raw_table(), make_params(key_columns=["size"]))
    with pytest.raises(ConfigurationError, match=f"`{option}` names the column 'nope'"):
        preprocess_data(*labelled, make_params(**given))


def test_duplicates_are_counted_and_kept():
    """Equal in all features and target: counted; equal features, other target: not."""
    raw = raw_table(100)
    other = raw.iloc[[7]].assign(
        kind=lambda row: "tall" if row["kind"].item() == "short" else "short"
    )
    more = pd.concat([raw, raw.iloc[[3, 4, 4]], other], ignore_index=True)
    table, info = preprocessed(more, make_params())
    assert (info.duplicate_rows, len(table)) == (3, 104)
    assert any(text.startswith("3 rows exactly like another") for text in info.warnings)
    assert table[ROW_HASH_COLUMN].iloc[7] == table[ROW_HASH_COLUMN].iloc[103]


def test_rows_of_one_key_are_not_duplicates():
    """A customer with ten purchases has ten rows, none exactly like another."""
    raw = raw_table().assign(customer=np.arange(120) // 10)
    table, info = preprocessed(raw, make_params(key_columns=["customer"]))
    assert info.duplicate_rows == 0
    assert info.key_columns == ("customer",)
    assert table.groupby("customer")[ROW_HASH_COLUMN].nunique().eq(1).all()
    assert table[ROW_HASH_COLUMN].nunique() == 12


def test_the_hash_leaves_target_batch_and_excluded_columns_out():
    """A label that comes later, another file or an unseen column change no row's side."""
    raw = raw_table()
    params = make_params(exclude=["count"])
    before = preprocessed(raw, params)[0][ROW_HASH_COLUMN]
    changed = raw.assign(kind=raw["kind"].to_numpy()[::-1], count=0, **{BATCH_COLUMN: "c.csv"})
    assert (preprocessed(changed, params)[0][ROW_HASH_COLUMN] == before).all()
    assert (preprocessed(changed, make_params())[0][ROW_HASH_COLUMN] != before).all()


def test_a_dropped_column_stays_in_the_hash():
    """A dropped constant column stays in the hash, so that its second value moves no other row."""
    raw = raw_table().assign(same=7)
    later = pd.concat([raw, raw.iloc[[0]].assign(same=8)], ignore_index=True)
    before = preprocessed(raw, make_params())[0][ROW_HASH_COLUMN]
    after = preprocessed(later, make_params())[0][ROW_HASH_COLUMN]
    assert (after.iloc[:120] == before).all()


def test_excluded_columns_are_gone():
    """What is not known when a prediction is made never reaches a model."""
    table, info = preprocessed(raw_table(), make_params(exclude=["count", "day"]))
    assert info.features == ("size", "colour")
    assert not {"count", "day"} & set(table.columns)


def test_a_positive_class_above_a_number():
    """A quantity becomes a question, in whole numbers."""
    raw = raw_table()
    table, info = preprocessed(raw, make_params(target="count", positive_above=15))
    assert (info.task, info.classes) == ("binary", ("0", "1"))
    assert table["count"].dtype == np.int64
    assert (table["count"] == (raw["count"] > 15)).all()


def test_a_regression_target_is_a_float():
    """A regression target is a float and has no classes."""
    table, info = preprocessed(raw_table(), make_params(target="size"))
    assert (info.task, info.classes) == ("regression", ())
    assert table["size"].dtype == np.float64


def test_the_time_column_is_kept_but_is_no_feature():
    """A model that looks at the calendar would see which set a row is in."""
    raw = raw_table()
    table, info = preprocessed(raw, make_params(time_column="day"))
    assert "day" not in info.features
    assert table["day"].dtype == "datetime64[us]"
    assert (table["day"] == pd.to_datetime(raw["day"])).all()


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(["2024-01-02T03:00:00+02:00", "2024-01-02T01:00:00Z"] * 60),
        pd.Series(["2024-01-02 01:00", "2024-01-02 01:00:00.000"] * 60),
        pd.Series(["2024-01-02", "2024-01-02T00:00"] * 60) + "",
        pd.Series(["01/02/2024 01:00 AM"] * 120),
    ],
)
def test_times_are_read_in_many_forms(times):
    """ISO with and without zone, fractions or time of day, and the American form."""
    table, _ = preprocessed(raw_table().assign(day=times), make_params(time_column="day"))
    assert table["day"].dt.date.nunique() == 1
    assert table["day"].nunique() == 1


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["soon"] * 120, "'day' holds a value that is no time.*time_column: null"),
        ([None, *["2024-01-01"] * 119], "'day' is missing in 1 of 120 rows"),
    ],
)
def test_unfit_times_are_explained(times, message):
    """The error names column and remedy."""
    raw = raw_table().assign(day=times)
    with pytest.raises(DataError, match=rf"(?s){message}"):
        preprocessed(raw, make_params(time_column="day"))


def test_a_row_without_a_target_may_lack_its_time():
    """A row without a target may lack its time, since it is not used."""
    raw = raw_table()
    raw.loc[0, ["kind", "day"]] = None
    table, _ = preprocessed(raw, make_params(time_column="day"))
    assert len(table) == 119


def test_what_typing_loses_is_a_warning():
    """Dates with words in a later file are text, long numbers are rounded; unless as asked for."""
    raw = raw_table()
    later = raw[BATCH_COLUMN] == "b.csv"
    raw.loc[later & (raw.index % 20 == 0), "day"] = "unknown"
    raw = raw.assign(account=10**18 + np.arange(120))
    _, info = preprocessed(raw, make_params())
    [account] = [line for line in info.warnings if "'account'" in line]
    [day] = [line for line in info.warnings if "'day'" in line]
    assert "1000000000000000119, which a model sees rounded: 120 different ones become" in account
    assert "3 of 120 values are no times: 'unknown' ('b.csv': 3 rows)" in day
    _, info = preprocessed(raw, make_params(exclude=["account"], text_columns=["day"]))
    assert not [line for line in info.warnings if "'account'" in line or "'day'" in line]


def test_a_rare_class_is_a_warning():
    """The warning has the class's count in words."""
    raw = raw_table()
    raw.loc[0, "kind"] = "giant"
    _, info = preprocessed(raw, make_params())
    assert (info.task, info.classes) == ("multiclass", ("giant", "short", "tall"))
    assert any(text.startswith("Class 'giant' has 1 row only") for text in info.warnings)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"target": "kinds"}, ConfigurationError, "`target` names the column 'kinds'.*'kind'"),
        ({"exclude": ["x"]}, ConfigurationError, "`exclude` names the column 'x'"),
        ({"key_columns": ["x"]}, ConfigurationError, "`key_columns` names the column 'x'"),
        ({"group_by": "x"}, ConfigurationError, "`group_by` names the column 'x'"),
        ({"time_column": "x"}, ConfigurationError, "`time_column` names the column 'x'"),
        ({"exclude": ["kind"]}, ConfigurationError, "'kind' cannot also be excluded"),
        ({"key_columns": ["kind"]}, ConfigurationError, "'kind' cannot also be excluded, a key"),
        ({"time_column": "kind"}, ConfigurationError, "'kind' cannot also be"),
        ({"group_by": "kind"}, ConfigurationError, "'kind' cannot also be `group_by`"),
        (
            {"exclude": ["size", "count", "colour", "day"]},
            DataError,
            "No feature column remains.*`exclude`",
        ),
        ({"task": "regression"}, DataError, "'kind' holds text"),
        ({"target": "day"}, DataError, "'day' has 120 distinct values"),
        ({"target": "size", "positive_above": 9}, DataError, "is it ever above 9"),
        ({"target": "size", "task": "multiclass"}, DataError, "120 distinct values"),
    ],
)
def test_unfit_parameters_are_explained(values, error, message):
    """The error names parameter, column and remedy."""
    with pytest.raises(error, match=message):
        preprocessed(raw_table(), make_params(**values))


@pytest.mark.parametrize(
    ("target", "message"),
    [("tall", "'kind' is 'tall' in every row"), (None, "'kind' has no value in any of 120 rows")],
)
def test_a_target_without_two_values_is_explained(target, message):
    """A target with a single value is an error that explains it."""
    with pytest.raises(DataError, match=message):
        label_rows(raw_table().assign(kind=target), make_params())


@pytest.mark.parametrize("values", [{}, {"time_column": "day"}, {"target": "size"}])
def test_the_inputs_stay_as_they_were(values):
    """Neither raw table nor labelled rows are changed."""
    params = make_params(**values)
    labelled = assert_inputs_unchanged(label_rows, raw_table(), params)
    assert_inputs_unchanged(preprocess_data, *labelled, params)
