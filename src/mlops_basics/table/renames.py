"""Which columns were probably renamed: those that are lacking beside those that are unknown."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

CLEAR = 0.8  # likeness of two names, of 1; "price" and "prize" have 0.8
MOST_NAMES = 5
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+|[%°€$£]")
_UNITS = re.compile(
    "kg|m?g|t|lbs?|oz|[ckm]?m|ft|in|inch|mi|m?s|sec|seconds|min|minutes|h|hr|hours|days|mph|kmh|c|f|k|"
    "%|°|pct|percent|m?l|k?w|kwh|€|\\$|£|usd|eur|gbp|chf|cents"
)


def likely_renames(lacking: Iterable[str], unknown: Iterable[str]) -> dict[str, str]:
    """The lacking columns that clearly are an unknown one, each with its new name.

    Names are alike when they differ in case, accents, signs between words or a unit at the end, or
    in a letter or two after the first; names with different numbers (``x1`` and ``x2``) never are.
    A name that is like two others is left out.

    Args:
        lacking: Names that are needed.
        unknown: Names that are there instead.

    Example:
        >>> from mlops_basics.table.renames import likely_renames
        >>> likely_renames(["carat", "x1"], ["Carat", "x2"])
        {'carat': 'Carat'}
    """
    there = [str(name) for name in unknown]
    pairs = [(name, other) for name in lacking for other in there if _alike(name, other)]
    return {
        name: other
        for name, other in pairs
        if sum(name == a for a, _ in pairs) == sum(other == b for _, b in pairs) == 1
    }


def rename_hint(lacking: Iterable[str], unknown: Iterable[str]) -> str:
    """The question whether columns were renamed, and what to do then; empty if none seem to be."""
    renames = likely_renames(lacking, unknown)
    if not renames:
        return ""
    old, new = (
        ", ".join(f"'{name}'" for name in list(names)[:MOST_NAMES])
        for names in (renames.keys(), renames.values())
    )
    was, it, name = ("Was", "it", "name") if len(renames) == 1 else ("Were", "them", "names")
    return (
        f"{was} {old} renamed to {new}? Then rename {it} back in the file; to keep the new {name}, "
        f"rename {it} in all older files, too, and train anew: kedro run. "
    )


def _alike(one: str, other: str) -> bool:
    a, b = _words(one), _words(other)
    if [word for word in a if word.isdigit()] != [word for word in b if word.isdigit()]:
        return False
    short, long = sorted((a, b), key=len)
    if short and len(long) == len(short) + 1 and long[:-1] == short and _UNITS.fullmatch(long[-1]):
        return True
    x, y = "".join(a), "".join(b)
    likeness = difflib.SequenceMatcher(None, x, y).ratio()
    return x == y or (x[:1] == y[:1] and likeness >= CLEAR)


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return [word.casefold() for word in _WORDS.findall(plain)]
