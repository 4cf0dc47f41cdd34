"""The figure of a decision."""

from __future__ import annotations

import plotly.graph_objects as go

from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.schemas import Decision

from .style import BLUE, GREY, RED, figure


def gain_figure(decision: Decision) -> go.Figure:
    """Draw the challenger's gain with its interval, and the gain that it had to exceed."""
    fig = figure(
        f"Gain by {metric_name(decision.metric)}, {decision.unit}",
        "Right of the dashed line the challenger is better by more than was asked; it is promoted "
        "when its whole interval lies there.",
        height=220,
    )
    gain = decision.gain or 0.0
    low = gain if decision.low is None else decision.low
    high = gain if decision.high is None else decision.high
    fig.add_scatter(
        x=[gain],
        y=["challenger"],
        mode="markers",
        marker={"size": 12, "color": BLUE},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - gain],
            "arrayminus": [gain - low],
            "thickness": 2,
        },
        hovertemplate="gain %{x:.4g}<extra></extra>",
        showlegend=False,
    )
    fig.update_xaxes(title_text=f"gain, {decision.unit}")
    fig.add_vline(x=decision.min_gain, line={"dash": "dash", "color": RED})
    if decision.smallest_gain is not None:
        fig.add_vline(
            x=decision.smallest_gain,
            line={"dash": "dot", "color": GREY},
            annotation_text="smallest gain it could see",
            annotation_position="top",
        )
    return fig
