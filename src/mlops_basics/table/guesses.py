"""What was guessed in reading files, or passed over, in words: counted, with what settles it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, Guess

MOST_NAMED = 3


def guess_warnings(batches: Sequence[Batch], unused: Collection[str] = ()) -> list[str]:
    """A line for each column whose words or digits were taken for something, and on other files.

    Args:
        batches: As read.
        unused: Columns that no model sees.
    """
    words: dict[str, Counter[str]] = defaultdict(Counter)
    digits: dict[str, list[Guess]] = defaultdict(list)
    files: dict[str, str] = {}
    for guess in (guess for batch in batches for guess in batch.guesses):
        if guess.kind == "passed over":
            files[guess.column] = guess.example
        elif guess.column in unused:
            continue
        elif guess.kind == "missing":
            words[guess.column][guess.example] += guess.rows
        else:
            digits[guess.column].append(guess)
    lines = [
        f"Column '{name}': {_counted(found)} read as missing; to keep them: "
        "csv: {keep_default_na: false, na_values: ['']}."
        for name, found in words.items()
    ]
    lines += [
        f"Column '{name}': {sum(guess.rows for guess in found):,} numbers are written like "
        f"'{found[0].example}'; if it is a code: text_columns: [{name}]."
        for name, found in digits.items()
    ]
    if files:
        named = _listed([f"'{name}' ({why})" for name, why in files.items()])
        lines.append(f"Passed over, {len(files):,} in all: {named}.")
    return lines


def require_exact_keys(batch: Batch, keys: Collection[str]) -> None:
    """Raises DataError where different keys may have been read as one number, 0071 as 71."""
    for guess in batch.guesses:
        if guess.kind == "digits" and guess.column in keys:
            raise DataError(
                f"The file '{batch.name}' has keys such as '{guess.example}' in its column "
                f"'{guess.column}', {guess.rows:,} in all, which are others as numbers. Read them "
                f"as text: add '{guess.column}' to `text_columns` in globals.yml."
            )


def _counted(words: Counter[str]) -> str:
    return _listed([f"'{word}' ({count:,} rows)" for word, count in words.most_common()])


def _listed(parts: Sequence[str]) -> str:
    left = len(parts) - MOST_NAMED
    return ", ".join(parts[:MOST_NAMED]) + (f" and {left} more" if left > 0 else "")
