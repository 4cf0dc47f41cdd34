"""What watches a search: the clock, the terminal and what may be saved; nodes know none of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mlops_basics.reporting.text import duration_text
from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import model_archive

_SECONDS_BETWEEN_LINES = 5.0


class SearchMonitor:
    """Shows the progress of a search, and says when its time is over and what cannot be saved."""

    def __init__(
        self,
        time_limit: float,
        clock: Callable[[], float] = time.monotonic,
        trusted_types: Sequence[str] | None = None,
    ) -> None:
        self.time_limit = time_limit
        self._trusted_types = trusted_types
        self._clock = clock
        self._deadline = float("inf")

    def require_savable(self, model: Any) -> None:
        """Raises DataError if a fitted model holds a type that may not be saved."""
        if self._trusted_types is None:
            return
        content = model_archive(model)
        check_archive(content, self._trusted_types, "A model of these data, as it would be saved,")

    @contextmanager
    def watch(self, trials: int, name: str = "search") -> Iterator[Callable[[str], bool]]:
        """Yields a function to call after each trial; it answers whether to stop now.

        Args:
            trials: Number of trials the search will make if nothing stops it.
            name: What they are of.
        """
        console = Console(stderr=True)
        pace = _Pace(name, trials, self.time_limit, self._clock)
        self._deadline = pace.began + self.time_limit
        with _bar(console, pace) if console.is_terminal else _lines(console) as show:

            def after_trial(description: str) -> bool:
                pace.trial_is_over()
                show(pace, description)
                return self._clock() >= self._deadline

            yield after_trial


class _Pace:
    """How fast a search is, and how long it will take; ``name`` is what the trials are of."""

    def __init__(
        self, name: str, trials: int, time_limit: float, clock: Callable[[], float]
    ) -> None:
        self.name, self.trials, self.done = name, trials, 0
        self._time_limit, self._clock = time_limit, clock
        self.began = self.now = clock()

    def trial_is_over(self) -> None:
        self.done, self.now = self.done + 1, self._clock()

    @property
    def is_over(self) -> bool:
        return self.done >= self.trials

    def in_words(self) -> str:
        """What is left; after the first trial, what the whole will take."""
        took = self.now - self.began
        whole = took * self.trials / self.done
        if self.is_over:
            return f"{duration_text(took)} in all"
        text = f"{duration_text(took)}, about {duration_text(whole - took)} left"
        if self.done == 1:
            text = f"{duration_text(took)}; all will take about {duration_text(whole)}"
        if whole > self._time_limit:
            text += f", of which it stops after {duration_text(self._time_limit)} (time_limit)"
        return text


@contextmanager
def _bar(console: Console, search: _Pace) -> Iterator[Callable[[_Pace, str], None]]:
    """Progress on a terminal: a bar that moves."""
    columns = (
        TextColumn(search.name),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("the first tells how long all will take", total=search.trials)

        def show(pace: _Pace, best: str) -> None:
            progress.update(bar, advance=1, description=_joined(pace.in_words(), best))

        yield show


@contextmanager
def _lines(console: Console) -> Iterator[Callable[[_Pace, str], None]]:
    """Progress in a log: the first trial and the last one, and a line every few seconds."""
    said = float("-inf")

    def show(pace: _Pace, best: str) -> None:
        nonlocal said
        if pace.done == 1 or pace.is_over or pace.now - said >= _SECONDS_BETWEEN_LINES:
            said = pace.now
            line = f"{pace.name}: {pace.done} of {pace.trials}, {_joined(pace.in_words(), best)}"
            console.print(line, soft_wrap=True, markup=False, highlight=False)

    yield show


def _joined(pace: str, remark: str) -> str:
    return f"{pace}; {remark}" if remark else pace


class SearchMonitorDataset(AbstractDataset[NoReturn, SearchMonitor]):
    """``SearchMonitorDataset`` hands a node a fresh ``SearchMonitor``; it stores nothing.

    Example of a catalog entry::

        search_monitor:
          type: mlops_basics.datasets.SearchMonitorDataset
          time_limit: 3600

    >>> SearchMonitorDataset(time_limit=60).load().time_limit
    60
    """

    def __init__(
        self,
        *,
        time_limit: float,
        trusted_types: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            time_limit: Seconds after which the search stops; the stop is recorded.
            trusted_types: Import paths that a saved model may hold; None: it is not looked at.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._time_limit, self._trusted_types = time_limit, trusted_types
        self.metadata = metadata

    def load(self) -> SearchMonitor:
        return SearchMonitor(self._time_limit, trusted_types=self._trusted_types)

    def save(self, data: NoReturn) -> NoReturn:
        raise DatasetError(f"{type(self).__name__} is a read only dataset type")

    def _describe(self) -> dict[str, Any]:
        return {"time_limit": self._time_limit}
