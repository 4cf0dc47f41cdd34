"""Servers that a module may kill, behind proxies that see each request."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.world import World, add_table
from tests.support.faulty_proxy import faulty_proxy
from tests.support.project import Project
from tests.support.services import instance_of, use_environment


@pytest.fixture(scope="module")
def world(shared_project: Project) -> Iterator[World]:
    """A project and three servers for this module alone."""
    own = instance_of(Path(tempfile.mkdtemp(prefix="mlops-")))
    try:
        own.start()
        add_table(shared_project, own.s3, own.bucket)
        shutil.rmtree(shared_project.path / "data" / "mlflow")  # nothing of it may be needed
        with (
            pytest.MonkeyPatch.context() as patch,
            faulty_proxy(own.s3.endpoint) as s3,
            faulty_proxy(own.mlflow.address, keep_host=False) as mlflow,
        ):
            made = World(shared_project, own, s3, mlflow)
            yield from use_environment(patch, made.environment(), made)
    finally:
        own.stop()
        shutil.rmtree(own.folder, ignore_errors=True)
