"""The registry's versions, and what production holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from .base import Artifact, UnlessEmpty
from .decision import Decision
from .model import Model, Recipe
from .monitoring import ReleaseReference
from .run import ModelRecord
from .table import BatchRecord, Hashes, TableInfo


class Override(Artifact):
    """An operator's word for a challenger; the decision stays as it was recorded."""

    by: str
    at: str
    reason: str


@dataclass(frozen=True)
class Registration:
    """A decided challenger, with the files that its release needs beside the model.

    ``files`` maps names to an ``Artifact`` (saved as JSON), a table (saved as Parquet) or a
    dictionary of arrays (saved as ``.npz``). ``model_files``: SHA-256 of each file of the model's
    folder, as the run saved it. ``override``: an operator promotes it by hand.
    """

    decision: Decision
    record: ModelRecord
    files: dict[str, Any]
    model_files: Mapping[str, str] = field(default_factory=dict)
    override: Override | None = None


class RegisteredVersion(Artifact):
    """What the registry holds after a decision; ``version`` is its champion, if any."""

    model_name: str
    version: str | None
    previous: str | None
    promoted: bool
    reason: str


class FileRecord(Artifact):
    """One file of a release."""

    sha256: str
    size: int


class ReleaseManifest(Artifact):
    """What a release holds, and where it came from. ``files`` are relative paths.

    ``own_code``: SHA-256 of the user's packages that its model needs.
    """

    model_name: str
    version: str
    run_id: str
    mlflow_run_id: str | None
    data_versions: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    decision: Decision
    files: dict[str, FileRecord]
    own_code: Annotated[dict[str, str], UnlessEmpty] = {}


class RecordedFiles(Artifact):
    """SHA-256 of each file of a registered version's release, by its path."""

    files: dict[str, str]


class Pointer(Artifact):
    """Which release is in production; the only file that ever changes."""

    version: str
    manifest_sha256: str
    at: str


class LedgerEntry(Artifact):
    """One line of the production's history; ``promoted``: released by an operator's override."""

    at: str
    action: Literal["release", "refresh", "switch", "promoted", "rollback", "refused"]
    version: str
    replaced: str | None
    by: str
    reason: str
    run_id: str | None = None
    mlflow_run_id: str | None = None
    data_versions: dict[str, str] = {}
    manifest_sha256: str | None = None
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    policy: str = ""


class ReleaseState(Artifact):
    """What production holds after publishing."""

    version: str | None
    changed: bool
    reason: str
    path: str


@dataclass(frozen=True)
class Release:
    """A release that was verified, as scorers use it.

    The monitor reads its reference, its recipe, and the batches that it was trained on; releases
    of older versions of this project have no recipe.
    """

    manifest: ReleaseManifest
    model: Model
    table: TableInfo
    reference: ReleaseReference | None = None
    recipe: Recipe | None = None
    fitted_rows: Hashes | None = None
    moved: LedgerEntry | None = None
    batches: tuple[BatchRecord, ...] = ()
