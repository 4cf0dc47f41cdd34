"""A small HTTP proxy that breaks what passes through it, and counts it."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: stall: no answer. reset: the connection is cut before the request went on. lose: the same, but
#: after the server has done the request. truncate: half of the answer's body. corrupt: one
#: bit of it. 500, 503: S3's answers when it is overloaded. expired: its answer to temporary
#: credentials whose time is over.
MODES = ("stall", "reset", "lose", "truncate", "corrupt", "500", "503", "expired")
#: Status, code and message of the answers that the proxy gives itself.
_ANSWERS = {
    "500": (500, "InternalError", "trouble"),
    "503": (503, "SlowDown", "trouble"),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
}


@dataclass
class Fault:
    """What is to break: requests of a method whose path holds a text, a number of times."""

    mode: str
    method: str = ""
    path: str = ""
    times: int = 1_000_000
    hits: int = 0

    def concerns(self, method: str, path: str) -> bool:
        """Whether this request breaks; counts it."""
        due = self.hits < self.times and method.startswith(self.method) and self.path in path
        self.hits += due
        return due


@dataclass
class FaultyProxy:
    """Passes requests on to a server, except those that a fault concerns.

    Attributes:
        endpoint: Where it listens.
        upstream: The server's address.
        keep_host: Whether the server gets the host name of the request: S3's signatures need it,
            MLflow's list of allowed hosts does not have it.
        requests: Every request that came in: method and path.
    """

    endpoint: str
    upstream: str
    keep_host: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def breaking(
        self, mode: str, method: str = "", path: str = "", times: int = 1_000_000
    ) -> Iterator[Fault]:
        """Break requests while the block runs."""
        assert mode in MODES
        fault = Fault(mode, method, path, times)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    @contextmanager
    def counting(self) -> Iterator[list[tuple[str, str]]]:
        """The requests made while the block runs."""
        found: list[tuple[str, str]] = []
        begin = len(self.requests)
        yield found
        found += self.requests[begin:]

    def fault_of(self, method: str, path: str) -> str | None:
        """Note a request, and say how it breaks."""
        with self._guard:
            self.requests.append((method, path))
            return next((f.mode for f in self.faults if f.concerns(method, path)), None)


@contextmanager
def faulty_proxy(upstream: str, *, keep_host: bool = True) -> Iterator[FaultyProxy]:
    """A proxy before a server, on a free port of loopback."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = FaultyProxy(f"http://127.0.0.1:{server.server_address[1]}", upstream, keep_host)
    Handler.proxy = proxy
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement
    proxy: FaultyProxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode = self.proxy.fault_of(self.command, self.path)
        if mode == "stall":
            self.proxy.stopped.wait(30)
        if mode in ("stall", "reset"):
            self._cut()
        elif mode in _ANSWERS:
            status, code, message = _ANSWERS[mode]
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self._answer(status, [("Content-Type", "application/xml")], text.encode())
        else:
            self._forward(body, mode)

    def _forward(self, body: bytes, mode: str | None) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=60)
        unsent = ("Expect",) if self.proxy.keep_host else ("Expect", "Host")
        headers = {name: value for name, value in self.headers.items() if name not in unsent}
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:  # the server is down
            self._cut()
            return
        finally:
            connection.close()
        if mode == "lose":
            self._cut()
            return
        if mode == "corrupt" and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        length = None if self.command != "HEAD" else answer.headers.get("Content-Length")
        skipped = ("Transfer-Encoding", "Connection", "Content-Length")
        kept = [(name, value) for name, value in answer.headers.items() if name not in skipped]
        self._answer(answer.status, kept, content, half=mode == "truncate", length=length)

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        half: bool = False,
        length: str | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.close_connection = True

    def _cut(self) -> None:
        """Close the connection with a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def finish(self) -> None:
        """As usual, but a connection that was cut has nothing to flush."""
        if self.connection.fileno() != -1:
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _pass  # noqa: N815
