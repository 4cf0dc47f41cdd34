"""Long texts as their beginning and a hash: what all rows say of a column needs no more."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mlops_basics.schemas import Part, Parts

from .value_codes import text_codes

_LONG = 200  # letters
_OF_SHORT = 8 + _LONG + 17  # bytes of one in memory: its place, its beginning, the hash
#: Two signs in a row that are in no number and in no time: such a text is neither.
_WORD = r"[^\s\d.,:+\-\u2212\u2013%()$€£¥'\u2019/eEtTzZ\u00a0\u2009\u202f]{2}"


def short_texts(table: Parts) -> Parts:
    """A table whose columns of long texts take little memory, also all rows of them.

    A long text becomes its first 200 letters and a hash of all of it: equal ones stay equal, and
    others differ. Whether texts are numbers or times, how often each occurs, and how one begins is
    what it was. Columns whose texts are short, on the average, stay as they are.
    """
    most = _OF_SHORT * len(table)
    long = tuple(name for name in table.columns if table.bytes_of([name]) > most)
    if not long:
        return table
    changed = table.changed(_shortened, [long] * len(table.parts), columns=table.columns)
    return replace(
        changed,
        parts=tuple(
            replace(
                part,
                sizes={
                    name: part.rows * _OF_SHORT if name in long else size
                    for name, size in part.sizes.items()
                },
            )
            for part in changed.parts
        ),
    )


def _shortened(part: Part, columns: list[str], long: tuple[str, ...]) -> pd.DataFrame:
    table = part.read(columns)
    for name in columns:
        if name in long:
            table[name] = _short(table[name])
    return table


def _short(texts: pd.Series) -> pd.Series:
    rows = (texts.str.len() > _LONG).to_numpy(dtype=bool, na_value=False, copy=True)
    begin = texts[rows].str.slice(0, _LONG)
    words = begin.str.contains(_WORD, regex=True).to_numpy(dtype=bool)
    rows[rows] = words
    codes = text_codes(texts[rows].to_numpy(dtype=object))
    short = [f"{text} {code:016x}" for text, code in zip(begin[words], codes, strict=True)]
    found = texts.copy()
    found[rows] = pd.array(short, dtype="str")
    return found
