"""The proof as Markdown and as one small HTML page: the same tables, charts as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from mlops_basics.reporting.figures.style import PALETTE
from mlops_basics.reporting.pages.render import Plots, environment
from mlops_basics.reporting.text import Shortened, plain

LIMIT = 2_000  # characters of a paragraph
TEMPLATE = Path(__file__).parent / "templates" / "proof.html"


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `code` in backticks."""

    words: str


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the rows."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Bars:
    """Shares by name, and a line at the share that is promised."""

    caption: str
    bars: Sequence[tuple[str, float]]
    line: float
    line_name: str


@dataclass(frozen=True)
class Curves:
    """Shares by true gain, a line a rule."""

    caption: str
    gains: tuple[float, ...]
    curves: Mapping[str, Sequence[float]]


Block = Paragraph | Table | Bars | Curves


@dataclass(frozen=True)
class Part:
    """A section."""

    heading: str
    blocks: tuple[Block, ...]


def markdown(title: str, lead: str, parts: Sequence[Part]) -> str:
    """The Markdown file; charts are left to the HTML page."""
    lines = [f"# {title}", "", lead, "", "With charts: [proof.html](proof.html)."]
    for part in parts:
        lines += ["", f"## {part.heading}"]
        for block in part.blocks:
            if isinstance(block, Paragraph):
                lines += ["", block.words]
            elif isinstance(block, Table):
                lines += ["", f"*{block.caption}*", "", _line(block.head)]
                lines += [_line(["---"] * len(block.head))]
                lines += [_line(row) for row in block.rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def html_page(title: str, lead: str, parts: Sequence[Part]) -> str:
    """The HTML page; it opens without a network."""
    template = environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=title, lead=lead, parts=parts, plots=Plots(), code=_code, rows=_rows, chart=_chart
    )


def _code(words: str) -> Markup:
    """Escaped, with what stands in backticks as code."""
    pieces = str(escape(plain(words, LIMIT))).split("`")
    return Markup("".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces)))  # noqa: S704


def _rows(block: Table) -> Shortened[list[Markup]]:
    return Shortened([[_code(cell) for cell in row] for row in block.rows], "")


def _chart(block: Bars | Curves) -> Markup:
    return _bars(block) if isinstance(block, Bars) else _curves(block)


def _figure(caption: str, width: int, height: int, drawn: list[str]) -> Markup:
    label = escape(caption)
    return Markup(  # noqa: S704 (texts are escaped)
        f'<figure class="wide"><h3>{label}</h3><svg role="img" aria-label="{label}" '
        f'viewBox="0 0 {width} {height}" width="100%" style="max-width:{width}px" '
        'font-size="14" fill="currentColor">' + "".join(drawn) + "</svg></figure>"
    )


def _words(x: float, y: float, words: str, anchor: str = "start") -> str:
    escaped = escape(words.replace("`", ""))
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escaped}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, extra: str = "") -> str:
    return (
        f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" '
        f'stroke="currentColor" {extra}/>'
    )


def _bars(block: Bars) -> Markup:
    left, wide, step = 250, 400, 30
    height = step * len(block.bars) + 30
    drawn = []
    for number, (name, share) in enumerate(block.bars):
        y = step * number + 6
        colour = PALETTE[0] if name.startswith("this gate") else PALETTE[1]
        drawn += [
            _words(left - 10, y + 16, name, "end"),
            f'<rect x="{left}" y="{y}" width="{max(wide * share, 1):.1f}" height="20" '
            f'fill="{colour}"/>',
            _words(left + wide * max(share, block.line) + 8, y + 16, f"{100 * share:.1f} %"),
        ]
    x = left + wide * block.line
    drawn += [
        _rule(x, 0, x, height - 22, 'stroke-dasharray="4 3"'),
        _words(x, height - 6, block.line_name, "middle"),
    ]
    return _figure(block.caption, left + wide + 80, height, drawn)


def _curves(block: Curves) -> Markup:
    left, top, wide, tall = 60, 12, 420, 300
    low, high = block.gains[0], block.gains[-1]

    def place(gain: float, share: float) -> tuple[float, float]:
        return left + wide * (gain - low) / (high - low), top + tall * (1 - share)

    drawn = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = place(low, share)
        drawn += [
            _rule(x, y, x + wide, y, 'stroke-opacity="0.2"'),
            _words(x - 8, y + 5, f"{100 * share:.0f} %", "end"),
        ]
    for gain in block.gains:
        name = f"{100 * gain:+.0f}" if gain else "equal"
        drawn.append(_words(place(gain, 0)[0], top + tall + 20, name, "middle"))
    drawn.append(
        _words(left + wide / 2, top + tall + 42, "true gain in accuracy, points", "middle")
    )
    for number, (name, shares) in enumerate(block.curves.items()):
        path = " ".join(
            f"{x:.1f},{y:.1f}"
            for x, y in (place(g, s) for g, s in zip(block.gains, shares, strict=True))
        )
        dash = "" if name.startswith("this gate") else 'stroke-dasharray="6 4" '
        style = f'stroke="{PALETTE[number]}" stroke-width="3" {dash}'
        y = top + 20 + 26 * number
        drawn += [
            f'<polyline points="{path}" fill="none" {style}/>',
            f'<polyline points="{left + wide + 24},{y} {left + wide + 54},{y}" fill="none" '
            f"{style}/>",
            _words(left + wide + 62, y + 5, name),
        ]
    return _figure(block.caption, left + wide + 320, top + tall + 52, drawn)
