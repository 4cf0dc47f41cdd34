"""The frame of every HTML report: one self-contained page that opens without a network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NewType

import plotly.graph_objects as go

from .page_style import STYLE
from .style import plain

#: Markup in which every piece of data has been escaped; only the helpers here make it.
Html = NewType("Html", str)

# The browser itself is told to load nothing: a mistake elsewhere cannot reach the network.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
TEXT_LIMIT = 400


@dataclass(frozen=True)
class Plot:
    """A figure with its heading.

    Of the figure's ``layout.meta``, ``reading`` is shown as the reading aid, and ``wide`` gives
    the figure the page's whole width.
    """

    heading: str
    figure: go.Figure


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    heading: str
    blocks: Sequence[Html | Plot]


def text(value: object, limit: int = TEXT_LIMIT) -> Html:
    """Any text, as one line of bounded length, escaped."""
    return Html(html.escape(plain(value, limit)))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Markup put together; ``between`` is markup of ours."""
    return Html(between.join(parts))


def paragraph(content: Html, kind: str = "") -> Html:
    """A paragraph; ``kind`` is a CSS class of the page."""
    return Html(f'<p class="{kind}">{content}</p>' if kind else f"<p>{content}</p>")


def strong(content: Html) -> Html:
    """Emphasised."""
    return Html(f"<strong>{content}</strong>")


def small(content: Html) -> Html:
    """Less important."""
    return Html(f"<small>{content}</small>")


def note(content: Html) -> Html:
    """A remark in a cell; it may take several lines where the cell's other text may not."""
    return Html(f'<small class="note">{content}</small>')


def badge(content: object, tone: Literal["good", "bad", "neutral"]) -> Html:
    """A verdict in a word or two."""
    return Html(f'<span class="badge {tone}">{text(content)}</span>')


def warning_list(warnings: Sequence[str]) -> Html:
    """What a reader has to know before the rest."""
    items = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    return Html(f'<ul class="warnings">{items}</ul>')


def facts(pairs: Iterable[tuple[str, Html]]) -> Html:
    """Names and values, one pair a line."""
    lines = "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>" for name, value in pairs)
    return Html(f"<dl>{lines}</dl>")


def table(head: Sequence[Html], rows: Iterable[Sequence[Html]], caption: str = "") -> Html:
    """A table whose first column names the rows; on a narrow screen it scrolls in its box."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return Html(
        f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def page(title: str, headline: Html, sections: Sequence[Section]) -> str:
    """Write the page.

    Args:
        title: Of the window and of the page.
        headline: What a reader who stops here should know.
        sections: In reading order; plotly.js is included once where one holds a ``Plot``.
    """
    plots = 0
    parts: list[str] = []
    for section in sections:
        kind = ' class="plots"' if any(isinstance(b, Plot) for b in section.blocks) else ""
        parts.append(f"<section{kind}><h2>{text(section.heading)}</h2>")
        for block in section.blocks:
            if isinstance(block, Plot):
                plots += 1
                parts.append(_plot(block, f"plot-{plots}"))
            else:
                parts.append(block)
        parts.append("</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n{_plotly_js() if plots else ''}"
        f"</head>\n<body>\n<header><h1>{text(title)}</h1>{headline}</header>\n"
        f"<main>{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>\n"


def _plot(plot: Plot, div_id: str) -> str:
    drawn = plot.figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=div_id,
        config={"responsive": True, "displaylogo": False, "displayModeBar": False},
        default_width="100%",
        default_height=f"{plot.figure.layout.height or 420}px",
    )
    meta = plot.figure.layout.meta
    told = meta if isinstance(meta, dict) else {}
    reading, kind = told.get("reading", ""), ' class="wide"' if told.get("wide") else ""
    aid = f"<figcaption>{text(reading)}</figcaption>" if reading else ""
    return f"<figure{kind}><h3>{text(plot.heading)}</h3>{aid}{drawn}</figure>"
