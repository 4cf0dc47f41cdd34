"""Looks at everything that a run needs, and says what is wrong and what to do."""

from .check_result import CheckResult, in_one_line
from .examination import examine

__all__ = ["CheckResult", "examine", "in_one_line"]
