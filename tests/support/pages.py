"""The pages that users read, and the commands on them."""

from __future__ import annotations

import re

from tests.support.project import ROOT

#: Each page by its path in the repository.
PAGES = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}


def fences(text: str, *languages: str) -> list[str]:
    """The content of each block of code in one of the languages, without its indentation."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, language, body in found
        if language in languages
    ]


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```\w*\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def block_commands(text: str) -> list[str]:
    """Each command of the blocks, in order, without its comment."""
    lines = "".join(fences(text, "console")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


def prose_commands(text: str) -> list[str]:
    """Each command that a sentence names."""
    return re.findall(r"`((?:kedro|make|python|uv) [^`\n]+)`", prose(text))
