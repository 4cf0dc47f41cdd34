"""Code that a parameter names by its import path."""

from __future__ import annotations

import importlib
from typing import Any

from mlops_basics.errors import ConfigurationError


def load_named(path: str, where: str) -> Any:
    """The class, function or object of an import path.

    Args:
        path: Such as ``mine.steps.add_hour``.
        where: The parameter that names it, for errors.

    Raises:
        ConfigurationError: If it cannot be imported, or a class or function is defined elsewhere:
            a stored model names it by where it is defined.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{where} names {path}, which cannot be imported ({error}). Your own packages belong "
            "into the folder src of the project: src/mine/steps.py is mine.steps."
        ) from error
    defined = f"{getattr(found, '__module__', module)}.{getattr(found, '__qualname__', name)}"
    if callable(found) and defined != path:
        raise ConfigurationError(
            f"{where} names {path}, which is defined as {defined}: name it so."
        )
    return found
