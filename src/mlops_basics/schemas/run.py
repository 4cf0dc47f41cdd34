"""A run: what it was made with, and the versions that belong together."""

from __future__ import annotations

from typing import Any, Literal

from .base import Artifact


class DataVersion(Artifact):
    """One data set of a run: which version, where, and the SHA-256 of its content."""

    version: str
    path: str
    sha256: str
    rows: int | None = None
    access: Literal["read", "written", "kept"]


class SourceVersion(Artifact):
    """A version of raw data by DVC; ``unchanged``: the working copy was this version."""

    name: str
    md5: str
    unchanged: bool


class Code(Artifact):
    """What the run was made with."""

    git_commit: str | None
    git_dirty: bool | None
    lock_sha256: str | None
    python: str
    libraries: dict[str, str]


class Manifest(Artifact):
    """A run: the one set of versions that belong together, and how they came about."""

    run_id: str
    mlflow_run_id: str | None
    env: str
    model_name: str
    pipelines: tuple[str, ...]
    code: Code
    parameters: dict[str, Any]
    datasets: dict[str, DataVersion]
    sources: dict[str, SourceVersion] = {}


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
