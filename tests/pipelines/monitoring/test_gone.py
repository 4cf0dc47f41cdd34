"""Tests of what is said when files leave the source."""

from __future__ import annotations

import dataclasses

from tests.support.watched import file_of, look, rows_of, trained_batches, watch_of

WATCHED = file_of("c.csv", rows_of())
GONE = "gone from the source"


def told(found) -> list[str]:
    """What a look says of files that are gone."""
    return [line for line in found.verdict.warnings if GONE in line]


def test_a_file_that_leaves_is_told_once(release):
    """One that was learned from and one that was watched; the next look is silent on them."""
    first = trained_batches()[0].name
    before = look(release, [WATCHED])
    assert told(before) == []
    found = look(release, [], before.state, gone=(first,))
    (line,) = told(found)
    assert "2 files that release 1 learned from" in line
    assert f"'{first}'" in line
    assert "'c.csv'" in line
    again = look(release, [], found.state, gone=(first,))
    assert told(again) == []
    assert watch_of(again).gone == tuple(sorted([first, "c.csv"]))
    back = look(release, [WATCHED], again.state)
    assert (told(back), watch_of(back).gone) == ([], ())


def test_files_that_left_before_the_first_look_are_told(release):
    """The release tells what it learned from."""
    first = trained_batches()[0].name
    (line,) = told(look(release, [], gone=(first,)))
    assert line.startswith("A file that release 1 learned from")


def test_a_file_that_is_skipped_or_renamed_is_not_gone(release):
    """Its rows are still there, or the user has said what to do with them."""
    first = trained_batches()[0]
    before = look(release, [WATCHED])
    assert told(look(release, [WATCHED], before.state, skip=("c.csv", first.name))) == []
    moved = [dataclasses.replace(batch, name=f"z-{batch.name}") for batch in (first, WATCHED)]
    renamed = look(release, moved, before.state, gone=(first.name,))
    assert told(renamed) == []
    assert told(look(release, moved, renamed.state, gone=(first.name,))) == []
