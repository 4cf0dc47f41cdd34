"""Files that only their owner may read."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

NAMES = (
    "s3_key",
    "s3_secret",
    "scorer_key",
    "scorer_secret",
    "mlflow_password",
    "mlflow_cookies",
)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 600 in one step; no other user can read it even for a moment."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def instance_secrets(path: Path) -> dict[str, str]:
    """The random secrets of an instance, made at the first call and the same ever after."""
    values: dict[str, str] = {}
    if path.is_file():
        values = json.loads(path.read_text(encoding="utf-8"))
    if missing := [name for name in NAMES if name not in values]:
        values |= {name: secrets.token_hex(20) for name in missing}
        write_private(path, json.dumps(values, indent=2))
    return values
