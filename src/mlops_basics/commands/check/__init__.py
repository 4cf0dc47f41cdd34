"""``kedro check``: what a table is, what stands in a model's way, and the lines that settle it."""

from .command import check_table

__all__ = ["check_table"]
