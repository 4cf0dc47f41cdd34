"""What is found in a table, before any model is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_basics.schemas import SplitReport, TableInfo


@dataclass(frozen=True)
class ColumnFinding:
    """A column of a table.

    Attributes:
        name: As in the source.
        read_as: "number", "time", "text" or "unusable".
        values: How many different ones.
        missing: Share of the rows without one.
        example: One of them.
        fault: Why a run would refuse it; empty if it would not.
    """

    name: str
    read_as: str
    values: int
    missing: float
    example: str
    fault: str = ""


@dataclass(frozen=True)
class TimeFinding:
    """A column of times, and the longest period that divides it well.

    Attributes:
        name: Of the column.
        first, last: ISO dates.
        period: As in globals.yml; empty where it covers too little.
        periods: How many of them it covers.
    """

    name: str
    first: str
    last: str
    period: str
    periods: int


@dataclass(frozen=True)
class Suggestion:
    """A column that may be the target: the task that it would pose, and its values in words."""

    name: str
    task: str
    values: str


@dataclass(frozen=True)
class TargetFindings:
    """What a target makes of the table.

    Attributes:
        table: As a run would find it, on the rows that were read.
        split: How a run would divide these rows.
        balance: Share of each class, the largest first; empty for a regression.
        spread: Median and the middle 98 % of a quantity; None for classes.
        telling: Share of the target's variance that a column explains alone, the largest first.
        identifiers: Columns with another value in every row; a run by the lines has none of them.
        excluded: Columns that `exclude` names already.
        smallest_gain: What the test rows can show, in the unit of ``gain_unit``; None: nothing.
        gain_unit: Of ``smallest_gain``.
        units: Test rows, or the days that they are of.
    """

    table: TableInfo
    split: SplitReport
    balance: dict[str, float]
    spread: tuple[float, float, float] | None
    telling: dict[str, float]
    identifiers: tuple[str, ...]
    excluded: tuple[str, ...]
    smallest_gain: float | None
    gain_unit: str
    units: int


@dataclass(frozen=True)
class Findings:
    """All that ``kedro check`` says of a source."""

    source: str
    rows: int
    read: int
    files: int
    columns: tuple[ColumnFinding, ...]
    times: tuple[TimeFinding, ...]
    warnings: tuple[str, ...]
    target: TargetFindings | None
    suggestions: tuple[Suggestion, ...]

    @property
    def whole(self) -> bool:
        """Whether every row was read."""
        return self.rows == self.read
