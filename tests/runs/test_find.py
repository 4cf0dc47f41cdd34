"""Tests of finding a recorded run, with a MLflow server in memory."""

from __future__ import annotations

import pytest

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.find import find_run, manifest_of
from mlops_basics.schemas import Code, Manifest
from tests.support.memory_mlflow import Killer, MemoryServer

CODE = Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={})


@pytest.fixture
def server():
    """Two experiments with a run each."""
    return MemoryServer(Killer())


def record(server, experiment, **changes):
    """A run of an experiment, with its manifest."""
    client = server.client()
    run = client.create_run(client.create_experiment(experiment))
    manifest = Manifest(
        run_id="2026-01-01T00.00.00.000Z",
        mlflow_run_id=run.info.run_id,
        env="local",
        model_name="flowers",
        pipelines=("__default__",),
        code=CODE,
        parameters={},
        datasets={},
    ).model_copy(update=changes)
    server.log_text(run.info.run_id, "manifest.json", manifest.model_dump_json())
    return run


def test_a_run_is_found_with_its_manifest(server):
    """By its id, in the experiment of the model."""
    run = record(server, "flowers")
    found = find_run("flowers", run.info.run_id, server)
    assert manifest_of(found, "flowers", server).mlflow_run_id == run.info.run_id


@pytest.mark.parametrize("other", ["trees", "flowers-challenges"])
def test_a_run_of_another_experiment_is_refused(server, other):
    """Its parameters are not those of this model, whoever wrote them."""
    record(server, "flowers")
    run = record(server, other)
    with pytest.raises(ConfigurationError, match=f"is of the experiment '{other}'"):
        find_run("flowers", run.info.run_id, server)


@pytest.mark.parametrize("change", [{"model_name": "trees"}, {"mlflow_run_id": "0" * 32}])
def test_a_manifest_of_another_run_or_model_is_refused(server, change):
    """It was put in the place of the run's own."""
    run = record(server, "flowers", **change)
    with pytest.raises(ConfigurationError, match="was changed: it is of the run"):
        manifest_of(find_run("flowers", run.info.run_id, server), "flowers", server)


@pytest.mark.parametrize("change", [{"run_id": "../../evil"}, {"sources": {"../x": None}}])
def test_a_manifest_that_leads_elsewhere_is_refused(server, change):
    """What becomes a path is checked where the manifest is read, with a message in words."""
    run = record(server, "flowers", **change)
    with pytest.raises(ConfigurationError, match=r"'manifest.json' .* was changed"):
        manifest_of(run, "flowers", server)


def test_a_run_is_found_by_the_time_that_its_manifest_names(server):
    """Whoever may write tags cannot put another run in the place of the one that was named."""
    run = record(server, "flowers")
    tags = server.client().get_run(run.info.run_id).data.tags
    tags["run_version"] = "2026-01-01T00.00.00.000Z"
    assert manifest_of(run, "flowers", server).run_id == "2026-01-01T00.00.00.000Z"
    tags["run_version"] = "2026-02-02T00.00.00.000Z"
    with pytest.raises(ConfigurationError, match=r"its tag 'run_version' says '2026-02-02"):
        manifest_of(run, "flowers", server)
