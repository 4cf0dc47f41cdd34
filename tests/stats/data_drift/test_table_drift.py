"""All columns of a batch at once."""

import numpy as np
import pytest

from mlops_basics.stats.data_drift.spending import drift_alpha_at
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table

KINDS = ["c"]


def _table(seed, n=2000, shift=0.0):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(shift, 1, n),
        "y": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
        "c": rng.choice(np.array(["a", "b", "c"], dtype=object), n),
    }


def _profile(columns):
    return TableProfile.from_columns(columns, KINDS)


def test_one_result_for_each_thing_that_is_judged():
    """Numeric columns have two results, categorical ones one; then come the joint ones."""
    labels, scores = np.repeat([0, 1], 50), np.random.default_rng(0).normal(size=100)
    results = judge_table(_profile(_table(0)), _profile(_table(1)), 3, classifier=(labels, scores))
    assert [(v.kind, v.column) for v in results] == [
        ("numeric", "x"),
        ("missing", "x"),
        ("numeric", "y"),
        ("missing", "y"),
        ("categorical", "c"),
        ("correlation", "all pairs of columns"),
        ("classifier", "all columns"),
    ]
    assert not any(result.drifted for result in results)


def test_levels_add_up_to_the_batchs():
    """Columns and the two joint entries share the batch's level, whether all of them run or not."""
    results = judge_table(_profile(_table(0)), _profile(_table(1)), 7)
    share = drift_alpha_at(7, 0.05) / 5
    assert sum(result.level for result in results) == pytest.approx(4 * share)


def test_a_shift_is_blamed_on_its_column():
    """Only the moved column is drift, and the reason says from where to where."""
    results = judge_table(_profile(_table(0)), _profile(_table(1, shift=0.7)), 1)
    assert [result.column for result in results if result.drifted] == ["x"]
    assert "of its values at or below" in results[0].reason


def test_merged_parts_are_judged_like_the_whole():
    """The columns' results do not depend on how the rows were cut into parts."""
    columns = _table(0, n=600)
    parts = [{k: v[i::3] for k, v in columns.items()} for i in range(3)]
    merged = _profile(parts[0]).merge(_profile(parts[1])).merge(_profile(parts[2]))
    reference = _profile(_table(1))
    whole = judge_table(reference, _profile(columns), 1)
    assert judge_table(reference, merged, 1)[:5] == whole[:5]


def test_profile_comes_back(tmp_path):
    """A table's profile survives npz and gives equal results."""
    profile = _profile(_table(0))
    np.savez_compressed(tmp_path / "reference.npz", **profile.to_dict())
    with np.load(tmp_path / "reference.npz") as stored:
        again = TableProfile.from_dict(stored)
    now = _profile(_table(1, shift=0.2))
    assert judge_table(again, now, 1) == judge_table(profile, now, 1)


def test_the_profile_of_a_wide_table_is_smaller_than_the_table(tmp_path):
    """Of 400 rows and 2,000 columns, whose pairs alone would take 300 megabytes."""
    rows = np.random.default_rng(0).normal(size=(80, 2_000))  # what is test of 400 rows
    profile = TableProfile.from_columns({f"c{i}": rows[:, i] for i in range(2_000)})
    np.savez(tmp_path / "reference.npz", **profile.to_dict())
    assert (tmp_path / "reference.npz").stat().st_size < 400 * 2_000 * 8 * 0.6
    with np.load(tmp_path / "reference.npz") as stored:
        again = TableProfile.from_dict(stored)
    assert list(again.columns) == list(profile.columns)
    for name in ("c0", "c1999"):
        for field, values in vars(profile.columns[name]).items():
            np.testing.assert_array_equal(getattr(again.columns[name], field), values)


def test_profiles_of_older_releases_are_read():
    """They have an array of its own for each field of each column."""
    profile = _profile(_table(0))
    old = {"names": list(profile.columns)}
    for at, column in enumerate(profile.columns.values()):
        kind = "categorical" if hasattr(column, "counts") else "numeric"
        fields = vars(column) if kind == "numeric" else column.to_dict()
        old |= {f"{kind}/{at}/{key}": value for key, value in fields.items()}
    old |= {f"joint/{key}": value for key, value in profile.joint.to_dict().items()}
    now = _profile(_table(1, shift=0.2))
    again = TableProfile.from_dict(old)
    assert judge_table(again, now, 1) == judge_table(profile, now, 1)


def test_absent_and_changed_columns_are_named_as_not_judged():
    """A column that is gone, or has become text, is a change of the schema, not a drift."""
    columns = _table(1)
    del columns["x"]
    now = TableProfile.from_columns(columns | {"new": columns["y"]}, ["c", "y"])
    results = {v.column: v for v in judge_table(_profile(_table(0)), now, 1)}
    assert "absent from the batch" in results["x"].reason
    assert "of another kind" in results["y"].reason
    assert "new" not in results
    assert not results["x"].drifted
    assert not results["y"].drifted


def test_empty_and_single_rows_are_judged_without_a_claim():
    """A batch of no rows, of one row, or of nulls only gives results with reasons."""
    reference = _profile(_table(0))
    for n in (0, 1):
        results = judge_table(reference, _profile(_table(1, n=n)), 1)
        assert not any(result.drifted for result in results)
        assert all(result.reason for result in results)
    nothing = {name: np.array([None] * 500, dtype=object) for name in "xyc"}
    drifted = {
        (v.kind, v.column) for v in judge_table(reference, _profile(nothing), 1) if v.drifted
    }
    assert drifted == {("missing", "x"), ("missing", "y"), ("categorical", "c")}


def test_different_columns_do_not_merge():
    """Profiles of other columns, or of another kind, are refused."""
    profile = _profile(_table(0))
    with pytest.raises(ValueError, match=r"columns must be \['x', 'y', 'c'\], got \['x'\]"):
        profile.merge(TableProfile.from_columns({"x": [1.0]}))
    with pytest.raises(ValueError, match="c must be of kind CategoricalProfile"):
        profile.merge(TableProfile.from_columns({"x": [], "y": [], "c": []}))
