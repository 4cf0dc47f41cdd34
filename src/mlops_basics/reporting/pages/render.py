"""How pages are written: they need no network, and are the same byte for byte."""

from __future__ import annotations

import plotly.graph_objects as go
from markupsafe import Markup

from mlops_basics.reporting.jinja import environment
from mlops_basics.reporting.still import still_figure


def render(template: str, **values: object) -> str:
    """Write a page; the same values give the same bytes.

    Args:
        template: File of ``reporting/templates`` that extends ``page.html``.
        values: What it shows, with the page's ``title``.
    """
    return environment().get_template(template).render(plots=Plots(), still=still_figure, **values)


class Plots:
    """The plots of one page: numbered, and drawn by one plotly.js."""

    def __init__(self) -> None:
        self.count = 0

    def draw(self, figure: go.Figure) -> Markup:
        """Write a figure's data and its place; in figures all text is escaped by ``label``."""
        self.count += 1
        return _ours(
            figure.to_html(
                full_html=False,
                include_plotlyjs=False,
                div_id=f"plot-{self.count}",
                config={"responsive": True, "displaylogo": False, "displayModeBar": False},
                default_width="100%",
                default_height=f"{figure.layout.height or 420}px",
            )
        )

    def library(self) -> Markup:
        """The source of plotly.js."""
        from plotly.offline import get_plotlyjs

        return _ours(get_plotlyjs())


def _ours(markup: str) -> Markup:
    return Markup(markup)  # noqa: S704 (plotly's own output)
