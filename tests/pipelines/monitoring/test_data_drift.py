"""Tests of what is said about a batch's columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.data_drift import (
    LIKENESS_UNKNOWN,
    effects,
    ignored_columns,
    judge_batch,
    reference_profile,
    two_sample_scores,
)
from mlops_basics.schemas import MonitoringParams, MonitoringReference, Parts
from mlops_basics.schemas.monitoring import SAMPLE_GROUP, ReleaseReference
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.stats.data_drift.spending import drift_alpha_at
from mlops_basics.stats.data_drift.table_drift import judge_table
from mlops_basics.table.profile import batch_profile, feature_profile, time_columns
from mlops_basics.table.row_groups import NO_GROUPS, RowGroups
from tests.support.parameters import configured

PARAMS = configured(MonitoringParams)


def table_of(rows=3000, seed=0, turn=1.0):
    """Two numbers that go together, or against each other; a level; a time."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "x": x,
            "y": turn * 0.5 * x + rng.normal(scale=np.sqrt(0.75), size=rows),
            "colour": pd.Series(rng.choice(["red", "blue"], rows), dtype="str"),
            "when": pd.date_range(f"20{24 + seed}-01-01", periods=rows, unit="us"),
        }
    )


def reference_of(table):
    """What a release would hold of these rows."""
    times = time_columns(table)
    info = MonitoringReference(rows=len(table), thinned=1, losses=("error",), times=times)
    profile = feature_profile(table, times).to_dict()
    return ReleaseReference(info, profile, pd.DataFrame({"error": [0.0] * len(table)}), table)


REFERENCE = reference_of(table_of())


def judge(table, number=1, reference=REFERENCE, params=PARAMS):
    """The verdicts about a batch."""
    profile = reference_profile(reference, params)
    return judge_batch(Parts.of(table), number, reference, profile, params)[0]


def drifted(columns):
    """Names of what has drifted."""
    return {column.column for column in columns if column.drifted}


def test_a_batch_like_the_reference_has_not_drifted():
    """Every column but the times has a verdict, and the columns jointly two."""
    columns = judge(table_of(seed=1))
    assert drifted(columns) == set()
    assert {column.column for column in columns[:-2]} == {"x", "y", "colour"}
    assert [column.kind for column in columns[-2:]] == ["correlation", "classifier"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"x": lambda t: t["x"] + 0.5}, "x"),
        ({"y": lambda t: t["y"].mask(t.index % 10 == 0)}, "y"),
        ({"colour": lambda t: t["colour"].where(t.index % 10 != 0, "green")}, "colour"),
        ({"colour": lambda t: t["colour"].where(t.index % 10 != 0, None)}, "colour"),
    ],
    ids=["a shift", "missing numbers", "a new level", "missing levels"],
)
def test_a_change_that_matters_is_named(change, column):
    """The changed column is named, and the other columns have not drifted by themselves."""
    found = judge(table_of(seed=1).assign(**change))
    assert column in drifted(found)
    assert drifted(found) <= {column, *(item.column for item in found[-2:])}


def test_a_joint_change_is_found_without_one_of_any_column():
    """A joint change is found by the correlation, or by the classifier for more than pairs."""
    found = judge(table_of(seed=1, turn=-1.0))
    assert {item.kind for item in found if item.drifted} == {"correlation", "classifier"}


def test_the_classifier_may_be_switched_off_or_lack_rows():
    """Fewer than 100 rows on either side teach nothing."""
    off = PARAMS.model_copy(update={"classifier_rows": 0})
    assert judge(table_of(seed=1), params=off)[-1].kind == "correlation"
    assert judge(table_of(99, seed=1))[-1].kind == "correlation"
    assert judge(table_of(100, seed=1))[-1].kind == "classifier"
    assert judge(table_of(seed=1), reference=reference_of(table_of(99)))[-1].kind == "correlation"


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_prove_nothing(rows):
    """Few rows show no drift and cause no error."""
    found = judge(table_of(rows, seed=1).assign(x=99.0))
    assert len(found) == 6
    assert drifted(found) == set()


def test_later_batches_have_smaller_levels():
    """Later batches have smaller levels, so that all batches together keep the level."""
    batch = table_of(seed=1)
    levels = [{column.level for column in judge(batch, number)} for number in (1, 2, 50)]
    for number, found in zip((1, 2, 50), levels, strict=True):
        assert max(found) == pytest.approx(drift_alpha_at(number, PARAMS.data_alpha) / 5)
    assert max(levels[0]) > max(levels[1]) > max(levels[2])


def test_ignored_columns_are_no_subject():
    """Ignored columns are judged neither alone nor jointly nor by the classifier; nor are times."""
    batch = table_of(seed=1).assign(x=lambda table: table["x"] + 5)
    params = PARAMS.model_copy(update={"ignore_columns": ("x",)})
    assert ignored_columns(REFERENCE, params) == {"x", "when"}
    found = judge(batch, params=params)
    assert drifted(found) == set()
    assert {column.column for column in found[:-2]} == {"y", "colour"}
    assert found[-1].kind == "classifier"


def test_all_columns_may_be_ignored():
    """With all columns ignored there is no verdict and no error."""
    params = PARAMS.model_copy(update={"ignore_columns": ("x", "y", "colour")})
    assert drifted(judge(table_of(seed=1), params=params)) == set()


def test_the_same_batch_has_the_same_verdicts():
    """The classifier's draws follow from seed and number."""
    batch, few = table_of(500, seed=1), PARAMS.model_copy(update={"classifier_rows": 200})
    assert judge(batch, params=few) == judge(batch, params=few)
    scores = [
        two_sample_scores(table_of(), batch, {"when"}, few, number).scored for number in (1, 1, 2)
    ]
    np.testing.assert_array_equal(scores[0][1], scores[1][1])
    assert scores[0][1].shape == (200,)
    assert not np.array_equal(scores[0][1], scores[2][1])


def test_the_classifier_sees_levels_and_gaps():
    """What has changed are only the levels, or only the gaps: it separates the sides."""
    from sklearn.metrics import roc_auc_score

    batch = table_of(seed=1)
    for column, value in (("colour", "green"), ("colour", None), ("y", np.nan), ("x", None)):
        changed = batch.assign(**{column: value})
        sides, scores = two_sample_scores(table_of(), changed, {"when"}, PARAMS, 1).scored
        assert roc_auc_score(sides, scores) > 0.95


def test_the_profile_of_the_reference_is_the_stored_one():
    """Read back, a judgement from it is that of the rows themselves."""
    batch = table_of(seed=1)
    direct = judge_table(
        feature_profile(REFERENCE.sample, ("when",)), feature_profile(batch, ("when",)), 3
    )
    found = judge(batch, 3, params=PARAMS.model_copy(update={"classifier_rows": 0}))
    assert [column.lower for column in found] == [verdict.lower for verdict in direct]


def test_effects_are_shares_of_the_threshold():
    """Above 1 is drift; an AUC begins at 0.5; of several verdicts about a column the largest."""
    common = {"where": "", "effect": None, "level": 0.01, "n_reference": 1, "n_current": 1,
            "smallest": None, "reason": "", "measure": ""}  # fmt: skip
    columns = [
        DriftResult(
            column=column, kind=kind, lower=lower, threshold=threshold,
            drifted=lower > threshold, **common,
        )
        for column, kind, lower, threshold in (
            ("x", "numeric", 0.1, 0.05),
            ("x", "missing", 0.01, 0.02),
            ("all", "classifier", 0.6, 0.55),
            ("y", "numeric", 0.0, 0.0),
        )
    ]  # fmt: skip
    assert effects(columns) == {"x": 2.0, "all": 2.0, "y": 0.0}


def by_day(days, seed, named="2024"):
    """Rows of days, each of which moves x; their groups."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), 100)
    table = table_of(rows=len(day), seed=seed)
    table["x"] = table["x"] + rng.normal(size=days)[day]
    return table, RowGroups(day.astype(np.int64), "day of when", in_order=True)


def reference_by_day(*, measured=True):
    """What a release would hold of 60 days; an older one does not tell how alike they are."""
    table, groups = by_day(60, seed=0)
    times = time_columns(table)
    info = MonitoringReference(rows=len(table), thinned=1, losses=("error",), times=times)
    profile = feature_profile(table, times, groups if measured else NO_GROUPS).to_dict()
    sample = table.assign(**{SAMPLE_GROUP: groups.codes}) if measured else table
    losses = pd.DataFrame({"error": [0.0] * len(table)})
    return ReleaseReference(info, profile, losses, sample)


def test_days_that_differ_are_no_drift():
    """A week is seven witnesses, for the classifier as well; by rows it would drift."""
    reference, old = reference_by_day(), reference_by_day(measured=False)
    by_rows, by_days = set(), set()
    for seed in range(1, 5):
        table, groups = by_day(7, seed)
        arguments = (reference_profile(reference, PARAMS), PARAMS, None, groups)
        by_days |= drifted(judge_batch(Parts.of(table), 1, reference, *arguments).columns)
        found = judge_batch(Parts.of(table), 1, old, reference_profile(old, PARAMS), *arguments[1:])
        by_rows |= drifted(found.columns)
        assert found.notes[0] == LIKENESS_UNKNOWN
    assert by_days == set()
    assert "x" in by_rows


def test_what_days_do_not_explain_is_found_as_before():
    """A level that becomes rarer is drift, however much days move another column."""
    table, groups = by_day(7, seed=1)
    table["colour"] = pd.Series(["red"] * len(table), dtype="str")
    reference = reference_by_day()
    profile = reference_profile(reference, PARAMS)
    found = judge_batch(Parts.of(table), 1, reference, profile, PARAMS, None, groups)
    assert drifted(found.columns) == {"colour"}
    assert LIKENESS_UNKNOWN not in found.notes


def test_copies_of_a_batchs_rows_are_one_witness():
    """Sixty rows there fifty times are sixty rows, whose luck is no drift."""
    table = table_of(rows=60, seed=3).drop(columns="when")
    reference = reference_of(table_of().drop(columns="when"))
    copied = pd.concat([table] * 50, ignore_index=True)
    params = PARAMS.model_copy(update={"classifier_rows": 0})
    assert batch_profile(Parts.of(copied)).alike.copies == pytest.approx(50)
    assert batch_profile(Parts.of(table)).alike.copies == 1
    assert drifted(judge(copied, reference=reference, params=params)) == set()


def test_rows_that_repeat_by_nature_keep_their_say():
    """Where the reference repeats its rows as well, equal rows are no copies."""
    few = pd.concat([table_of(rows=300).drop(columns="when")] * 10, ignore_index=True)
    moved = few.assign(x=few["x"] + 1)
    columns = judge(moved, reference=reference_of(few))
    assert "x" in drifted(columns)
