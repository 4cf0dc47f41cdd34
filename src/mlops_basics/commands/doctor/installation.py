"""Python, the packages against the lock, and files that should be private."""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mlops_basics.commands.doctor.check_result import CheckError, CheckResult
from mlops_basics.config.private_files import SECRETS, packed_secrets

_PYTHON, _PACKAGES, _PRIVATE = "Python", "packages", "private files"
_MOST_NAMED = 5
_PRIVATE_FILES = ("*.yml", "*.yaml", "*.env", "*.pem")


def python_version(project: Path) -> CheckResult:
    """Whether Python is one that the project is made for."""
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    wanted = tomllib.loads(text)["project"]["requires-python"]
    version = platform.python_version()
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return CheckResult(_PYTHON, "ok", version)
    raise CheckError(
        f"{version}, but {wanted} is needed.",
        "Make the environment anew: make venv PYTHON=python3.12",
    )


def packages(project: Path, installed: dict[str, str] | None = None) -> CheckResult:
    """Whether what is installed is what the lock names.

    Args:
        project: Root of the project.
        installed: Version by normalised name; None: look.
    """
    lock = project / "requirements.txt"
    if not lock.is_file():
        raise CheckError(
            "There is no requirements.txt.",
            "Restore it from git, or write it: pip freeze > requirements.txt",
            "warning",
        )
    versions = _installed() if installed is None else installed
    wanted = dict(_locked(lock.read_text(encoding="utf-8")))
    different = [
        f"{name} is {versions[name]}, locked {version}"
        for name, version in wanted.items()
        if name in versions and versions[name] != version
    ]
    missing = [name for name in wanted if name not in versions]
    remedy = "make venv (or: pip install -r requirements.txt)"
    if different:
        raise CheckError(f"{len(different)} differ from the lock: {_some(different)}.", remedy)
    if missing:
        text = f"{len(missing)} of the lock are not installed: {_some(missing)}."
        raise CheckError(
            text, f"{remedy}, unless you have left out an extra on purpose.", "warning"
        )
    return CheckResult(_PACKAGES, "ok", f"all {len(wanted)} are those of requirements.txt")


def private_files(project: Path, signing_key: str | None) -> CheckResult:
    """Whether no other user can read the files with secrets, and no package would hold them."""
    folders = (project / "conf" / "local", project / SECRETS)
    patterns = [(folder, pattern) for folder in folders for pattern in _PRIVATE_FILES]
    files = [file for folder, pattern in patterns for file in sorted(folder.glob(pattern))]
    if signing_key is not None and (project / signing_key).is_file():
        files.append(project / signing_key)
    files = list(dict.fromkeys(files))
    if not files or sys.platform == "win32":
        return CheckResult(_PRIVATE, "ok", "none yet" if not files else "not checked on Windows")
    open_ones = [file for file in files if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if open_ones:
        shown = [os.path.relpath(file, project) for file in open_ones]
        raise CheckError(
            f"Others on this machine can reach {_some(shown)}.",
            f"chmod 600 {' '.join(shown[:_MOST_NAMED])}",
            "warning",
        )
    if packed := packed_secrets(project):
        shown = [os.path.relpath(file, project) for file in packed]
        raise CheckError(
            f"`kedro package` would take {_some(shown)}, and so refuses.",
            f"Move them to {SECRETS}, and correct `signing_key` in globals.yml.",
            "warning",
        )
    return CheckResult(_PRIVATE, "ok", f"{len(files)}, readable by you alone")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Name and version of each package that the lock wants on this machine."""
    for line in text.splitlines():
        if not line or line[0] in " #-":
            continue
        wanted = Requirement(line.rstrip(" \\"))
        versions = [item.version for item in wanted.specifier if item.operator == "=="]
        if versions and (wanted.marker is None or wanted.marker.evaluate()):
            yield _normalised(wanted.name), versions[0]


def _installed() -> dict[str, str]:
    """By the names of the folders alone: reading each package's metadata takes a second."""
    versions: dict[str, str] = {}
    for place in sys.path:
        here: dict[str, list[str]] = {}
        for folder in sorted(Path(place or ".").glob("*.dist-info")):
            name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
            here.setdefault(_normalised(name), []).append(version)
        # An installation that was interrupted leaves two: which one Python imports, nobody knows.
        versions = {name: " and ".join(found) for name, found in here.items()} | versions
    return versions


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
