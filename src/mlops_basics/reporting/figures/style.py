"""What all figures share: template, palette, and how many points are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: Okabe and Ito's palette without its yellow, which is hard to see on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444")
BLUE, RED = PALETTE[0], PALETTE[1]
GREY = "#8a8f98"
BLUES = ((0.0, "#f4f7fb"), (0.5, "#79b1d8"), (1.0, "#0a4b78"))
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MAX_POINTS = 500
MAX_DOTS = 2_000

_AXIS = {
    "gridcolor": "#e6e8eb",
    "linecolor": "#b6bbc2",
    "zeroline": False,
    "automargin": True,
    "title": {"standoff": 8, "font": {"size": 13}},
    "tickfont": {"size": 12},
    "ticks": "outside",
    "tickcolor": "#b6bbc2",
    "ticklen": 4,
}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": "#22262b"},
        "title": {"font": {"size": 14}, "x": 0, "xanchor": "left", "pad": {"l": 8}},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "colorway": list(PALETTE),
        "margin": {"l": 8, "r": 12, "t": 56, "b": 8},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "font": {"size": 12}},
        "hoverlabel": {"align": "left", "font": {"family": FONT}},
        "dragmode": False,
    }
)


def figure(title: str, reading: str, height: int, wide: bool = False, **layout: Any) -> go.Figure:
    """An empty figure in the shared style; ``reading`` tells a reader how to read it.

    The reading aid is kept in the figure (``layout.meta``), so that it travels with its JSON.
    """
    return go.Figure(
        layout={
            "template": TEMPLATE,
            "title": {"text": title},
            "meta": {"reading": reading, "wide": wide},
            "height": height,
            **layout,
        }
    )


def empty_figure(title: str, message: str) -> go.Figure:
    """A figure that says why there is nothing to draw."""
    fig = figure(title, message, 220)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    fig.add_annotation(
        text=message, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font_size=14
    )
    return fig


def name_rows(fig: go.Figure, names: Sequence[str]) -> None:
    """Write names beside the rows of a figure, which are numbered from 0, the first on top."""
    fig.update_yaxes(
        tickvals=np.arange(len(names)), ticktext=names, autorange="reversed", showgrid=False
    )


def line_style(index: int) -> dict[str, str]:
    """Colour of the index-th line; from the second round of colours on it is dashed."""
    dashes = ("solid", "dash", "dot")
    return {
        "color": PALETTE[index % len(PALETTE)],
        "dash": dashes[index // len(PALETTE) % len(dashes)],
    }


def every_nth(rows: int, most: int = MAX_DOTS) -> Indices:
    """At most ``most`` row positions, evenly spread over ``rows``, first and last included."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).astype(np.int64))


def thin_curve(x: Floats, y: Floats, most: int = MAX_POINTS) -> Indices:
    """Positions of at most ``most`` points, evenly spread along the curve's length.

    Even steps in position would waste the points where a curve of a million rows stands still.
    """
    if len(x) <= most:
        return np.arange(len(x))
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, length[-1], most)
    positions = np.searchsorted(length, wanted).clip(0, len(x) - 1)
    positions[-1] = len(x) - 1
    return np.unique(positions)
