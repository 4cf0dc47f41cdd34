"""Tests of whole runs on S3: the number of requests, and two runs that would be one."""

from __future__ import annotations

import datetime
from collections import Counter
from itertools import chain, repeat

import pytest

from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.s3_bucket import Bucket
from tests.support.services import use_environment

pytestmark = pytest.mark.slow  # whole runs and an S3 server

ENV = "remote"
PIPELINE = "data_preprocessing"


@pytest.fixture
def proxy(s3_server, monkeypatch):
    """What all file systems of the test go through, by AWS's own variables."""
    with faulty_proxy(s3_server.endpoint) as running:
        own = s3_server.environment() | {"AWS_ENDPOINT_URL": running.endpoint}
        yield from use_environment(monkeypatch, own, running)


@pytest.fixture
def remote(project, bucket, proxy):
    """A project that keeps everything in the bucket, after a first run."""
    configure(project, bucket)
    project.run("data_collection", env=ENV)
    return project


def configure(project, bucket: Bucket, source: str = "data/source/iris.csv") -> None:
    """An environment with everything in the bucket but the source."""
    production = f"{bucket.root}/production"
    values = {"source": source, "storage": bucket.root, "production": production}
    project.configure(ENV, model_name="flowers", **values)


def copy_versions(bucket: Bucket, number: int) -> None:
    """Many older versions of each data set."""
    fs = bucket.fs()
    begin = datetime.datetime(2024, 1, 1)
    times = [begin + datetime.timedelta(minutes=i) for i in range(number)]
    found = {}
    for path in fs.find(f"{bucket.name}/flowers"):
        base, _, name = path.rsplit("/", 2)
        for time in times:
            found[f"{base}/{time:%Y-%m-%dT%H.%M.%S}.000Z/{name}"] = b"{}"
    fs.pipe(found)


def cost_of(proxy: FaultyProxy, run) -> Counter:
    """Requests of a run by method."""
    with proxy.counting() as requests:
        run()
    return Counter(method for method, _ in requests)


def test_a_run_costs_the_same_however_many_versions_there_are(remote, bucket, proxy):
    """Kedro alone would make two requests for each version of each data set."""
    copy_versions(bucket, 1)  # the manifest below the newest one is read, too
    few = cost_of(proxy, lambda: remote.run(PIPELINE, env=ENV))
    copy_versions(bucket, 200)  # a page of a list holds 1,000 names: datasets/test_s3_objects.py
    many = cost_of(proxy, lambda: remote.run(PIPELINE, env=ENV))
    assert many == few


def test_what_another_process_wrote_is_read(remote, bucket):
    """The newest manifest counts, also if another process wrote it."""
    first = remote.load("manifest", env=ENV)
    theirs = first.model_copy(update={"run_id": "2099-01-01T00.00.00.000Z"})
    path = f"{bucket.name}/flowers/manifests/manifest.json/{theirs.run_id}/manifest.json"
    bucket.fs().pipe_file(path, theirs.model_dump_json().encode())
    assert remote.load("manifest", env=ENV) == theirs


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "running"])
def test_two_runs_of_one_version_do_not_overwrite_each_other(remote, bucket, ended, monkeypatch):
    """The second is refused before it writes anything, while the first runs and afterwards."""
    run_id = "2030-01-01T00.00.00.000Z"
    monkeypatch.setattr("kedro.framework.session.session.generate_timestamp", lambda: run_id)
    if ended:
        assert remote.run("data_collection", env=ENV).run_id == run_id
    else:
        path = f"{bucket.name}/flowers/manifests/running/{run_id}.json"
        bucket.fs().pipe_file(path, b"{}")
    before = bucket.fs().find(f"{bucket.name}/flowers", detail=True)
    result = remote.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 1
    assert f"Another run has the version {run_id} already" in result.stderr
    after = bucket.fs().find(f"{bucket.name}/flowers", detail=True)
    assert {name: item["ETag"] for name, item in after.items()} == {
        name: item["ETag"] for name, item in before.items()
    }


def test_a_run_of_the_same_millisecond_takes_another_version(remote, bucket, monkeypatch):
    """A second run of the same millisecond takes another version on the command line."""
    times = chain(["2030-01-01T00.00.00.000Z"], repeat("2030-01-01T00.00.01.000Z"))
    monkeypatch.setattr("kedro.framework.session.session.generate_timestamp", lambda: next(times))
    path = f"{bucket.name}/flowers/manifests/running/2030-01-01T00.00.00.000Z.json"
    bucket.fs().pipe_file(path, b"{}")
    result = remote.command("run", "--env", ENV, "--pipeline", "data_collection")
    assert result.exit_code == 0, result.stderr
    assert remote.load("manifest", env=ENV).run_id == "2030-01-01T00.00.01.000Z"
    assert not bucket.fs().glob(f"{bucket.name}/flowers/**/2030-01-01T00.00.00.000Z/*")


def test_a_run_leaves_no_claim_behind(remote, bucket):
    """The claim is removed after a run that succeeded and after one that failed."""

    def claims() -> list[str]:
        found = bucket.fs().find(f"{bucket.name}/flowers/manifests/running")
        return [path for path in found if path.endswith(".json")]  # not folders

    assert claims() == []
    configure(remote, bucket, source="data/source/none.csv")
    assert remote.command("run", "--env", ENV, "--pipeline", "data_collection").exit_code == 1
    assert claims() == []


def test_a_policy_that_forbids_listing_is_reported_by_the_command(remote, bucket):
    """One line that names the missing right."""
    bucket.forbid("s3:ListBucket")
    result = remote.command("run", "--env", ENV, "--pipeline", PIPELINE)
    assert result.exit_code == 1
    assert "s3:ListBucket" in result.stderr
    assert "Traceback" not in result.output
