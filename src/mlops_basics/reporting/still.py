"""Figures of the monitor as charts that stand still: plotly.js would be 4.6 MB in every page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from mlops_basics.reporting.figures.style import BLUE, GREY
from mlops_basics.reporting.svg import Box, Chart, Dot, Line, draw, padded
from mlops_basics.reporting.text import number, unlabelled

NO_CHANGE = 0.02  # of the colour scale: the same as white to the eye
SHADES = 24  # of a heat map: neighbours of one shade are one rectangle


def still_figure(figure: go.Figure) -> Markup:
    """Draw lines, dots with intervals, horizontal bars and heat maps of a figure as SVG.

    Args:
        figure: As kedro-viz shows it; its texts are escaped, as ``label`` does.

    Returns:
        Nothing where the figure has no data: its reading aid says why.
    """
    if not figure.data:
        return Markup()
    parts = _Parts()
    bars = [trace for trace in figure.data if trace.type == "bar"]
    for trace in figure.data:
        if trace.type == "scatter":
            parts.scatter(trace)
        elif trace.type == "heatmap":
            parts.heatmap(trace)
    parts.bars(bars)
    layout = figure.layout
    rows = bool(bars) or any(trace.type == "heatmap" for trace in figure.data)
    x_names, y_names = (_names(axis) for axis in (layout.xaxis, layout.yaxis))
    marks = [(float(shape.x0), "alarm") for shape in layout.shapes]
    x_range = (
        tuple(layout.xaxis.range) if layout.xaxis.range else parts.x_range(from_zero=bool(bars))
    )
    return draw(
        Chart(
            title=unlabelled(layout.title.text),
            y_label=unlabelled(layout.yaxis.title.text or layout.xaxis.title.text),
            height=int(layout.height or 380),
            x_range=x_range,
            y_range=(len(y_names or ()) - 0.5, -0.5) if rows else padded(parts.y, from_zero=True),
            x_names=x_names,
            y_names=y_names,
            lines=parts.lines,
            dots=parts.dots,
            boxes=parts.boxes,
            marks=marks,
            keys=parts.keys,
            percent_x="%" in (layout.xaxis.tickformat or ""),
            percent_y="%" in (layout.yaxis.tickformat or ""),
        )
    )


class _Parts:
    """What the traces of a figure are made of."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.dots: list[Dot] = []
        self.boxes: list[Box] = []
        self.keys: list[tuple[str, str]] = []
        self.x: list[float] = []
        self.y: list[float] = []

    def x_range(self, *, from_zero: bool) -> tuple[float, float]:
        """What the horizontal axis covers."""
        if from_zero:
            return padded(self.x, from_zero=True)
        low, high = min(self.x), max(self.x)
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    def scatter(self, trace: Any) -> None:
        """A line, or dots, some with an interval."""
        x, y = (np.asarray(values, dtype=np.float64) for values in (trace.x, trace.y))
        self.x += x.tolist()
        self.y += y[np.isfinite(y)].tolist()
        if trace.mode == "lines":
            if trace.line.shape == "hv":  # each height holds up to the next place
                x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
            points = [
                (float(at), float(height) if math.isfinite(height) else None)
                for at, height in zip(x, y, strict=True)
            ]
            dash, width = trace.line.dash or "solid", float(trace.line.width or 2)
            self.lines.append(Line(points, trace.line.color, unlabelled(trace.name), dash, width))
            return
        colours = trace.marker.color
        colours = [colours] * len(x) if isinstance(colours, str) else list(colours)
        hollow = str(trace.marker.symbol or "").endswith("-open")
        self.keys.append((unlabelled(trace.name), BLUE))
        above, below = trace.error_y.array, trace.error_y.arrayminus
        for at in range(len(x)):
            if not math.isfinite(y[at]):
                continue
            if above is not None:
                ends = [float(y[at] - below[at]), float(y[at] + above[at])]
                self.y += ends
                points = [(float(x[at]), end) for end in ends]
                self.lines.append(Line(points, GREY, width=1.4))
            about = trace.customdata[at]
            name = unlabelled(about if isinstance(about, str) else about[0])
            words = f"{name}: {number(float(y[at]))}"
            self.dots.append(Dot(float(x[at]), float(y[at]), colours[at], words, hollow))

    def heatmap(self, trace: Any) -> None:
        """A rectangle a run of cells of one shade; nearly white ones are left out."""
        z = np.asarray(trace.z, dtype=np.float64) / trace.zmax
        x = np.asarray(trace.x, dtype=np.float64)
        self.x += [float(x.min()) - 0.5, float(x.max()) + 0.5]
        signs = np.asarray(trace.text) if trace.texttemplate else np.full(z.shape, "")
        for row, shares in enumerate(z):
            start = 0
            for at in range(1, len(x) + 1):
                here = _shade(shares[start])
                if at < len(x) and _shade(shares[at]) == here and x[at] == x[at - 1] + 1:
                    continue
                if here is not None:
                    colour = _colour(trace.colorscale, here)
                    ends = x[start] - 0.5, x[at - 1] + 0.5
                    self.boxes.append(Box(ends[0], row - 0.46, ends[1], row + 0.46, colour))
                start = at
            self.boxes += [
                Box(x[at] - 0.5, row - 0.46, x[at] + 0.5, row + 0.46, "none", str(signs[row, at]))
                for at in np.flatnonzero(signs[row])
            ]

    def bars(self, traces: list[Any]) -> None:
        """Horizontal bars, those of several traces below each other."""
        height = 0.75 / max(len(traces), 1)
        for place, trace in enumerate(traces):
            self.keys.append((unlabelled(trace.name), trace.marker.color))
            self.x += [float(value) for value in trace.x]
            for row, value in zip(trace.y, trace.x, strict=True):
                top = float(row) - 0.375 + place * height
                box = Box(0.0, top, float(value), top + height, trace.marker.color)
                self.boxes.append(box)


def _names(axis: Any) -> dict[float, str] | None:
    if axis.ticktext is None:
        return None
    return {
        float(at): unlabelled(name) for at, name in zip(axis.tickvals, axis.ticktext, strict=True)
    }


def _shade(share: float) -> int | None:
    """Which of the shades; None for what is as good as white, or not known."""
    if not math.isfinite(share) or share < NO_CHANGE:
        return None
    return min(int(share * SHADES), SHADES - 1)


def _colour(scale: Any, shade: int) -> str:
    """The colour in the middle of a shade."""
    share = (shade + 0.5) / SHADES
    before = max((stop for stop in scale if stop[0] <= share), key=lambda stop: stop[0])
    after = min((stop for stop in scale if stop[0] > share), key=lambda stop: stop[0])
    # of two stops at one place, the later one begins what lies beyond it
    before = [stop for stop in scale if stop[0] == before[0]][-1]
    part = (share - before[0]) / (after[0] - before[0])
    ends = [
        np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        for colour in (before[1], after[1])
    ]
    red, green, blue = np.round(ends[0] + part * (ends[1] - ends[0])).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
