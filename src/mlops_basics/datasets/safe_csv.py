"""CSV files that a spreadsheet shows as they are: no cell of text becomes a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

# A spreadsheet computes what begins with one of these, unless it is a plain number. It may begin
# after any separator: which one counts depends on the reader's country.
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_ENDS = r"\s*(?:$|[;,|\t\r\n\"\]})])"
_FORMULA = rf"(?:[=@\uff1d\uff20]|[+\-\u2212\uff0b\uff0d](?!{_NUMBER}{_ENDS}))"
_BEGIN = r"(\A[\t\r\n]?|[;,|\t\r\n\"])(\s*)"
_TO_HIDE = re.compile(rf"{_BEGIN}(?='*{_FORMULA})")
_HIDDEN = re.compile(rf"{_BEGIN}'(?='*{_FORMULA})")
_BLANK_TO_HIDE = re.compile(r"\A(?='*[\t\r\n])")
_BLANK_HIDDEN = re.compile(r"\A'(?='*[\t\r\n])")


class SafeCSVDataset(CSVDataset):  # type: ignore[misc] # kedro-datasets has no types
    """``SafeCSVDataset`` saves a table so that a spreadsheet takes no text for a formula, and
    loads the table that was saved.

    Names and categories of a user's table get into the results; ``=HYPERLINK(...)`` in one of
    them would run where the file is opened. An apostrophe before it makes it text.

    Example of a catalog entry::

        importance:
          type: mlops_basics.datasets.SafeCSVDataset
          filepath: data/iris/reporting/importance.csv
          save_args: {index: false}

    >>> hide_formulas("=cmd()"), hide_formulas("-1"), show_formulas("'=cmd()")
    ("'=cmd()", '-1', '=cmd()')
    """

    # All text is quoted: a lone "\r" would else end a row, and a space at an end be lost. Only an
    # empty cell is missing: a class may be named "NA".
    DEFAULT_SAVE_ARGS = CSVDataset.DEFAULT_SAVE_ARGS | {"quoting": csv.QUOTE_NONNUMERIC}
    DEFAULT_LOAD_ARGS = CSVDataset.DEFAULT_LOAD_ARGS | {
        "keep_default_na": False,
        "na_values": [""],
    }
    DEFAULT_FS_ARGS = {  # noqa: RUF012 (as kedro-datasets declares it)
        "open_args_save": {"mode": "w", "encoding": "utf-8", "newline": ""}
    }

    def save(self, data: pd.DataFrame) -> None:
        super().save(_in_text(data, hide_formulas))

    def load(self) -> pd.DataFrame:
        return _in_text(super().load(), show_formulas)


def hide_formulas(text: str) -> str:
    """Put an apostrophe before each formula that a spreadsheet could find in a cell."""
    return _BLANK_TO_HIDE.sub("'", _TO_HIDE.sub(r"\1\2'", text))


def show_formulas(text: str) -> str:
    """The text from which ``hide_formulas`` made this one."""
    return _HIDDEN.sub(r"\1\2", _BLANK_HIDDEN.sub("", text))


def _in_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Change all text of a table: its cells and the names of its columns."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    safe = table.copy()
    for position, kind in enumerate(safe.dtypes):
        if isinstance(kind, pd.CategoricalDtype):
            column: Any = safe.iloc[:, position].cat.rename_categories(changed)
        elif pd.api.types.is_object_dtype(kind) or isinstance(kind, pd.StringDtype):
            column = safe.iloc[:, position].map(changed, na_action="ignore")
        else:
            continue
        safe.isetitem(position, column)
    safe.columns = safe.columns.map(changed)
    return safe
