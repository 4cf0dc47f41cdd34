"""The pages that users read, and the commands on them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

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


def shown_files(*pages: str) -> dict[str, str]:
    """The content of each file that pages show by a block that begins with its name."""
    text = "".join(PAGES[page] for page in pages)
    return dict(re.findall(r"^```\w+\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def run_shown(
    files: dict[str, str], names: Sequence[str], patch: pytest.MonkeyPatch
) -> list[ModuleType]:
    """Modules of a user's package ``mine`` as pages show them; imported as long as ``patch`` is."""
    package = ModuleType("mine")
    patch.setitem(sys.modules, "mine", package)
    for name in names:
        module = ModuleType(f"mine.{name}")
        patch.setitem(sys.modules, module.__name__, module)
        setattr(package, name, module)
        code = compile(files[f"src/mine/{name}.py"], f"{name}.py", "exec")
        exec(code, module.__dict__)  # noqa: S102 (our own pages)
    return [getattr(package, name) for name in names]


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
