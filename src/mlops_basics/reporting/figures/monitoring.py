"""Figures of a release in production: its error over time, and the drift of its columns."""

from __future__ import annotations

import re

import numpy as np
import plotly.graph_objects as go

from mlops_basics.reporting.monitoring_text import LOSSES, scaled
from mlops_basics.reporting.text import label
from mlops_basics.schemas import ConceptResult, Watch, WatchedBatch

from .style import BLUE, GREY, RED, empty_figure, figure, name_rows

MOST_TICKS = 14
LONGEST_TICK = 12  # characters: below a figure on a phone they stand on end
LONGEST_LEVEL = 3  # characters: longer names are turned where there is little room
MOST_NAME = 200
_WORDS_AND_SIGNS = re.compile(r"[^\W_]+|[\W_]+")
MARKS_UP_TO = 80  # batches; beyond, the cells are too narrow for a mark
# Up to the threshold blue, above it orange: as far apart for the colour-blind as in grey.
DRIFT_COLOURS = (
    (0.0, "#f4f7fb"),
    (1 / 3, "#79b1d8"),
    (1 / 3, "#f2a15f"),
    (1.0, "#a03a00"),
)


def error_figure(watch: Watch, concept: ConceptResult) -> go.Figure:
    """Draw the error of each batch beside the error that is tolerated.

    Args:
        watch: The release's batches; those whose labels count are dots, those that still wait
            for labels are open marks at the error that the model itself expects.
        concept: Reference and limit.
    """
    used = _used(watch)
    entered = [batch for batch in used if batch.entered and batch.error is not None]
    awaited = [batch for batch in used if not batch.entered and batch.expected_error is not None]
    if not entered and not awaited:
        return empty_figure("Error over time", "No batch has labels or an expected error yet.")
    fig = figure(
        f"Error of {len(entered)} labelled batches",
        "Each dot is a batch with its 95 % interval (rows taken as independent). Single dots "
        "above the line prove nothing; the alarm is raised when all rows together do. Open marks "
        "are what the model itself expects where labels are missing: no measurement.",
        height=450,
        wide=True,
    )
    ends = [used[0].number - 0.5, used[-1].number + 0.5]
    for name, loss, style in (
        ("tolerated up to", concept.tolerated, {"color": RED, "width": 2}),
        ("reference", concept.reference, {"color": GREY, "width": 1.5, "dash": "dash"}),
    ):
        fig.add_scatter(
            x=ends,
            y=[loss * concept.scale] * 2,
            mode="lines",
            line=style,
            name=f"{name} {scaled(loss, concept)}",
            hoverinfo="skip",
        )
    if entered:
        _add_errors(fig, entered, concept.scale)
    if awaited:
        fig.add_scatter(
            x=[batch.number for batch in awaited],
            y=[batch.expected_error for batch in awaited],
            mode="markers",
            name="expected by the model",
            marker={"symbol": "diamond-open", "size": 10, "color": BLUE, "line_width": 1.5},
            customdata=[label(batch.title) for batch in awaited],
            hovertemplate="%{customdata}<br>expected %{y:.4g}, no labels yet<extra></extra>",
        )
    for batch in used:
        if batch.alarm:
            fig.add_vline(
                x=batch.number,
                line={"dash": "dot", "color": RED, "width": 1.5},
                annotation={"text": "alarm", "font": {"color": RED}, "yanchor": "bottom", "y": 1},
                annotation_position="top",
            )
    fig.update_xaxes(range=ends, showgrid=False)
    names = _name_batches(fig, used)
    if max(len(name) for name in names) > LONGEST_LEVEL:
        fig.update_layout(height=530, legend_y=-0.42)  # below names that stand on end
    fig.update_yaxes(title_text=LOSSES[watch.loss], rangemode="tozero")
    return fig


def history_figure(watch: Watch, limit: int = 20) -> go.Figure:
    """Draw how far the columns have drifted in each batch.

    Args:
        watch: The release's batches; an effect above 1 is drift.
        limit: Most columns that are drawn, those with the largest effects.
    """
    judged = [batch for batch in _used(watch) if batch.effects]
    if not judged:
        return empty_figure("Drift of the columns", "No batch has been judged yet.")
    largest: dict[str, float] = {}
    for batch in judged:
        for name, effect in batch.effects.items():
            largest[name] = max(effect, largest.get(name, effect))
    columns = sorted(largest, key=lambda name: (-largest[name], name))[:limit]
    names = [label(name, 20) for name in columns]
    effects = np.array(
        [[batch.effects.get(name, np.nan) for batch in judged] for name in columns],
        dtype=np.float64,
    )
    drifted = np.array([[name in batch.drifted for batch in judged] for name in columns])
    shown = f", top {len(columns)} of {len(largest)}" if len(columns) < len(largest) else ""
    fig = figure(
        f"Drift of the columns{shown}",
        "White: no change is certain. The darker the blue, the closer the certain change comes to "
        "the one that matters; orange with a cross: it is larger, that is drift. Empty: not "
        "judged.",
        height=150 + 26 * max(3, len(columns)),
        wide=True,
    )
    hover = np.empty((*effects.shape, 2), dtype=object)
    hover[..., 0] = np.array(names, dtype=object)[:, None]
    hover[..., 1] = np.array([label(batch.title) for batch in judged], dtype=object)[None, :]
    marks = len(judged) <= MARKS_UP_TO
    fig.add_heatmap(
        x=[batch.number for batch in judged],
        y=np.arange(len(columns)),
        z=effects,
        zmin=0,
        zmax=3,
        colorscale=DRIFT_COLOURS,
        showscale=False,
        xgap=1 if marks else 0,
        ygap=1,
        text=np.where(drifted, "✕", ""),
        texttemplate="%{text}" if marks else None,
        textfont={"color": "#ffffff", "size": 12},
        customdata=hover,
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>"
        "certain change: %{z:.2f} of the one that matters<extra></extra>",
    )
    fig.update_xaxes(showgrid=False)
    _name_batches(fig, judged)
    name_rows(fig, names)
    return fig


def _add_errors(fig: go.Figure, entered: list[WatchedBatch], scale: float) -> None:
    errors, low, high = (
        scale
        * np.array(
            [[batch.error, batch.error_low, batch.error_high] for batch in entered],
            dtype=np.float64,
        ).T
    )
    # A batch without an interval is a dot alone.
    low, high = (np.where(np.isnan(ends), errors, ends) for ends in (low, high))
    hover = np.empty((len(entered), 4), dtype=object)
    hover[:, 0] = [label(batch.title) for batch in entered]
    hover[:, 1], hover[:, 2] = low, high
    hover[:, 3] = [batch.labels.labelled if batch.labels else batch.rows for batch in entered]
    fig.add_scatter(
        x=[batch.number for batch in entered],
        y=errors,
        mode="markers",
        name="error of a batch",
        marker={
            "size": 9,
            "color": [RED if batch.alarm else BLUE for batch in entered],
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": high - errors,
            "arrayminus": errors - low,
            "thickness": 1.4,
            "width": 4,
            "color": GREY,
        },
        customdata=hover,
        hovertemplate="%{customdata[0]}<br>error %{y:.4g}, 95 % interval %{customdata[1]:.4g} to "
        "%{customdata[2]:.4g}<br>%{customdata[3]:,} labelled rows<extra></extra>",
    )


def _used(watch: Watch) -> list[WatchedBatch]:
    """The batches that are judged, in their order."""
    return sorted((batch for batch in watch.batches if batch.number), key=lambda b: b.number)


def _name_batches(fig: go.Figure, batches: list[WatchedBatch]) -> list[str]:
    """Write and return names below the axis, at most as many as a phone has room for."""
    step = -(-len(batches) // MOST_TICKS)
    short = distinct_parts([batch.title for batch in batches])[::step]
    names = [label(name, LONGEST_TICK) for name in short]
    fig.update_xaxes(tickvals=[batch.number for batch in batches[::step]], ticktext=names)
    return names


def distinct_parts(names: list[str]) -> list[str]:
    """Names without the beginning and the end that all of them share: ``flights_01.csv``: ``01``.

    Words and numbers stay whole, so that 2013-10 and 2013-11 become 10 and 11, not 0 and 1.
    """
    parts = [_WORDS_AND_SIGNS.findall(name[:MOST_NAME]) for name in names]
    if len(set(names)) < 2 or any(len(name) > MOST_NAME for name in names):
        return names
    shortest = min(len(words) for words in parts)
    start = 0
    while start < shortest - 1 and len({words[start] for words in parts}) == 1:
        start += 1
    end = 0
    while end < shortest - 1 - start and len({words[-1 - end] for words in parts}) == 1:
        end += 1
    middles = ["".join(words[start : len(words) - end]).strip(" _-./") for words in parts]
    return middles if all(middles) and len(set(middles)) == len(set(names)) else names
