"""Tests of the search's monitor."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from kedro.io import DatasetError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from mlops_basics.datasets import SearchMonitorDataset
from mlops_basics.datasets.search_monitor import SearchMonitor
from mlops_basics.errors import DataError


@dataclass
class FakeClock:
    """A clock that the test advances."""

    now: float = 1_000.0

    def __call__(self):  # noqa: D102
        return self.now


def test_the_search_stops_when_its_time_is_over():
    """The answer turns at the limit, not before, and stays."""
    clock = FakeClock()
    with SearchMonitor(60, clock).watch(4) as after_trial:
        answers = []
        for seconds in (0, 59, 1, 100):
            clock.now += seconds
            answers.append(after_trial("best so far"))
    assert answers == [False, False, True, True]


def test_the_clock_starts_with_the_search():
    """Time between loading and searching does not count, and each search has its own."""
    clock = FakeClock()
    monitor = SearchMonitor(60, clock)
    for _ in range(2):
        clock.now += 1_000
        with monitor.watch(1) as after_trial:
            clock.now += 59
            assert not after_trial("")


def test_progress_goes_to_the_error_stream(capsys):
    """The results on standard output stay free of it."""
    with SearchMonitor(60, FakeClock()).watch(2) as after_trial:
        after_trial("linear")
        after_trial("boosting")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err


def test_more_trials_than_announced_do_not_break_it():
    """The progress bar does not stop a search that makes more trials."""
    with SearchMonitor(60, FakeClock()).watch(1) as after_trial:
        assert not any(after_trial("") for _ in range(3))


def test_the_dataset_hands_out_fresh_monitors():
    """Two runs in one process do not share a clock."""
    dataset = SearchMonitorDataset(time_limit=5)
    assert dataset.load() is not dataset.load()
    assert dataset.load().time_limit == 5
    assert "5" in str(dataset)


def test_saving_is_refused():
    """Saving a monitor is refused."""
    dataset = SearchMonitorDataset(time_limit=5)
    with pytest.raises(DatasetError, match="SearchMonitorDataset is a read only dataset type"):
        dataset.save(1)


def test_a_model_of_types_that_are_not_trusted_is_refused():
    """By the catalog's list; without one nothing is looked at."""
    model = make_pipeline(LinearRegression()).fit([[0.0], [1.0]], [0.0, 1.0])
    dataset = SearchMonitorDataset(time_limit=1, trusted_types=["sklearn.pipeline.Pipeline"])
    with pytest.raises(DataError, match="LinearRegression"):
        dataset.load().require_savable(model)
    SearchMonitorDataset(time_limit=1).load().require_savable(model)
