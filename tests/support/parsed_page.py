"""A page as a browser reads it, and what is true of every page of the project."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import NamedTuple

from plotly.offline import get_plotlyjs


def without_plotly(source: str) -> str:
    """The page without plotly.js, which is not ours to test."""
    return source.replace(get_plotlyjs(), "")


class ParsedPage(HTMLParser):
    """The tags, attributes and visible words of a page.

    Attributes:
        tags: In their order.
        attributes: Tag, name and value of each.
        sections: Words by heading; the page's head is under the empty heading.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.sections: dict[str, str] = {}
        self._open, self._heading = "", ""
        self.feed(without_plotly(source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self._open = tag
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note words that a reader sees."""
        if self._open == "h2":
            self._heading, self._open = data, ""
        elif self._open not in ("script", "style"):
            words = f"{self.sections.get(self._heading, '')} {data}"
            self.sections[self._heading] = " ".join(words.split())

    @property
    def words(self) -> str:
        """All of them, headings included."""
        return " ".join(f"{heading} {words}" for heading, words in self.sections.items())


class Table(NamedTuple):
    """The words of a table's cells."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def tables(source: str) -> list[Table]:
    """The tables of a page or of a part of one."""
    parsed = []
    for table in _contents("table", source):
        head, *rows = [
            [_words(cell) for cell in _contents("t[hd]", row)] for row in _contents("tr", table)
        ]
        parsed.append(Table(_words("".join(_contents("caption", table))), head, rows))
    return parsed


def assert_needs_no_network(source: str) -> None:
    """Assert that nothing refers to another place, and that the browser may load nothing."""
    source = without_plotly(source)
    page = ParsedPage(source)
    references = ("src", "href", "srcset", "action", "data")
    assert not [attribute for attribute in page.attributes if attribute[1] in references]
    assert "url(" not in source
    assert "@import" not in source
    assert any("default-src 'none'" in value for _, _, value in page.attributes)
    assert ("meta", "name", "viewport") in page.attributes


def _contents(tag: str, source: str) -> list[str]:
    return re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", source, re.DOTALL)


def _words(source: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", source)).split())
