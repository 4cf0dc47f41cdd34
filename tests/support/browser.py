"""A real browser: a headless Chromium that a test opens pages in, asks and clicks."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import websocket

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

    def awaited(self, promise: str) -> Any:
        """What a JavaScript promise comes to."""
        answer = self.call(
            "Runtime.evaluate", expression=promise, returnByValue=True, awaitPromise=True
        )
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

    def show_as(self, width: int, *, media: str = "screen", scheme: str = "light") -> None:
        """Take a window's width in pixels, a screen or paper, and light or dark colours."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def press_tab(self) -> None:
        """Go to the next thing that the keyboard reaches."""
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
            self.call("Input.dispatchKeyEvent", type=kind, **key)

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


def find_chromium() -> str:
    """The browser's program; a machine without one skips the test, unless it demands it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = "chromium is not installed (Debian, Ubuntu: apt-get install chromium)"
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail(f"REQUIRE_CHROMIUM=1, but {reason}")
        pytest.skip(reason)
    return found
