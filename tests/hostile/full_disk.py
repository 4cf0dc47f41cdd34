"""Runs a command on a disk that is full from a chosen moment on: FULL_FROM=module:Class.method.

The limit on the size of files is the one fault of this kind that the system itself raises for
each writer (Python, Arrow, SQLite), without root and on every POSIX system.
"""

from __future__ import annotations

import os
import resource
import signal
from importlib import import_module
from typing import Any

LIMIT = 64  # bytes


def fill_from(name: str) -> None:
    """Limit files to a few bytes once the function was called."""
    module, _, path = name.partition(":")
    owner, attribute = path.split(".")
    cls = getattr(import_module(module), owner)
    original = getattr(cls, attribute)

    def filling(*args: Any, **kwargs: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
        return original(*args, **kwargs)

    setattr(cls, attribute, filling)


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then the call fails, as on a full disk
    fill_from(os.environ["FULL_FROM"])
    from kedro.framework.cli.cli import main

    main()
