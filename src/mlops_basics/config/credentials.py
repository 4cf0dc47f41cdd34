"""Private addresses and keys of conf/local/credentials.yml, where the shell has not set them."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from mlops_basics.errors import ConfigurationError

FILE = Path("conf") / "local" / "credentials.yml"
SECTION = "environment"
#: A shell that sets one of a group uses none of the file's: a key of one source with an address of
#: the other would send a secret to a stranger. Other variables, such as the region, say no such
#: thing.
GROUPS = {
    "AWS_": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
    ),
    "MLFLOW_TRACKING_": (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
    ),
    "MLOPS_": ("MLOPS_BUCKET",),
}


def export_credentials(project_path: Path) -> None:
    """Set the variables of the file's section `environment`, as botocore and MLflow read them.

    The shell's environment wins, group by group.

    Raises:
        ConfigurationError: If the file cannot be used; the message shows nothing of its values.
    """
    path = project_path / FILE
    if not path.is_file():
        return
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        given = content.get(SECTION) or {}
        variables = {str(name): str(value) for name, value in given.items()}
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError):
        # Without its cause, which would quote a line of the file.
        raise ConfigurationError(
            f"{FILE} cannot be read as YAML of the form `{SECTION}: {{NAME: value}}`. Correct it, "
            "or have it written anew: kedro services start"
        ) from None
    free = tuple(group for group, names in GROUPS.items() if not any(map(os.environ.get, names)))
    for name, value in variables.items():
        if free and name.startswith(free):
            os.environ.setdefault(name, value)
