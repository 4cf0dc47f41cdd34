"""What a column loses when it becomes of one type, in words: told, with what settles it."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from .plain import plain_column
from .times import look_like_times

_ROUNDED = 2**53  # from here on a float skips whole numbers
_LEAST_SHARE = 0.9  # of a file's rows, for the column to be meant as such
_LOOKED_AT = 1000  # distinct values; where none of them is such, it is a column of text
_MOST_SHOWN = 3
_MOST_WORDS = 3  # that stand for a missing number, however often
_FEWEST_NUMBERS = 10  # different ones; a column of fewer, and words, is one of codes
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
Flags = npt.NDArray[np.bool_]


def stray_warning(
    values: pd.Series, files: Callable[[], pd.Series], text_columns: Collection[str]
) -> str:
    """Says that a column is text because of a few values that are no times, or numbers.

    Args:
        values: A typed column, shape (rows,).
        files: Gives the name of each row's file, shape (rows,); called where it is needed.
        text_columns: Those that are meant to be text.

    Returns:
        A line; empty where that is not so.
    """
    if values.name in text_columns or not isinstance(values.dtype, pd.StringDtype):
        return ""
    codes, distinct = pd.factorize(values)
    texts = pd.Series(distinct, dtype="str")
    sample = texts.iloc[:: max(1, len(texts) // _LOOKED_AT)]
    kinds: list[tuple[str, Callable[[pd.Series], Flags]]] = [
        ("times", look_like_times),
        ("numbers", _look_like_numbers),
    ]
    for kind, look in kinds:
        if not look(sample).any():
            continue
        known, names = codes >= 0, files().to_numpy()
        is_such = look(texts)[codes[known]]
        shares = pd.Series(is_such).groupby(names[known]).mean()
        strays = values[known][~is_such]
        words = kind == "numbers" and _are_words_for_missing(is_such, codes[known])
        if not is_such.all() and (words or (shares >= _LEAST_SHARE).any()):
            return _stray_line(str(values.name), kind, strays, names[known][~is_such], known)
    return ""


def rounding_warning(values: pd.Series) -> str:
    """Says that whole numbers of a column are too long for a model, which takes floats.

    Args:
        values: A column as collected.

    Returns:
        A line; empty where none are.
    """
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return ""
    name, values = values.name, plain_column(values).dropna()
    if not pd.api.types.is_integer_dtype(values.dtype) or values.empty:
        return ""
    if max(abs(int(values.min())), abs(int(values.max()))) <= _ROUNDED:
        return ""
    exact, seen = values.nunique(), values.astype("float64").nunique()
    if seen == exact:
        return ""
    return (
        f"Column '{name}' holds whole numbers of more than 15 digits, such as "
        f"{int(values.max())}, which a model sees rounded: {exact:,} different ones become "
        f"{seen:,}. If they identify rows: exclude: [{name}]; if they are codes: "
        f"text_columns: [{name}]."
    )


def _are_words_for_missing(is_number: Flags, codes: npt.NDArray[np.intp]) -> bool:
    """Whether at least half are numbers, of many kinds, and the others of few: -, n.a., #DIV/0!."""
    numbers, words = np.unique(codes[is_number]).size, np.unique(codes[~is_number]).size
    return bool(is_number.mean() >= 0.5 and numbers >= _FEWEST_NUMBERS and words <= _MOST_WORDS)


def _look_like_numbers(texts: pd.Series) -> Flags:
    return texts.str.strip().str.fullmatch(_NUMBER).to_numpy(dtype=bool)


def _stray_line(
    name: str, kind: str, strays: pd.Series, files: npt.NDArray[np.object_], known: Flags
) -> str:
    words, counts = strays.value_counts(), pd.Series(files).value_counts()
    shown = [str(word)[:30] for word in words.index[:_MOST_SHOWN]]
    further = f" and {len(words) - len(shown):,} more" if len(words) > len(shown) else ""
    file, rows = counts.index[0], int(counts.iloc[0])
    others = f", and {len(counts) - 1:,} more files" if len(counts) > 1 else ""
    return (
        f"Column '{name}' is read as text, for {len(strays):,} of {int(known.sum()):,} values are "
        f"no {kind}: {', '.join(repr(word) for word in shown)}{further} ('{file}': {rows:,} "
        f"{'row' if rows == 1 else 'rows'}{others}). Mend them; or, if they stand for missing "
        f"values: csv: {{na_values: {shown}}}; or, if the column is text: text_columns: [{name}]."
    )
