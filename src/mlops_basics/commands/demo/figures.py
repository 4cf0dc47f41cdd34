"""Figures of the demo: two models month by month, and what keeping up gained."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mlops_basics.reporting.figures.monitoring import LONGEST_TICK, distinct_parts
from mlops_basics.reporting.figures.style import BLUE, GREY, RED, figure
from mlops_basics.reporting.text import label


def loss_figure(
    months: Sequence[str],
    first: Sequence[float],
    kept: Sequence[float],
    unit: str,
    changes: Sequence[tuple[str, str]],
    guess: tuple[str, Sequence[float]] | None = None,
) -> go.Figure:
    """Draw the mean loss of both models.

    Args:
        months: Names, in the order of time.
        first, kept: Mean loss of each month.
        unit: Of the loss.
        changes: Month and version of each release that replaced another.
        guess: Name and mean losses of a prediction that needs no model.
    """
    fig = figure(
        unit,
        "Lower is better. A dotted line marks a new release: it predicts from the next month on.",
        height=420,
        hovermode="x unified",
    )
    if guess is not None:
        fig.add_scatter(
            x=list(months),
            y=list(guess[1]),
            mode="lines",
            name=label(guess[0]),
            line={"color": GREY, "dash": "dot", "width": 1.5},
            hovertemplate="%{y:.4f}",
        )
    for name, values, style in (
        ("never retrained", first, {"color": RED, "dash": "dash", "width": 2}),
        ("kept up", kept, {"color": BLUE, "width": 2.5}),
    ):
        fig.add_scatter(
            x=list(months),
            y=list(values),
            mode="lines+markers",
            name=name,
            line=style,
            hovertemplate="%{y:.4f}",
        )
    for month, version in changes:
        if month in months:
            fig.add_vline(x=month, line={"dash": "dot", "color": BLUE, "width": 1})
            fig.add_annotation(
                x=month,
                y=1,
                yref="paper",
                yanchor="bottom",
                text=label(version, 8),
                showarrow=False,
                font={"color": BLUE, "size": 12},
            )
    _name_months(fig, months)
    return fig


def gain_figure(
    months: Sequence[str], gains: Sequence[tuple[float, float, float] | None], unit: str
) -> go.Figure:
    """Draw each month's gain with its interval.

    Args:
        months: Names, in the order of time.
        gains: Gain, lower and upper limit of each; None where both models are one.
        unit: Of the gain.
    """
    fig = figure(
        unit,
        "Above 0, keeping up was worth it. Bars are 95 % intervals with days as the independent "
        "units; a month without a mark was predicted by one and the same model.",
        height=420,
    )
    fig.add_hline(y=0, line={"color": GREY, "width": 1})
    shown = [(name, *gain) for name, gain in zip(months, gains, strict=True) if gain is not None]
    fig.add_scatter(
        x=[name for name, _, _, _ in shown],
        y=[gain for _, gain, _, _ in shown],
        mode="markers",
        marker={"size": 9, "color": BLUE},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - gain for _, gain, _, high in shown],
            "arrayminus": [gain - low for _, gain, low, _ in shown],
            "thickness": 1.6,
            "width": 4,
        },
        customdata=[(low, high) for _, _, low, high in shown],
        hovertemplate="%{x}: %{y:+.4f}, %{customdata[0]:+.4f} to %{customdata[1]:+.4f}"
        "<extra></extra>",
        showlegend=False,
    )
    _name_months(fig, months)
    return fig


def _name_months(fig: go.Figure, months: Sequence[str]) -> None:
    """All months in their order, also those without a mark."""
    fig.update_xaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(months),
        range=[-0.5, len(months) - 0.5],
        tickvals=list(months),
        ticktext=[label(name, LONGEST_TICK) for name in distinct_parts(list(months))],
        showgrid=False,
    )
