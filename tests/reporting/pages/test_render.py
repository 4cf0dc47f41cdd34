"""Tests of how pages are written."""

from __future__ import annotations

import html
import re

import pytest
from jinja2 import StrictUndefined, UndefinedError, meta

from mlops_basics.reporting.figures.style import figure
from mlops_basics.reporting.jinja import TEXT_LIMIT, environment
from mlops_basics.reporting.pages.render import Plots
from mlops_basics.reporting.text import Shortened

PAGES = {
    "run_report.html",
    "monitoring.html",
    "demo.html",
    "chart.svg",
    "plot.html",
}  # rendered by the tests of each
MACROS = '{% from "macros.html" import badge, lines, note, plot, text_table with context %}'
EVIL = "<img src=x onerror='alert(1)'>"


def write(source: str, **values: object) -> str:
    """The rendered text of a template with this source."""
    return environment().from_string(MACROS + source).render(plots=Plots(), **values)


def write_page(main: str, **values: object) -> str:
    """The same as the main part of a page."""
    page = '{% extends "page.html" %}{% block headline %}{% endblock %}'
    source = f"{page}{MACROS}{{% block main %}}{main}{{% endblock %}}"
    return environment().from_string(source).render(plots=Plots(), title=EVIL, **values)


def test_every_template_is_strict_and_belongs_to_a_page() -> None:
    """All escape and refuse what is undefined; each is a page or is needed by one."""
    templates = environment()
    names = set(templates.list_templates())
    needed = set(PAGES)
    for name in names:
        template = templates.get_template(name)
        assert template.environment.autoescape is True
        assert template.environment.undefined is StrictUndefined
        source, _, _ = templates.loader.get_source(templates, name)
        needed |= set(meta.find_referenced_templates(templates.parse(source)))
        assert "|safe" not in source.replace(" ", "")
    assert names == needed
    with pytest.raises(UndefinedError, match="has no attribute 'shown'"):
        write("{{ lines(texts) }}", texts=EVIL)


def test_macros_escape_what_they_are_given() -> None:
    """No macro lets markup from the data through."""
    rows = Shortened([[EVIL, EVIL]], EVIL)
    for call in (
        "badge(evil, evil)",
        "note(evil)",
        "lines(texts)",
        "text_table([evil, (evil, evil)], rows, evil)",
        "plot(evil, figure)",
    ):
        markup = write(
            f"{{{{ {call} }}}}",
            evil=EVIL,
            texts=Shortened([EVIL], EVIL),
            rows=rows,
            figure=figure("title", EVIL, 300),
        )
        markup = re.sub("<script.*?</script>", "", markup, flags=re.DOTALL)
        assert "<img" not in markup
        assert "&lt;img" in markup


def test_heads_of_tables_say_what_they_head() -> None:
    """Heads have the scope of their column, the first cell of a row that of its row."""
    markup = write(
        "{{ text_table(['a', ('b', 'c')], rows, '') }}", rows=Shortened([["1", "2"]], "")
    )
    heads = ['<th scope="col">', '<th scope="col">', '<th scope="row">']
    assert re.findall("<th\\b[^>]*>", markup) == heads


@pytest.mark.parametrize("expression", ["name", "name|plain(600)", "'a ' ~ name", "note(name)"])
def test_no_text_is_endless_or_unprintable(expression: str) -> None:
    """However it is written, what a template shows is one line of bounded length."""
    markup = write(f"{{{{ {expression} }}}}", name="\x1b[2J\u202e\n" + "x" * 10_000)
    words = html.unescape(re.sub("<[^>]+>", "", markup))
    assert words.isprintable()
    assert len(words) <= (600 if "600" in expression else TEXT_LIMIT)


def test_plotly_is_there_only_for_figures_and_once() -> None:
    """A page without figures is small; one with several holds plotly.js once."""
    without = write_page("{{ word }}", word="word")
    assert len(without) < 10_000
    assert "<title>&lt;img" in without
    drawn = figure("title", "reading aid", 300)
    with_two = write_page("{{ plot('a', figure) }}{{ plot('b', figure) }}", figure=drawn)
    assert with_two.count("plotly.js v") <= 2  # in its banner, and in its own version check
    assert re.findall(r'id="(plot-\d)"', with_two) == ["plot-1", "plot-2"]
    assert with_two.count("<figcaption>reading aid</figcaption>") == 2
