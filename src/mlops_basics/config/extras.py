"""How a package is installed that only some need: what an extra of pyproject.toml names."""

from __future__ import annotations

from mlops_basics.config.layers import is_built_on_this


def install_remedy(extra: str) -> str:
    """What to do where a package of an extra is missing.

    In a checkout of this project the lock names all extras. A project that is built on this package
    has neither that lock nor a Makefile: there pip takes the extra of what is installed.

    Args:
        extra: As pyproject.toml names it.
    """
    if is_built_on_this():
        return f"Install it by: pip install 'mlops-basics[{extra}]'"
    return "Install what the lock names: make venv (or: pip install -r requirements.txt)."
