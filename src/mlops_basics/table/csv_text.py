"""What the text of a CSV file says that its table no longer does, for pandas reads too freely.

Words such as None become missing values, 0071 becomes 71, and whole numbers of 19 digits are
rounded as soon as one is missing.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.schemas import Guess

from .csv_lines import CsvFile
from .plain import plain_column

#: What pandas takes for a missing value beside an empty field, where no option says otherwise.
MISSING_WORDS = (
    "None", "NA", "N/A", "n/a", "null", "NULL", "NaN", "nan", "<NA>", "#N/A", "#NA", "#N/A N/A",
)  # fmt: skip
_ROUNDED = 2.0**53  # from here on a float skips whole numbers
_WHOLE = r"[+-]?\d+"
_ODD_DIGITS = r"[+-]?0\d.*|[+-]?[\d.]+[eE]\d+"
_BLOCK = 1 << 22  # bytes
_LONGEST = 16  # bytes; longer than any of the words
Flags = npt.NDArray[np.bool_]
#: Options that would make other columns than those that are asked for, or other values.
_NOT_FOR_TEXT = (
    "usecols", "index_col", "parse_dates", "date_format", "converters", "true_values",
    "false_values", "na_values", "keep_default_na", "thousands", "decimal", "dtype_backend",
)  # fmt: skip


def looked_at_again(
    file: CsvFile, args: dict[str, Any], table: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[Guess, ...]]:
    """The table with its whole numbers exact, and which words and digits were taken for what.

    Args:
        file: What was read.
        args: Of ``pandas.read_csv``.
        table: Plain columns, as read.
    """
    dtypes, options = args["dtype"], file.options
    free = [str(name) for name in table if not isinstance(dtypes, dict) or name not in dtypes]
    rounded = [name for name in free if _may_be_rounded(table[name])]
    as_asked = not options.get("keep_default_na", True) or not options.get("na_filter", True)
    words = [] if as_asked else _columns_with_words(table)
    odd = [name for name in free if is_whole(table[name])]
    exponents = any(table[name].dtype == np.float64 for name in odd)
    found = _found_in(file, exponents=exponents, words=bool(words))
    odd = odd if found.digits else []
    words = words if found.words else []
    columns = {*rounded, *odd, *words}
    text = _text_of(file, args, columns) if columns else pd.DataFrame(index=table.index)
    if len(text) != len(table) or not columns <= set(text.columns):
        return table, ()
    guesses = []
    for name in rounded:
        exact = _exact(text[name])
        if exact is not None:
            table[name] = exact
    for name in odd:
        is_odd = text[name].str.fullmatch(_ODD_DIGITS).to_numpy(dtype=bool)
        if is_odd.any():
            example = str(text[name].iloc[int(is_odd.argmax())])
            guesses.append(Guess("digits", str(name), example, int(is_odd.sum())))
    for name in words:
        counts = text[name][table[name].isna()].value_counts()
        guesses += [
            Guess("missing", str(name), word, int(counts[word]))
            for word in MISSING_WORDS
            if word in counts
        ]
    return table, tuple(guesses)


def _may_be_rounded(values: pd.Series) -> bool:
    if isinstance(values.dtype, pd.StringDtype):
        return bool((values == "").any())  # pandas leaves 64 bits and a missing value so
    if values.dtype != np.float64:
        return False
    numbers = np.abs(values.to_numpy())
    return bool((numbers >= _ROUNDED).any() and np.isfinite(numbers[~np.isnan(numbers)]).all())


def is_whole(values: pd.Series) -> bool:
    """Whether a plain column holds whole numbers alone, and at least one."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return True
    if values.dtype != np.float64 or values.isna().all():
        return False
    numbers = values.to_numpy()
    return bool((np.isnan(numbers) | (numbers == np.round(numbers))).all())


def _columns_with_words(table: pd.DataFrame) -> list[str]:
    columns = [
        str(name)
        for name in table
        if isinstance(table[name].dtype, pd.StringDtype) or table[name].isna().all()
    ]
    return [name for name in columns if table[name].isna().any()]


@dataclass
class _Found:
    """Whether a file's bytes may hold a field of odd digits, or one that is a missing word."""

    digits: bool = False
    words: bool = False


def _found_in(file: CsvFile, *, exponents: bool, words: bool) -> _Found:
    """Look at where fields begin, for that takes a tenth of the time that reading takes."""
    if not file.encoding.lower().replace("_", "-").startswith(("utf-8", "ascii", "latin", "iso")):
        return _Found(digits=True, words=words)
    content = np.frombuffer(file.content, dtype=np.uint8)
    found = _Found()
    between = f"\n\r{file.quote}" + (file.separator if len(file.separator) == 1 else " \t,;|:")
    is_between = _is_one_of(between.encode())
    is_digit, begins_word = _is_one_of(b"0123456789"), _is_one_of(b"Nn<#")
    for begin in range(0, len(content), _BLOCK):
        # What stands before and after the block belongs to fields that begin or end in it.
        block = np.zeros(_BLOCK + _LONGEST + 1, dtype=np.uint8)
        part = content[max(0, begin - 1) : begin + _BLOCK + _LONGEST]
        block[: len(part)] = part
        starts = np.flatnonzero(is_between[block[:_BLOCK]]) + 1
        starts = np.append(starts, 0) if begin == 0 else starts
        first = block[starts]
        zeros = starts[first == ord("0")]
        found.digits = found.digits or bool(is_digit[block[zeros + 1]].any())
        if exponents and not found.digits:
            at = np.flatnonzero((block[1 : len(part) - 1] | 0x20) == ord("e")) + 1
            found.digits = bool((is_digit[block[at - 1]] & is_digit[block[at + 1]]).any())
        if words and not found.words:
            candidates = starts[begins_word[first]]
            found.words = any(
                _stands_at(candidates, block, word, is_between) for word in MISSING_WORDS
            )
        if found.digits and (found.words or not words):
            break
    return found


def _is_one_of(signs: bytes) -> Flags:
    table = np.zeros(256, dtype=bool)
    table[list(signs)] = True
    return table


def _stands_at(
    starts: npt.NDArray[np.intp], block: npt.NDArray[np.uint8], word: str, is_between: Flags
) -> bool:
    """Whether a field that begins at one of these places is this word."""
    for at, sign in enumerate(word.encode()):
        starts = starts[block[starts + at] == sign]
        if not starts.size:
            return False
    after = block[starts + len(word)]
    return bool((is_between[after] | (after == 0)).any())


def _text_of(file: CsvFile, args: dict[str, Any], columns: set[str]) -> pd.DataFrame:
    """Some columns as they stand in the file, without white space around."""
    stripped: pd.DataFrame = text_of(file, args, columns).apply(lambda values: values.str.strip())
    return stripped


def text_of(file: CsvFile, args: dict[str, Any], columns: set[str]) -> pd.DataFrame:
    """Some columns as they stand in the file.

    Args:
        file: A CSV file.
        args: Of ``pandas.read_csv``.
        columns: Their names.
    """
    kept = {name: value for name, value in args.items() if name not in _NOT_FOR_TEXT}
    text: pd.DataFrame = pd.read_csv(
        io.BytesIO(file.content),
        **kept
        | {
            "index_col": False,
            "usecols": lambda name: str(name) in columns,
            "dtype": "str",
            "na_filter": False,
        },
    )
    text.columns = text.columns.map(str)
    return text


def _exact(text: pd.Series) -> pd.Series | None:
    """Whole numbers with all their digits; None where not all values are such."""
    missing = text.isin(["", *MISSING_WORDS])
    if not text[~missing].str.fullmatch(_WHOLE).all():
        return None
    numbers = [None if gone else int(value) for value, gone in zip(text, missing, strict=True)]
    return plain_column(pd.Series(numbers, dtype=object, index=text.index))
