"""The one Jinja2 environment: every text is escaped, cleaned and bounded."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mlops_basics.reporting.metric_text import interval, metric_heading, metric_name
from mlops_basics.reporting.text import limits, number, plain, share_text, unlabelled

TEXT_LIMIT = 400


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
        metric_heading=metric_heading,
        metric_name=metric_name,
        number=number,
        plain=_clean,
        share=share_text,
        thousands="{:,}".format,
        unlabelled=unlabelled,
    )
    templates.globals["limits"] = limits
    return templates


def _clean(value: object, limit: int = TEXT_LIMIT) -> Markup:
    """Any text as one printable line of bounded length, escaped; markup of a template stays."""
    return value if isinstance(value, Markup) else escape(plain(value, limit))
