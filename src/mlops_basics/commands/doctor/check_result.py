"""The result of one check, and what a check raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mlops_basics.errors import MlopsError, own_error
from mlops_basics.safe_text import short_text

State = Literal["ok", "warning", "failed"]
_LINE_LENGTH = 700  # characters, at most


@dataclass(frozen=True)
class CheckResult:
    """What a check says.

    Attributes:
        check: What was looked at.
        state: How it is.
        text: What was seen.
        remedy: What to do about it.
    """

    check: str
    state: State
    text: str
    remedy: str = ""


class CheckError(MlopsError):
    """A check that failed, with its remedy."""

    def __init__(self, text: str, remedy: str = "", state: State = "failed") -> None:
        super().__init__(f"{text} {remedy}".strip())
        self.text, self.remedy, self.state = text, remedy, state


def in_one_line(result: CheckResult) -> str:
    """A result as one line, without secrets and control characters."""
    remedy = f" Remedy: {result.remedy}" if result.remedy else ""
    text = " ".join(f"{result.text}{remedy}".split())
    return short_text(f"{result.state:<8} {result.check:<22} {text}", _LINE_LENGTH)


@contextmanager
def reported(check: str, results: list[CheckResult]) -> Iterator[None]:
    """Turn what a check raises into a result, so that the others are made all the same."""
    try:
        yield
    except CheckError as error:
        results.append(CheckResult(check, error.state, error.text, error.remedy))
    except MlopsError as error:  # its message has the remedy
        results.append(CheckResult(check, "failed", str(error)))
    except Exception as error:
        if (own := own_error(error)) is not None:  # as OmegaConf wraps those of a resolver
            results.append(CheckResult(check, "failed", str(own)))
            return
        text = f"{type(error).__name__}: {error}"
        remedy = "kedro doctor --verbose, and the command that fails for you, tell more."
        results.append(CheckResult(check, "failed", text, remedy))
