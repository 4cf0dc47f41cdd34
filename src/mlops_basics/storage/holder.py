"""Who holds a lock: written into it, and told to whoever waits."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime
from typing import Any


def user_name() -> str:
    """The user's name; that of a container's user may be a number alone."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or a system without users
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def this_process() -> dict[str, Any]:
    """What a lock that this process takes now says of its holder."""
    return {
        "by": user_name(),
        "machine": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def in_words(holder: Any) -> str:
    """A lock's holder for a message; what cannot be read is somebody."""
    try:
        return (
            f"{holder['by']} on {holder['machine']} (process {holder['process']}, since "
            f"{holder['since']})"
        )
    except (KeyError, TypeError):
        return "somebody"
