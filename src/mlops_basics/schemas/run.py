"""A run: what it was made with, and the versions that belong together."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from .base import Artifact, UnlessEmpty


def _one_part(name: str) -> str:
    """Refuse a name that leads out of its folder: it becomes a part of a path."""
    if name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ValueError(f"must be one part of a path, got {name[:80]!r}")
    return name


#: A catalog entry that reads files from outside of the project's own data.
Inlet = Literal["source", "labels"]
PathPart = Annotated[str, AfterValidator(_one_part)]


class DataVersion(Artifact):
    """One data set of a run: which version, where, and the SHA-256 of its content."""

    version: PathPart
    path: str
    sha256: str
    rows: int | None = None
    access: Literal["read", "written", "kept"]


class SourceVersion(Artifact):
    """A version of raw data by DVC; ``unchanged``: the working copy was this version."""

    name: PathPart
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
    unchanged: bool


class Code(Artifact):
    """What the run was made with; ``own_code``: SHA-256 of the user's packages in ``src``."""

    git_commit: str | None
    git_dirty: bool | None
    lock_sha256: str | None
    python: str
    libraries: dict[str, str]
    own_code: Annotated[dict[str, str], UnlessEmpty] = {}


class Manifest(Artifact):
    """A run: the one set of versions that belong together, and how they came about.

    ``highest_before`` is the highest version of a run that there was when this one began: a higher
    one than its own where a clock was ahead.
    """

    run_id: PathPart
    mlflow_run_id: str | None
    env: str
    model_name: str
    pipelines: tuple[str, ...]
    code: Code
    parameters: dict[str, Any]
    datasets: dict[str, DataVersion]
    sources: dict[Inlet, SourceVersion] = {}
    highest_before: str | None = None

    def content_sha256(self) -> str:
        """SHA-256 of what was recorded: as written and as read, by later versions, too."""
        # A field that comes later is at its default in an older manifest, and so left out.
        tree = json.loads(self.model_dump_json(exclude_defaults=True))
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


class RunContext(Artifact):
    """What a run knows of itself while it runs."""

    run_id: str
    mlflow_run_id: str | None
    env: str
    model_name: str
    code: Code
    data_versions: dict[str, str]


class ModelRecord(Artifact):
    """Which run fitted a model, and from which data versions and code."""

    candidate: str
    run_id: str
    mlflow_run_id: str | None
    data_versions: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    own_code: Annotated[dict[str, str], UnlessEmpty] = {}
