"""What was in production when, from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_basics.schemas import LedgerEntry, Pointer


@dataclass(frozen=True)
class Period:
    """A time in which one release was in production; ``until`` is None for the present one."""

    entry: LedgerEntry
    until: str | None


def periods(ledger: Sequence[LedgerEntry], pointer: Pointer | None = None) -> list[Period]:
    """What was in production from when to when, the oldest first.

    An entry is written before the pointer moves, so that one may tell of a move that was refused
    or interrupted. Which ones took place is seen from what each later entry found in production.

    Args:
        ledger: The history.
        pointer: What is in production now, to know whether the last move was finished; None: the
            ledger alone is asked, and believed.
    """
    moves = without_refused(ledger)
    before = _Places()
    for place, move in enumerate(moves):
        before.add(move.version, place)
    at = len(moves) - 1
    if pointer is not None:
        at = before.latest(pointer.version, default=at)
    history: list[Period] = []
    until = None
    while at >= 0:
        move = moves[at]
        history.append(Period(move, until))
        until = move.at
        # Where the history has a gap (a file was lost), what came before it still counts.
        next_below = at - 1
        if move.replaced is None:
            at = next_below
        else:
            before.drop_from(move.replaced, at)
            at = before.latest(move.replaced, default=next_below)
    return history[::-1]


def without_refused(ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The moves, but those that were announced and then refused."""
    moves: list[LedgerEntry | None] = []  # None: refused
    to, away = _Places(), _Places()  # where moves lead to a version, and where one is replaced
    for entry in ledger:
        if entry.action != "refused":
            to.add(entry.version, len(moves))
            away.add(entry.replaced, len(moves))
            moves.append(entry)
            continue
        at = to.latest(entry.version)
        announced = moves[at] if at >= 0 else None
        while (later := away.latest(entry.version)) >= 0 and moves[later] is None:
            away.drop_from(entry.version, later)
        if announced and announced.replaced == entry.replaced and later <= at:
            moves[at] = None  # it did not take place: nothing came in its place later
            to.drop_from(entry.version, at)
    return [move for move in moves if move is not None]


class _Places:
    """Positions by version, in ascending order; each is looked at a few times, however many."""

    def __init__(self) -> None:
        self._places: defaultdict[str | None, list[int]] = defaultdict(list)

    def add(self, version: str | None, place: int) -> None:
        self._places[version].append(place)

    def latest(self, version: str | None, default: int = -1) -> int:
        """The last position of a version that is left."""
        places = self._places[version]
        return places[-1] if places else default

    def drop_from(self, version: str | None, place: int) -> None:
        """Forget a version's positions from this one on."""
        places = self._places[version]
        while places and places[-1] >= place:
            places.pop()
