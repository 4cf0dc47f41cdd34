"""Continuous training for a tabular model, in which every decision is a statistical one."""

__version__ = "0.1.0"
