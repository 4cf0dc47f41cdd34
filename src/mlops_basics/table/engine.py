"""Where parts of a table are worked on: the only place that knows an engine."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from mlops_basics.errors import ClusterError
from mlops_basics.safe_text import plural

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class _Cluster:
    client: Any
    address: str
    check: Callable[[], None]


# Of the process, not of a thread: Kedro runs nodes in threads of their own.
_cluster: _Cluster | None = None


@contextmanager
def working_on(client: Any, address: str, check: Callable[[], None]) -> Iterator[None]:
    """Let ``map_parts`` work on a Dask cluster, also in other threads, as long as this lasts.

    Args:
        client: A ``distributed.Client``.
        address: Of its scheduler, as users know it.
        check: Called on a worker before it works on a part, for it may have joined a moment ago;
            what it raises ends ``map_parts``. It can be pickled.
    """
    global _cluster
    _cluster = _Cluster(client, address, check)
    try:
        yield
    finally:
        _cluster = None


def map_parts(function: Callable[[_In], _Out], parts: Iterable[_In]) -> Iterator[_Out]:
    """A function's results, part by part and in their order.

    In this process, one part after the other, so that memory holds one; on the workers of a Dask
    cluster where a client of one is open (``conf/<env>/dask.yml``). A part that dies with its
    worker is worked on again by another one.

    Args:
        function: Of one part; its result is small, or is dropped before the next one is asked for.
            It and a part can be pickled: a function of a module that workers have, too.
        parts: What it is called with.

    Raises:
        ClusterError: If the scheduler is lost, or a part is given up. What the function raises
            comes as it is.
    """
    if _cluster is None:
        yield from map(function, parts)
    else:
        yield from _map_on(_cluster, function, list(parts))


def _map_on(
    cluster: _Cluster, function: Callable[[_In], _Out], parts: Sequence[_In]
) -> Iterator[_Out]:
    """As ``map_parts``, on a cluster: two parts a thread at once, so that results do not pile up.

    Each is asked for in its own right: two that look the same are two, since files are written.
    """
    pending: deque[Any] = deque()
    done = 0
    try:
        with _readable_loss(cluster):
            most = 2 * max(1, sum(cluster.client.nthreads().values()))
        for part in parts:
            if len(pending) == most:
                yield _next(cluster, pending, done, len(parts))
                done += 1
            with _readable_loss(cluster):
                submit = cluster.client.submit
                pending.append(submit(_checked, cluster.check, function, part, pure=False))
        while pending:
            yield _next(cluster, pending, done, len(parts))
            done += 1
    finally:  # an error, Ctrl-C, or nobody asks for more
        if pending and cluster.client.status == "running":
            cluster.client.cancel(list(pending))


def _checked(check: Callable[[], None], function: Callable[[_In], _Out], part: _In) -> _Out:
    check()
    return function(part)


def _next(cluster: _Cluster, pending: deque[Any], done: int, every: int) -> Any:
    """The result that is waited for; until it is there, it is one of those that are cancelled."""
    found = _result(cluster, pending[0], done, every)
    pending.popleft()
    return found


def _result(cluster: _Cluster, future: Any, done: int, every: int) -> Any:
    """What became of a part. A worker that is lost is the scheduler's business, not ours."""
    with _readable_loss(cluster):
        future.exception()  # waits
        if future.status != "error":
            return future.result()
    try:
        return future.result()
    except Exception as error:
        if type(error).__module__ != "distributed.scheduler":
            raise
        raise ClusterError(
            f"The cluster has given up part {done + 1} of {every}: {_reason(error)} See the logs "
            "of the workers: their memory may be too small for a part, or machines have gone. "
            "Nothing of this run counts: run again."
        ) from error


def _reason(error: Any) -> str:
    """Why a scheduler gives a part up."""
    if type(error).__name__ == "KilledWorker":
        died = plural(error.allowed_failures + 1, "worker")
        return f"{died} died of it, the last one at {error.last_worker.address}."
    return "there is no worker left."


@contextmanager
def _readable_loss(cluster: _Cluster) -> Iterator[None]:
    """Turn whatever a client raises whose scheduler is lost into one readable error."""
    try:
        yield
    except Exception as error:
        lost = (CancelledError, OSError, TimeoutError)
        if cluster.client.status == "running" and not isinstance(error, lost):
            raise  # what cannot be pickled, say
        raise ClusterError(
            f"The connection to the Dask scheduler {cluster.address} is lost. Nothing of this run "
            "counts. See the scheduler's log, start it and its workers again, then run again."
        ) from error


def reduce_parts(
    function: Callable[[_In], _Out], merge: Callable[[_Out, _Out], _Out], parts: Iterable[_In]
) -> _Out:
    """What the results of all parts are together.

    Args:
        function: Of one part, as for ``map_parts``.
        merge: Of two results, the earlier part's first; it has to be associative.
        parts: At least one.
    """
    return functools.reduce(merge, map_parts(function, parts))
