"""Tests of what becomes of each batch: watched, left alone or quarantined, and why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.intake import take_in
from mlops_basics.schemas import CollectionParams, SplitParams, TargetRange, Watch
from mlops_basics.table.labels import RowKeys
from tests.support.labels import prediction_ids
from tests.support.parameters import configured
from tests.support.watched import (
    OF_SIZE,
    PREPROCESSING,
    file_of,
    look,
    records_of,
    renamed,
    rows_of,
    trained_batches,
    turned,
    watch_of,
)
from tests.support.whole import collect_batches

NEW = file_of("c.csv", rows_of())


def second_look(release, first, then, **options):
    """What is remembered after two looks at these batches."""
    state = look(release, first, **options).state
    return records_of(look(release, then, state, run_id="second", **options))


def test_what_the_release_was_trained_on_is_left_alone(release):
    """Batches that the release was trained on have no record."""
    found = look(release, [])
    assert watch_of(found).batches == ()
    assert found.verdict.outcome == "nothing_new"


def test_a_batch_that_had_no_label_at_training_is_watched(release):
    """It was in the source, but nothing was learned from it."""
    old = trained_batches()
    record = release.batches[1].model_copy(update={"labelled": 0})
    waiting = type(release)(
        release.manifest, release.model, release.table, release.reference,
        (release.batches[0], record),
    )  # fmt: skip
    assert records_of(look(waiting, old))["b.csv"].outcome == "used"


def test_new_batches_are_numbered_in_the_order_of_names(release):
    """New batches are numbered from 1, and later looks continue the numbers."""
    first = [file_of("d.csv", rows_of(seed=1)), file_of("c.csv", rows_of(seed=2))]
    state = look(release, first).state
    found = look(release, [*first, file_of("bb.csv", rows_of(seed=3))], state)
    numbers = {name: record.number for name, record in records_of(found).items()}
    assert numbers == {"c.csv": 1, "d.csv": 2, "bb.csv": 3}


BAD = {
    "lacking": (rows_of().drop(columns="count"), "it lacks 'count'"),
    "renamed": (
        rows_of().rename(columns={"count": "Count"}),
        "lacks 'count' and adds 'Count'. Was 'count' renamed to 'Count'.*rename it back",
    ),
    "added": (rows_of(weight=1.0), "adds 'weight'.*to all files"),
    "reserved": (rows_of(__row_hash__=1), "'__row_hash__', a name that is reserved"),
    "text in a number": (rows_of(count="many"), "column 'count' must hold numbers, .*'many'"),
    "numbers in a text": (rows_of(colour=7), "numbers in its column 'colour', .*text_columns"),
    "lists": (rows_of(3, colour=pd.Series([[1], [2], [3]])), "'colour' holds values .* list"),
    "infinite": (rows_of(size=np.inf), "infinite in 60 rows of its column 'size'"),
    "only nulls": (rows_of(size=None, count=None, colour=None), "no value in any of the model's 3"),
    "empty": (pd.DataFrame(), "is empty"),
    "unknown classes": (rows_of(kind="ugly"), r"none of the release's classes \(short, tall\)"),
    "numbered classes": (rows_of(kind=1), "none of the release's classes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_batch_that_cannot_be_used_is_quarantined(release, name):
    """It is quarantined with the reason and left out of trainings; a good one beside it is used."""
    table, message = BAD[name]
    found = look(release, [file_of("bad.csv", table), NEW])
    record = records_of(found)["bad.csv"]
    assert (record.outcome, record.number, record.skip) == ("quarantined", 0, True)
    assert pd.Series(record.reason).str.contains(message).all(), record.reason
    assert found.verdict.skip == ("bad.csv",)
    assert f"bad.csv: {record.reason}" in found.verdict.warnings
    assert records_of(found)["c.csv"].number == 1


@pytest.mark.parametrize(
    "table",
    [
        rows_of(1),
        rows_of(labelled=False),
        rows_of(kind=None),
        rows_of().drop(columns="day"),
        rows_of(colour=None),
        rows_of()[["kind", "day", "colour", "count", "size"]],
        rows_of(count=rows_of()["count"].astype("Int64").mask(rows_of().index == 3)),
        rows_of(colour="ultraviolet"),
        rows_of(kind=["tall", "ugly"] * 30),
    ],
    ids=[
        "a row", "no target", "no label", "excluded lacks", "an empty column", "another order",
        "a first gap", "a new level", "some unknown classes",
    ],
)  # fmt: skip
def test_a_batch_that_is_merely_unusual_is_used(release, table):
    """It is judged, and a training may have it."""
    record = records_of(look(release, [file_of("c.csv", table)]))["c.csv"]
    assert (record.outcome, record.number, record.skip) == ("used", 1, False)
    assert record.rows == len(table)


@pytest.mark.parametrize(
    ("target", "message"),
    [("huge", "must hold numbers, but holds 'huge'"), ("1.5", "holds '1.5'"), (np.inf, "infinite")],
)
def test_a_target_that_is_no_number_in_a_regression(of_size, target, message):
    """Digits as text neither: a training would refuse them, and all files with them."""
    found = look(of_size, [file_of("c.csv", rows_of(size=target))], preprocessing=OF_SIZE)
    record = records_of(found)["c.csv"]
    assert record.outcome == "quarantined"
    assert message in record.reason


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (["2024-01-05"] * 59 + ["soon"], "in its time column 'day' that is no time"),
        (["2024-01-05"] * 59 + [None], "'day' of the file 'c.csv' is missing in 1 of 60"),
    ],
)
def test_times_that_a_training_would_refuse(release, day, message):
    """With a split by time, times that a training would refuse are quarantined."""
    split = PREPROCESSING.model_copy(update={"split": configured(SplitParams, time_column="day")})
    for params in (split, split.model_copy(update={"exclude": ()})):
        found = look(release, [file_of("c.csv", rows_of(day=day))], preprocessing=params)
        assert message in records_of(found)["c.csv"].reason
        lacking = look(release, [file_of("c.csv", rows_of().drop(columns="day"))],
                       preprocessing=params)  # fmt: skip
        assert "lacks 'day'" in records_of(lacking)["c.csv"].reason


def test_key_columns_may_not_lack(release):
    """Labels are joined by them, and rows are split by them, even if the model sees them not."""
    keyed = PREPROCESSING.model_copy(update={"key_columns": ("day",)})
    labels = [file_of("l.csv", pd.DataFrame({"day": ["2024-01-01"], "kind": ["tall"]}))]
    batches = [file_of("c.csv", rows_of().drop(columns="day")), file_of("d.csv", rows_of(seed=6))]
    found = records_of(look(release, batches, labels=labels, preprocessing=keyed))
    assert "lacks 'day'" in found["c.csv"].reason
    assert found["d.csv"].labels.labelled == 60


def test_the_column_of_groups_may_not_lack(release):
    """A retraining could not compare without it, even if the model sees it not."""
    grouped = PREPROCESSING.model_copy(update={"group_by": "day", "exclude": ("day",)})
    batches = [file_of("c.csv", rows_of().drop(columns="day")), file_of("d.csv", rows_of(seed=6))]
    found = records_of(look(release, batches, preprocessing=grouped))
    assert "lacks 'day'" in found["c.csv"].reason
    assert found["d.csv"].entered


def test_a_file_to_be_skipped_is_not_looked_at(release):
    """A batch that is configured to be left out has no record and no warning."""
    found = look(release, [NEW, file_of("d.csv", pd.DataFrame())], skip=("c.csv", "d.csv"))
    assert records_of(found) == {}
    assert found.verdict.warnings == ()


def test_the_same_rows_under_another_name_count_once(release):
    """Copies of new, seen or trained rows count once, also with another file type or labels."""
    twin = file_of("d.csv", NEW.table.drop(columns="kind").assign(count=NEW.table["count"] * 1.0))
    of_trained = file_of("e.csv", trained_batches()[0].table.drop(columns="day"))
    for records in (
        records_of(look(release, [NEW, twin, of_trained])),
        second_look(release, [NEW], [NEW, twin, of_trained]),
    ):
        assert [record.number for record in records.values()] == [1, 0, 0]
        assert records["d.csv"].outcome == records["e.csv"].outcome == "duplicate"
        assert "same rows as 'c.csv'" in records["d.csv"].reason
        assert "same rows as 'a.csv'" in records["e.csv"].reason
        assert records["d.csv"].skip


def test_a_renamed_batch_keeps_its_record(release):
    """A renamed batch keeps its record and is not left out of trainings as a duplicate."""
    drifted = file_of("c.csv", rows_of(size=9.0))
    state = look(release, [drifted, file_of("d.csv", rows_of())]).state
    found = look(release, [renamed(drifted, "z.csv"), file_of("d.csv", rows_of())], state)
    records = records_of(found)
    before = state.watches["1"].batches[0]
    assert list(records) == ["z.csv", "d.csv"]
    assert records["z.csv"] == before.model_copy(update={"name": "z.csv"})
    assert found.verdict.skip == ()
    assert "It was 'c.csv' before" in found.verdict.batches[0].notes[0]


def test_labels_of_a_renamed_batch_still_enter(release):
    """Once, under its new name."""
    state = look(release, [file_of("c.csv", rows_of(labelled=False))]).state
    found = look(release, [file_of("z.csv", rows_of())], state)
    assert records_of(found)["z.csv"].entered
    assert watch_of(found).sequential["rows"] == 60


HALVES = [file_of(f"d{at}.csv", NEW.table.iloc[30 * at : 30 * at + 30]) for at in (0, 1)]
OTHERS = [file_of("d.csv", rows_of(seed=6)), file_of("dz.csv", rows_of(seed=7))]


def judged(record):
    """Whether the rows count as new ones."""
    return record.number > 0


def test_a_batch_that_was_divided_counts_once(release):
    """Its halves are no new rows, at no later look either, whatever came with them."""
    state = look(release, [NEW]).state
    for _ in range(2):
        found = look(release, [*OTHERS, *HALVES], state)
        records = records_of(found)
        for half in HALVES:
            record = records[half.name]
            assert (record.outcome, record.number, record.skip) == ("duplicate", 0, False)
            assert "Its rows were in 'c.csv' when they were judged" in record.reason
        assert all(judged(records[other.name]) for other in OTHERS)
        assert watch_of(found).sequential["rows"] == 180
        assert found.moved == {"c.csv": ("d0.csv", "d1.csv")}
        assert found.verdict.skip == ()
        state = found.state


def test_a_half_of_a_batch_is_new(release):
    """Nothing tells that the rows of one half were there before: the file is judged."""
    found = look(release, [HALVES[0]], look(release, [NEW]).state)
    assert judged(records_of(found)["d0.csv"])
    assert found.moved == {}


def test_a_batch_that_was_divided_before_its_labels_came_is_judged_in_its_parts(release):
    """It was not tested yet: its rows enter the test once, as those of the new files."""
    state = look(release, [file_of("c.csv", rows_of(labelled=False))]).state
    found = look(release, HALVES, state)
    assert all(records_of(found)[half.name].entered for half in HALVES)
    assert watch_of(found).sequential["rows"] == 60
    assert found.moved == {}


def test_a_divided_batch_that_is_whole_again(release):
    """Under its own name or another one: it never counts anew."""
    divided = look(release, HALVES, look(release, [NEW]).state)
    for name, renames in (("c.csv", {}), ("z.csv", {"c.csv": "z.csv"})):
        found = look(release, [renamed(NEW, name)], divided.state)
        assert (found.renamed, found.moved, found.entered) == (renames, {}, ())
        assert records_of(found)[name].outcome == "used"
        assert watch_of(found).sequential["rows"] == 60


def test_batches_that_were_put_together_count_once(release):
    """Two batches in one file now."""
    found = look(release, [OTHERS[0], renamed(NEW, "z.csv")], look(release, HALVES).state)
    assert records_of(found)["z.csv"].outcome == "duplicate"
    assert "were in 'd0.csv', 'd1.csv'" in records_of(found)["z.csv"].reason
    assert found.moved == {"d0.csv": ("z.csv",), "d1.csv": ("z.csv",)}
    assert watch_of(found).sequential["rows"] == 120


def test_where_the_rows_of_a_renamed_batch_are_is_told(release):
    """Of one that was watched once, and of one that the release was trained on at each look."""
    state = look(release, [NEW]).state
    old = renamed(trained_batches()[0], "z.csv")
    found = look(release, [renamed(NEW, "d.csv"), old], state, gone=("a.csv",))
    assert (found.renamed, found.moved) == ({"c.csv": "d.csv"}, {"a.csv": ("z.csv",)})
    assert found.entered == ()
    again = look(release, [renamed(NEW, "d.csv"), old], found.state, gone=("a.csv",))
    assert (again.renamed, again.moved) == ({}, {"a.csv": ("z.csv",)})
    both = look(release, [file_of("a.csv", rows_of(seed=8)), old])
    assert both.moved == {"a.csv": ("a.csv", "z.csv")}


def test_the_copy_takes_over_when_its_original_goes(release):
    """A duplicate was to be left out of trainings only as long as there were two."""
    twin = renamed(NEW, "d.csv")
    state = look(release, [NEW, twin]).state
    found = look(release, [twin], state)
    (record,) = records_of(found).values()
    assert (record.name, record.number, record.skip) == ("d.csv", 1, False)


def test_a_trained_file_that_was_renamed_is_trained_on_again(release):
    """It is not watched, and not left out either."""
    old = trained_batches()[0]
    found = look(release, [file_of("a.csv", rows_of(seed=8)), renamed(old, "z.csv")])
    record = records_of(found)["z.csv"]
    assert (record.outcome, record.number, record.skip) == ("duplicate", 0, False)
    assert "were in 'a.csv'" in record.reason


def test_the_old_rows_in_a_new_file_and_new_rows_in_the_old_one(release):
    """What was judged counts once, and a training reads both."""
    other = file_of("c.csv", rows_of(seed=9))
    records = second_look(release, [NEW], [other, renamed(NEW, "d.csv")])
    assert records["c.csv"].outcome == "rewritten"
    assert (records["d.csv"].outcome, records["d.csv"].skip) == ("duplicate", False)
    assert "judged as 'c.csv', which holds others now" in records["d.csv"].reason


def test_a_batch_that_was_rewritten(release):
    """Its record stays, and a training may read it as it is now."""
    before = records_of(look(release, [NEW]))["c.csv"]
    after = second_look(release, [NEW], [file_of("c.csv", rows_of(seed=9))])["c.csv"]
    assert (after.outcome, after.skip) == ("rewritten", False)
    assert "rewritten after it was judged" in after.reason
    unchanged = {"number", "entered", "error", "drifted", "content", "seen_by"}
    assert after.model_dump(include=unchanged) == before.model_dump(include=unchanged)


@pytest.mark.parametrize("labelled", [True, False])
def test_rewritten_into_garbage_and_mended(release, labelled):
    """A training leaves it out meanwhile; mended, it is as if nothing had been."""
    batch = file_of("c.csv", rows_of(labelled=labelled))
    first = look(release, [batch])
    second = look(release, [file_of("c.csv", rows_of(count="?"))], first.state)
    record = records_of(second)["c.csv"]
    assert (record.outcome, record.skip, record.number) == ("rewritten", True, 1)
    assert "cannot be used as it is now" in record.reason
    assert second.verdict.skip == ("c.csv",)
    assert second.verdict.labelled_rows == 0
    again = look(release, [file_of("c.csv", rows_of(count="?"))], second.state)
    assert again.state.watches == second.state.watches
    third = look(release, [batch], second.state)
    assert records_of(third) == records_of(first)
    assert third.verdict.skip == ()


def test_only_the_labels_were_rewritten(release):
    """The batch is as it was; labels that it has now enter."""
    state = look(release, [file_of("c.csv", rows_of(labelled=False))]).state
    found = look(release, [NEW], state)
    record = records_of(found)["c.csv"]
    assert (record.outcome, record.entered) == ("used", True)
    assert found.verdict.batches[0].notes == (
        "Its labels, or the order of its rows, have changed.",
    )
    wrong = look(release, [file_of("c.csv", turned(NEW.table))], found.state)
    assert records_of(wrong)["c.csv"].error == record.error
    assert watch_of(wrong).sequential == watch_of(found).sequential


def test_a_trained_batch_that_was_rewritten(release):
    """It is not watched; unreadable, a training leaves it out; mended, it is as before."""
    records = second_look(release, [], [file_of("a.csv", rows_of(seed=9))])
    assert records["a.csv"].outcome == "rewritten"
    assert (records["a.csv"].number, records["a.csv"].skip) == (0, False)
    garbage = look(release, [file_of("a.csv", rows_of(count="?"))])
    assert (records_of(garbage)["a.csv"].outcome, garbage.verdict.skip) == (
        "quarantined", ("a.csv",),
    )  # fmt: skip
    mended = look(release, [], garbage.state)
    assert records_of(mended) == {}
    assert mended.verdict.warnings == ()


def test_what_could_not_be_used_is_used_when_the_options_change(release):
    """The file is the same, but a column is excluded now."""
    batch = file_of("c.csv", rows_of(weight=1.0))
    state = look(release, [batch]).state
    again = look(release, [batch], state, run_id="second")
    assert again.state.watches == state.watches
    assert again.verdict.batches == ()
    wider = PREPROCESSING.model_copy(update={"exclude": ("day", "weight")})
    assert records_of(look(release, [batch], state, preprocessing=wider))["c.csv"].number == 1


def test_a_batch_that_is_gone_is_remembered(release):
    """Its record stays, but its labelled rows no longer count for a training."""
    first = look(release, [NEW])
    found = look(release, [], first.state)
    assert records_of(found) == records_of(first)
    assert (first.verdict.labelled_rows, found.verdict.labelled_rows) == (60, 0)
    back = look(release, [NEW], found.state)
    assert records_of(back) == records_of(first)
    assert back.verdict.batches == ()


def test_the_source_is_not_changed(release):
    """Neither source nor watch is changed."""
    watch = Watch(version="1", loss="error", sequential={})
    table = NEW.table.copy(deep=True)
    intake = take_in([NEW], release, watch, PREPROCESSING, "run")
    pd.testing.assert_frame_equal(NEW.table, table)
    assert [item.record.name for item in intake.batches] == ["c.csv"]
    assert intake.renamed == {}
    assert intake.forgotten == set()


CUT, WHOLE = file_of("c.csv", rows_of().iloc[:40]), NEW


def test_rows_that_come_to_a_file_are_a_part_of_their_own(release):
    """The first rows count once; the new ones have a number, a name, labels and a drift verdict."""
    first = look(release, [CUT])
    found = look(release, [WHOLE], first.state)
    before, after = watch_of(found).batches
    assert before == watch_of(first).batches[0].model_copy(update={"sha256": WHOLE.sha256})
    assert (after.number, after.first_row, after.rows, after.entered) == (2, 40, 20, True)
    assert (after.outcome, after.labels.labelled) == ("used", 20)
    assert after.title == "c.csv (rows 41 to 60)"
    assert watch_of(found).sequential["rows"] == 60
    assert found.verdict.labelled_rows == 60
    judged = [result for result in found.verdict.batches if result.columns]
    assert [result.batch.key for result in judged] == [("c.csv", 40)]
    assert judged[0].notes[0] == "20 rows have come to the 40 that were known."
    again = look(release, [WHOLE], found.state)
    assert again.state.watches == found.state.watches
    assert again.verdict.batches == ()


def test_a_file_that_grows_again_and_again(release):
    """Each look's new rows are a part, whatever came to rows without labels meanwhile."""
    state, table = None, rows_of(labelled=False)
    for end in (10, 25, 60):
        found = look(release, [file_of("c.csv", table.iloc[:end])], state)
        state = found.state
    assert [(part.first_row, part.rows) for part in watch_of(found).batches] == [
        (0, 10), (10, 15), (25, 35),
    ]  # fmt: skip
    labelled = watch_of(look(release, [file_of("c.csv", rows_of())], state))
    assert [part.labels.labelled for part in labelled.batches] == [10, 15, 35]
    assert labelled.sequential["rows"] == 60


@pytest.mark.parametrize("known", [1, 59])
def test_labels_of_a_part_are_found_by_prediction_id(release, known):
    """Ids count occurrences in the whole file: here all rows are alike."""
    alike = pd.concat([rows_of(1, labelled=False)] * 60, ignore_index=True)
    state = look(release, [file_of("c.csv", alike.iloc[:known])]).state
    whole = file_of("c.csv", alike)
    keys = RowKeys(PREPROCESSING.target, PREPROCESSING.exclude, PREPROCESSING.key_columns)
    labels = pd.DataFrame({"prediction_id": prediction_ids(whole, keys), "kind": "tall"})
    labels.loc[known:, "kind"] = "short"
    found = watch_of(look(release, [whole], state, labels=[file_of("l.csv", labels)]))
    assert [part.labels.labelled for part in found.batches] == [known, 60 - known]
    assert sorted(part.error for part in found.batches) == [0, 1]


def test_a_file_that_has_grown_into_garbage_and_was_mended(release):
    """All of the file is left out once; mended, its new rows are watched."""
    first = look(release, [CUT])
    table = WHOLE.table.copy()
    table.loc[50, "size"] = np.inf
    second = look(release, [file_of("c.csv", table)], first.state)
    assert [part.first_row for part in watch_of(second).quarantined] == [0]
    assert second.verdict.skip == ("c.csv",)
    third = look(release, [WHOLE], second.state)
    assert [(part.outcome, part.number) for part in watch_of(third).batches] == [
        ("used", 1), ("used", 2),
    ]  # fmt: skip
    assert third.verdict.skip == ()


def test_a_part_that_was_rewritten(release):
    """What was said of both parts stands; cut again, the first one holds what was judged."""
    state = look(release, [WHOLE], look(release, [CUT]).state).state
    other = look(release, [file_of("c.csv", rows_of(20, seed=9))], state)
    assert [part.outcome for part in watch_of(other).batches] == ["rewritten"] * 2
    assert [part.number for part in watch_of(other).batches] == [1, 2]
    back = look(release, [WHOLE], other.state)
    assert watch_of(back).batches == watch_of(look(release, [WHOLE], state)).batches


def test_parts_move_with_their_file(release):
    """A renamed file keeps all its parts."""
    state = look(release, [WHOLE], look(release, [CUT]).state).state
    found = look(release, [renamed(WHOLE, "z.csv")], state)
    assert [part.key for part in watch_of(found).batches] == [("z.csv", 0), ("z.csv", 40)]
    assert watch_of(found).sequential["rows"] == 60


def test_new_rows_that_another_file_holds_count_once(release):
    """Whichever comes first: the rest as a file of its own, or at the end of the cut one."""
    state = look(release, [CUT]).state
    rest = file_of("d.csv", WHOLE.table.iloc[40:])
    beside = look(release, [WHOLE, rest], state)
    assert records_of(beside)["d.csv"].outcome == "duplicate"
    assert "same rows as 'c.csv (rows 41 to 60)'" in records_of(beside)["d.csv"].reason
    assert beside.verdict.skip == ("d.csv",)
    earlier = look(release, [WHOLE, rest], look(release, [CUT, rest], state).state)
    part = watch_of(earlier).batches[-1]
    assert (part.outcome, part.number, part.skip) == ("duplicate", 0, False)
    assert "Its rows 41 to 60 are those of 'd.csv'" in part.reason
    longer = file_of("c.csv", pd.concat([WHOLE.table, rows_of(5, seed=9)]))
    grown = watch_of(look(release, [longer, rest], earlier.state)).batches[-1]
    assert (grown.first_row, grown.rows, grown.number) == (60, 5, 3)


def test_the_same_rows_in_another_order_count_once(release):
    """Under their own name, under another one, and those that the release was trained on."""
    mixed = file_of("d.csv", NEW.table.sample(frac=1, random_state=0))
    old = trained_batches()[0].table.sample(frac=1, random_state=0)
    found = records_of(look(release, [NEW, mixed, file_of("e.csv", old)]))
    assert [record.outcome for record in found.values()] == ["used", "duplicate", "duplicate"]
    state = look(release, [NEW]).state
    same = records_of(look(release, [renamed(mixed, "c.csv")], state))["c.csv"]
    assert (same.outcome, same.number) == ("used", 1)


def with_contents(release):
    """The release, with what its training files held as a training writes it down."""
    params = configured(CollectionParams, target="kind", exclude=("day",))
    report = collect_batches(trained_batches(), [], params)[1]
    return dataclasses.replace(release, batches=report.batches)


def test_trained_files_that_were_divided_or_put_together(release):
    """They are not watched under their new names, and it is told where their rows are."""
    release = with_contents(release)
    first, second = (batch.table for batch in trained_batches())
    parts = [file_of("m.csv", first.iloc[:70]), file_of("n.csv", first.iloc[70:])]
    found = look(release, [NEW, *parts], gone=("a.csv",))
    assert [judged(record) for record in records_of(found).values()] == [True, False, False]
    assert found.moved == {"a.csv": ("m.csv", "n.csv")}
    whole = file_of("z.csv", pd.concat([first, second]))
    found = look(release, [NEW, whole], gone=("a.csv", "b.csv"))
    assert not judged(records_of(found)["z.csv"])
    assert found.moved == {"a.csv": ("z.csv",), "b.csv": ("z.csv",)}


def test_a_trained_file_that_has_grown(release):
    """Its new rows are watched, with other labels of the old ones, too; not without a digest."""
    old = trained_batches()[0].table
    grown = file_of("a.csv", pd.concat([turned(old), rows_of(20)]))
    found = look(with_contents(release), [grown])
    (part,) = watch_of(found).batches
    assert part.title == f"a.csv (rows {len(old) + 1} to {len(old) + 20})"
    assert (part.number, part.rows, part.entered) == (1, 20, True)
    (without,) = watch_of(look(release, [grown])).batches
    assert (without.outcome, without.number) == ("rewritten", 0)
    mended = look(with_contents(release), [grown], look(release, [grown]).state)
    assert watch_of(mended).batches[0].outcome == "rewritten"  # until the file changes
    garbage = file_of("a.csv", pd.concat([old, rows_of(20, count="?")]))
    state = look(with_contents(release), [garbage]).state
    assert watch_of(look(with_contents(release), [grown], state)).batches == (part,)


def test_trained_rows_with_other_labels_or_in_another_order(release):
    """They are not watched, and said to be those."""
    old = trained_batches()[0].table
    for table in (turned(old), old[::-1]):
        (record,) = watch_of(look(with_contents(release), [file_of("a.csv", table)])).batches
        assert (record.outcome, record.number) == ("rewritten", 0)
        assert "other labels or another order" in record.reason
    gone = file_of("z.csv", old[::-1])
    record = records_of(look(with_contents(release), [file_of("a.csv", rows_of(seed=8)), gone]))[
        "z.csv"
    ]
    assert (record.outcome, record.skip) == ("duplicate", False)
    assert "were in 'a.csv'" in record.reason


def test_what_is_quarantined_is_named_at_every_look_until_it_is_mended_or_gone(release):
    """Also when nothing else is new; not once it is mended, skipped or removed."""
    bad = file_of("bad.csv", rows_of(weight=1.0))
    state = look(release, [bad]).state
    again = look(release, [bad, NEW], state)
    assert again.verdict.warnings[0].startswith("bad.csv: ")
    assert [record.name for record in watch_of(again).quarantined] == ["bad.csv"]
    for batches, skip in (([NEW], ()), ([renamed(NEW, "bad.csv")], ()), ([bad], ("bad.csv",))):
        assert look(release, batches, state, skip=skip).verdict.warnings == ()


def priced(release):
    """The release, whose target was a price of around 400."""
    known = TargetRange(low=130, median=400, high=1200)
    return dataclasses.replace(
        release, table=release.table.model_copy(update={"target_range": known})
    )


def prices(level, seed=5, **columns):
    """A batch of 60 prices around a level."""
    rng = np.random.default_rng(seed)
    return rows_of(seed=seed, size=level * rng.lognormal(0, 0.5, 60), **columns)


def test_a_batch_of_cents_is_quarantined_until_it_is_mended(of_size):
    """Its reason names the likely unit; in euros again it is watched like any other."""
    release = priced(of_size)
    files = [file_of("c.csv", prices(400)), file_of("d.csv", prices(40_000, seed=6))]
    found = look(release, files, preprocessing=OF_SIZE)
    record = records_of(found)["d.csv"]
    assert (record.outcome, record.number) == ("quarantined", 0)
    assert "looks like cents" in record.reason
    assert found.verdict.skip == ("d.csv",)
    mended = [files[0], file_of("d.csv", prices(400, seed=6))]
    after = records_of(look(release, mended, found.state, preprocessing=OF_SIZE))
    assert (after["d.csv"].outcome, after["d.csv"].number) == ("used", 2)


def test_prices_that_halve_every_year_are_watched(of_size):
    """Five years of quarters under one release, in one look or several; cents are still seen."""
    release, state = priced(of_size), None
    files = [
        file_of(f"{2020 + at // 4}-q{at % 4 + 1}.csv", prices(400 * 0.5 ** (at / 4), seed=at))
        for at in range(1, 20)
    ]
    for end in (1, 8, 19):
        state = look(release, files[:end], state, preprocessing=OF_SIZE).state
    at_once = look(release, files, preprocessing=OF_SIZE).state
    for remembered in (state, at_once):
        records = remembered.watches["1"].batches
        assert [record.outcome for record in records] == ["used"] * 19
    cents = file_of("2022-q1-cents.csv", prices(100 * 100, seed=30))
    for remembered in (None, state):
        records = records_of(look(release, [*files, cents], remembered, preprocessing=OF_SIZE))
        assert "looks like cents" in records[cents.name].reason
        assert [record.outcome for record in records.values()].count("used") == 19


def test_a_label_file_of_cents_is_named(of_size):
    """Its labels are not used, and a training leaves it out."""
    waiting = file_of("c.csv", prices(400).drop(columns="size"))
    keys = RowKeys(OF_SIZE.target, OF_SIZE.exclude, OF_SIZE.key_columns)
    labels = pd.DataFrame({"prediction_id": prediction_ids(waiting, keys)})
    files = [
        file_of(name, labels.assign(size=prices(level, seed=6)["size"].to_numpy()))
        for name, level in (("k.csv", 400), ("l.csv", 40_000))
    ]
    found = look(priced(of_size), [waiting], labels=files, preprocessing=OF_SIZE)
    assert found.verdict.skip == ("l.csv",)
    assert "The label file 'l.csv' cannot be used: its target has" in found.verdict.warnings[0]
    assert records_of(found)["c.csv"].entered
