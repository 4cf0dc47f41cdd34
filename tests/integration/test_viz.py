"""The graph of the pipelines as people see it: `kedro viz build` in a real browser."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, find_chromium

pytestmark = pytest.mark.slow

LAYERS = ["source", "bronze", "silver", "golden", "models", "reporting", "production"]


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's program."""
    return find_chromium()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


@pytest.fixture(scope="module")
def build(chromium, shared_project) -> Path:
    """What `kedro viz build` makes of a project that has had one run."""
    shared_project.run(training__n_trials=1)
    command = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
    done = subprocess.run(
        command, cwd=shared_project.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return shared_project.path / "build"


@pytest.fixture(scope="module")
def page(chromium, build, tmp_path_factory) -> Iterator[Browser]:
    """The graph in a browser, with the pop-up of a first visit closed."""
    handler = functools.partial(QuietHandler, directory=str(build))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser(chromium, tmp_path_factory.mktemp("browser") / "profile")
    try:
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        browser.click("document.querySelector('.feature-hints__close')")
        browser.wait_for("!document.querySelector('.feature-hints')")
        browser.wait_for("document.querySelectorAll('.pipeline-node').length")
        yield browser
    finally:
        browser.close()
        server.shutdown()
        server.server_close()


def node(name: str) -> str:
    """JavaScript that finds a node of the graph."""
    nodes = "[...document.querySelectorAll('.pipeline-node')]"
    return f"{nodes}.find(e => e.textContent.trim() === {json.dumps(name)})"


def expand(page: Browser) -> None:
    """Open all pipelines, unless they are open."""
    buttons = "[...document.querySelectorAll('button')]"
    label = "Expand all modular pipelines"
    button = f"{buttons}.find(e => e.getAttribute('aria-label') === {json.dumps(label)})"
    if page.value(f"Boolean({button})"):
        page.click(button)
    page.wait_for(f"Boolean({node('search_model')})")
    page.wait_for(f"!{node('data_collection')}")  # the folded ones fade out


def folded(whole: Any) -> set[str]:
    """What is seen when each pipeline is one node: those, and the data between them."""
    names = {each.namespace for each in whole.nodes}
    parts = [whole.only_nodes_with_namespaces([name]) for name in names]
    handed = {name for part in parts for name in part.inputs()} & whole.all_outputs()
    seen = names | handed | whole.inputs() | whole.outputs()
    return {name for name in seen if not name.startswith("params:")}


def test_the_whole_loop_is_folded_onto_one_screen(page):
    """Each pipeline is one node, every layer has its name, and nothing lies outside the window."""
    from kedro.framework.project import pipelines

    whole = pipelines["__default__"]
    assert sorted(page.texts(".pipeline-node")) == sorted(folded(whole))
    assert page.texts(".pipeline-layer-name") == LAYERS
    boxes = "[...document.querySelectorAll('.pipeline-node')].map(e => e.getBoundingClientRect())"
    page.wait_for(
        f"{boxes}.every(b => b.left >= 0 && b.top >= 0 && "
        "b.right <= innerWidth && b.bottom <= innerHeight)"
    )


def test_the_graph_shows_nodes_and_layers(page):
    """Unfolded, every data set and node of the loop is in the graph, with the layers' names."""
    from kedro.framework.project import pipelines

    expand(page)
    whole = pipelines["__default__"]
    data = {name for name in whole.datasets() if not name.startswith("params:")}
    nodes = {each.name.removeprefix(f"{each.namespace}.") for each in whole.nodes}
    assert sorted(page.texts(".pipeline-node")) == sorted(data | nodes)
    assert page.texts(".pipeline-layer-name") == LAYERS


def test_a_node_carries_its_docstring(page):
    """A click on a node says what its function does, before its code is opened."""
    expand(page)
    page.click(node("search_model"))
    text = "document.querySelector('.pipeline-metadata .pipeline-text-renderer')?.textContent"
    page.wait_for(f"""({text} ?? "").includes("each is fitted on train rows only")""")


def test_a_plot_is_previewed(page):
    """A click on the confusion matrix's plot draws it, with the names of the classes."""
    expand(page)
    page.click(node("confusion_plot"))
    plot = ".pipeline-metadata .js-plotly-plot"
    page.wait_for(f"document.querySelectorAll('{plot} .main-svg').length")
    width, height = page.value(
        f"(r => [r.width, r.height])(document.querySelector('{plot}').getBoundingClientRect())"
    )
    assert min(width, height) > 100
    labels = set(page.texts(f"{plot} text"))
    assert {"setosa", "versicolor", "virginica"} <= labels


def test_metrics_are_previewed_as_a_table(page):
    """A click on the validation metrics shows each by its name, with interval and rows."""
    expand(page)
    page.click(node("valid_metrics"))
    table = "document.querySelector('.pipeline-metadata .preview-table')?.innerText"
    page.wait_for(f"""({table} ?? "").includes("Balanced accuracy")""")
    heading, first, *_ = page.value(table).strip().splitlines()
    assert heading.split("\t") == ["metric", "value", "low (95 %)", "high (95 %)", "better", "rows"]
    name, value, low, high, better, rows = first.split("\t")
    assert (name, better, rows) == ("Accuracy", "higher", "29")
    assert float(low) <= float(value) <= float(high)


def test_a_table_is_previewed(page):
    """The trials of the search, and not their first five lines alone."""
    expand(page)
    page.click(node("trials"))
    table = "document.querySelector('.pipeline-metadata .preview-table')?.innerText"
    page.wait_for(f"""({table} ?? "").includes("valid_loss")""")
