"""Nodes of the model_publishing pipeline."""

from __future__ import annotations

from mlops_basics.schemas import RegisteredVersion


def request_release(registered_version: RegisteredVersion) -> RegisteredVersion:
    """Ask for production to hold the registry's champion; it may hold it already.

    Returns:
        What the registry holds; saving it makes production equal to it.
    """
    return registered_version
