"""Keeps secrets out of what ``kedro package`` makes."""

from __future__ import annotations

from pathlib import Path

from mlops_basics.config.private_files import SECRETS, packed_secrets
from mlops_basics.errors import ConfigurationError


def require_no_secrets(project: Path) -> None:
    """Raise ConfigurationError where the package would hold a secret; nothing is packed then."""
    if found := packed_secrets(project):
        named = ", ".join(file.relative_to(project).as_posix() for file in found[:5])
        raise ConfigurationError(
            f"Nothing was packed: the package would hold what is private, {named}. Move keys and "
            f"settings for shells to {SECRETS.as_posix()}/ (and correct `signing_key` in "
            "globals.yml), credentials to conf/local/credentials.yml, then call again."
        )
