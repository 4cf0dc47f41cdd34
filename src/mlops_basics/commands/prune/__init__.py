"""Removes what old runs left behind, but never what anything refers to."""

from .command import prune_runs

__all__ = ["prune_runs"]
