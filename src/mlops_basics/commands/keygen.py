"""Makes the keys that releases are signed with, and says where they go."""

from __future__ import annotations

from pathlib import Path

from mlops_basics.config.private_files import SECRETS, secrets_folder
from mlops_basics.errors import ConfigurationError
from mlops_basics.production.signature import make_key_pair


def make_keys(project: Path) -> str:
    """Make a pair of keys in .secrets; returns a message that says what to do with them.

    Raises:
        ConfigurationError: If there are keys already, or they cannot be written.
    """
    try:
        private, public, text = make_key_pair(secrets_folder(project))
    except OSError as error:
        raise ConfigurationError(
            f"The keys cannot be written to {project / SECRETS} ({error.strerror or error}). Run "
            "this as the user who owns the project, and look at the folder's rights."
        ) from error
    private_path = private.relative_to(project).as_posix()
    return (
        f"Private key: {private_path} (keep it secret, keep a copy)\n"
        f"Public key:  {public.relative_to(project).as_posix()}\n"
        "In globals.yml, signing_key where releases are published, verify_key everywhere:\n"
        f"signing_key: {private_path}\n"
        f"verify_key: {text}"
    )
