"""Every measured ratio of the project: ``make bench``. Ratios hold within one run of it alone."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.conftest import make_mlflow_store, make_project  # noqa: E402

from benchmarks import gate, loop, proof  # noqa: E402


def main() -> None:
    """Measure, print a table, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs; the median is shown")
    parser.add_argument("--trials", type=int, default=20, help="trials of the flights search")
    parser.add_argument("--only", choices=["iris", "flights"], help="one part instead of all")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = make_project(folder / "project", make_mlflow_store(folder / "mlflow.db"))
        if given.only in (None, "iris"):
            rows += loop.iris(project, given.runs)
        if given.only in (None, "flights"):
            rows += loop.flights(project, 1, given.trials)
    print()
    missed = False
    for name, ratio, bar in rows:
        missed |= ratio > bar
        print(f"{name:70} {ratio:6.2f}  (bar {bar:g}) {'MISSED' if ratio > bar else 'ok'}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
