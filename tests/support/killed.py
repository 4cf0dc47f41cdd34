"""The end of a process, in the process that tests it."""

from __future__ import annotations


class Killed(BaseException):
    """Stands for a kill: none of our handlers catches it."""
