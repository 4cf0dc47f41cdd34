"""What a run costs by the rows of its table: CPU time and memory of each stage.

python benchmarks/scale.py --rows 100000 1000000 20000000
python benchmarks/scale.py --rows --batches 5000000 20000000

The second line is `kedro ct`: a labelled batch of so many rows, in one file, comes after a release
of 1,000,000.

The table is generated: 16 numbers, two categories, a whole number and a target of two classes, in
CSV files of a million rows each. 20,000,000 rows take 2.7 GB of disk as files and 8 GB as versions.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.conftest import make_mlflow_store, make_project  # noqa: E402

from benchmarks.bars import Measured, tell  # noqa: E402
from benchmarks.measure import Cost  # noqa: E402
from benchmarks.measure import cost_of as cost_of_command  # noqa: E402

ENV = "generated"
FILE_ROWS = 1_000_000
#: The stages that see every row; the others see ``training.max_rows`` at most.
OF_ALL_ROWS = ("data_collection", "data_preprocessing")
MOST_GROWTH = 1.2
#: By the rows of a table, up to which they count; of more rows as of the most.
MOST_GIGABYTES = {1_000_000: 1.2, 20_000_000: 3.0}


@dataclass
class Stage:
    """What the nodes of a pipeline cost."""

    cpu: float = 0.0  # seconds
    peak: float = 0.0  # bytes, the largest resident set


def write_table(folder: Path, rows: int) -> None:
    """The files of a source."""
    folder.mkdir(parents=True)
    for number, begin in enumerate(range(0, rows, FILE_ROWS)):
        write_file(folder / f"part-{number:03}.csv", min(FILE_ROWS, rows - begin), number)


def write_file(path: Path, rows: int, seed: int) -> None:
    """One file, whatever its rows."""
    for number, begin in enumerate(range(0, rows, FILE_ROWS)):
        table = generated(min(FILE_ROWS, rows - begin), seed + number)
        table.to_csv(path, mode="a", header=not number, index=False)


def generated(rows: int, seed: int) -> pd.DataFrame:
    """Rows of a table, shape (rows, 20)."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 16)).round(4)
    table = pd.DataFrame(numbers, columns=[f"x{at:02}" for at in range(16)])
    table["colour"] = rng.choice(["red", "green", "blue", "white"], rows)
    table["shop"] = rng.choice([f"shop {at:02}" for at in range(30)], rows)
    table["count"] = rng.integers(0, 100, rows)
    log_odds = numbers[:, 0] + 0.5 * numbers[:, 1] * numbers[:, 2] + (table["colour"] == "red")
    table["bought"] = np.where(rng.random(rows) < 1 / (1 + np.exp(0.5 - log_odds)), "yes", "no")
    return table


class StageHooks:
    """Adds what happens between two events of a run to the stage of the later one's node."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self._cpu: float | None = None

    @hook_impl
    def before_dataset_loaded(self) -> None:
        if self._cpu is None:  # what came before, imports above all, is no stage's
            self._cpu = time.process_time()

    @hook_impl
    def after_dataset_loaded(self, node: Any) -> None:
        self._add(node)

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        self._add(node)

    @hook_impl
    def after_dataset_saved(self, node: Any) -> None:
        self._add(node)

    def _add(self, node: Any) -> None:
        stage = self.stages.setdefault(node.name.split(".")[0], Stage())
        now = time.process_time()
        stage.cpu, self._cpu = stage.cpu + now - (self._cpu or now), now
        stage.peak = max(stage.peak, _peak())


def _peak() -> float:
    """The largest resident set since the last call, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # begins anew
    return float(peak.split()[1]) * 1024


def measure_run(project: Path) -> dict[str, Any]:
    """Run the whole loop in this process; CPU seconds and peak bytes of all, and of each stage."""
    hooks = StageHooks()
    bootstrap_project(project)
    with KedroSession.create(project, env=ENV) as session:
        session._hook_manager.register(hooks)
        session.run()
    peak = max(stage.peak for stage in hooks.stages.values())
    own = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu": own.ru_utime + own.ru_stime,
        "peak": peak,
        "stages": {name: vars(stage) for name, stage in hooks.stages.items()},
    }


def make_source(rows: int, scratch: Path) -> Path:
    """A project of its own, with a table of so many rows."""
    project = make_project(scratch / "project", make_mlflow_store(scratch / "mlflow.db")).path
    write_table(project / "data" / "source" / ENV, rows)
    conf = project / "conf" / ENV / "globals.yml"
    conf.parent.mkdir()
    names = {"model_name": ENV, "source": f"data/source/{ENV}", "target": "bought"}
    conf.write_text(yaml.safe_dump(names), encoding="utf-8")
    return project


def cost_of(rows: int, scratch: Path) -> dict[str, Any]:
    """Measure a run of so many rows in a process of its own."""
    project = make_source(rows, scratch)
    command = [sys.executable, str(Path(__file__).resolve()), "--run", str(project)]
    output = subprocess.run(command, check=True, cwd=project, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(output.stdout.splitlines()[-1])
    return found


def cost_of_look(rows: int, scratch: Path) -> Cost:
    """Measure `kedro ct` with one new batch of so many rows, after a release of ``FILE_ROWS``."""
    project, python_path = make_source(FILE_ROWS, scratch), {"PYTHONPATH": "src"}
    command = [str(Path(sys.executable).parent / "kedro"), "run", "--env", ENV]
    cost_of_command(command, project, python_path)
    write_file(project / "data" / "source" / ENV / "part-900.csv", rows, seed=900)
    look = f'{command[0]} ct --env {ENV} || test "$?" -ge 3'  # a new release is no failure
    return cost_of_command(["sh", "-c", look], project, python_path)


def measure(rows: list[int], batches: Sequence[int] = ()) -> Measured:
    """Costs of tables and of batches of so many rows, printed; and the bars."""
    bars: Measured = []
    for count in batches:
        with tempfile.TemporaryDirectory() as scratch:
            look = cost_of_look(count, Path(scratch))
        peak = look.memory * 2**20 / 1e9
        print(f"kedro ct, a batch of {count:,} rows {look.cpu:8.1f} s CPU {peak:8.2f} GB")
        most = max(MOST_GIGABYTES.values())
        bars.append((f"kedro ct: peak memory, {count:,} rows, GB", peak, most))
    return bars + (_measure_runs(rows) if rows else [])


def _measure_runs(rows: list[int]) -> Measured:
    costs = {}
    for count in sorted(rows):
        with tempfile.TemporaryDirectory() as scratch:
            costs[count] = cost_of(count, Path(scratch))
        whole = {f"{count:,} rows": costs[count], **costs[count]["stages"]}
        for name, cost in whole.items():
            print(f"{name:20} {cost['cpu']:8.1f} s CPU {cost['peak'] / 1e9:8.2f} GB")
    few, many = min(costs), max(costs)
    growth = _of_a_row(costs[many], many) / _of_a_row(costs[few], few)
    return [
        *(
            (f"peak memory of {count:,} rows, GB", cost["peak"] / 1e9, _most_gigabytes(count))
            for count, cost in costs.items()
        ),
        (f"CPU a row in collection and preprocessing, {many:,} / {few:,}", growth, MOST_GROWTH),
    ]


def _most_gigabytes(rows: int) -> float:
    upto = next((each for each in MOST_GIGABYTES if rows <= each), max(MOST_GIGABYTES))
    return MOST_GIGABYTES[upto]


def _of_a_row(cost: dict[str, Any], rows: int) -> float:
    return float(sum(cost["stages"][name]["cpu"] for name in OF_ALL_ROWS) / rows)


def main() -> None:
    """Measure, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 20_000_000])
    parser.add_argument("--batches", type=int, nargs="*", default=[])
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measure_run(given.run)))
        return
    sys.exit(tell(measure(given.rows, given.batches)))


if __name__ == "__main__":
    main()
