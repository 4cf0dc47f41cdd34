"""What a check found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mlops_basics.errors import MlopsError
from mlops_basics.safe_text import short_text

State = Literal["ok", "warning", "failed"]
_LONGEST = 700  # characters of a line


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what was found, what to do about it."""

    check: str
    state: State
    found: str
    remedy: str = ""


class CheckError(MlopsError):
    """A check that failed, with its remedy."""

    def __init__(self, found: str, remedy: str = "", state: State = "failed") -> None:
        super().__init__(f"{found} {remedy}".strip())
        self.found, self.remedy, self.state = found, remedy, state


def told(finding: Finding) -> str:
    """A finding as one line, without secrets and control characters."""
    remedy = f" Remedy: {finding.remedy}" if finding.remedy else ""
    text = " ".join(f"{finding.found}{remedy}".split())
    return short_text(f"{finding.state:<8} {finding.check:<22} {text}", _LONGEST)


@contextmanager
def noted(check: str, findings: list[Finding]) -> Iterator[None]:
    """Turn what a check raises into a finding, so that the others are made all the same."""
    try:
        yield
    except CheckError as error:
        findings.append(Finding(check, error.state, error.found, error.remedy))
    except MlopsError as error:  # its message has the remedy
        findings.append(Finding(check, "failed", str(error)))
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        remedy = "kedro doctor --verbose, and the command that fails for you, tell more."
        findings.append(Finding(check, "failed", found, remedy))
