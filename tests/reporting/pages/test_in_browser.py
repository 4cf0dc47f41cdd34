"""The pages as people see them, in a real browser: any width, light and dark, paper, keyboard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import pytest

from mlops_basics.commands.demo.page import YearResult, demo_page
from mlops_basics.reporting.pages.monitoring import write_monitoring_page
from mlops_basics.reporting.pages.run_report import RunResult, run_report
from tests.commands.demo.test_page import year  # noqa: F401 (a fixture)
from tests.support.artifacts import make_guard, make_run_context
from tests.support.browser import Browser, find_chromium
from tests.support.decided import make_decision, make_gate, make_request
from tests.support.monitored import make_monitored
from tests.support.parsed_page import without_plotly

pytestmark = pytest.mark.slow

DESKTOP, PHONE, PAPER = 1280, 390, 718  # pixels; the last is A4 less its margins
#: Bytes of a page without plotly.js, which has 4.6 MB.
MOST_BYTES = {"report": 150_000, "monitoring": 300_000, "demo": 100_000}
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
#: What sticks out of the window to the right, unless it scrolls in a box of its own.
OUTSIDE = """[...document.querySelectorAll('main *')].filter(e => {
  const right = e.getBoundingClientRect().right;
  return right > document.documentElement.clientWidth + 1 && !e.closest('.scroll table, svg *');
}).map(e => e.outerHTML.slice(0, 200))"""
#: Tables of which a part is hidden until their box is scrolled.
CUT = """[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)
.map(e => e.getAttribute('aria-label'))"""
DRAWN = """document.readyState === 'complete' &&
document.querySelectorAll('.js-plotly-plot').length ===
document.querySelectorAll('.plotly-graph-div').length"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all pages."""
    browser = Browser(find_chromium(), tmp_path_factory.mktemp("browser") / "profile")
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture
def report(run_result: RunResult) -> str:
    """Of a challenger that was compared, and refused by a guard."""
    guards = (make_guard("accuracy", shown_worse=True, effect=-0.1, low=-0.2, high=-0.05),)
    decision = make_decision(
        outcome="guard_veto",
        promote=False,
        guards=(*guards, make_guard("macro_f1")),
        challenge=make_decision().challenge.model_copy(update={"number": 1}),
    )
    compared = {"decision": decision, "request": make_request(), "gate": make_gate()}
    return run_report(dataclasses.replace(run_result, context=make_run_context(), **compared))


@pytest.fixture
def monitoring() -> str:
    """A year that drifts from the 7th month on."""
    return write_monitoring_page(*make_monitored().page_arguments)


@pytest.fixture
def demo(year: YearResult) -> str:  # noqa: F811 (the fixture that was imported)
    """Three months beside the rivals."""
    return demo_page(year)


def violations(browser: Browser, options: dict[str, Any]) -> list[str]:
    """What axe finds: each rule that is broken, and where."""
    found = browser.awaited(f"axe.run(document, {json.dumps(options)})")["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("name", list(MOST_BYTES))
def test_a_page_is_whole_and_accessible(
    name: str, browser: Browser, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Nothing is cut on a desktop, a phone or paper; axe finds no fault in light and dark; each
    table is reached by the keyboard and has a name; the page is small."""
    page = request.getfixturevalue(name)
    assert len(without_plotly(page).encode()) < MOST_BYTES[name]
    file = tmp_path / f"{name}.html"
    file.write_text(page, encoding="utf-8")
    browser.show_as(DESKTOP)
    browser.open(file.as_uri())
    browser.wait_for(f"document.title && location.href.endsWith('{name}.html') && {DRAWN}")

    assert browser.value(OUTSIDE) == []
    assert browser.value(CUT) == []
    browser.value(AXE)
    assert violations(browser, {}) == []
    browser.show_as(DESKTOP, scheme="dark")
    assert violations(browser, {"runOnly": ["color-contrast"]}) == []

    names = browser.value(
        "[...document.querySelectorAll('.scroll')].map(e => e.getAttribute('aria-label'))"
    )
    reached = []
    for _ in names:
        browser.press_tab()
        reached.append(browser.value("document.activeElement.getAttribute('aria-label')"))
    assert reached == names
    assert all(names)

    browser.show_as(PHONE)
    browser.wait_until_still("document.documentElement.scrollHeight")
    assert browser.value(OUTSIDE) == []
    assert browser.value("document.documentElement.scrollWidth") == PHONE

    browser.show_as(PAPER, media="print")
    browser.value("dispatchEvent(new Event('beforeprint'))")
    browser.wait_until_still("document.documentElement.scrollHeight")
    assert browser.value(OUTSIDE) == []
    assert browser.value(CUT) == []
