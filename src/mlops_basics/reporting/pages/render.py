"""How pages are written: every text is escaped, cleaned and bounded, nothing needs a network."""

from __future__ import annotations

from functools import cache

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mlops_basics.reporting.metric_text import interval, metric_name
from mlops_basics.reporting.still import still_figure
from mlops_basics.reporting.text import limits, number, plain, share_text

TEXT_LIMIT = 400


def render(template: str, **values: object) -> str:
    """Write a page; the same values give the same bytes.

    Args:
        template: File of ``reporting/templates`` that extends ``page.html``.
        values: What it shows, with the page's ``title``.
    """
    return environment().get_template(template).render(plots=Plots(), **values)


@cache
def environment() -> Environment:
    """The templates; the package's own loader finds them in a checkout and in a wheel."""
    templates = Environment(
        loader=PackageLoader("mlops_basics.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        interval=interval,
        metric_name=metric_name,
        number=number,
        plain=_clean,
        share=share_text,
        thousands="{:,}".format,
    )
    templates.globals["limits"] = limits
    templates.globals["still"] = still_figure
    return templates


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


def _clean(value: object, limit: int = TEXT_LIMIT) -> Markup:
    """Any text as one printable line of bounded length, escaped; markup of a template stays."""
    return value if isinstance(value, Markup) else escape(plain(value, limit))


def _ours(markup: str) -> Markup:
    return Markup(markup)  # noqa: S704 (plotly's own output)
