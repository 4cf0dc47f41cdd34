"""Untrusted text and numbers as pages, figures and the terminal show them."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

Item = TypeVar("Item")
Tone = Literal["good", "bad", "neutral"]


class Badge(NamedTuple):
    """A result in a word or two, and whether it is good news."""

    words: str
    tone: Tone


@dataclass(frozen=True)
class Shortened(Generic[Item]):
    """The first items of a list.

    Attributes:
        shown: These items.
        rest: Words for the others, such as "and 12 more batches"; empty if there are none.
    """

    shown: Sequence[Item]
    rest: str


def plain(text: object, limit: int = 28) -> str:
    """Untrusted text as one line of at most ``limit`` printable characters, not escaped.

    What is too long loses its middle: names of one table often differ only at their ends.
    """
    line = str(text)
    if len(line) > 8 * limit:  # cut before cleaning: a name may hold megabytes
        line = line[: 4 * limit] + line[-4 * limit :]
    line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    if len(line) <= limit:
        return line
    tail = limit // 3
    return f"{line[: limit - tail - 1]}…{line[-tail:]}"


def label(text: object, limit: int = 28) -> str:
    """Untrusted text for a figure: one short line in which plotly finds no markup.

    Quotes stay as they are: plotly does not know their entities, and reads no attributes here.
    """
    return html.escape(plain(text, limit), quote=False) or "(empty)"


def unlabelled(text: object) -> str:
    """A figure's text as it was before ``label`` escaped it, on one line: a template escapes it."""
    return html.unescape(str(text or "").replace("<br>", " "))


def number(value: float | None) -> str:
    """A number in about three digits; None, NaN and infinity are "not defined"."""
    if value is None or not math.isfinite(value):
        return "not defined"
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def duration_text(seconds: float) -> str:
    """A time as people say it.

    >>> duration_text(42.4), duration_text(150), duration_text(4000), duration_text(9000)
    ('42 s', '2.5 min', '67 min', '2.5 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        minutes = seconds / 60
        return f"{minutes:.1f} min" if minutes < 10 else f"{minutes:.0f} min"
    return f"{seconds / 3600:.1f} h"


def sentence(words: str) -> str:
    """Words with a capital and a full stop; nothing stays nothing."""
    return f"{words[0].upper()}{words[1:].rstrip('.')}." if words else ""


def unit_text(unit: str) -> str:
    """A unit behind a figure; a share and a log loss are told without.

    >>> unit_text("units of the target"), unit_text("nats")
    (' units of the target', '')
    """
    return "" if unit in ("", "nats", "share") else f" {unit}"


def share_text(value: float) -> str:
    """A share in percent; never 0 or 100 where it is not exactly so."""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "below 0.1 %"
    if 99.9 < percent < 100:
        return "above 99.9 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def shorten(items: Sequence[Item], most: int, what: str) -> Shortened[Item]:
    """Keep the first ``most`` items, so that a long list does not bury what comes after it.

    Args:
        items: All of them.
        most: How many are kept.
        what: Names those left out after their number: "more batches".
    """
    left = len(items) - most
    return Shortened(items[:most], f"and {left:,} {what}" if left > 0 else "")


def limits(low: float | None, high: float | None) -> str:
    """An interval in words; nothing where it is not known."""
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"
