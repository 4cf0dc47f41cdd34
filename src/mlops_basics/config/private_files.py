"""Where secrets lie, and which of them lie where a package of the configuration would take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: Keys, and settings for shells. In no folder that is packed, sent or put into an image; what Kedro
#: itself reads, conf/local/credentials.yml, is left out by `kedro package`.
SECRETS = Path(".secrets")
_SECRET_NAMES = ("credentials*", "*.env", "*.key", "*.pem")
_PRIVATE_KEY = b"PRIVATE KEY-----"


def secrets_folder(project: Path) -> Path:
    """The folder of secrets, which its owner alone can enter; it is made where it is missing."""
    folder = project / SECRETS
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def packed_secrets(project: Path) -> list[Path]:
    """Files with secrets that `kedro package` would put into its archive of the configuration.

    It leaves out ``conf/local/*.yml`` and nothing else.
    """
    return sorted(_packed_secrets(project / "conf"))


def _packed_secrets(conf: Path) -> Iterator[Path]:
    for file in conf.rglob("*"):
        if not file.is_file() or file.name == ".gitkeep":
            continue
        if file.parent == conf / "local":
            if file.suffix != ".yml":
                yield file
        elif any(map(file.match, _SECRET_NAMES)) or _PRIVATE_KEY in file.read_bytes():
            yield file
