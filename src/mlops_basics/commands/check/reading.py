"""Reads a table, or rows of it, and finds out how its CSV file is written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_basics.datasets.source import SourceDataset, SourceSample
from mlops_basics.errors import DataError
from mlops_basics.table.checks import MOSTLY_NUMBERS
from mlops_basics.table.number_text import number_options

SAMPLED_BYTES = 12_000_000  # of text: about 60,000 rows of 20 columns, in two seconds
_SEPARATORS = (";", "\t", "|")


@dataclass(frozen=True)
class ReadTable:
    """A source, or rows of it.

    Attributes:
        sample: What was read.
        guessed: Options of ``csv`` that were found out, beside those that were given.
    """

    sample: SourceSample
    guessed: dict[str, Any]


def read_table(path: str, config: dict[str, Any], text_columns: list[str]) -> ReadTable:
    """Read a source; where it cannot be read as configured, find out how it is written.

    Args:
        path: A file or a folder.
        config: Of the catalog's source: the options of ``pandas.read_csv``, credentials.
        text_columns: Columns that are text.

    Raises:
        DataError: If no guess makes it readable; the message is that of the options as given.
    """
    given = dict(config.get("csv_args") or {})

    def read(guessed: dict[str, Any]) -> SourceSample:
        options = {**config, "csv_args": guessed | given, "text_columns": text_columns}
        sample = SourceDataset(path=path, **options).sample(SAMPLED_BYTES)
        for batch in sample.batches:
            if batch.fault:
                raise DataError(batch.fault)
        return sample

    try:
        guessed: dict[str, Any] = {}
        sample = read(guessed)
    except DataError as error:
        guessed, sample = _guessed(read, given, error)
    free = set(text_columns)
    found = _number_options([batch.table for batch in sample.batches], free)
    if found and not set(found) & set(given):
        with contextlib.suppress(DataError):  # the fault of the column says what to do
            sample, guessed = read(guessed | found), guessed | found
    return ReadTable(sample, guessed)


def _guessed(
    read: Any, given: dict[str, Any], error: DataError
) -> tuple[dict[str, Any], SourceSample]:
    """The first options under which a table of several columns is read; else the first error."""
    encodings: list[dict[str, Any]] = [{}]
    if "encoding" not in given and "is not utf-8" in str(error):
        encodings = [{"encoding": "cp1252"}]
    separators: list[dict[str, Any]] = [{}]
    if "sep" not in given and "delimiter" not in given:
        separators += [{"sep": each} for each in _SEPARATORS]
    for encoding in encodings:
        for separator in separators:
            options = encoding | separator
            if not options:
                continue
            try:
                sample = read(options)
            except DataError:
                continue
            if all(batch.table.shape[1] > 1 for batch in sample.batches):
                return options, sample
    raise error


def _number_options(tables: list[pd.DataFrame], text_columns: set[str]) -> dict[str, str]:
    """How numbers are written that would else be text."""
    found: dict[str, str] = {}
    for table in tables:
        for name in table:
            if isinstance(table[name].dtype, pd.StringDtype) and name not in text_columns:
                found |= number_options(table[name], MOSTLY_NUMBERS)
    return found if found.get("thousands") != found.get("decimal") else {}
