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
    assert "search: 2 of 2" in shown.err


def test_the_first_trial_tells_how_long_all_will_take(capsys):
    """In a log: at once after the first trial, then every few seconds, and at the end."""
    clock = FakeClock()
    with SearchMonitor(600, clock).watch(20) as after_trial:
        for _ in range(20):
            clock.now += 2
            after_trial("linear, log loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == ("search: 1 of 20, 2 s; all will take about 40 s; linear, log loss 0.5")
    assert lines[1].startswith("search: 4 of 20, 8 s, about 32 s left; linear")
    assert lines[-1].startswith("search: 20 of 20, 40 s in all; linear")
    assert len(lines) == 8


def test_a_search_that_will_not_end_in_time_says_so_at_once(capsys):
    """Its time limit is told after the first trial, not when it strikes."""
    clock = FakeClock()
    with SearchMonitor(3600, clock).watch(20) as after_trial:
        clock.now += 600
        after_trial("linear")
    assert "all will take about 3.3 h, of which it stops after 60 min" in capsys.readouterr().err


def test_a_terminal_shows_a_bar(capsys, monkeypatch):
    """Where lines would scroll, one line moves, and says the same of the time."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    clock = FakeClock()
    with SearchMonitor(60, clock).watch(2) as after_trial:
        for _ in range(2):
            clock.now += 3
            after_trial("boosting")
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "6 s in all; boosting" in shown


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
