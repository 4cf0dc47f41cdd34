"""Ends what a run has open as what it was: failed, or killed; never as finished."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from mlops_basics.runs import claim, mlflow_state

_PATIENCE = 10.0  # seconds that a process which was told to stop takes to write that down


@contextmanager
def ended_as_it_was() -> Iterator[None]:
    """End what the block leaves open when an error, Ctrl-C or SIGTERM ends it.

    Kedro tells its hooks of errors alone, and MLflow ends a run that a process leaves behind as
    finished. What is killed without a chance (kill -9) is ended by the next run: see ``claim``.
    """
    outer = mlflow_state.active_run_id() if "mlflow" in sys.modules else None
    try:
        with _stopping_kindly():
            yield
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        with suppress(Exception):  # the error that is on its way says more
            claim.end_own(status)
            mlflow_state.end_runs(status, outer)
        raise


@contextmanager
def _stopping_kindly() -> Iterator[None]:
    """Write down that SIGTERM ends this process, then let it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        # In a thread of its own, and not for ever: what was interrupted may hold a lock.
        ending = threading.Thread(target=claim.end_own, args=("KILLED",), daemon=True)
        ending.start()
        ending.join(_PATIENCE)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before: Any = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
