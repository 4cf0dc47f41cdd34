"""How much memory there is, and how much of it is free."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_UNKNOWN = 4 << 30  # bytes, where the system does not say
_CGROUP = Path("/sys/fs/cgroup")


def total_memory() -> int:
    """Bytes that the machine, or the container around this process, has."""
    return min([*_meminfo("MemTotal"), *_cgroup("memory.max")], default=_UNKNOWN)


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, its container and its own limit."""
    used = next(_cgroup("memory.current"), 0)
    container = (most - used for most in _cgroup("memory.max"))
    return max(0, min([*_meminfo("MemAvailable"), *container, *_own_limit()], default=_UNKNOWN))


def _meminfo(name: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                yield int(line.split()[1]) << 10


def _cgroup(name: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        yield int((_CGROUP / name).read_text(encoding="ascii"))


def _own_limit() -> Iterator[int]:
    with contextlib.suppress(ImportError, OSError, ValueError):  # none of it on Windows
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield most - pages * os.sysconf("SC_PAGE_SIZE")
