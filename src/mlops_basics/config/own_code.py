"""The user's own packages in ``src``, beside this one: found, and told by their content."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

from kedro.utils import find_kedro_project

from mlops_basics.errors import DataError

_THIS = __name__.partition(".")[0]
_CACHE = "__pycache__"


def source_folder() -> Path:
    """The folder of the project's packages, also where this one was found elsewhere."""
    project = find_kedro_project(Path.cwd())
    own = project / "src" if project else None
    return own if own is not None and own.is_dir() else Path(__file__).parents[2]


def own_packages(source: Path) -> dict[str, str]:
    """SHA-256 of the content of each package of the user's in a folder, by name.

    Args:
        source: The folder ``src`` of a project; it need not exist.
    """
    folders = sorted(source.iterdir()) if source.is_dir() else []
    return {
        folder.name: _content_hash(folder)
        for folder in folders
        if folder.is_dir()
        and folder.name.isidentifier()
        and folder.name not in (_THIS, _CACHE)
        and any(folder.rglob("*.py"))
    }


def packages_of(paths: Iterable[str], own_code: Mapping[str, str]) -> dict[str, str]:
    """Those of the user's packages in which something that is named lies.

    Args:
        paths: Import paths of classes and functions.
        own_code: Of all packages, the SHA-256 by name.
    """
    named = {path.partition(".")[0] for path in paths}
    return {name: digest for name, digest in own_code.items() if name in named}


def require_own_code(recorded: Mapping[str, str], git_commit: str | None) -> None:
    """Refuse to go on where the user's own code is missing, or is other than it was.

    Args:
        recorded: SHA-256 of each package that is needed, by name.
        git_commit: The commit of the project when it was recorded, for the remedy.

    Raises:
        DataError: If so, with the remedy.
    """
    origin = f"Check out the project's commit {git_commit[:10]}" if git_commit else "Restore it"
    for name, digest in recorded.items():
        folder = _found(name)
        if folder is None:
            raise DataError(
                f"It needs your own package {name!r}, which is not here. {origin}: "
                f"src/{name} has to lie in the project."
            )
        if _content_hash(folder) != digest:
            raise DataError(
                f"Your own package in src/{name} is not the one that it was made with. {origin}, "
                "or train a new model (kedro run)."
            )


def found_packages(names: Iterable[str]) -> dict[str, str | None]:
    """SHA-256 of the content of packages as Python would import them here; None: not found."""
    folders = {name: _found(name) for name in names}
    return {name: _content_hash(folder) if folder else None for name, folder in folders.items()}


def _found(name: str) -> Path | None:
    """The folder of a package, as Python would import it."""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places and Path(places[0]).is_dir() else None


def _content_hash(folder: Path) -> str:
    """SHA-256 of the names and contents of a package's files, whatever ends their lines."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and _CACHE not in file.parts:
            content = file.read_bytes()
            if file.suffix == ".py":
                content = content.replace(b"\r\n", b"\n")
            name = file.relative_to(folder).as_posix()
            digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
