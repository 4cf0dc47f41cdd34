"""What was found about the columns of each batch, as tables and figures of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_basics.schemas import BatchResult
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.stats.data_drift.table_drift import TableProfile

from .drift_figures import column_figure
from .page import Html, Plot, badge, join, note, paragraph, small, table, text
from .style import number, plain

MOST_TABLES, MOST_COLUMNS, MOST_FIGURES = 10, 25, 12
OF_ONE_COLUMN = ("numeric", "missing", "categorical")
HEAD = (
    "Column",
    "Verdict",
    "Effect",
    "Surely at least",
    "Matters above",
    "Would be found",
    "Level",
    "In words",
)


def drift_tables(batches: Sequence[BatchResult]) -> list[Html | Plot]:
    """A table for each batch that was judged in this run: those with drift first, then newest."""
    judged = [item for item in batches if item.columns]
    blocks: list[Html | Plot] = []
    for item in batches:
        for told in item.notes:
            blocks.append(paragraph(text(f"{plain(item.batch.name, 60)}: {plain(told, 500)}", 600)))
    if not judged:
        return [*blocks, paragraph(text("No batch was judged in this run."))]
    ordered = sorted(judged, key=lambda item: (not item.batch.drifted, -item.batch.number))
    blocks += [_table(item) for item in ordered[:MOST_TABLES]]
    left = len(ordered) - MOST_TABLES
    if left > 0:
        blocks.append(
            paragraph(text(f"{left:,} more batches were judged: see the verdict's JSON file."))
        )
    return blocks


def change_plots(
    batches: Sequence[BatchResult],
    profiles: Mapping[str, TableProfile],
    reference: TableProfile,
) -> list[Html | Plot]:
    """Figures of the columns that have drifted most, each in the batch where it did so."""
    found = sorted(
        (
            (column, item.batch.name)
            for item in batches
            for column in item.columns
            if column.drifted
            and column.kind in OF_ONE_COLUMN
            and column.column in reference.columns
            and item.batch.name in profiles
            and column.column in profiles[item.batch.name].columns
        ),
        key=lambda pair: -_ratio(pair[0]),
    )
    worst: dict[str, tuple[DriftResult, str]] = {}
    for column, batch in found:
        worst.setdefault(column.column, (column, batch))
    return [
        Plot(
            f"{plain(name, 60)} in {plain(batch, 60)}",
            column_figure(column, reference.columns[name], profiles[batch].columns[name]),
        )
        for name, (column, batch) in list(worst.items())[:MOST_FIGURES]
    ]


def _table(item: BatchResult) -> Html:
    columns = sorted(item.columns, key=lambda each: (not each.drifted, -_ratio(each)))
    rows = [_row(each) for each in columns[:MOST_COLUMNS]]
    left = len(columns) - MOST_COLUMNS
    if left > 0:
        rows.append([text(f"and {left:,} more verdicts")])
    drifted = len(item.batch.drifted)
    told = f"{drifted} of its columns drifted" if drifted else "no column has drifted"
    caption = f"{plain(item.batch.name, 60)}, {item.batch.rows:,} rows: {told}"
    return table([text(each) for each in HEAD], rows, caption)


def _row(column: DriftResult) -> list[Html]:
    verdict = badge("drift", "bad") if column.drifted else text("not shown")
    if column.effect is None:
        verdict = text("not judged")
    what = "missing values" if column.kind == "missing" else column.measure
    return [
        join([text(column.column, 60), small(text(what, 60))], "<br>"),
        verdict,
        text(number(column.effect) if column.effect is not None else ""),
        text(number(column.lower)),
        text(f"{column.threshold:g}"),
        text(number(column.smallest) if column.smallest is not None else "nothing"),
        text(f"{column.level:.2g}"),
        _words(column),
    ]


def _words(column: DriftResult) -> Html:
    """The reason; where the numbers beside it say it all, only where the change is largest."""
    if column.drifted or column.effect is None:
        return note(text(column.reason, 300))
    if column.kind == "missing" or not column.where:
        return text("")
    return note(text(f"largest at {plain(column.where, 60)}"))


def _ratio(column: DriftResult) -> float:
    """How far the certain effect exceeds the one that does not matter; comparable over kinds."""
    nothing = 0.5 if column.kind == "classifier" else 0.0
    room = column.threshold - nothing
    if room > 0:
        return (column.lower - nothing) / room
    return float("inf") if column.drifted else 0.0
