"""What `kedro ct` costs with one new labelled batch of 300 rows, and whether it grows with age.

python benchmarks/look_cost.py --against OTHER_CHECKOUT
python benchmarks/look_cost.py --batches 60
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.project import (  # noqa: E402
    Project,
    bootstrap,
    make_mlflow_store,
    make_project,
)

from benchmarks.bars import tell  # noqa: E402
from benchmarks.measure import Cost, cost_of  # noqa: E402

Measured = list[tuple[str, float, float]]  # what, ratio, bar

ENV = "looks"
FIRST, ROWS = 12, 300  # batches before the first release, rows of each batch
KEDRO = str(Path(sys.executable).parent / "kedro")
BATCHES = 15  # of a short life
LOOK_BAR, GROWTH_BAR, STATE_BAR = 1.3, 1.2, 2_500
PARAMETERS = {
    "training": {"n_trials": 3, "gap_tolerance": 10},
    "evaluation": {"resamples": 100, "importance_repeats": 1},
}
POLICY, OFF = "policy", "off"


def batch(number: int) -> pd.DataFrame:
    """Rows of a smooth relation, which trees learn better with more of them; no drift."""
    rng = np.random.default_rng(number)
    table = pd.DataFrame(rng.normal(size=(ROWS, 5)).round(4), columns=list("abcde"))
    table["colour"] = rng.choice(["red", "green", "blue"], ROWS)
    score = 3 * np.sin(2 * table["a"]) + 2 * table["b"] ** 2 - 2 + 2 * table["c"]
    table["kind"] = np.where(score + rng.normal(0, 1, ROWS) > 0, "good", "bad")
    return table


@dataclass(frozen=True)
class Stream:
    """A project in which batches arrive."""

    project: Project

    @property
    def source(self) -> Path:
        return self.project.path / "data" / "source" / ENV

    def arrive(self, number: int) -> None:
        """A batch comes."""
        batch(number).to_csv(self.source / f"b{number:03d}.csv", index=False)

    def look(self) -> Cost:
        """One `kedro ct`, as a process of its own; only an error is a failure."""
        script = f'{KEDRO} ct --env {ENV} || test "$?" -ge 3'
        return cost_of(["sh", "-c", script], self.project.path, {"PYTHONPATH": "src"})

    def set_up(self, **monitoring: object) -> None:
        """The first batches, the environment, and the first release."""
        self.source.mkdir(parents=True)
        self.project.configure(ENV, model_name=ENV, source=f"data/source/{ENV}", target="kind")
        self.configure(**monitoring)
        for number in range(FIRST):
            self.arrive(number)
        cost_of([KEDRO, "run", "--env", ENV], self.project.path, {"PYTHONPATH": "src"})

    def configure(self, **monitoring: object) -> None:
        """Write the parameters."""
        text = yaml.safe_dump({**PARAMETERS, "monitoring": monitoring})
        (self.project.path / "conf" / ENV / "parameters.yml").write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Everything is as before in the end."""
        data = self.project.path / "data"
        with tempfile.TemporaryDirectory(dir=self.project.path) as scratch:
            shutil.copytree(data, Path(scratch) / "data")
            yield
            shutil.rmtree(data)
            shutil.copytree(Path(scratch) / "data", data)


def settled(project: Project, **monitoring: object) -> Stream:
    """A release that has learned from thirteen batches, and the fourteenth, which is new."""
    stream = Stream(project)
    stream.set_up(**monitoring)
    stream.arrive(FIRST)
    stream.look()
    stream.look()  # where the first batches have chosen a policy, its release came before
    stream.arrive(FIRST + 1)
    return stream


def compare(streams: Mapping[str, Stream], runs: int) -> dict[str, Cost]:
    """Median cost of the same look in each; they take turns."""
    costs: dict[str, list[Cost]] = {name: [] for name in streams}
    for number in range(runs):
        for name, stream in streams.items():
            print(f"  {name}, look {number + 1} of {runs} ...", file=sys.stderr, flush=True)
            with stream.undone():
                costs[name].append(stream.look())
    return {
        name: Cost(median(cost.cpu for cost in found), median(cost.memory for cost in found))
        for name, found in costs.items()
    }


def other_checkout(checkout: Path, folder: Path) -> Project:
    """A project of another checkout, to be run by the same environment."""
    project = make_project(folder, make_mlflow_store(folder.parent / "other.db"))
    for name in ("conf", "src"):
        shutil.rmtree(folder / name)
        shutil.copytree(checkout / name, folder / name, ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    shutil.copy(checkout / "pyproject.toml", folder)
    return project


@dataclass(frozen=True)
class Age:
    """Looks of one release's life, each with a new batch.

    Attributes:
        seconds: CPU time of each look, without the fits in it.
        fits: Number of fits in each.
        size: Bytes of the state after each.
        released: Whether it ended with a release.
    """

    seconds: list[float]
    fits: list[int]
    size: list[int]
    released: list[bool]

    def growth(self, *, released: bool) -> float:
        """Median time of the last third of the looks of a kind over that of the first third."""
        of_kind = [
            seconds
            for seconds, moved in zip(self.seconds, self.released, strict=True)
            if moved == released
        ]
        third = max(len(of_kind) // 3, 1)
        return median(of_kind[-third:]) / median(of_kind[:third])

    @property
    def bytes_a_batch(self) -> float:
        """By which the state has grown with each batch."""
        return (self.size[-1] - self.size[0]) / max(len(self.size) - 1, 1)


def live(stream: Stream, batches: int) -> Age:
    """Look after each of some batches, in this process: imports are not counted."""
    from mlops_basics.commands.ct import ExitCode, continuous_training
    from mlops_basics.fitting import recipe
    from mlops_basics.pipelines.monitoring import policies
    from mlops_basics.pipelines.refresh import nodes
    from mlops_basics.runs.session import Place

    age, fitted = Age([], [], [], []), [0.0]
    fits = [0]

    def timed(*args: object, **kwargs: object) -> object:
        begun = time.process_time()
        try:
            return recipe.fit_recipe(*args, **kwargs)  # type: ignore[arg-type]
        finally:
            fitted[0] += time.process_time() - begun
            fits[0] += 1

    path = stream.project.path
    state = path / "data" / ENV / "monitoring" / "state.json"
    place = Place(path, ENV, {})
    quiet = contextlib.redirect_stdout(io.StringIO())
    with (
        contextlib.chdir(path),
        mock.patch.object(policies, "fit_recipe", timed),
        mock.patch.object(nodes, "fit_recipe", timed),
        quiet,
    ):
        bootstrap(path)
        for number in range(FIRST + 1, FIRST + 1 + batches):
            stream.arrive(number)
            fitted[0], fits[0] = 0.0, 0
            begun = time.process_time()
            outcome = continuous_training(place)
            age.seconds.append(time.process_time() - begun - fitted[0])
            age.fits.append(fits[0])
            age.size.append(state.stat().st_size)
            age.released.append(outcome.code is ExitCode.PROMOTED)
            print(
                f"  batch {number}: {age.seconds[-1]:.2f} s and {fitted[0]:.2f} s in "
                f"{fits[0]} fits, state {age.size[-1]:,} bytes, "
                f"{'released' if age.released[-1] else 'kept'}",
                file=sys.stderr,
                flush=True,
            )
    return age


def measure(folder: Path, store: Path, runs: int) -> Measured:
    """CPU of a look that follows policies over that of one that only watches; and its growth."""
    streams = {
        adapt: settled(make_project(folder / f"look-{adapt}", store), adapt=adapt)
        for adapt in (POLICY, OFF)
    }
    costs = compare(streams, runs)
    show(costs)
    ratio = costs[POLICY].cpu / costs[OFF].cpu
    looks: Measured = [("kedro ct: a batch of 300 rows, adapt policy / off, CPU", ratio, LOOK_BAR)]
    return looks + growth_of(live(streams[POLICY], BATCHES))


def growth_of(age: Age) -> Measured:
    """Whether looks take longer and the state gets larger from batch to batch."""
    count = len(age.seconds)
    grown = age.growth(released=False)
    return [
        (f"kedro ct: {count} batches, last third over first, CPU without fits", grown, GROWTH_BAR),
        (f"kedro ct: {count} batches, bytes of state a batch", age.bytes_a_batch, STATE_BAR),
    ]


def show(costs: Mapping[str, Cost]) -> None:
    """Print the medians."""
    for name, cost in costs.items():
        print(f"{'a look':10} {name:15} {cost.cpu:8.1f} s CPU {cost.memory:8.0f} MB")


def main() -> None:
    """Measure one of the two, and exit non-zero where its bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout, in place of `adapt: off`")
    parser.add_argument("--batches", type=int, help="live through so many instead")
    given = parser.parse_args()
    measured: Measured = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = make_mlflow_store(folder / "mlflow.db")
        if given.batches:
            stream = settled(make_project(folder / "project", store))
            age = live(stream, given.batches)
            measured += growth_of(age)
        elif given.against:
            here, there = folder / "here" / "project", folder / "there" / "project"
            here.parent.mkdir()
            there.parent.mkdir()
            streams = {
                "here": settled(make_project(here, store)),
                "there": settled(other_checkout(given.against, there)),
            }
            costs = compare(streams, given.runs)
            show(costs)
            ratio = costs["here"].cpu / costs["there"].cpu
            measured.append((f"kedro ct: here / {given.against.name}, CPU", ratio, LOOK_BAR))
        else:
            measured += measure(folder, store, given.runs)
    sys.exit(tell(measured))


if __name__ == "__main__":
    main()
