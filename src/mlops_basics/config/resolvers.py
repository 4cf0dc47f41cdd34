"""What a value of the configuration may refer to beside other values."""

import os
from collections.abc import Sequence
from pathlib import Path

from kedro.utils import find_kedro_project

from mlops_basics.config.credentials import export_credentials
from mlops_basics.errors import ConfigurationError


def in_project(path: str) -> str:
    """An absolute path inside the project, for settings that would follow the working folder.

    What is absolute already, or an address such as s3://bucket/prefix, stays as it is.
    """
    if "://" in path or Path(path).is_absolute():
        return path
    return ((find_kedro_project(Path.cwd()) or Path.cwd()) / path).as_posix()


def joined(*lists: Sequence[str] | None) -> list[str]:
    """One list of several, without repetition."""
    return list(dict.fromkeys(str(item) for items in lists for item in items or ()))


def env(name: str) -> str:
    """An environment variable, for what differs between machines; never for a secret.

    Kedro resolves globals.yml before any hook: what conf/local/credentials.yml says is set here.

    Raises:
        ConfigurationError: If it is not set.
    """
    if not os.environ.get(name):
        export_credentials(find_kedro_project(Path.cwd()) or Path.cwd())
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(
            f"The environment variable {name} is not set, which this environment's configuration "
            "needs. Set it in the shell, or below `environment` in conf/local/credentials.yml; "
            "on this machine, `kedro services start` starts servers and writes that file."
        )
    return value
