"""Tests of the lock on S3: one at a time, the dead are overtaken, who waits is told for whom."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import time

import pytest

from mlops_basics.datasets import lease as lease_module
from mlops_basics.datasets.lease import lease
from mlops_basics.datasets.s3_objects import look, put_if
from mlops_basics.errors import ConflictError
from tests.s3_bucket import Bucket

pytestmark = pytest.mark.slow  # an S3 server


def state_of(bucket, path="lock"):
    """What the object's metadata say."""
    seen = look(bucket.fs(), f"{bucket.name}/{path}")
    return seen and seen.metadata["state"]


def hold(bucket, patience=60.0, life=30.0):
    """The lease of these tests."""
    return lease(bucket.fs(), f"{bucket.name}/lock", "s3://here/lock", patience, life)


def work(bucket: Bucket, rounds: int) -> None:
    """Read and write a counter without any condition, under the lock; in a process of its own."""
    files = bucket.files("work")
    for _ in range(rounds):
        with hold(bucket):
            value = int(files.read("counter") or b"0")
            files.write("counter", str(value + 1).encode())


def test_one_at_a_time(bucket):
    """Four processes that would lose counts without the lock lose none."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(bucket, 8)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert bucket.files("work").read("counter") == b"32"
    assert state_of(bucket) == "free"


def test_it_says_who_holds_it(bucket):
    """For people who look at the bucket."""
    with hold(bucket):
        who = json.loads(bucket.fs().cat_file(f"{bucket.name}/lock"))
        assert who["process"] == os.getpid()
        assert {"by", "machine", "since"} <= set(who)
        assert state_of(bucket) == "held"
    assert state_of(bucket) == "free"


def test_an_error_frees_it(bucket):
    """It passes on, as it is."""
    with pytest.raises(ZeroDivisionError), hold(bucket):
        raise ZeroDivisionError
    assert state_of(bucket) == "free"


def test_who_waits_too_long_is_told_for_whom(bucket, monkeypatch, caplog):
    """First in the log, then as an error."""
    monkeypatch.setattr(lease_module, "_TELL_AFTER", 0.2)
    who = rf"on .* \(process {os.getpid()}, since "
    with hold(bucket), caplog.at_level(logging.WARNING):
        with pytest.raises(ConflictError, match=who), hold(bucket, patience=0.8):
            pytest.fail("held twice")
        assert state_of(bucket) == "held"
    assert sum("Waiting for" in line for line in caplog.messages) == 1


def hold_for_ever(bucket: Bucket, ready) -> None:
    """Hold the lease until killed."""
    with hold(bucket, life=3.0):
        ready.set()
        time.sleep(600)


def test_a_killed_holder_is_overtaken_and_a_live_one_is_not(bucket):
    """A live one renews: it holds for longer than its life. Killed, it is dead within seconds."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold_for_ever, args=(bucket, ready))
    holder.start()
    assert ready.wait(60)
    with pytest.raises(ConflictError), hold(bucket, patience=6.0, life=3.0):
        pytest.fail("held twice")
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    begin = time.monotonic()
    with hold(bucket, life=3.0):
        assert time.monotonic() - begin < 10


def test_who_was_overtaken_frees_nobody_elses(bucket, caplog):
    """A holder that was cut off learns of it, and leaves the new one alone."""
    fs, path = bucket.fs(), f"{bucket.name}/lock"
    with caplog.at_level(logging.WARNING), hold(bucket, life=0.6):
        while "taken over" not in caplog.text:
            seen = look(fs, path)  # its next sign of life may come between
            put_if(fs, path, b"theirs", seen.tag, {"state": "held"})
            time.sleep(0.05)
    assert state_of(bucket) == "held"
    assert fs.cat_file(path) == b"theirs"


def test_of_many_who_overtake_a_dead_one_only_one_gets_in(bucket):
    """Sixteen see the same dead holder."""
    from concurrent.futures import ThreadPoolExecutor

    fs, path = bucket.fs(), f"{bucket.name}/lock"
    dead = put_if(fs, path, b"dead", None, {"state": "held"})
    with ThreadPoolExecutor(16) as pool:
        tags = list(pool.map(lambda i: put_if(fs, path, f"{i}".encode(), dead), range(16)))
    assert sum(tag is not None for tag in tags) == 1


def test_a_server_that_is_down_is_told(bucket):
    """As every other fault of the storage."""
    from mlops_basics.errors import ReleaseError
    from tests.s3_bucket import HASTY

    gone = bucket.through("http://127.0.0.1:9")
    files = gone.files(config_kwargs=HASTY)
    with pytest.raises(ReleaseError, match="Could not connect"), files.lock():
        pytest.fail("held without a server")
