"""Tests of the numbers of challenges in production."""

from __future__ import annotations

import uuid

import pytest

from mlops_basics.errors import ReleaseError
from mlops_basics.production.challenge_book import ChallengeBook
from mlops_basics.runs.challenges import CountedChallenge
from mlops_basics.schemas import Challenge
from mlops_basics.storage.store_files import StoreFiles


@pytest.fixture
def files():
    """An empty store."""
    return StoreFiles(f"memory://{uuid.uuid4().hex}")


def counted(spent, number=1, known=()):
    """A challenge of version 3, as MLflow counts it."""
    challenge = Challenge(
        champion_version="3", number=number, challenge_id=spent, repeated=False, mlflow_run_id="r"
    )
    return CountedChallenge(challenge, spent, frozenset({spent, *known}))


def test_of_two_at_once_each_has_a_number_of_its_own(files):
    """The one that finds its number taken takes the next one; none is spent twice."""
    mine, theirs = ChallengeBook(files), ChallengeBook(files)
    before = mine.entries("3")
    assert [book.count(counted(s), before).number for book, s in ((mine, "a"), (theirs, "b"))] == [
        1,
        2,
    ]
    assert mine.entries("3") == {1: "a", 2: "b"}
    assert mine.entries("4") == {}


def test_the_same_challenge_counted_twice_at_once_has_one_number(files):
    """Two `kedro ct` at the same moment: the second finds its own entry in its place."""
    book = ChallengeBook(files)
    before = book.entries("3")
    assert [book.count(counted("a"), before).number for _ in range(2)] == [1, 1]
    assert book.entries("3") == {1: "a"}


def test_an_entry_that_cannot_be_read_counts(files):
    """Its number was spent; what is no entry is passed over."""
    for name, content in (("000007.json", b"{"), ("000006.json", b"[]"), ("x.json", b"{}")):
        files.write(f"challenges/3/{name}", content)
    book = ChallengeBook(files)
    assert book.entries("3") == {6: "", 7: ""}
    challenge = book.count(counted("a"), book.entries("3"))
    assert challenge.number == 8
    assert "MLflow lacks 1" in challenge.note


def test_a_look_that_cannot_be_read_says_nothing(files):
    """Its number counts all the same."""
    for name, content in (
        ("000001.json", b'{"spent": "a", "look": {"recipe": 1}}'),
        ("000002.json", b"["),
    ):
        files.write(f"challenges/3/{name}", content)
    book = ChallengeBook(files)
    assert book.looks("3") == ()
    assert book.entries("3") == {1: "a", 2: ""}


@pytest.mark.parametrize("champion", ["../ledger", "a/b", "", ".."])
def test_a_champions_name_is_one_part_of_a_path(champion, files):
    """Nothing outside of the book is read or written."""
    with pytest.raises(ReleaseError, match="one part of a path"):
        ChallengeBook(files).entries(champion)
