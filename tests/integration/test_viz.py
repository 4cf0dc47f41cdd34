"""The graph of the pipelines as people see it: `kedro viz build` in a real browser."""

from __future__ import annotations

import base64
import functools
import http.client
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import websocket

pytestmark = pytest.mark.slow

LAYERS = ["source", "bronze", "silver", "golden", "models", "reporting", "production"]
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
    "--remote-debugging-port=0",
]
#: Nothing but this machine answers: a page that needs another would fail here.
ONLY_LOOPBACK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PATIENCE = 60  # seconds


class Browser:
    """A headless Chromium with one page, spoken to by its DevTools protocol."""

    def __init__(self, chromium: str, profile: Path) -> None:
        command = [chromium, *CHROMIUM_FLAGS, ONLY_LOOPBACK, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._numbers = itertools.count(1)
        try:
            self._socket = websocket.create_connection(
                self._page_address(profile / "DevToolsActivePort"),
                timeout=PATIENCE,
                suppress_origin=True,
            )
        except BaseException:
            self._stop()
            raise

    def _page_address(self, port_file: Path) -> str:
        wait_until(lambda: port_file.exists() and port_file.read_text().count("\n"), "Chromium")
        port = int(port_file.read_text().splitlines()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("PUT", "/json/new?about:blank")
        address = json.loads(connection.getresponse().read())["webSocketDebuggerUrl"]
        connection.close()
        return address

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; returns its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true; returns its value."""
        return wait_until(lambda: self.value(expression), expression)

    def wait_until_still(self, expression: str) -> Any:
        """Wait until an expression gives the same value again, after an animation."""
        seen = [None]

        def still() -> Any:
            seen.append(self.value(expression))
            return seen[-1] if seen[-1] == seen[-2] else None

        return wait_until(still, expression)

    def open(self, address: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=address)

    def click(self, element: str) -> None:
        """Press the mouse on the middle of an element, given as JavaScript, as a person would."""
        box = self.wait_until_still(f"({element})?.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def texts(self, selector: str) -> list[str]:
        """The text of each element that takes up room in the page."""
        return self.value(
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            ".filter(e => e.getBoundingClientRect().width > 0).map(e => e.textContent.trim())"
        )

    def screenshot(self) -> bytes:
        """The window as a PNG picture."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def close(self) -> None:
        """End the browser."""
        self._socket.close()
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def wait_until(condition: Any, what: str) -> Any:
    """Ask again until the answer is true; returns it."""
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE} s for: {what}"
        time.sleep(0.1)
    return answer


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser; a machine without one skips the test, unless it demands it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = "chromium is not installed (Debian, Ubuntu: apt-get install chromium)"
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail(f"REQUIRE_CHROMIUM=1, but {reason}")
        pytest.skip(reason)
    return found


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
