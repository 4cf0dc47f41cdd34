"""Tests of production on a real S3 server: races, a server that dies, a scorer that only reads."""

from __future__ import annotations

import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from mlops_basics.commands.rollback import rollback
from mlops_basics.errors import ConflictError, ReleaseError, StorageError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.storage.store_files import StoreFiles
from tests.support.releases import (
    NAME,
    TRUSTED,
    MemoryRegistry,
    make_entry,
    make_manifest,
    make_rows,
    publish,
)
from tests.support.s3_bucket import HASTY, Bucket, make_bucket

pytestmark = pytest.mark.slow  # real models and an S3 server

NOW = "2026-01-01T00:00:00+00:00"


def store_of(bucket: Bucket, **changes) -> ReleaseStore:
    """A model's releases in the bucket."""
    credentials = bucket.credentials(**changes)
    return ReleaseStore(f"{bucket.root}/production", NAME, TRUSTED, credentials)


def test_a_release_is_stored_pointed_at_and_loaded(bucket, small, tmp_path):
    """A release is stored, pointed at and loaded on S3 as on a disk."""
    store = store_of(bucket)
    assert (store.pointer(), store.versions(), store.ledger()) == (None, [], [])
    manifest = store.upload(small, make_manifest())
    pointer = store.point("1", None, NOW)
    assert (store.pointer(), store.versions()) == (pointer, ["1"])
    assert store.load().manifest == manifest == store.verify("1")
    assert set(store.load().model.predict(make_rows())) == {"yes", "no"}
    assert store.fetch(None, tmp_path / "copy") == manifest


def test_an_empty_object_that_stands_for_a_folder_is_no_file(bucket, small):
    """A console of S3 makes one for each folder that is opened; one with content is refused."""
    store, fs = store_of(bucket), bucket.fs()
    store.upload(small, make_manifest())
    folder = f"{bucket.root}/production/{NAME}/releases/1/".removeprefix("s3://")
    for path in (folder, f"{folder}model/", f"{folder}empty/"):
        name, key, _ = fs.split_path(path)
        fs.call_s3("put_object", Bucket=name, Key=f"{key.rstrip('/')}/", Body=b"")
    store.point("1", None, NOW)
    assert store.load().manifest.version == "1"
    assert store.versions() == ["1"]


def test_of_many_publishers_with_different_champions_one_wins(bucket, small):
    """Of eight publishers one moves the pointer; the others' errors name the winning release."""
    store = store_of(bucket)
    for version in "12345678":
        store.upload(small, make_manifest(version))

    def point(version):
        try:
            return store_of(bucket).point(version, None, NOW)
        except ConflictError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(point, "12345678"))
    now = store.pointer()
    assert outcomes.count(now) == 1
    others = [text for text in outcomes if text != now]
    assert all(f"is release {now.version} since" in text for text in others)
    assert store.load().manifest.version == now.version


def test_the_ledger_loses_no_entry(bucket):
    """Sixteen concurrent writers get numbers without gaps or twins."""
    with ThreadPoolExecutor(16) as pool:
        numbers = list(
            pool.map(lambda i: store_of(bucket).record(make_entry(str(i), None)), range(16))
        )
    assert sorted(numbers) == list(range(1, 17))
    assert sorted(int(entry.version) for entry in store_of(bucket).ledger()) == list(range(16))


def kill(server) -> None:
    """As the system does when memory is short."""
    os.kill(server.daemon.pid(), signal.SIGKILL)
    while server.answers():
        pass


def restart(server, store) -> None:
    """Start it again; it reports healthy before all of it is ready."""
    server.start()
    for _ in range(20):
        with suppress(StorageError):
            store.pointer()
            return
    pytest.fail("the server did not recover")


@pytest.fixture
def mortal(new_services):
    """A server that may be killed, with a bucket."""
    server = new_services().s3
    server.start()
    return server, make_bucket(server)


@pytest.mark.parametrize(
    ("step", "count"), [("upload", 1), ("upload", 3), ("create", 1), ("replace_if", 1)]
)
def test_the_server_is_killed_on_the_way_to_production(mortal, small, monkeypatch, step, count):
    """One error; after the restart production is what it was, and the same work is finished."""
    server, bucket = mortal
    store = store_of(bucket, config_kwargs=HASTY)
    publish(store, small, "1")
    before = store.pointer()
    original, calls = getattr(StoreFiles, step), []

    def killing(self, *args):
        calls.append(args)
        if len(calls) == count:
            kill(server)
        return original(self, *args)

    def work():
        store.upload(small, make_manifest("2"))
        return store.point("2", before, NOW)

    with monkeypatch.context() as patch:
        patch.setattr(StoreFiles, step, killing)
        with pytest.raises(StorageError, match=r"Cannot \w+ s3://.*then run again"):
            work()
    store = store_of(bucket)  # patient: a server that has just started may be slow
    restart(server, store)
    assert store.pointer() == before
    assert store.load().manifest.version == "1"
    assert work() == store.pointer()
    assert store.load().manifest.version == "2"


def test_what_was_damaged_on_the_way_is_never_a_release(bucket, proxy, small):
    """It is neither loaded nor pointed at; undamaged again, it is both."""
    store_of(bucket).upload(small, make_manifest())
    store = store_of(bucket.through(proxy.endpoint), config_kwargs=HASTY)
    for mode in ("truncate", "corrupt", "500", "reset"):
        with proxy.breaking(mode, "GET", "/model.skops"):
            for act in (lambda: store.load("1"), lambda: store.point("1", None, NOW)):
                with pytest.raises(ReleaseError, match=r"model\.skops"):
                    act()
        assert store.pointer() is None
    store.point("1", None, NOW)
    assert store.load().manifest.version == "1"


def test_a_scorer_that_only_reads_can_load(s3_server, small):
    """A scorer with read rights loads the release; writing is an error that says so."""
    bucket = make_bucket(s3_server)
    publish(store_of(bucket), small, "1")
    s3_server.create_bucket(bucket.name)  # with the policy of scorers
    own = s3_server.environment("scorer")
    scorer = store_of(bucket, key=own["AWS_ACCESS_KEY_ID"], secret=own["AWS_SECRET_ACCESS_KEY"])
    assert scorer.load().manifest.version == "1"
    assert [entry.version for entry in scorer.ledger()] == ["1"]
    with pytest.raises(StorageError, match="read-only for you"):
        scorer.upload(small, make_manifest("2"))


def test_a_rollback_waits_for_a_run_that_publishes(bucket, small):
    """The error names the other process, and nothing changes until it has finished."""
    store, registry = store_of(bucket), MemoryRegistry()
    for version in ("1", "2"):
        registry.known.append(version)
        registry.move_champion(version, registry.champion())
        publish(store, small, version)
    waiting = store_of(bucket)
    waiting.patience = 0.3
    with store.one_run_at_a_time():
        with pytest.raises(ConflictError, match=re.escape(f"(process {os.getpid()}")):
            rollback(waiting, registry, None, "why", "me", NOW)
        assert (store.pointer().version, registry.champion()) == ("2", "2")
    rollback(waiting, registry, None, "why", "me", NOW)
    assert (store.pointer().version, registry.champion()) == ("1", "1")


def test_files_of_a_release_are_written_once(bucket, small, tmp_path, monkeypatch):
    """The condition is the server's, also for a file of several parts, and for what is left."""
    large = tmp_path / "large"
    shutil.copytree(small, large)
    (large / "notes.bin").write_bytes(b"a" * 30 * 2**20)
    store, files = store_of(bucket), bucket.files("production")
    path = f"{NAME}/releases/1/notes.bin"
    files.write(path, b"b" * 30 * 2**20)
    with monkeypatch.context() as patch:
        patch.setattr(StoreFiles, "sizes", lambda *_: {})  # it came after we looked
        with pytest.raises(ReleaseError, match=r"'notes\.bin' in .* written once"):
            store.upload(large, make_manifest())
    assert files.read(path)[:1] == b"b"
    store.upload(large, make_manifest(), mend=True)
    assert files.read(path)[:1] == b"a"
    with monkeypatch.context() as patch:  # a publisher that was killed, and has not seen it
        patch.setattr(ReleaseStore, "_kept", lambda *_, **__: set())
        files.remove(f"{NAME}/releases/1/manifest.json")
        assert store.upload(large, make_manifest()).version == "1"


def test_publishing_costs_the_same_however_many_releases_there_are(bucket, proxy, small):
    """The number of requests does not grow, except for reading the ledger's entries."""
    store, behind = store_of(bucket), store_of(bucket.through(proxy.endpoint))
    costs = []
    for first, last in ((1, 3), (10, 12)):
        for version in range(first, last):
            publish(store, small, str(version))
        with proxy.counting() as requests:
            behind.upload(small, make_manifest(str(last)))
            behind.point(str(last), behind.pointer(), NOW)
        costs.append(sum("/ledger/" not in path for _, path in requests))
    assert costs[0] == costs[1]
