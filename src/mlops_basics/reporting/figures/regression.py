"""Figures of a regression: what it predicted, and what is left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from .style import BLUE, GREY, RED, Floats, empty_figure, every_nth, figure

RUNNING_ROWS, RUNNING_BINS = 10, 30


def actual_figure(y: npt.ArrayLike, predicted: npt.ArrayLike) -> go.Figure:
    """Draw predictions against the true values, at most 2,000 rows of them."""
    true, guess = _finite_pairs(y, predicted)
    if len(true) == 0:
        return empty_figure("Predicted against actual", "No row has a target and a prediction.")
    kept = every_nth(len(true))
    shown = "" if len(kept) == len(true) else f", {len(kept):,} of {len(true):,} rows"
    fig = figure(
        f"Predicted against actual{shown}",
        "Each dot is a row: on the diagonal the prediction is right, above it too high, below it "
        "too low.",
        height=460,
        showlegend=False,
    )
    ends = [min(true.min(), guess.min()), max(true.max(), guess.max())]
    fig.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash"}, hoverinfo="skip"
    )
    _add_dots(fig, true[kept], guess[kept], "actual %{x:.4g}<br>predicted %{y:.4g}")
    fig.update_xaxes(title_text="actual, units of the target")
    fig.update_yaxes(title_text="predicted, units of the target")
    return fig


def residual_figure(y: npt.ArrayLike, predicted: npt.ArrayLike) -> go.Figure:
    """Draw what is left of the target after the prediction, with its running quantiles."""
    true, guess = _finite_pairs(y, predicted)
    if len(true) == 0:
        return empty_figure("Residuals", "No row has a target and a prediction.")
    residuals = true - guess
    kept = every_nth(len(true))
    fig = figure(
        "Actual minus predicted (residuals)",
        "The median line should run along zero and the shaded band, which holds 80 % of the "
        "rows, should be equally wide everywhere: where it is not, predictions are off or less "
        "certain.",
        height=460,
    )
    _add_dots(fig, guess[kept], residuals[kept], "predicted %{x:.4g}<br>residual %{y:.4g}")
    centres, low, median, high = _running_quantiles(guess, residuals)
    band = {"mode": "lines", "hoverinfo": "skip", "line": {"width": 0, "color": RED}}
    fig.add_scatter(x=centres, y=low, showlegend=False, **band)
    fig.add_scatter(
        x=centres,
        y=high,
        fill="tonexty",
        fillcolor="rgba(213,94,0,0.18)",
        name="80 % of rows",
        **band,
    )
    fig.add_scatter(
        x=centres,
        y=median,
        mode="lines+markers" if len(centres) == 1 else "lines",
        line={"color": RED, "width": 2.5},
        name="running median",
        hovertemplate="median residual %{y:.4g}<extra></extra>",
    )
    fig.add_hline(y=0, line={"color": GREY, "dash": "dash", "width": 1})
    fig.update_xaxes(title_text="predicted, units of the target")
    fig.update_yaxes(title_text="actual minus predicted, units of the target")
    return fig


def _finite_pairs(y: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    true, guess = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    usable = np.isfinite(true) & np.isfinite(guess)
    return true[usable], guess[usable]


def _add_dots(fig: go.Figure, x: Floats, y: Floats, hover: str) -> None:
    fig.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"color": BLUE, "size": 5, "opacity": 0.45},
        name="rows",
        hovertemplate=f"{hover}<extra></extra>",
    )


def _running_quantiles(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Median of x, and the 10, 50 and 90 % quantiles of y, in equally filled bins of x."""
    order = np.argsort(x, kind="stable")
    bins = np.array_split(order, int(np.clip(len(x) // RUNNING_ROWS, 1, RUNNING_BINS)))
    centres = np.array([np.median(x[members]) for members in bins])
    low, median, high = (
        np.array([np.quantile(y[members], q) for members in bins]) for q in (0.1, 0.5, 0.9)
    )
    return centres, low, median, high
