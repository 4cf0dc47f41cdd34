"""Tests of the lock on S3: one holder at a time, dead ones are replaced, errors name the holder."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import time
from itertools import accumulate
from types import SimpleNamespace

import pytest

from mlops_basics.errors import ConflictError, StorageError
from mlops_basics.storage import lease as lease_module
from mlops_basics.storage.lease import lease
from mlops_basics.storage.s3_objects import look, put_if
from tests.support.s3_bucket import HASTY, Bucket

pytestmark = pytest.mark.slow  # an S3 server


def state_of(bucket, path="lock"):
    """What the object's metadata say."""
    seen = look(bucket.fs(), f"{bucket.name}/{path}")
    return seen and seen.metadata["state"]


def hold(bucket, patience=60.0, life=30.0):
    """The lease that these tests use."""
    return lease(bucket.fs(), f"{bucket.name}/lock", "s3://here/lock", patience, life)


def work(bucket: Bucket, rounds: int) -> None:
    """Read and write a counter without any condition, under the lock; in a separate process."""
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


def test_the_object_names_its_holder(bucket):
    """The object in the bucket names its holder."""
    with hold(bucket):
        who = json.loads(bucket.fs().cat_file(f"{bucket.name}/lock"))
        assert who["process"] == os.getpid()
        assert {"by", "machine", "since"} <= set(who)
        assert state_of(bucket) == "held"
    assert state_of(bucket) == "free"


def test_an_error_frees_it(bucket):
    """An error is raised unchanged and frees the lock."""
    with pytest.raises(ZeroDivisionError), hold(bucket):
        raise ZeroDivisionError
    assert state_of(bucket) == "free"


def test_a_waiter_gets_the_holders_name(bucket, monkeypatch, caplog):
    """The holder is named first in the log, then in the error."""
    monkeypatch.setattr(lease_module, "TELL_AFTER", 0.2)
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
    """A live holder renews its lease; a killed one counts as dead within seconds."""
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


def test_an_overtaken_holder_does_not_free_the_new_ones_lease(bucket, caplog):
    """A holder that was cut off logs it, and leaves the new holder's object alone."""
    fs, path = bucket.fs(), f"{bucket.name}/lock"
    with caplog.at_level(logging.WARNING), hold(bucket, life=0.6):
        while "taken over" not in caplog.text:
            seen = look(fs, path)  # its next sign of life may come between
            put_if(fs, path, b"theirs", seen.tag, {"state": "held"})
            time.sleep(0.05)
    assert state_of(bucket) == "held"
    assert fs.cat_file(path) == b"theirs"


def tag_of(bucket):
    """Changes with every sign of life."""
    return look(bucket.fs(), f"{bucket.name}/lock").tag


def wait_until(holds, message=""):
    """Poll; what takes too long is a failure."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, message
        time.sleep(0.02)


def hasty(bucket, proxy):
    """The bucket behind the proxy, without retries; but aiohttp repeats a PUT by itself."""
    config = {**HASTY, "retries": {"total_max_attempts": 1}}
    fs = bucket.through(proxy.endpoint).fs(config_kwargs=config, skip_instance_cache=True)
    fs.retries = 1
    return SimpleNamespace(name=bucket.name, fs=lambda: fs)


def test_a_renewal_whose_answer_is_lost_is_no_take_over(bucket, proxy, caplog):
    """The object is newer than the holder knows; it recognises its own id and goes on renewing."""
    with caplog.at_level(logging.WARNING), hold(hasty(bucket, proxy), life=0.9) as still_held:
        before = tag_of(bucket)
        with proxy.breaking("lose", "PUT", "/lock"):
            wait_until(lambda: "Cannot renew" in caplog.text)
        lost = tag_of(bucket)
        assert lost != before
        wait_until(lambda: tag_of(bucket) != lost, caplog.text)
        still_held()
    assert "taken over" not in caplog.text
    assert state_of(bucket) == "free"


@pytest.mark.parametrize("mode", ["lose", "reset"])
def test_still_held_raises_if_the_storage_does_not_answer(bucket, proxy, mode):
    """It raises whether or not the renewal was written; afterwards the lease is still held."""
    with hold(hasty(bucket, proxy)) as still_held:
        before = tag_of(bucket)
        silent = pytest.raises(StorageError, match="Cannot write s3://here/lock")
        with proxy.breaking(mode, "PUT", "/lock"), silent:
            still_held()
        assert (tag_of(bucket) != before) == (mode == "lose")
        still_held()
        with pytest.raises(ConflictError), hold(bucket, patience=0):
            pytest.fail("held twice")
    assert state_of(bucket) == "free"


def test_it_is_freed_also_where_the_last_answer_was_lost(bucket, proxy):
    """The next holder does not wait for a lease whose holder ended properly."""
    lost = proxy.breaking("lose", "PUT", "/lock")
    with hold(hasty(bucket, proxy)) as still_held, lost, pytest.raises(StorageError):
        still_held()
    with hold(bucket, patience=0):
        assert state_of(bucket) == "held"


@pytest.mark.parametrize("event", ["overtaken", "overtaken and freed", "removed"])
def test_still_held_raises_if_the_lease_is_lost(bucket, event):
    """Each call raises, and the other holder's object is left alone."""
    fs, path = bucket.fs(), f"{bucket.name}/lock"
    with hold(bucket) as still_held:
        still_held()
        if event == "removed":
            fs.rm_file(path)
        else:
            put_if(fs, path, b"theirs", tag_of(bucket), {"state": event.split()[-1]})
        for _ in range(2):
            with pytest.raises(ConflictError, match=r"s3://here/lock was taken over"):
                still_held()
    assert fs.exists(path) == (event != "removed")
    assert event == "removed" or fs.cat_file(path) == b"theirs"


def test_a_second_holder_of_the_same_process_is_another_one(bucket):
    """The holder's id, not machine and process, says who holds the object."""
    # The second one counts the first as dead after a second, as if it had been cut off for longer.
    with hold(bucket) as still_held, hold(bucket, life=0.6), pytest.raises(ConflictError):
        still_held()
    assert state_of(bucket) == "free"


def test_after_its_end_it_is_held_no_more(bucket):
    """Asking after the end raises and does not take the lease again."""
    with hold(bucket) as still_held:
        pass
    with pytest.raises(ConflictError):
        still_held()
    assert state_of(bucket) == "free"


@pytest.mark.parametrize(("seconds", "slow"), [((20, 20), True), ((20, 1), False), ((1,), False)])
def test_a_renewal_that_was_answered_late_is_made_once_more(bucket, monkeypatch, seconds, slow):
    """A renewal with a late answer is repeated, since another holder may be about to take over."""
    with hold(bucket, life=30.0) as still_held:
        # Before and after the request, and when its age is looked at.
        steps = [step for took in seconds for step in (0, took)]
        clock = iter(list(accumulate(steps)))
        monkeypatch.setattr(lease_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        if slow:
            with pytest.raises(ConflictError, match="too slow"):
                still_held()
        else:
            still_held()
        assert next(clock, None) is None
        monkeypatch.undo()


def test_of_many_that_overtake_a_dead_holder_one_wins(bucket):
    """Of sixteen that see the same dead holder one gets the lease."""
    from concurrent.futures import ThreadPoolExecutor

    fs, path = bucket.fs(), f"{bucket.name}/lock"
    dead = put_if(fs, path, b"dead", None, {"state": "held"})
    with ThreadPoolExecutor(16) as pool:
        tags = list(pool.map(lambda i: put_if(fs, path, f"{i}".encode(), dead), range(16)))
    assert sum(tag is not None for tag in tags) == 1


def test_a_server_that_is_down_is_reported(bucket):
    """It is reported like every other fault of the storage."""
    gone = bucket.through("http://127.0.0.1:9")
    files = gone.files(config_kwargs=HASTY)
    with pytest.raises(StorageError, match="Could not connect"), files.lock():
        pytest.fail("held without a server")
