"""Every measured ratio of the project: ``make bench``. Ratios hold within one run of it alone."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.conftest import Project, make_mlflow_store, make_project  # noqa: E402

from benchmarks import (  # noqa: E402
    dask_cost,
    drift_speed,
    first_ten_minutes,
    fitted_reports,
    gate,
    look_cost,
    loop,
    policies,
    proof,
    scale,
    storage,
)
from benchmarks.bars import Measured, tell  # noqa: E402

Sides = tuple[Measured, Measured]  # what is to be at most its bar, and at least

#: What is measured in each part, given a project, a folder for scratch and what was asked for.
PARTS: dict[str, Callable[[Project, Path, argparse.Namespace], Sides]] = {
    "iris": lambda project, _, given: (loop.iris(project, given.runs), []),
    "idle": lambda project, _, given: (loop.idle(project, given.runs), []),
    "flights": lambda project, _, given: (loop.flights(project, 1, given.trials), []),
    "gate": lambda project, _, given: gate.measure(project, given.runs),
    "proof": lambda *_: proof.measure(),
    "reports": lambda *_: (fitted_reports.measure(), []),
    "policies": lambda _, __, given: (policies.measure(given.runs), []),
    "looks": lambda _, folder, given: (
        look_cost.measure(folder, folder / "mlflow.db", given.runs),
        [],
    ),
    "drift": lambda _, folder, given: ([], drift_speed.measure(folder, turns=given.runs)),
    "storage": lambda project, _, given: storage.measure(project, given.runs),
    "scale": lambda *_: (scale.measure([1_000_000, 20_000_000], [20_000_000]), []),
    "dask": lambda *_: (dask_cost.measure(20_000_000), []),
    "first": lambda *_: (first_ten_minutes.measure(), []),
}


def main() -> None:
    """Measure, print a table, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs, and seeds of a stream")
    parser.add_argument("--trials", type=int, default=20, help="trials of the flights search")
    parser.add_argument("--only", choices=list(PARTS), help="one part instead of all")
    given = parser.parse_args()
    most, least = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = make_project(folder / "project", make_mlflow_store(folder / "mlflow.db"))
        for name, measure in PARTS.items():
            if given.only in (None, name):
                at_most, at_least = measure(project, folder, given)
                most, least = most + at_most, least + at_least
    print()
    sys.exit(tell(most, least))


if __name__ == "__main__":
    main()
