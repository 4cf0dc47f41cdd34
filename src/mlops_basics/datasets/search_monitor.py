"""What watches a search: the clock, the terminal and what may be saved; nodes know none of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import model_archive


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
        self._deadline = self._clock() + self.time_limit
        columns = (
            TextColumn(name),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("", total=trials)

            def after_trial(description: str) -> bool:
                progress.update(bar, advance=1, description=description)
                return self._clock() >= self._deadline

            yield after_trial


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
