"""Tests of what the monitor remembers: written only over what it was made from."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from kedro.io import DatasetError

from mlops_basics.datasets import MonitoringStateDataset
from mlops_basics.errors import ConflictError, StorageError
from mlops_basics.schemas import MonitoringState, Watch

WATCH = Watch(version="1", loss="error", sequential={"mean": 0.1 + 0.2, "log_peak": 1e-300})


@pytest.fixture(params=["disk", "memory"])
def place(request, tmp_path) -> str:
    """Where the state is."""
    if request.param == "disk":
        return str(tmp_path / "monitoring" / "state.json")
    return f"memory://{uuid4().hex}/monitoring/state.json"


def dataset_at(place: str) -> MonitoringStateDataset:
    """A separate data set, as each process has."""
    return MonitoringStateDataset(filepath=place)


def test_before_the_first_look_it_is_empty(place):
    """Before the first look an empty state is loaded."""
    assert not dataset_at(place).exists()
    assert dataset_at(place).load() == MonitoringState(revision=0, watches={}, label_files={})


def test_what_was_saved_is_loaded(place):
    """Numbers to the last bit."""
    state = MonitoringState(revision=1, watches={"1": WATCH}, label_files={"1/l.csv": "ab"})
    dataset_at(place).save(state)
    assert dataset_at(place).exists()
    assert dataset_at(place).load() == state
    dataset_at(place).save(state.model_copy(update={"revision": 2}))
    assert dataset_at(place).load().revision == 2


@pytest.mark.parametrize("revision", [0, 1, 3])
def test_only_the_next_revision_is_accepted(place, revision):
    """A state made from an older revision is refused, and nothing is changed."""
    dataset_at(place).save(MonitoringState(revision=1))
    late = MonitoringState(revision=revision, watches={"1": WATCH})
    with pytest.raises(DatasetError, match=r"Somebody else .*state\.json.*Nothing was") as caught:
        dataset_at(place).save(late)
    assert isinstance(caught.value.__cause__, ConflictError)
    assert dataset_at(place).load() == MonitoringState(revision=1)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"revision": "many"}'])
def test_an_unreadable_state_is_a_readable_error(tmp_path, content):
    """The error names the file and a remedy, and the file is not overwritten."""
    file = tmp_path / "state.json"
    file.write_bytes(content)
    dataset = dataset_at(str(file))
    for call in (dataset.load, lambda: dataset.save(MonitoringState(revision=1))):
        with pytest.raises(DatasetError, match=r"state\.json is not readable.*backup") as caught:
            call()
        assert isinstance(caught.value.__cause__, StorageError)
    assert file.read_bytes() == content


def test_of_many_writers_one_wins_each_revision(place):
    """Of eight concurrent writers one writes each revision; the others get an error."""
    start = threading.Barrier(8)
    lost = []

    def write(worker: int) -> list[int]:
        own = dataset_at(place)
        won = []
        for revision in range(1, 6):
            start.wait(30)
            mark = {"1": WATCH.model_copy(update={"version": str(worker)})}
            try:
                own.save(MonitoringState(revision=revision, watches=mark))
                won.append(revision)
            except DatasetError as error:
                lost.append(error.__cause__)
            finally:
                start.wait(30)
                assert own.load().revision == revision
        return won

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert len(lost) == 35
    assert all(isinstance(error, ConflictError) for error in lost)
    assert sorted(revision for each in won for revision in each) == [1, 2, 3, 4, 5]
    last = next(worker for worker, each in enumerate(won) if 5 in each)
    assert dataset_at(place).load().watches["1"].version == str(last)


def test_the_lock_keeps_others_waiting(place):
    """While the lock is held no other process gets it; afterwards the next one does."""
    order = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with dataset_at(place).one_at_a_time():
            order.append("second")

    with dataset_at(place).one_at_a_time():
        thread = threading.Thread(target=second)
        thread.start()
        assert entered.wait(30)
        thread.join(0.2)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


def test_no_file_is_left_beside_the_state(tmp_path):
    """Only the lock files remain beside the state."""
    dataset = dataset_at(str(tmp_path / "state.json"))
    with dataset.one_at_a_time():
        dataset.save(MonitoringState(revision=1))
    names = {file.name for file in Path(tmp_path).iterdir()}
    assert {name for name in names if "lock" not in name} == {"state.json"}
