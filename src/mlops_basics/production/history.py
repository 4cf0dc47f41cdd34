"""What was in production when, from the ledger."""

from __future__ import annotations

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
    at = len(moves) - 1
    if pointer is not None and any(move.version == pointer.version for move in moves):
        at = _latest(moves, len(moves), pointer.version)
    history: list[Period] = []
    until = None
    while at >= 0:
        move = moves[at]
        history.append(Period(move, until))
        until = move.at
        before = -1 if move.replaced is None else _latest(moves, at, move.replaced)
        # Where the history has a gap (a file was lost), what came before it still counts.
        at = before if before >= 0 else at - 1
    return history[::-1]


def without_refused(ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The moves, but those that were announced and then refused."""
    moves: list[LedgerEntry] = []
    for entry in ledger:
        if entry.action != "refused":
            moves.append(entry)
            continue
        at = _latest(moves, len(moves), entry.version)
        took_place = any(later.replaced == entry.version for later in moves[at + 1 :])
        if at >= 0 and moves[at].replaced == entry.replaced and not took_place:
            del moves[at]
    return moves


def _latest(moves: Sequence[LedgerEntry], before: int, version: str) -> int:
    """Position of a version's latest move before a position, -1 if there is none."""
    backwards = range(before - 1, -1, -1)
    return next((at for at in backwards if moves[at].version == version), -1)
