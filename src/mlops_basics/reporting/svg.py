"""Charts that stand still: small inline SVG, without a script, readable on light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from mlops_basics.reporting.figures.style import RED, line_style
from mlops_basics.reporting.jinja import environment
from mlops_basics.reporting.text import plain

WIDTH = 720  # units of the drawing, which takes the width of its place
TOP, RIGHT, LETTER, LINE = 30, 16, 7.0, 20
LONGEST_NAME = 40
MOST_TICKS = 14
DASHES = {"solid": "", "dash": "6 4", "dot": "2 3"}


@dataclass(frozen=True)
class Line:
    """A line through points (x, y); a y of None leaves a gap. ``name`` is its key, if any."""

    points: Sequence[tuple[float, float | None]]
    colour: str
    name: str = ""
    dash: str = "solid"
    width: float = 2.0


@dataclass(frozen=True)
class Dot:
    """A point; ``words`` are shown while a pointer rests on it."""

    x: float
    y: float
    colour: str
    words: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle from (x, y) to (to_x, to_y); ``sign`` is written into its middle."""

    x: float
    y: float
    to_x: float
    to_y: float
    colour: str
    sign: str = ""


@dataclass(frozen=True)
class Chart:
    """What is drawn, in units of the data.

    Attributes:
        title: For those who do not see it.
        y_label: Above the vertical axis.
        x_range, y_range: What the axes cover; ``y_range`` may run downwards.
        x_names, y_names: Texts at places of an axis; none: numbers.
        marks: Vertical lines, each with a word.
        keys: Further entries of the key: name and colour.
        percent_x, percent_y: Whether numbers at the axis are shares.
    """

    title: str
    y_label: str = ""
    height: int = 380
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    x_names: Mapping[float, str] | None = None
    y_names: Mapping[float, str] | None = None
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    boxes: Sequence[Box] = ()
    marks: Sequence[tuple[float, str]] = ()
    keys: Sequence[tuple[str, str]] = ()
    percent_x: bool = False
    percent_y: bool = False


def line_chart(
    series: Mapping[str, Sequence[float | None]],
    *,
    x: Sequence[str],
    title: str,
    y_label: str,
    threshold: float | None = None,
    marks: Mapping[int, str] | None = None,
    styles: Mapping[str, int] | None = None,
    percent: bool = False,
) -> Markup:
    """Draw lines over the same places.

    Args:
        series: By name, a value a place; None (NaN, infinity) leaves a gap. Of length ``len(x)``.
        x: Names of the places, at most 14 of which are written.
        title: For those who do not see it; a heading is the page's.
        y_label: What the values are, with their unit.
        threshold: Where a dashed line is drawn.
        marks: By place, from 0, a word above a vertical line.
        styles: By name, the number of its line's style, where charts share names; the order of the
            series counts for the others.
        percent: Whether values are shares.

    Returns:
        The SVG; all texts are escaped.

    Raises:
        ValueError: If a series is of another length.
    """
    for name, values in series.items():
        if len(values) != len(x):
            raise ValueError(f"{name} must be of length {len(x)}, got {len(values)!r}")
    lines = []
    for at, (name, values) in enumerate(series.items()):
        style = line_style((styles or {}).get(name, at))
        points = [(float(place), _finite(value)) for place, value in enumerate(values)]
        lines.append(Line(points, style["color"], name, style["dash"]))
    ends = (-0.5, max(len(x) - 0.5, 0.5))
    if threshold is not None:
        level: list[tuple[float, float | None]] = [(end, threshold) for end in ends]
        words = f"{100 * threshold:.4g} %" if percent else f"{threshold:.4g}"
        lines.append(Line(level, RED, f"threshold {words}", "dash", 1.5))
    heights = [y for line in lines for _, y in line.points if y is not None]
    dots = [
        Dot(place, y, line.colour)
        for line in lines[: len(series)]
        for (before, (place, y), after) in _with_neighbours(line.points)
        if y is not None and before is None and after is None
    ]
    step = -(-len(x) // MOST_TICKS)
    return draw(
        Chart(
            title=title,
            y_label=y_label,
            x_range=ends,
            y_range=padded(heights),
            x_names={float(at): name for at, name in list(enumerate(x))[:: max(step, 1)]},
            lines=lines,
            dots=dots,
            marks=[(float(at), word) for at, word in (marks or {}).items()],
            percent_y=percent,
        )
    )


def padded(values: Sequence[float], *, from_zero: bool = False) -> tuple[float, float]:
    """A range that holds all values, with some room; never empty."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return (low if from_zero and low == 0 else low - room), high + room


def draw(chart: Chart) -> Markup:
    """Write a chart as SVG."""
    (x_low, x_high), (y_low, y_high) = chart.x_range, chart.y_range
    y_ticks = _ticks(chart.y_names, chart.y_range, chart.percent_y)
    x_ticks = _ticks(chart.x_names, chart.x_range, chart.percent_x)
    left = 16 + LETTER * max((len(text) for _, text in y_ticks), default=1)
    right = WIDTH - RIGHT
    longest = max((len(text) for _, text in x_ticks), default=0)
    turned = longest * LETTER * len(x_ticks) > right - left
    named = [(line.name, line.colour, DASHES[line.dash]) for line in chart.lines if line.name]
    named += [(name, colour, "") for name, colour in chart.keys]
    keys, rows = _place_keys(
        [(plain(name, LONGEST_NAME), colour, dashes) for name, colour, dashes in named], left
    )
    below = (12 + LETTER * longest if turned else 26) + LINE * rows
    bottom = max(chart.height - below, TOP + 60)

    def across(x: float) -> float:
        return round(left + (x - x_low) / (x_high - x_low) * (right - left), 1)

    def down(y: float) -> float:
        return round(bottom - (y - y_low) / (y_high - y_low) * (bottom - TOP), 1)

    boxes, signs = [], []
    for box in chart.boxes:
        xs = sorted((across(box.x), across(box.to_x)))
        ys = sorted((down(box.y), down(box.to_y)))
        size = {"width": round(xs[1] - xs[0], 1), "height": round(ys[1] - ys[0], 1)}
        boxes.append({"x": xs[0], "y": ys[0], "colour": box.colour, **size})
        if box.sign:
            middle = {"x": round(sum(xs) / 2, 1), "y": round(sum(ys) / 2, 1)}
            signs.append({"words": box.sign, "colour": "#ffffff", **middle})
    first = bottom + (12 + LETTER * longest if turned else 26) + 8
    markup = (
        environment()
        .get_template("chart.svg")
        .render(
            title=plain(chart.title, 200),
            y_label=plain(chart.y_label, 100),
            width=WIDTH,
            height=round(bottom + below + 6, 1),
            left=round(left, 1),
            right=right,
            top=TOP,
            bottom=round(bottom, 1),
            turned=turned,
            grid=chart.y_names is None,
            red=RED,
            x_ticks=[{"at": across(at), "text": text} for at, text in x_ticks],
            y_ticks=[{"at": down(at), "text": text} for at, text in y_ticks],
            boxes=boxes,
            signs=signs,
            marks=[{"at": across(at), "text": plain(word)} for at, word in chart.marks],
            lines=[
                {
                    "path": _path(
                        [(across(x), None if y is None else down(y)) for x, y in line.points]
                    ),
                    "colour": line.colour,
                    "width": line.width,
                    "dashes": DASHES[line.dash],
                }
                for line in chart.lines
            ],
            dots=[
                {
                    "x": across(dot.x),
                    "y": down(dot.y),
                    "colour": dot.colour,
                    "hollow": dot.hollow,
                    "words": plain(dot.words, 120),
                }
                for dot in chart.dots
            ],
            keys=[{**key._asdict(), "y": round(first + key.row * LINE, 1)} for key in keys],
        )
    )
    return Markup(markup)  # noqa: S704 (the template has escaped all texts)


class _Key(NamedTuple):
    """An entry of the key, in a row below the chart."""

    x: float
    row: int
    text: str
    colour: str
    dashes: str


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _with_neighbours(
    points: Sequence[tuple[float, float | None]],
) -> list[tuple[float | None, tuple[float, float | None], float | None]]:
    """Each point between the heights beside it: a single one is no line, and needs a dot."""
    heights = [None, *(y for _, y in points), None]
    return [(heights[at], point, heights[at + 2]) for at, point in enumerate(points)]


def _path(points: Sequence[tuple[float, float | None]]) -> Markup:
    """Through all points, however many these are."""
    path, pen = [], "M"
    for x, y in points:
        if y is None:
            pen = "M"
            continue
        path.append(f"{pen}{x:g} {y:g}")
        pen = "L"
    return Markup("".join(path))  # noqa: S704 (numbers alone)


def _place_keys(named: Sequence[tuple[str, str, str]], left: float) -> tuple[list[_Key], int]:
    """Where the entries of the key stand, and in how many rows."""
    keys: list[_Key] = []
    x, row = left, 0
    for text, colour, dashes in named:
        width = 44 + LETTER * len(text)
        if x > left and x + width > WIDTH:
            x, row = left, row + 1
        keys.append(_Key(round(x, 1), row, text, colour, dashes))
        x += width
    return keys, row + 1 if keys else 0


def _ticks(
    names: Mapping[float, str] | None, limits: tuple[float, float], percent: bool
) -> list[tuple[float, str]]:
    if names is not None:
        return [(at, plain(name, 22)) for at, name in names.items()]
    low, high = min(limits), max(limits)
    # 1, 2 or 5 times a power of ten, so that there are about five of them
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
    places = [at * step for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [(at, f"{100 * at:.3g} %" if percent else f"{at:,.6g}") for at in places]
