"""The figure of how much a model depends on each feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.reporting.metric_text import metric_name, within_a_sentence
from mlops_basics.reporting.text import label

from .style import BLUE, GREY, empty_figure, figure, name_rows

TOP_FEATURES = 20


def importance_figure(importance: pd.DataFrame, loss: str) -> go.Figure:
    """Draw how much the loss rises when a feature's values are shuffled.

    Args:
        importance: Columns ``feature``, ``rise``, ``spread`` (standard deviation of the repeats)
            and ``rows`` (how many it was measured on).
        loss: The name of what rises.
    """
    if importance.empty:
        return empty_figure("Importance of the features", "There are no features.")
    ordered = importance.sort_values("rise", ascending=False, kind="stable").head(TOP_FEATURES)
    names = [label(name, 24) for name in ordered["feature"]]
    shown = (
        f"The {len(names)} largest of {len(importance):,}. " if len(names) < len(importance) else ""
    )
    risen = within_a_sentence(metric_name(loss))
    fig = figure(
        f"Rise of the {risen} when shuffled",
        f"{shown}The longer a bar, the more the model depends on that feature; a bar around zero "
        "means that the model does as well without it. Measured on "
        f"{int(ordered['rows'].iloc[0]):,} test rows.",
        height=140 + 26 * max(3, len(names)),
    )
    fig.add_bar(
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
    fig.update_xaxes(title_text=f"rise of the {risen} (line: spread of the repeats)", zeroline=True)
    fig.update_xaxes(zerolinecolor=GREY)
    name_rows(fig, names)
    return fig
