"""Rows of one group that are alike: how much that is, and what it makes of drift."""

import io

import numpy as np
import pytest
from benchmarks.dependent_days import day_columns, drift_lives
from scipy import stats

from mlops_basics.stats.data_drift.alike import (
    NOTHING_ALIKE,
    Likeness,
    group_size,
    intraclass,
    measure_likeness,
)
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.columns import judge_categorical, judge_numeric
from mlops_basics.stats.data_drift.joint import judge_classifier
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table


def by_day(seed=0, days=80, explained=0.2):
    """A table of which days explain a part, the day of each row, and its likeness."""
    table, day = day_columns(np.random.default_rng(seed), days, explained)
    return table, day, measure_likeness(table, {}, day)


def test_the_correlation_is_that_of_the_analysis_of_variance():
    """The F statistic's p-value is scipy's, and the correlation follows from the mean squares."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), [3, 5, 8, 2, 9, 4])
    x = rng.normal(size=31) + groups % 3
    correlation, p_value, means = intraclass(x, groups)
    parts = [x[groups == g] for g in range(6)]
    assert p_value == pytest.approx(stats.f_oneway(*parts).pvalue)
    assert means == pytest.approx([part.mean() for part in parts])
    f, common = stats.f_oneway(*parts).statistic, (31 - (9 + 25 + 64 + 4 + 81 + 16) / 31) / 5
    assert correlation == pytest.approx((f - 1) / (f - 1 + common))


def test_nothing_is_taken_where_groups_explain_nothing():
    """Columns without an effect of the day have none, in nearly all of a hundred."""
    table, _, alike = by_day(explained=0.0, days=40)
    rng = np.random.default_rng(1)
    many = measure_likeness(
        {f"x{at}": rng.normal(size=4000) for at in range(100)}, {}, np.repeat(np.arange(40), 100)
    )
    assert sum(value > 0 for value in many.values.values()) <= 6
    assert set(table) == set(alike.values) == set(alike.missing)


def test_values_gaps_and_levels_are_looked_at():
    """A day that empties a column, or that has a level of its own, is seen as well as a shift."""
    rng = np.random.default_rng(2)
    day = np.repeat(np.arange(60), 50)
    x = np.where(rng.random(60)[day] < 0.2, np.nan, rng.normal(size=3000))
    levels = np.where(rng.random(60)[day] < 0.3, 1, rng.integers(2, 4, 3000))
    alike = measure_likeness({"x": x}, {"c": levels}, day)
    assert alike.missing["x"] == pytest.approx(1.0)
    assert alike.values["x"] < 0.05
    assert alike.values["c"] > 0.9
    nothing = measure_likeness({"x": [np.nan] * 4}, {"c": np.array([-1] * 4)}, [0, 0, 1, 1])
    assert (nothing.values, nothing.missing) == ({"x": 0.0, "c": 0.0}, {"x": 0.0, "c": 0.0})


def test_days_that_persist_count_for_more():
    """Weather that lasts makes neighbouring days alike, too."""
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(200), 40)
    lasting = np.convolve(rng.normal(size=206), np.ones(7) / np.sqrt(7), "valid")[day]
    x = 0.5 * lasting + rng.normal(size=8000)
    alone = measure_likeness({"x": x}, {}, day).values["x"]
    assert measure_likeness({"x": x}, {}, day, in_order=True).values["x"] > 2 * alone


def test_a_design_effect_divides_the_rows():
    """The bound of KS is that of fewer rows; copies weigh as a group of correlation 1."""
    rng = np.random.default_rng(4)
    one, other = (NumericProfile.from_values(rng.normal(size=2000)) for _ in range(2))
    tight, wide = (judge_numeric("x", one, other, 1e-4, 0.0, (1.0, d)) for d in (1.0, 20.0))
    assert tight.effect == wide.effect
    assert wide.smallest > 2 * tight.smallest
    before, now = (
        CategoricalProfile(counts={"a": 2700, "b": 300}),
        CategoricalProfile(counts={"a": 2400, "b": 600}),
    )
    assert judge_categorical("c", before, now, 1e-4).drifted
    assert not judge_categorical("c", before, now, 1e-4, design=(1.0, 10.0)).drifted
    assert Likeness(values={}, missing={}, size=10, copies=10).design_effect(0.0) == 10
    assert NOTHING_ALIKE.design_effect(1.0) == 1
    assert group_size([]) == 1


def test_a_profile_keeps_its_likeness_and_an_older_one_says_that_it_has_none():
    """Through a file and back; without it each row counts, as before."""
    table, _, alike = by_day()
    plain = TableProfile.from_columns(table)
    whole = TableProfile(columns=plain.columns, joint=plain.joint, alike=alike)
    stored = io.BytesIO()
    np.savez(stored, **whole.to_dict())
    stored.seek(0)
    with np.load(stored) as arrays:
        again = TableProfile.from_dict(arrays)
    assert again.alike == alike
    assert again.alike.size == 100
    old = TableProfile.from_dict(plain.to_dict())
    assert not old.alike.known
    rows, codes = day_columns(np.random.default_rng(5), 7, 0.2)
    batch = TableProfile.from_columns(rows)
    sizes = Likeness(values={}, missing={}, size=group_size(codes))
    batch = TableProfile(columns=batch.columns, joint=batch.joint, alike=sizes)
    assert judge_table(old, batch, 1) == judge_table(plain, batch, 1)
    merged = whole.merge(plain)
    assert merged.alike.values == alike.values
    assert list(alike.select(["x1"]).values) == ["x1"]


def test_a_week_that_differs_by_chance_is_no_drift_and_the_result_says_why():
    """Seven days are seven witnesses; what days do not explain is found as before."""
    table, _, alike = by_day()
    plain = TableProfile.from_columns(table)
    reference = TableProfile(columns=plain.columns, joint=plain.joint, alike=alike)
    rows, codes = day_columns(np.random.default_rng(6), 7, 0.2)
    rows["x5"] = rows["x5"] + 0.5
    batch = TableProfile.from_columns(rows)
    sizes = Likeness(values={}, missing={}, size=group_size(codes))
    by_days = TableProfile(columns=batch.columns, joint=batch.joint, alike=sizes)
    alone = {each.column for each in judge_table(plain, batch, 1) if each.drifted}
    together = judge_table(reference, by_days, 1)
    assert alone > {"x5"}
    assert {each.column for each in together if each.drifted} == {"x5"}
    of_x4 = next(each for each in together if each.column == "x4")
    assert "rows of one group are alike: the 700 count as" in of_x4.reason


def test_a_classifier_is_judged_by_groups():
    """A few lucky days prove nothing; a shift of all of them does; one day is not judged."""
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(60), 40)
    labels = (groups >= 30).astype(np.int64)
    luck = rng.normal(size=60)[groups] + 0.3 * labels + rng.normal(size=2400)
    assert judge_classifier(labels, luck, 1e-4).drifted
    assert not judge_classifier(labels, luck, 1e-4, groups=groups).drifted
    clear = 3 * labels + luck
    assert judge_classifier(labels, clear, 1e-4, groups=groups).drifted
    one = judge_classifier(labels, clear, 1e-4, groups=np.where(labels == 1, 99, groups))
    assert not one.drifted
    assert "fewer than two groups" in one.reason


@pytest.mark.slow
def test_weeks_without_drift_raise_no_alarm_though_days_differ():
    """Where days explain a fifth, 12 lives of 25 weeks: all alarm by rows, none by days."""
    before, after = drift_lives(12, 0.2, batches=25, seed=3)
    assert before >= 10
    assert after <= int(stats.binom.isf(1e-4, 12, 0.05))
