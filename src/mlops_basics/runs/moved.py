"""A project that was moved or copied: MLflow's database says where artifacts lie, for ever."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

#: Where MLflow's database keeps places of artifacts: by table, the column.
_PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}

log = logging.getLogger(__name__)


def follow_move(tracking_uri: str, artifacts: str | None, project: Path) -> str | None:
    """Point the records of a database of this project at artifacts of this project.

    Else runs would write into the folder where the project was, and read from there. Changed is
    only what lies at the very same place inside of another project; what is configured elsewhere,
    and every database that is not a file of this project, is left alone.

    Args:
        tracking_uri: Of MLflow.
        artifacts: The folder that is configured for artifacts.
        project: Root of the project.

    Returns:
        Where the project was; None: nothing had to be changed.
    """
    file = Path(tracking_uri.removeprefix("sqlite:///"))
    if not tracking_uri.startswith("sqlite:") or artifacts is None:
        return None
    if not (file.is_file() and _inside(file, project) and _inside(Path(artifacts), project)):
        return None
    place = Path(artifacts).relative_to(project).as_posix()
    with closing(sqlite3.connect(file, timeout=30)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not set(_PLACES) <= tables:
            return None
        rows = database.execute("SELECT artifact_location FROM experiments").fetchall()
        found = [str(location) for (location,) in rows]
        old = next((root for uri in found if (root := _root(uri, place)) != project and root), None)
        if old is None:
            return None
        names = (f"{old.as_posix()}/{place}", Path(artifacts).as_posix())
        # As a path, and as a part of an address; once where both are the same.
        for before, after in dict.fromkeys([names, (quote(names[0]), quote(names[1]))]):
            for table, column in _PLACES.items():
                statement = (
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?) "  # noqa: S608 (ours)
                    f"WHERE instr({column}, ?) > 0"
                )
                database.execute(statement, (before, after, before))
        database.commit()
    log.warning("The project was at %s: MLflow's records point at this place now.", old)
    return old.as_posix()


def _root(uri: str, place: str) -> Path | None:
    """The project whose artifacts an experiment's address names, if they lie as ours do."""
    path = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    parts, own = PurePosixPath(path).parts, PurePosixPath(place).parts
    if "://" in path or not PurePosixPath(path).is_absolute() or parts[-len(own) :] != own:
        return None
    return Path(*parts[: -len(own)])


def _inside(path: Path, project: Path) -> bool:
    return path.is_absolute() and path.is_relative_to(project)
