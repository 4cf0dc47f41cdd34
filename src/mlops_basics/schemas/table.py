"""What is known of a table: its batches, its columns, its rows' sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from .base import Artifact, UnlessEmpty
from .parts import Parts

#: Columns that the project adds to a table; a source may not use these names.
BATCH_COLUMN = "__batch__"

ROW_HASH_COLUMN = "__row_hash__"

#: Before the name of the column of ``group_by``: the hashes of its values, for rows that belong
#: together. By hash, so that 17, 17.0 and "17" are one group, however a batch was stored.
GROUP_PREFIX = "__group_by__"

#: Equal in rows that are copies of each other; only in tables that hold some.
COPY_COLUMN = "__copy_of__"

RESERVED_COLUMNS = (BATCH_COLUMN, ROW_HASH_COLUMN, COPY_COLUMN)

Hashes = npt.NDArray[np.uint64]

Task = Literal["binary", "multiclass", "regression"]

#: What comes first in a date that a text writes: the year (ISO 8601), the day or the month.
DateOrder = Literal["year", "day", "month"]


@dataclass(frozen=True)
class Guess:
    """What was guessed while a file was read, or passed over, for the reader to know.

    ``kind`` is "missing" (the word ``example`` of a column of text was taken for a missing value),
    "digits" (a number of the column was written as ``example``, which is not how numbers are
    written) or "passed over" (the file ``column`` was, because of ``example``). ``rows`` says how
    often.
    """

    kind: Literal["missing", "digits", "passed over"]
    column: str
    example: str
    rows: int = 1


@dataclass(frozen=True)
class Batch:
    """One file of the source as read: its name, the SHA-256 of its bytes, its table in parts.

    A part's columns are plain, each in a type of its own: that of the whole file may be another.
    Where it could not be read, ``fault`` says why, and the table is empty: one bad file must not
    hide the others.
    """

    name: str
    sha256: str
    parts: Parts
    fault: str = ""
    guesses: tuple[Guess, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        sha256: str,
        table: pd.DataFrame,
        fault: str = "",
        guesses: tuple[Guess, ...] = (),
    ) -> Self:
        """A batch whose table memory holds."""
        return cls(name, sha256, Parts.of(table), fault, guesses)

    @property
    def table(self) -> pd.DataFrame:
        """All its rows, in memory."""
        return self.parts.read()


class BatchRecord(Artifact):
    """One file of the source, and how many of its rows had a target by then.

    ``content`` is a digest of its rows without target and excluded columns, whatever their order;
    empty where it is not known. It tells later that a file has only grown.
    """

    name: str
    sha256: str
    rows: int
    labelled: int | None = None
    content: str = ""

    @property
    def learned_from(self) -> bool:
        """Whether a model could learn from it; a record that does not tell is taken for one."""
        return self.labelled != 0


class CollectionReport(Artifact):
    """What was collected from where."""

    batches: tuple[BatchRecord, ...]
    rows_in_source: int
    rows: int
    columns: int
    warnings: tuple[str, ...] = ()


class TargetInfo(Artifact):
    """How the target was read: the rows without one are gone from ``labelled_data``.

    ``task_asked`` is the parameter, ``task`` what the values pose; ``key_columns`` are those that
    the row hash was made of.
    """

    target: str
    task: Task
    task_asked: str
    positive_above: float | None = None
    key_columns: tuple[str, ...]
    missing_target_rows: int


class TargetRange(Artifact):
    """Where a quantity lies: its 1 % quantile, median and 99 % quantile, in its own unit."""

    low: float
    median: float
    high: float


class TableInfo(Artifact):
    """What the table is: task, target, classes (sorted, as text) and feature columns.

    ``numeric`` are the features that are numbers, ``times`` the columns that are times, each with
    what comes first where a text writes them; all others are text. ``times`` is None in a release
    that was made before times were read from text. ``target_range`` is that of a regression's
    target; None where it is not known.
    """

    task: Task
    target: str
    classes: tuple[str, ...] = ()
    features: tuple[str, ...]
    numeric: tuple[str, ...]
    times: dict[str, DateOrder] | None = None
    key_columns: tuple[str, ...]
    positive_above: float | None = None
    target_range: TargetRange | None = None
    rows: int
    duplicate_rows: int
    missing_target_rows: int
    dropped_columns: dict[str, str]
    warnings: tuple[str, ...] = ()


class SplitReport(Artifact):
    """How the rows were divided; ``boundaries`` are ISO times of a split by time.

    ``of_rows`` is how many rows each set has where not all of them are used (training.max_rows).
    """

    method: Literal["hash", "time"]
    rows: dict[str, int]
    of_rows: Annotated[dict[str, int], UnlessEmpty] = {}
    boundaries: dict[str, str] = {}
    class_shares: dict[str, dict[str, float]] = {}
    warnings: tuple[str, ...] = ()
