"""What was found about the columns of each batch, as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mlops_basics.reporting.figures.column_change import column_figure
from mlops_basics.reporting.text import Shortened, plain, shorten
from mlops_basics.schemas import BatchResult
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.stats.data_drift.table_drift import TableProfile

MOST_TABLES, MOST_COLUMNS, MOST_FIGURES = 10, 25, 12
OF_ONE_COLUMN = ("numeric", "missing", "categorical")


@dataclass(frozen=True)
class DriftTable:
    """A batch that was judged, and what was found about its columns: the largest drift first."""

    name: str
    rows: int
    drifted: int
    columns: Shortened[DriftResult]


@dataclass(frozen=True)
class DriftTables:
    """All batches of a run.

    Attributes:
        notes: Name of a batch, and a remark about it.
        tables: Those with drift first, then the newest; ``left`` counts those left out.
    """

    notes: list[tuple[str, str]]
    tables: list[DriftTable]
    left: int


def drift_tables(batches: Sequence[BatchResult]) -> DriftTables:
    """Sort what a run found about batches and their columns, and leave out what is too much."""
    judged = sorted(
        (result for result in batches if result.columns),
        key=lambda result: (not result.batch.drifted, -result.batch.number),
    )
    return DriftTables(
        notes=[(result.batch.title, note) for result in batches for note in result.notes],
        tables=[_table(result) for result in judged[:MOST_TABLES]],
        left=max(0, len(judged) - MOST_TABLES),
    )


def change_figures(
    batches: Sequence[BatchResult],
    profiles: Mapping[str, TableProfile],
    reference: TableProfile,
) -> dict[str, go.Figure]:
    """Draw the columns that have drifted most, each in the batch where it did so; by heading."""
    drawable = sorted(
        (
            (column, result.batch.title)
            for result in batches
            for column in result.columns
            if column.drifted
            and column.kind in OF_ONE_COLUMN
            and column.column in reference.columns
            and result.batch.title in profiles
            and column.column in profiles[result.batch.title].columns
        ),
        key=lambda pair: -_excess(pair[0]),
    )
    worst: dict[str, tuple[DriftResult, str]] = {}
    for column, batch in drawable:
        worst.setdefault(column.column, (column, batch))
    return {
        f"{plain(name, 60)} in {plain(batch, 60)}": column_figure(
            column, reference.columns[name], profiles[batch].columns[name]
        )
        for name, (column, batch) in list(worst.items())[:MOST_FIGURES]
    }


def _table(result: BatchResult) -> DriftTable:
    columns = sorted(result.columns, key=lambda column: (not column.drifted, -_excess(column)))
    return DriftTable(
        name=result.batch.title,
        rows=result.batch.rows,
        drifted=len(result.batch.drifted),
        columns=shorten(columns, MOST_COLUMNS, "more verdicts"),
    )


def _excess(column: DriftResult) -> float:
    """How far the certain effect exceeds the one that does not matter; comparable over kinds."""
    nothing = 0.5 if column.kind == "classifier" else 0.0
    room = column.threshold - nothing
    if room > 0:
        return (column.lower - nothing) / room
    return float("inf") if column.drifted else 0.0
