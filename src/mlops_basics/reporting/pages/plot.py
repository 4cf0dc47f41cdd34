"""A page of one plot, small enough to lie beside every plot of every run."""

from __future__ import annotations

import plotly.graph_objects as go
from markupsafe import Markup

from mlops_basics.reporting.jinja import environment
from mlops_basics.reporting.text import plain


def plot_page(name: str, figure: go.Figure) -> str:
    """Write a figure as an HTML page, which MLflow shows where it shows JSON as text.

    plotly.js comes from its CDN, as of ``mlflow.log_figure``: it has 4.6 MB. A browser that cannot
    reach it is told which file shows the plots without a network.

    Args:
        name: Of the data set; it names the page.
        figure: Any figure, also one of a user's own node.

    Returns:
        The same bytes for the same figure.
    """
    meta = figure.layout.meta
    plot = figure.to_html(
        full_html=False,
        include_plotlyjs="cdn",
        div_id="plot",
        config={"responsive": True, "displaylogo": False},
        default_width="100%",
        default_height=f"{figure.layout.height or 420}px",
    )
    template = environment().get_template("plot.html")
    return template.render(
        title=plain(name, 80),
        plot=Markup(plot),  # noqa: S704 (plotly's own output)
        reading=meta.get("reading", "") if isinstance(meta, dict) else "",
    )
