"""What a release has to hold: its files as the run made them, before MLflow was given any.

MLflow's artifacts can be changed by whoever may write into the experiment, also between two steps
of a run. Their SHA-256 are kept beside the releases, where only publishers write.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_basics.errors import ReleaseError
from mlops_basics.production.release_check import MODEL_FOLDER, sha256
from mlops_basics.schemas import Artifact, Registration
from mlops_basics.storage.arrays import write_arrays

OVERRIDE_FILE = "override.json"  # beside the release files, where an operator promoted it

#: The registry's own word, and what MLflow's client writes beside a model that it downloads.
_WRITTEN_LATER = (OVERRIDE_FILE, f"{MODEL_FOLDER}/registered_model_meta")


def release_files(files: Mapping[str, Any]) -> dict[str, bytes]:
    """Artifacts (JSON), tables (Parquet) and arrays (.npz) as a release holds them, by name."""
    contents: dict[str, bytes] = {}
    for name, content in files.items():
        if isinstance(content, pd.DataFrame):
            contents[f"{name}.parquet"] = content.to_parquet(index=False)
        elif isinstance(content, dict):
            contents[f"{name}.npz"] = write_arrays(content)
        elif isinstance(content, Artifact):
            contents[f"{name}.json"] = content.model_dump_json(indent=2).encode()
    return contents


def recorded_hashes(registration: Registration) -> dict[str, str]:
    """SHA-256 of every file that the challenger's release has to hold, by its path."""
    files = {name: sha256(content) for name, content in release_files(registration.files).items()}
    return files | {f"{MODEL_FOLDER}/{name}": sha for name, sha in registration.model_files.items()}


def require_recorded(folder: Path, recorded: Mapping[str, str]) -> None:
    """Refuse what is not what the run made.

    Args:
        folder: What was downloaded from MLflow.
        recorded: SHA-256 by path, as of ``recorded_hashes``.

    Raises:
        ReleaseError: If a file was changed, is missing, or is too much.
    """
    found = {
        file.relative_to(folder).as_posix(): sha256(file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }
    for name in _WRITTEN_LATER:
        found.pop(name, None)
    wrong = sorted(name for name in {*found, *recorded} if found.get(name) != recorded.get(name))
    if wrong:
        what = "is missing" if wrong[0] not in found else "is not what its run made"
        raise ReleaseError(
            f"'{wrong[0]}' in MLflow {what}: what would be published is not what was judged "
            "(the SHA-256 of each file was kept when the version was registered)."
        )
