"""Tests of finding the newest of many versions, by the number of requests it takes."""

from __future__ import annotations

import datetime

import pytest
from kedro.io.core import Version

from mlops_basics.datasets import ArtifactDataset
from mlops_basics.storage.s3_objects import newest_version
from tests.support.artifacts import make_challenge
from tests.support.s3_bucket import HASTY

pytestmark = pytest.mark.slow  # an S3 server

FILE = "manifest.json"


def versions_of(number: int) -> list[str]:
    """Kedro's versions, every eleven hours."""
    begin = datetime.datetime(2024, 11, 1)
    times = [begin + datetime.timedelta(hours=11.37 * i) for i in range(number)]
    return [f"{time:%Y-%m-%dT%H.%M.%S}.{i % 1000:03d}Z" for i, time in enumerate(times)]


def fill(bucket, versions, name=FILE):
    """Store an object for each version."""
    bucket.fs().pipe({f"{bucket.name}/{FILE}/{version}/{name}": b"{}" for version in versions})


@pytest.mark.parametrize(("number", "most"), [(0, 1), (1, 2), (1000, 2), (2300, 7)])
def test_the_newest_of_any_number_is_found_by_a_bounded_number_of_requests(
    bucket, proxy, number, most
):
    """The number of requests is bounded; Kedro's own look-up needs two for each version."""
    versions = versions_of(number)
    fill(bucket, versions)
    fs = bucket.through(proxy.endpoint).fs()
    with proxy.counting() as requests:
        found = newest_version(fs, f"{bucket.name}/{FILE}", FILE)
    assert found == (versions[-1] if versions else None)
    assert len(requests) <= most


def test_what_holds_no_file_is_no_version(bucket):
    """A killed run's empty folder is skipped, and the previous version counts."""
    versions = versions_of(1500)
    fill(bucket, versions[:-3])
    fill(bucket, versions[-3:], "other.json")
    assert newest_version(bucket.fs(), f"{bucket.name}/{FILE}", FILE) == versions[-4]


def test_versions_of_another_form_are_found(bucket):
    """The last version by name is found, as with Kedro."""
    fill(bucket, [*versions_of(1100), "by hand"])
    assert newest_version(bucket.fs(), f"{bucket.name}/{FILE}", FILE) == "by hand"


def make(bucket, **changes):
    """A versioned artifact as the catalog opens it."""
    return ArtifactDataset(
        filepath=f"{bucket.root}/{FILE}",
        model="mlops_basics.schemas.Challenge",
        version=Version(None, changes.pop("save", None)),
        credentials=bucket.credentials(**changes),
    )


def challenge(number):
    """An artifact."""
    return make_challenge("1", number, "id")


def test_what_another_process_wrote_is_the_latest_at_once(bucket):
    """An object that another process wrote is seen at once, despite s3fs's cache of listings."""
    ours = make(bucket, save="2026-01-01")
    assert not ours.exists()
    ours.save(challenge(1))
    assert (ours.load().number, make(bucket).load().number) == (1, 1)
    make(bucket, skip_instance_cache=True, save="2026-01-02").save(challenge(2))
    assert make(bucket).load().number == 2


def test_the_latest_artifact_of_a_thousand_is_loaded_by_few_requests(bucket, proxy):
    """Finding and reading it takes a few requests."""
    fill(bucket, versions_of(999))
    make(bucket, save="2099-01-01T00.00.00.000Z").save(challenge(7))
    dataset = make(bucket.through(proxy.endpoint), config_kwargs=HASTY)
    with proxy.counting() as requests:
        assert dataset.exists()
        assert dataset.load().number == 7
    assert len(requests) <= 6


def test_kedros_own_look_up_lists_a_thousand_versions_a_request(bucket, proxy):
    """For data sets without a pinned version, as in a notebook or kedro viz."""
    from kedro_datasets.json import JSONDataset

    versions = versions_of(1000)
    fill(bucket, [version for version in versions if version != versions[500]])
    fill(bucket, versions[500:501], "other.json")
    dataset = JSONDataset(
        filepath=f"{bucket.root}/{FILE}",
        version=Version(None, None),
        credentials=bucket.through(proxy.endpoint).credentials(),
    )
    with proxy.counting() as requests:
        assert dataset.exists()
        assert dataset.load() == {}
    assert dataset.resolve_load_version() == versions[-1]
    assert versions[500] not in dataset.list_versions(full_path=False)
    assert len(requests) <= 5


def test_folders_are_versions_too(bucket):
    """A model's folder is a version; other patterns and missing folders are left to s3fs."""
    fs = bucket.fs()
    base = f"{bucket.name}/models/model"
    fs.pipe({f"{base}/{version}/model/{name}": b"" for version in "12" for name in ("a", "b/c")})
    assert fs.glob(f"{base}/*/model") == [f"{base}/1/model", f"{base}/2/model"]
    assert fs.glob(f"{base}/*/mod") == fs.glob(f"{bucket.name}/none/*/model") == []
    assert fs.glob(f"{base}/1/model/*") == [f"{base}/1/model/a", f"{base}/1/model/b"]
    fs.rm(f"{base}/2", recursive=True)
    assert fs.glob(f"{base}/*/model") == [f"{base}/1/model"]
    assert not fs.exists(f"{base}/2/model/a")


def test_a_pinned_version_is_not_looked_for(bucket, proxy):
    """Saving and loading under one version costs the same, however many there are."""
    fill(bucket, versions_of(1000))
    dataset = make(bucket.through(proxy.endpoint))
    dataset._version = Version("2099", "2099")
    with proxy.counting() as requests:
        dataset.save(challenge(1))
        dataset.load()
    assert len(requests) <= 7


def test_a_policy_that_forbids_to_list_is_named(bucket):
    """The error names the object and the missing right."""
    bucket.forbid("s3:ListBucket")
    with pytest.raises(Exception, match=r"Cannot list .*s3:ListBucket"):
        make(bucket).load()
