"""What a request to the scoring server may be: checked before it is read, answered in few words."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mlops_basics.safe_text import short_text

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

SCORE = "/invocations"
#: Questions that anybody may ask: whether the server is there, and of which version.
OPEN = frozenset({"/ping", "/health", "/version"})
_TYPES = ("application/json", "text/csv")
_MOST_BYTES = 8 * 2**20
_MOST_PASSED_OVER = 64 * 2**20  # read to its end, so that the client hears the answer, and dropped
_MOST_VALUES = 1_000_000
_MOST_DEPTH = 10  # of brackets; rows of values need three
_MOST_SHOWN = 300  # characters of what is wrong
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True)
class Bounds:
    """How long and how many.

    Attributes:
        body_seconds: A body that is not there by then is refused.
        answer_seconds: Scoring that takes longer is given up.
        at_once: Requests that are scored at the same time; others wait.
        token: What a request for scores must bear; empty: none.
    """

    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    at_once: int = 2
    token: str = ""


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def bounded(app: App, bounds: Bounds) -> App:
    """An ASGI app before another, which is asked for what it can answer in bounds, and no more.

    Whatever the other one fails with, the answer is one short message, without trace or paths.

    Args:
        app: Scores the rows of ``POST /invocations``.
        bounds: How long and how many.
    """
    turn = asyncio.Semaphore(bounds.at_once)

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
            return
        try:
            if scope["path"] in OPEN and scope["method"] == "GET":
                await app(scope, receive, send)
                return
            _require_right(scope, bounds.token)
            body = await asyncio.wait_for(_body(scope, receive), bounds.body_seconds)
            async with turn:
                await asyncio.to_thread(_check_body, _media_type(scope), body)
                status, content = await asyncio.wait_for(
                    _asked(app, scope, body), bounds.answer_seconds
                )
        except _RefusedError as refused:
            status, content = refused.status, _in_words(str(refused))
        except TimeoutError:
            status, content = 408, _in_words("This took too long. Send fewer rows at once.")
        except Exception as error:
            status = 400
            content = _in_words(f"The rows cannot be scored ({type(error).__name__}).")
        await _reply(send, status, content)

    return answer


def _require_right(scope: Message, token: str) -> None:
    if scope["path"] != SCORE:
        raise _RefusedError(404, f"There is {SCORE} (POST), and {', '.join(sorted(OPEN))} (GET).")
    given = _header(scope, b"authorization")
    if token and not hmac.compare_digest(given, b"Bearer " + token.encode()):
        raise _RefusedError(401, "Send the header `Authorization: Bearer TOKEN` with the token.")
    if scope["method"] != "POST":
        raise _RefusedError(405, f"{SCORE} takes POST alone.")
    if _media_type(scope) not in _TYPES:
        raise _RefusedError(415, f"The content type must be {' or '.join(_TYPES)}.")


async def _body(scope: Message, receive: Receive) -> bytes:
    length = _header(scope, b"content-length")
    if length.isdigit() and (len(length) > 18 or int(length) > _MOST_PASSED_OVER):
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(400, "The body ended early.")
        part = message.get("body", b"")
        size += len(part)
        if size <= _MOST_BYTES:
            parts.append(part)
        elif size > _MOST_PASSED_OVER:
            raise _too_large()
        if not message.get("more_body"):
            break
    if size > _MOST_BYTES:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> _RefusedError:
    return _RefusedError(
        413,
        f"A body may have {_MOST_BYTES:,} bytes and {_MOST_VALUES:,} values. Send fewer rows at "
        "once, or have a file scored (the pipeline batch_inference).",
    )


def _check_body(media_type: str, body: bytes) -> None:
    """Refuse what would take much more memory than it has bytes, or is no JSON."""
    if media_type != "application/json":
        if body.count(b",") + body.count(b"\n") > _MOST_VALUES:
            raise _too_large()
        return
    bare = _TEXT.sub(b"", body)
    if sum(map(bare.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise _too_large()
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > _MOST_DEPTH:
            raise _RefusedError(400, f"The JSON is nested more than {_MOST_DEPTH} deep.")
    try:
        json.loads(body, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise _RefusedError(400, "The body is not UTF-8.") from error
    except ValueError as error:
        raise _RefusedError(400, f"The body is no JSON: {error}") from error


def _no_constant(name: str) -> float:
    if name == "NaN":
        return float("nan")
    raise _RefusedError(400, f"The body holds {name}, which no model takes. Send null instead.")


def _whole(digits: str) -> int:
    if len(digits) > 19 or not -(2**63) <= int(digits) < 2**63:
        raise _RefusedError(400, f"The whole number {digits[:20]}… needs more than 64 bits.")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError(400, f"The number {text[:20]} is too large.")
    return value


async def _asked(app: App, scope: Message, body: bytes) -> tuple[int, bytes]:
    """Status and content of what the app answers to a body that was read."""
    found: dict[str, Any] = {"status": 500, "parts": []}
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # until the app is given up
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
        elif message["type"] == "http.response.body":
            found["parts"].append(message.get("body", b""))

    await app(scope, receive, send)
    content = b"".join(found["parts"])
    if found["status"] == 200:
        return 200, content
    return (504 if found["status"] == 504 else 400), _in_words(_reason(content))


def _reason(content: bytes) -> str:
    """Why a model or MLflow did not answer, from MLflow's answer: its message, without the data."""
    try:
        tree = json.loads(content)
        text, trace = str(tree["message"]), str(tree.get("stack_trace") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return content.decode("utf-8", "replace")
    _, _, after = text.rpartition("\nError: ")
    own = trace.strip().splitlines()
    cause = own[-1] if own and "unexpected error" in text else after or text
    return f"The rows cannot be scored. {cause}"


def _in_words(message: str) -> bytes:
    return json.dumps({"error": short_text(message, _MOST_SHOWN)}).encode()


async def _reply(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    if status in (408, 413):
        headers.append((b"connection", b"close"))  # what is left of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _media_type(scope: Message) -> str:
    return _header(scope, b"content-type").decode("latin-1").partition(";")[0].strip().lower()


def _header(scope: Message, name: bytes) -> bytes:
    found: bytes = next((value for key, value in scope["headers"] if key.lower() == name), b"")
    return found
