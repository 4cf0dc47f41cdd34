"""Figures of the demo: four models month by month, and what keeping up gained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mlops_basics.commands.demo.rivals import ALWAYS, NEVER, WINDOW
from mlops_basics.reporting.figures.style import BLUE, GREY, PALETTE, RED
from mlops_basics.reporting.svg import Chart, Dot, Line, draw, padded

KEPT_UP = "kept up"
#: Colour, dash and width of each model's line.
STYLES = {
    KEPT_UP: (BLUE, "solid", 3.0),
    NEVER: (RED, "dash", 2.0),
    ALWAYS: (PALETTE[2], "solid", 1.5),
    WINDOW: (PALETTE[3], "dot", 2.0),
}
_APART = 0.18  # of a month, between the marks of two models


def loss_chart(
    months: Sequence[str],
    losses: Mapping[str, Sequence[float]],
    *,
    title: str,
    unit: str,
    changes: Mapping[str, str],
    guess: tuple[str, Sequence[float]] | None = None,
) -> Markup:
    """Draw the mean loss of each model.

    Args:
        months: Names, in the order of time.
        losses: Of each month, by model.
        title: For those who do not see it.
        unit: Of the loss.
        changes: Month in which another policy took over, and its name.
        guess: Name and mean losses of a prediction that needs no model.
    """
    lines = [] if guess is None else [Line(_points(guess[1]), GREY, guess[0], "dot", 1.5)]
    for name, values in losses.items():
        colour, dash, width = STYLES[name]
        lines.append(Line(_points(values), colour, name, dash, width))
    marks = [(float(months.index(month)), name) for month, name in changes.items()]
    return draw(
        Chart(
            title=title,
            y_label=unit,
            x_range=(-0.5, len(months) - 0.5),
            y_range=padded([y for line in lines for _, y in line.points if y is not None]),
            x_names=dict(enumerate(months)),
            lines=lines[::-1],  # what is in production on top of the others
            marks=marks,
        )
    )


def gain_chart(
    months: Sequence[str],
    gains: Mapping[str, Sequence[tuple[float, float, float] | None]],
    *,
    title: str,
    unit: str,
) -> Markup:
    """Draw each month's gain over each rival with its interval.

    Args:
        months: Names, in the order of time.
        gains: By rival: gain, lower and upper limit of each month; None where both are one model.
        title: For those who do not see it.
        unit: Of the gain.
    """
    dots, lines = [], [Line([(-0.5, 0.0), (len(months) - 0.5, 0.0)], GREY, width=1.0)]
    for place, (rival, of_months) in enumerate(gains.items()):
        shift = _APART * (place - (len(gains) - 1) / 2)
        for at, gain in enumerate(of_months):
            if gain is None:
                continue
            value, low, high = gain
            words = f"{months[at]}, over {rival}: {value:+.4f} ({low:+.4f} to {high:+.4f})"
            dots.append(Dot(at + shift, value, STYLES[rival][0], words))
            ends = [(at + shift, value), (at + shift, value)]
            if math.isfinite(low) and math.isfinite(high):
                ends = [(at + shift, low), (at + shift, high)]
            lines.append(Line(ends, STYLES[rival][0], width=1.4))
    heights = [y for line in lines for _, y in line.points if y is not None]
    return draw(
        Chart(
            title=title,
            y_label=unit,
            x_range=(-0.5, len(months) - 0.5),
            y_range=padded(heights),
            x_names=dict(enumerate(months)),
            lines=lines,
            dots=dots,
            keys=[(f"over {rival}", STYLES[rival][0]) for rival in gains],
        )
    )


def _points(values: Sequence[float]) -> list[tuple[float, float | None]]:
    return [(float(at), value) for at, value in enumerate(values)]
