"""How much memory there is, and how much of it is free."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_UNKNOWN = 4 << 30  # bytes, where the system does not say
_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def total_memory() -> int:
    """Bytes that the machine, or the container around this process, has."""
    containers = (most for most, _ in _containers())
    return min([*_meminfo("MemTotal"), *containers], default=_UNKNOWN)


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, its container and its own limit."""
    containers = (most - used for most, used in _containers())
    known = [*_meminfo("MemAvailable"), *containers, *_own_limit()]
    return max(0, min(known, default=_UNKNOWN))


def _meminfo(name: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                yield int(line.split()[1]) << 10


def _containers() -> Iterator[tuple[int, int]]:
    """Limit and use of each control group around this process that has a limit, in bytes.

    Files that were read stay in memory and count as used, but go as soon as it is needed.
    """
    for folder, most, current, prefix in _cgroups():
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            limit, used = (int((folder / name).read_text("ascii")) for name in (most, current))
            stat = dict(map(str.split, (folder / "memory.stat").read_text("ascii").splitlines()))
            files = (int(stat.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
            yield limit, used - sum(files)


def _cgroups() -> Iterator[tuple[Path, str, str, str]]:
    """Folder of each control group of this process and those around it, and its files' names.

    In a container, where the system shows its own group alone, that is the root.
    """
    version_1 = (_CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
    version_2 = (_CGROUPS, "memory.max", "memory.current", "")
    with contextlib.suppress(OSError, ValueError):
        for line in _OWN.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root, most, current, prefix = version_1 if controllers else version_2
            own = PurePosixPath(path.strip("/"))
            for group in (own, *own.parents):
                yield root / group, most, current, prefix


def _own_limit() -> Iterator[int]:
    with contextlib.suppress(ImportError, OSError, ValueError):  # none of it on Windows
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield most - pages * os.sysconf("SC_PAGE_SIZE")
