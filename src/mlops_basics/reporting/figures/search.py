"""The figure of a search: what each trial reached."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.reporting.metric_text import metric_name, metric_with_unit
from mlops_basics.reporting.text import label

from .style import GREY, Floats, empty_figure, figure, line_style

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon")


def search_figure(trials: pd.DataFrame, loss: str) -> go.Figure:
    """Draw the validation loss of each trial, and the best so far.

    Args:
        trials: Columns ``trial``, ``candidate``, ``valid_loss``, ``train_loss``, ``gap``,
            ``gap_low``, ``overfitted``, ``params``.
        loss: Name of the loss.
    """
    finite = trials[np.isfinite(trials["valid_loss"].to_numpy(dtype=np.float64))]
    if finite.empty:
        return empty_figure("Search", "No trial has a finite loss.")
    losses = finite["valid_loss"].to_numpy(dtype=np.float64)
    overfitted = finite["overfitted"].to_numpy(dtype=np.bool_)
    fig = figure(
        f"{label(metric_name(loss))} on valid rows, {len(trials)} trials",
        "Each mark is a trial, lower is better; the line is the best so far. Trials marked with "
        "a cross overfit and are chosen only when no other is left.",
        height=420,
    )
    fig.add_scatter(
        x=finite["trial"],
        y=_best_so_far(losses, overfitted),
        mode="lines",
        line={"color": GREY, "width": 1.5, "shape": "hv"},
        name="best so far",
        hoverinfo="skip",
    )
    for index, (candidate, group) in enumerate(finite.groupby("candidate", sort=True)):
        texts = group[["train_loss", "gap"]].astype(object)
        texts["params"] = [label(params, 120) for params in group["params"]]
        fig.add_scatter(
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
            "gap %{customdata[1]:.1%} of a constant's loss<br>%{customdata[2]}<extra></extra>",
        )
    if overfitted.any():
        fig.add_scatter(
            x=finite["trial"][overfitted],
            y=losses[overfitted],
            mode="markers",
            name="overfitted",
            marker={"symbol": "x-thin", "size": 13, "line": {"color": "#22262b", "width": 1.5}},
            hoverinfo="skip",
        )
    fig.update_xaxes(title_text="trial")
    axis = label(metric_with_unit(loss), 40)
    fig.update_yaxes(title_text=axis)
    if losses.min() > 0 and losses.max() > 20 * losses.min():
        fig.update_yaxes(type="log", title_text=f"{axis} (log scale)")
    return fig


def _best_so_far(losses: Floats, overfitted: npt.NDArray[np.bool_]) -> Floats:
    """Running minimum of the trials that do not overfit; of all until there is one."""
    sound = np.minimum.accumulate(np.where(overfitted, np.inf, losses))
    return np.where(np.isfinite(sound), sound, np.minimum.accumulate(losses))
