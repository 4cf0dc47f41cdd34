"""Looks at everything that a run needs, and says what is wrong and what to do."""

from .examination import examine
from .finding import Finding, told

__all__ = ["Finding", "examine", "told"]
