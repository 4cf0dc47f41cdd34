"""Every measured ratio of the project: ``make bench``. Ratios hold within one run of it alone."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.conftest import make_mlflow_store, make_project  # noqa: E402

from benchmarks import (  # noqa: E402
    drift_speed,
    fitted_reports,
    gate,
    look_cost,
    loop,
    policies,
    proof,
    storage,
)


def main() -> None:
    """Measure, print a table, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs, and seeds of a stream")
    parser.add_argument("--trials", type=int, default=20, help="trials of the flights search")
    parser.add_argument(
        "--only",
        choices=[
            "iris",
            "idle",
            "flights",
            "gate",
            "proof",
            "reports",
            "policies",
            "looks",
            "drift",
            "storage",
        ],
        help="one part instead of all",
    )
    given = parser.parse_args()
    most, least = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = make_project(folder / "project", make_mlflow_store(folder / "mlflow.db"))
        if given.only in (None, "iris"):
            most += loop.iris(project, given.runs)
        if given.only in (None, "idle"):
            most += loop.idle(project, given.runs)
        if given.only in (None, "flights"):
            most += loop.flights(project, 1, given.trials)
        if given.only in (None, "gate"):
            at_most, at_least = gate.measure(project, given.runs)
            most, least = most + at_most, least + at_least
        if given.only in (None, "proof"):
            at_most, at_least = proof.measure()
            most, least = most + at_most, least + at_least
        if given.only in (None, "reports"):
            most += fitted_reports.measure()
        if given.only in (None, "policies"):
            most += policies.measure(given.runs)
        if given.only in (None, "looks"):
            most += look_cost.measure(folder, folder / "mlflow.db", given.runs)
        if given.only in (None, "drift"):
            least += drift_speed.measure(folder, turns=given.runs)
        if given.only in (None, "storage"):
            at_most, at_least = storage.measure(project, given.runs)
            most, least = most + at_most, least + at_least
    print()
    missed = False
    for rows, word, sign in ((most, "most", 1), (least, "least", -1)):
        for name, ratio, bar in rows:
            bad = sign * ratio > sign * bar
            missed |= bad
            print(f"{name:70} {ratio:9,.3f}  (at {word} {bar:,g}) {'MISSED' if bad else 'ok'}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
