"""What a run says while it goes on where no terminal shows it: a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from mlops_basics.safe_text import short_text

EVERY = 10.0  # seconds


class Heartbeat:
    """Says every few seconds at which step a run is, how many there are and how long it has taken.

    A log of a scheduler shows by this that a run is alive and what takes so long. The lines go to
    the error stream: results on standard output stay free of them. A run that is shorter says
    nothing.
    """

    def __init__(
        self,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """
        Args:
            every: Seconds from one line to the next.
            clock: Gives seconds.
            say: Takes a line; by default it is written to the error stream.
        """
        self._every, self._clock, self._say = every, clock, say or _to_error_stream
        self._steps, self._number, self._name = 0, 0, ""
        self._began = clock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, steps: int) -> None:
        """Begin to say lines, of a run of so many steps."""
        self.end()
        self._steps, self._number, self._name = steps, 0, ""
        self._began, self._over = self._clock(), threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(self._over,), daemon=True)
        self._thread.start()

    def step(self, name: str) -> None:
        """The next step begins."""
        self._number, self._name = self._number + 1, name

    def line(self) -> str:
        """What is said now."""
        seconds = f"{self._clock() - self._began:.0f} s"
        return f"{seconds}: step {self._number} of {self._steps}, {short_text(self._name, 80)}"

    def end(self) -> None:
        """Say nothing more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(self._every):
            if self._number:
                self._say(self.line())


def _to_error_stream(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
