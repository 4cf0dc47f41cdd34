"""Whether a run can write where it has to: asked at its start, not after its search."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from mlops_basics.errors import ConfigurationError

_SQLITE = "sqlite:///"


def require_database(uri: str, *, written: bool) -> None:
    """Raise ConfigurationError if MLflow's SQLite file cannot be used; MLflow tries for minutes.

    Args:
        uri: Of MLflow's records; other kinds of servers and databases are not looked at.
        written: Whether it is going to be written into; else it only has to be there, or be made.
    """
    if not uri.startswith(_SQLITE):
        return
    path = uri.removeprefix(_SQLITE)
    if "?" in path or unquote(path) != path:
        raise ConfigurationError(
            f"MLflow's database would be {path}, and MLflow takes '%' and '?' in a path for signs "
            "of an address. Move or rename the folder of the project, or name another "
            "mlflow_tracking_uri in mlflow.yml. Nothing was run."
        )
    file = Path(path)
    readable = not file.exists() or os.access(file, os.R_OK)
    if readable and not written and file.exists():
        return
    if not readable or (file.exists() and not os.access(file, os.W_OK)):
        raise _read_only("MLflow's database", file, file, "mlflow_tracking_uri in mlflow.yml")
    require_writable(file.parent, "MLflow's database", "mlflow_tracking_uri in mlflow.yml")


def require_writable(folder: Path, what: str, setting: str) -> None:
    """Raise ConfigurationError if nothing can be written into a folder, or below what is there.

    Args:
        folder: It need not exist.
        what: That goes there, for the message.
        setting: Where the user names another place.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise _read_only(what, folder, place, setting)


def _read_only(what: str, where: Path, place: Path, setting: str) -> ConfigurationError:
    state = "is read-only for you" if place.is_dir() or where == place else "is no folder"
    return ConfigurationError(
        f"{what} would be written to {where}, but {place} {state}. Correct its rights, or name "
        f"another {setting}. Nothing was run. Production is unchanged."
    )
