"""Processes that need not import MLflow and scikit-learn first: each a fork of one that has.

Importing them takes 7 seconds of a core, and the tests start about a hundred commands. The project
itself is imported by each command, from the project that it runs in. What a fork cannot show: an
order that depends on the hash seed, which all forks share, and what the preloaded modules warn of
when they are imported.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import ROOT, Project

#: No command may take longer than this, also if something fails while it runs.
PATIENCE = 300.0  # seconds
PRELOADED = [
    "kedro.framework.cli.cli",
    "kedro.framework.session",
    "kedro_datasets.pandas",
    "kedro_datasets.plotly",
    "kedro_mlflow.framework.hooks",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna",
    "plotly.graph_objects",
    "s3fs",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "skops.io",
    "skrub",
]
# What the project's settings say before they import MLflow.
_MLFLOW_LEVEL = ("MLFLOW_LOGGING_LEVEL", "CRITICAL")


def processes() -> Any:
    """Where processes come from: each a fork of one that has imported, but opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*_MLFLOW_LEVEL)
        forkserver.ensure_running()
    return context


@dataclass(frozen=True)
class Ended:
    """What came of a command."""

    code: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.0f} s\n{self.out}\n{self.err}"


class Command:
    """A command of the project in a process of its own."""

    def __init__(
        self,
        project: Project,
        *words: str,
        env: dict[str, str] | None = None,
        program: str = "kedro",
    ) -> None:
        """Start it.

        Args:
            project: Where it runs.
            words: What follows ``kedro``.
            env: Variables beside this process's.
            program: The module that is run instead of Kedro's.
        """
        self._begin = time.monotonic()
        context = processes()
        (self._out, out), (self._err, err) = (context.Pipe(duplex=False) for _ in range(2))
        variables = {**os.environ, "PYTHONPATH": f"src:{ROOT}", "COLUMNS": "200", **(env or {})}
        self._process = context.Process(
            target=_run, args=(program, words, str(project.path), variables, out, err)
        )
        self._process.start()
        out.close()
        err.close()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()

    def end(self, patience: float = PATIENCE) -> Ended:
        """Wait for its end; one that takes too long is a failure."""
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(_all_of, pipe) for pipe in (self._out, self._err)]
            self._process.join(patience)
            code = self._process.exitcode
            if code is None:
                self.kill()
        out, err = (text.result() for text in texts)
        if code is None:
            raise AssertionError(f"It did not end in {patience} s.\n{out}\n{err}")
        return Ended(code, out, err, time.monotonic() - self._begin)


def _all_of(pipe: Connection) -> str:
    """Everything that is written into a pipe."""
    with os.fdopen(os.dup(pipe.fileno()), encoding="utf-8") as file:
        return file.read()


def _begin_anew() -> None:
    """Do in a fork what the preloaded modules do when they are imported in a project's folder."""
    import numpy as np
    from kedro.framework.project import LOGGING
    from mlflow.utils.logging_utils import _configure_mlflow_loggers

    np.random.seed()  # noqa: NPY002 (the state that scikit-learn uses: all forks have the same)
    LOGGING.__init__()  # this project's conf/logging.yml
    os.environ.setdefault(*_MLFLOW_LEVEL)
    _configure_mlflow_loggers("mlflow")  # after Kedro, as when it is imported


def _run(
    program: str,
    words: tuple[str, ...],
    folder: str,
    variables: dict[str, str],
    out: Connection,
    err: Connection,
) -> None:
    """Be ``python -m program words`` in a folder, as a new interpreter would."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for pipe, target in ((out, 1), (err, 2)):
        os.dup2(pipe.fileno(), target)
        pipe.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    own = [folder, *(str(Path(folder, path)) for path in variables["PYTHONPATH"].split(":"))]
    sys.path[:] = [
        *own,
        *(path for path in sys.path if not Path(path).is_relative_to(ROOT / "src")),
    ]
    _begin_anew()
    sys.argv[1:] = words
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing ends without
