"""Tests of where parts are worked on: in this process, and on a cluster that is open."""

from __future__ import annotations

import threading

import pytest
from distributed import Client

from mlops_basics.errors import ClusterError, DataError
from mlops_basics.table.engine import map_parts, reduce_parts, working_on
from tests.support.dask_cluster import threads

_calls: list[object] = []


def noted(part):
    """The same; it can be told that it was called."""
    _calls.append(part)
    return part


def checked():
    """Nothing is wrong with a worker."""


def wrong():
    """A worker of other code."""
    raise ClusterError("The worker has other code.")


@pytest.fixture
def calls():
    """What ``noted`` was called with."""
    _calls.clear()
    return _calls


@pytest.fixture(scope="module")
def cluster():
    """Workers in threads of this process."""
    with threads() as made:
        yield made


@pytest.fixture(params=["process", "cluster"])
def client(request):
    """The client of a cluster, or None."""
    if request.param == "process":
        yield None
        return
    with Client(request.getfixturevalue("cluster")) as made, working_on(made, "inproc://", checked):
        yield made


def test_results_come_in_the_order_of_the_parts(client):
    """Also of more parts than are worked on at once."""
    assert list(map_parts(str, range(20))) == [str(each) for each in range(20)]
    assert reduce_parts(str, str.__add__, range(12)) == "01234567891011"
    assert list(map_parts(str, [])) == []


def test_one_process_works_on_one_part_at_a_time(calls):
    """The next one when the result before was taken."""
    results = map_parts(noted, [3, 1, 2])
    assert (next(results), calls) == (3, [3])
    assert (list(results), calls) == ([1, 2], [3, 1, 2])


def test_equal_parts_are_each_worked_on(client, calls):
    """A part may be a file to write: what looks the same is done twice."""
    assert list(map_parts(noted, ["x", "x", "x"])) == ["x", "x", "x"]
    assert calls == ["x", "x", "x"]


def test_an_error_comes_as_it_is(client):
    """What a part raises, ours or another's; the other parts are let go."""
    for error in (DataError("The column 'x' is empty."), ZeroDivisionError("by zero")):

        def fail(part, error=error):
            if part == 3:
                raise error
            return part

        results = map_parts(fail, range(50))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(type(error), match=str(error)):
            next(results)


def test_only_a_few_parts_are_begun_before_a_result_is_taken(client, calls):
    """Results of all parts would not fit the memory of the workers."""
    results = map_parts(noted, range(100))
    assert next(results) == 0
    assert len(calls) <= 4  # two a thread
    results.close()
    assert client is None or not client.futures


def test_a_worker_is_checked_before_a_part_is_worked_on(cluster, calls):
    """It may have joined a moment ago."""
    with (
        Client(cluster) as client,
        working_on(client, cluster.scheduler_address, wrong),
        pytest.raises(ClusterError, match="has other code"),
    ):
        list(map_parts(noted, [1]))
    assert not calls


def test_ctrl_c_lets_go_of_every_part(cluster, monkeypatch):
    """Also of the one that is waited for."""

    def interrupted(_future):
        raise KeyboardInterrupt

    with Client(cluster) as client, working_on(client, cluster.scheduler_address, checked):
        monkeypatch.setattr("distributed.Future.exception", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(map_parts(str, range(20)))
        assert not client.futures


def test_without_a_worker_a_part_is_given_up_after_a_while():
    """As long as `no-workers-timeout` says; the error says that there is none."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "100ms"}),
        threads(workers=0) as empty,
        Client(empty) as client,
        working_on(client, empty.scheduler_address, checked),
        pytest.raises(ClusterError, match="given up part 1 of 3: there is no worker left"),
    ):
        list(map_parts(str, range(3)))


def test_what_cannot_be_pickled_is_no_lost_scheduler(cluster):
    """The error says what it is."""
    with (
        Client(cluster) as client,
        working_on(client, cluster.scheduler_address, checked),
        pytest.raises(TypeError, match="serialize"),
    ):
        list(map_parts(str, [threading.Lock()]))


def test_a_lost_scheduler_is_one_error(cluster):
    """Whatever the client says of it."""
    with Client(cluster) as client, working_on(client, cluster.scheduler_address, checked):
        results = map_parts(str, range(20))
        next(results)
        client.close()
        with pytest.raises(ClusterError, match="The connection to the Dask scheduler inproc://"):
            list(results)
        with pytest.raises(ClusterError, match="is lost"):
            next(map_parts(str, [1]))
    assert next(map_parts(str, [1])) == "1"
