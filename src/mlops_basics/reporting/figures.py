"""The figures of a run; each is a pure function of the data it draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from .curves import calibration_figure, ranking_figure
from .regression import actual_figure, residual_figure
from .style import (
    BLUE,
    BLUES,
    GREY,
    Floats,
    empty_figure,
    figure,
    label,
    line_style,
)

__all__ = [
    "actual_figure",
    "calibration_figure",
    "confusion_figure",
    "importance_figure",
    "ranking_figure",
    "residual_figure",
    "search_figure",
]

TOP_FEATURES = 20
COUNTS_UP_TO = 30  # classes; beyond, the cells are too small for text and the colours speak
MAX_LABELS = 20  # below the matrix: more would overlap on a phone
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon")


def confusion_figure(matrix: pd.DataFrame) -> go.Figure:
    """Draw how the rows of each true class were predicted.

    Args:
        matrix: First column ``actual``: the true classes; the others: counts of predictions.
    """
    counts = matrix.iloc[:, 1:].to_numpy(dtype=np.float64)
    rows, columns = counts.shape
    if rows == 0 or columns == 0:
        return empty_figure("Confusion matrix", "There are no classes to confuse.")
    limit = 18 if rows <= 12 else 14
    actual = [label(name, limit) for name in matrix.iloc[:, 0]]
    predicted = [label(name, limit) for name in matrix.columns[1:]]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    text = np.array([[f"{count:,.0f}" for count in line] for line in counts], dtype=object)
    if rows > 10:
        text[counts == 0] = ""
    hover = np.empty((rows, columns, 2), dtype=object)
    hover[..., 0], hover[..., 1] = np.array(actual)[:, None], np.array(predicted)[None, :]
    drawn = figure(
        _confusion_title(counts, actual, predicted),
        "Each row is a true class, each column a prediction: right answers lie on the diagonal, "
        "and the darker a cell, the larger its share of the true class.",
        height=int(min(860, 260 + max(34 * min(rows, 8), 16 * rows))),
        wide=rows > 15,
        margin_t=76,
    )
    drawn.add_heatmap(
        z=shares,
        zmin=0,
        zmax=1,
        colorscale=BLUES,
        text=[[f"{count:,.0f}" for count in line] for line in counts],
        customdata=hover,
        hovertemplate="true %{customdata[0]}<br>predicted %{customdata[1]}<br>"
        "%{text} rows, %{z:.1%} of the true class<extra></extra>",
        xgap=1,
        ygap=1,
        showscale=False,
    )
    if rows <= COUNTS_UP_TO:
        drawn.update_traces(text=text, texttemplate="%{text}")
    step = -(-columns // MAX_LABELS)  # the columns' order is the rows': a few labels do
    drawn.update_xaxes(
        title_text="predicted",
        tickvals=np.arange(columns)[::step],
        ticktext=predicted[::step],
        showgrid=False,
        tickangle=0 if sum(map(len, predicted)) <= 30 else -60,
        tickfont_size=12 if columns <= 20 else 8,
    )
    drawn.update_yaxes(
        title_text="true",
        tickvals=np.arange(rows),
        ticktext=actual,
        showgrid=False,
        autorange="reversed",
        tickfont_size=12 if rows <= 20 else 8,
    )
    return drawn


def importance_figure(importance: pd.DataFrame) -> go.Figure:
    """Draw how much the loss rises when a feature's values are shuffled.

    Args:
        importance: Columns ``feature``, ``rise`` and ``spread`` (standard deviation of repeats).
    """
    if importance.empty:
        return empty_figure("Importance of the features", "There are no features.")
    ordered = importance.sort_values("rise", ascending=False, kind="stable").head(TOP_FEATURES)
    names = [label(name, 24) for name in ordered["feature"]]
    shown = f" (top {len(names)} of {len(importance)})" if len(names) < len(importance) else ""
    drawn = figure(
        f"Rise of the loss when shuffled{shown}",
        "The longer a bar, the more the model depends on that feature; a bar around zero means "
        "that the model does as well without it.",
        height=140 + 26 * max(3, len(names)),
    )
    drawn.add_bar(
        x=ordered["rise"].to_numpy(dtype=np.float64),
        y=np.arange(len(names)),
        orientation="h",
        marker_color=BLUE,
        error_x={
            "type": "data",
            "array": ordered["spread"].to_numpy(dtype=np.float64),
            "color": "#22262b",
            "thickness": 1.2,
            "width": 3,
        },
        customdata=names,
        hovertemplate="%{customdata}<br>%{x:.4g}<extra></extra>",
    )
    drawn.update_xaxes(title_text="rise of the loss (line: spread of the repeats)", zeroline=True)
    drawn.update_xaxes(zerolinecolor=GREY)
    drawn.update_yaxes(
        tickvals=np.arange(len(names)), ticktext=names, autorange="reversed", showgrid=False
    )
    return drawn


def search_figure(trials: pd.DataFrame, loss: str) -> go.Figure:
    """Draw the validation loss of each trial, and the best so far.

    Args:
        trials: Columns ``trial``, ``candidate``, ``valid_loss``, ``train_loss``, ``gap``,
            ``gap_low``, ``overfitted``, ``params``.
        loss: The loss' name.
    """
    found = trials[np.isfinite(trials["valid_loss"].to_numpy(dtype=np.float64))]
    if found.empty:
        return empty_figure("Search", "No trial has a finite loss.")
    losses = found["valid_loss"].to_numpy(dtype=np.float64)
    overfitted = found["overfitted"].to_numpy(dtype=np.bool_)
    drawn = figure(
        f"Validation {label(loss)} of {len(trials)} trials",
        "Each mark is a trial, lower is better; the line is the best so far. Trials marked with "
        "a cross overfit and are chosen only when no other is left.",
        height=420,
    )
    drawn.add_scatter(
        x=found["trial"],
        y=_best_so_far(losses, overfitted),
        mode="lines",
        line={"color": GREY, "width": 1.5, "shape": "hv"},
        name="best so far",
        hoverinfo="skip",
    )
    for index, (candidate, group) in enumerate(found.groupby("candidate", sort=True)):
        texts = group[["train_loss", "gap"]].astype(object)
        texts["params"] = [label(params, 120) for params in group["params"]]
        drawn.add_scatter(
            x=group["trial"],
            y=group["valid_loss"],
            mode="markers",
            name=label(candidate),
            marker={
                "size": 9,
                "color": line_style(index)["color"],
                "symbol": SYMBOLS[index % len(SYMBOLS)],
            },
            customdata=texts.to_numpy(),
            text=[label(candidate)] * len(group),
            hovertemplate="trial %{x}: %{text}<br>valid %{y:.4g}, train %{customdata[0]:.4g}<br>"
            "gap %{customdata[1]:.1%} of the baseline<br>%{customdata[2]}<extra></extra>",
        )
    if overfitted.any():
        drawn.add_scatter(
            x=found["trial"][overfitted],
            y=losses[overfitted],
            mode="markers",
            name="overfitted",
            marker={"symbol": "x-thin", "size": 13, "line": {"color": "#22262b", "width": 1.5}},
            hoverinfo="skip",
        )
    drawn.update_xaxes(title_text="trial")
    drawn.update_yaxes(title_text=f"validation {label(loss)}")
    if losses.min() > 0 and losses.max() > 20 * losses.min():
        drawn.update_yaxes(type="log", title_text=f"validation {label(loss)} (log scale)")
    return drawn


def _confusion_title(counts: Floats, actual: list[str], predicted: list[str]) -> str:
    total = counts.sum()
    if total == 0:
        return "Confusion matrix: no rows"
    title = f"{np.trace(counts):,.0f} of {total:,.0f} rows right"
    mistakes = counts.copy()
    np.fill_diagonal(mistakes, 0)
    if mistakes.max() == 0:
        return title
    row, column = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
    # Three short lines: on a phone a title has room for 45 characters, and plotly wraps none.
    return (
        f"{title}<br>most frequent mistake, {mistakes[row, column]:,.0f} times:<br>"
        f"{actual[row]} taken for {predicted[column]}"
    )


def _best_so_far(losses: Floats, overfitted: npt.NDArray[np.bool_]) -> Floats:
    """Running minimum of the trials that do not overfit; of all until there is one."""
    sound = np.minimum.accumulate(np.where(overfitted, np.inf, losses))
    return np.where(np.isfinite(sound), sound, np.minimum.accumulate(losses))
