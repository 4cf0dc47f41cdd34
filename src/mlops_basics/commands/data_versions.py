"""Sends versions of the raw batches to DVC's remote, and brings them back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.dvc import is_tracked, pull, push
from mlops_basics.runs.session import load_context


def push_data(project: Path, env: str | None) -> Iterator[str]:
    """Take a version of source and labels and send it; what was done, a line each.

    Raises:
        ConfigurationError: If there is no DVC, no remote, nothing local, or DVC refuses.
        DataError: If there is no such source. Labels may be still to come.
    """
    paths, remote = _sources(project, env)
    for name, path in paths.items():
        if name == "labels" and not path.exists():
            yield f"There are no labels in {path} yet: none were sent."
        else:
            yield push(project, path, remote)


def pull_data(project: Path, env: str | None) -> Iterator[str]:
    """Bring the versions that the ``.dvc`` files name; what was done, a line each.

    Raises:
        ConfigurationError: If there is no DVC or no such file, or DVC refuses. Of labels, no
            version may have been taken yet.
    """
    for name, path in _sources(project, env)[0].items():
        if name == "labels" and not is_tracked(path):
            yield f"DVC tracks no labels in {path} yet: none were brought."
        else:
            yield pull(project, path)


def _sources(project: Path, env: str | None) -> tuple[dict[str, Path], str | None]:
    """The local paths of source and labels, and DVC's remote, as configured.

    Raises:
        ConfigurationError: If neither is on this machine.
    """
    context = load_context(project, env, {})
    catalog: Any = context.catalog
    sets = {name: catalog.get(name) for name in ("source", "labels")}
    paths = {
        name: project / each.local_path
        for name, each in sets.items()
        if each.local_path is not None
    }
    if not paths:
        raise ConfigurationError(
            f"The source '{sets['source']._describe()['path']}' is not on this machine, and DVC "
            "versions local files alone. Switch on the versioning of its bucket, or bring it here "
            "and set `source` in globals.yml. Nothing was done."
        )
    return paths, context.config_loader["globals"].get("data_remote")
