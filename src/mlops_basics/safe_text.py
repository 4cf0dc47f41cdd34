"""Text that leaves the project for a terminal, a log or a file.

It holds no passwords and no control codes, and the commands that it suggests are those of the
environment at hand.
"""

from __future__ import annotations

import contextlib
import logging
import re
from typing import Any

#: User and password of an address: up to its last "@", since keys of AWS hold slashes; a port is
#: no password.
_USER = re.compile(
    r"(?<=://)(?:[^\s/:@\"'<>]*:(?!\d{1,5}(?:[/\s\"'<>]|$))[^\s\"'<>]*|[^\s/@\"'<>]+)@"
)
_QUERY = re.compile(
    r"([?&][^\s=&\"']*(?:sig|token|secret|passw|credential|key)[^\s=&\"']*=)[^\s&\"'<>]+",
    re.IGNORECASE,
)
#: A command of the project that is about an environment, and is not told which.
_COMMAND = re.compile(
    r"\bkedro (?:adopt|check|ct|data-pull|data-push|doctor|promote|prune|releases|reproduce"
    r"|rollback|run|serve)\b(?![^`\n]* (?:--env|-e) )"
)
DEFAULT_ENVIRONMENT = "local"
MOST_CHARACTERS = 4_000


def without_secrets(text: str) -> str:
    """The text with user and password of each address, and keys in its query, left out.

    >>> without_secrets("Cannot read s3://key:sec/ret@bucket/a.csv?token=1&x=2.")
    'Cannot read s3://***@bucket/a.csv?token=***&x=2.'
    """
    return _QUERY.sub(r"\1***", _USER.sub("***@", text))


def safe_text(text: str) -> str:
    """The text without secrets, and with control characters as escapes; lines and tabs stay.

    >>> safe_text("The column '\\x1b[2J' is missing.")
    "The column '\\\\x1b[2J' is missing."
    """
    clean = without_secrets(text)
    if clean.isprintable():
        return clean
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in clean)


def with_environment(text: str, env: str | None) -> str:
    """The text, each command in it about the environment that it is told of.

    Args:
        text: In which ``kedro COMMAND`` is suggested, or is not.
        env: A folder of conf/; None, or the default one: no command has to name it.

    >>> with_environment("Undo with: kedro rollback --to 2", "flights")
    'Undo with: kedro rollback --env flights --to 2'
    """
    if env in (None, DEFAULT_ENVIRONMENT):
        return text
    return _COMMAND.sub(lambda found: f"{found[0]} --env {env}", text)


def plural(count: int, noun: str) -> str:
    """How many of something, in words.

    >>> plural(1, "batch"), plural(1_200, "batch"), plural(0, "test row")
    ('1 batch', '1,200 batches', '0 test rows')
    """
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{count:,} {noun}{ending}"


def short_text(text: str, most: int = MOST_CHARACTERS) -> str:
    """The same, its middle left out where it is longer: a column's name may be endless."""
    clean = safe_text(text)
    if len(clean) <= most:
        return clean
    return f"{clean[: most // 2]} … {clean[len(clean) - most // 2 :]}"


def make_logs_safe() -> None:
    """Let every record of every logger hold safe text alone, tracebacks as well."""
    make: Any = logging.getLogRecordFactory()
    if getattr(make, "makes_safe_text", False):
        return

    def make_safe(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **kwargs)
        # Arguments that do not fit: logging itself tells so.
        with contextlib.suppress(TypeError, ValueError):
            record.msg, record.args = safe_text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = safe_text(logging.Formatter().formatException(record.exc_info))
        return record

    make_safe.makes_safe_text = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_safe)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
