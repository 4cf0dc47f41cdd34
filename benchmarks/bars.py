"""Bars: what was measured before, what is measured now, and what it has to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.proof_page import Table
from benchmarks.rate import Rate, percent

Measured = list[tuple[str, float, float]]  # what, value, bar

HEAD = ("case", "before", "now", "goal")


@dataclass(frozen=True)
class Bar:
    """A line of a table.

    Attributes:
        case: What is counted.
        before: As it was: a measured rate, or words where it was measured by other means.
        now: As it is.
        goal: What the rate has to be, at most; None without a bar.
        least: Whether it has to be so much at least.
    """

    case: str
    before: Rate | str
    now: Rate
    goal: float | None
    least: bool = False

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """In words."""
        side = "least" if self.least else "most"
        goal = "" if self.goal is None else f"at {side} {percent(self.goal)}"
        goal = "never" if self.goal == 0 else goal
        return self.case, str(self.before), str(self.now), goal


def tell(most: Measured, least: Iterable[tuple[str, float, float]] = ()) -> bool:
    """Print what was measured beside its bars; whether one is missed."""
    missed = False
    for rows, word, sign in ((most, "most", 1), (least, "least", -1)):
        for name, value, bar in rows:
            bad = sign * value > sign * bar
            missed |= bad
            print(f"{name:70} {value:9,.3f}  (at {word} {bar:,g}) {'MISSED' if bad else 'ok'}")
    return missed


def table(caption: str, bars: Iterable[Bar]) -> Table:
    """Of the page."""
    return Table(caption, HEAD, [bar.cells for bar in bars])


def measured(bars: Iterable[Bar]) -> tuple[Measured, Measured]:
    """What must be at most its bar, and what must be at least."""
    sides: tuple[Measured, Measured] = ([], [])
    for bar in bars:
        if bar.goal is not None:
            sides[bar.least].append((bar.case, bar.now.value, bar.goal))
    return sides
