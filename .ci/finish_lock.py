"""What ``make lock`` does after uv: the pins in the forms that pip before 23.3 and uv sync need.

pip before 23.3 takes ``coverage`` and ``coverage[toml]`` for two packages, each of which needs a
pin with hashes of its own. ``uv sync`` makes a lock of its own, which holds addresses; held to the
same pins by constraints in pyproject.toml, it installs the same.

Usage: finish_lock.py pyproject.toml requirements.txt [more locks]
"""

from __future__ import annotations

import json
import re
import sys
from itertools import combinations
from pathlib import Path

BEGIN = "constraint-dependencies = [ # written by make lock, of requirements.txt\n"
END = "]\n"
#: An entry of a lock: name, extras if any, and the rest: the pin, its marker and its hashes.
ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[([^]]*)\])?(==[^\n]*\n(?:[ \t]+[^\n]*\n)*)", re.M)


def with_each_way(lock: str) -> str:
    """The lock, each pin that has extras also without them, and with any choice of them.

    uv names all extras of a package at once; packages ask for some of them each.
    """

    def ways(entry: re.Match[str]) -> str:
        name, extras, rest = entry.groups()
        each = sorted(extra.strip() for extra in (extras or "").split(",") if extra.strip())
        choices = [some for n in range(1, len(each) + 1) for some in combinations(each, n)]
        names = [name, *(f"{name}[{','.join(some)}]" for some in choices)]
        return "".join(f"{way}{rest}" for way in names)

    return ENTRY.sub(ways, lock)


def constraints(lock: str) -> list[str]:
    """The pins of a lock with their markers, without extras and hashes."""
    found = (name + rest.splitlines()[0].rstrip(" \\") for name, _, rest in ENTRY.findall(lock))
    return list(dict.fromkeys(found))


def with_constraints(project: str, lock: str) -> str:
    """The text of pyproject.toml with the pins of a lock as its constraints."""
    before, begin, rest = project.partition(BEGIN)
    if not begin:
        raise SystemExit(f"pyproject.toml has no line: {BEGIN}")
    after = rest[re.search(r"^\]\n", rest, re.M).end() :]  # type: ignore[union-attr] # as written
    lines = "".join(f"  {json.dumps(each)},\n" for each in constraints(lock))
    return f"{before}{BEGIN}{lines}{END}{after}"


def main(project: Path, *locks: Path) -> None:
    """Rewrite the locks, and the project's constraints by the first of them."""
    for lock in locks:
        lock.write_text(with_each_way(lock.read_text(encoding="utf-8")), encoding="utf-8")
    text, first = (file.read_text(encoding="utf-8") for file in (project, locks[0]))
    project.write_text(with_constraints(text, first), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
