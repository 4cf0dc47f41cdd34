"""Tests of the history that follows from a ledger, also from one that was made to be slow."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mlops_basics.production.history import periods, without_refused
from mlops_basics.schemas import LedgerEntry, Pointer
from tests.support.releases import make_entry


def latest(moves: Sequence[LedgerEntry], before: int, version: str) -> int:
    """Position of a version's latest move before a position, -1 if there is none."""
    found = [at for at, move in enumerate(moves[:before]) if move.version == version]
    return found[-1] if found else -1


def moves_of(ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """What ``without_refused`` promises, word by word."""
    moves: list[LedgerEntry] = []
    for entry in ledger:
        if entry.action != "refused":
            moves.append(entry)
            continue
        at = latest(moves, len(moves), entry.version)
        replaced_later = any(later.replaced == entry.version for later in moves[at + 1 :])
        if at >= 0 and moves[at].replaced == entry.replaced and not replaced_later:
            del moves[at]
    return moves


def lives_of(ledger: Sequence[LedgerEntry], pointer: Pointer | None) -> list[LedgerEntry]:
    """What ``periods`` promises, word by word: from the end backwards."""
    moves, lives = moves_of(ledger), []
    at = len(moves) - 1
    if pointer is not None and any(move.version == pointer.version for move in moves):
        at = latest(moves, len(moves), pointer.version)
    while at >= 0:
        lives.append(moves[at])
        replaced = moves[at].replaced
        before = -1 if replaced is None else latest(moves, at, replaced)
        at = before if before >= 0 else at - 1
    return lives[::-1]


VERSIONS = st.sampled_from("123")
ENTRIES = st.builds(
    make_entry,
    version=VERSIONS,
    replaced=st.none() | VERSIONS,
    action=st.sampled_from(["release", "rollback", "refused"]),
    at=st.integers(10, 99).map(lambda day: f"2026-01-{day}"),
)


@given(st.lists(ENTRIES, max_size=12), st.none() | VERSIONS)
def test_any_history_is_read_as_promised(ledger, version):
    """Moves, refusals and gaps in any order, also those that no program of ours would write."""
    pointer = version and Pointer(version=version, manifest_sha256="0", at="x")
    assert without_refused(ledger) == moves_of(ledger)
    found = periods(ledger, pointer)
    assert [period.entry for period in found] == lives_of(ledger, pointer)
    assert [period.until for period in found[:-1]] == [period.entry.at for period in found[1:]]


class Counted:
    """An entry that counts how often it is looked at."""

    looks = 0

    def __init__(self, entry: LedgerEntry) -> None:
        self._entry = entry

    def __getattr__(self, name: str):
        Counted.looks += 1
        return getattr(self._entry, name)


def looks_at(ledger: Sequence[LedgerEntry]) -> float:
    """How often each entry is looked at, on average."""
    Counted.looks = 0
    counted = [Counted(entry) for entry in ledger]
    periods(counted, SimpleNamespace(version="x"))
    return Counted.looks / len(counted)


def test_a_forged_history_costs_no_more_than_its_length():
    """Refusals of what never was, and moves in the place of what never was, a thousand of each."""
    strange = [make_entry("0", "none") for _ in range(1_000)]
    refused = [make_entry("never", "0", action="refused") for _ in range(1_000)]
    announced = [make_entry("1", "0") for _ in range(1_000)]
    taken_back = [make_entry("1", "0", action="refused") for _ in range(1_000)]
    for ledger in (strange + refused, announced + taken_back, announced + refused + strange):
        assert looks_at(ledger) < 20
