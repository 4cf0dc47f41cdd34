"""From a machine that has git, Python and make to a release of one's own CSV, as the pages say it.

python benchmarks/first_ten_minutes.py

The lines are those of the tutorial's "Set up" and of README's "Your own table", each typed as it
stands there, in one shell. What pip and uv have in their caches is used; `UV_NO_CACHE=1` and
`PIP_NO_CACHE_DIR=1` before it measure without.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.pages import PAGES  # noqa: E402

from benchmarks.bars import Measured  # noqa: E402

CLONE = "git clone -q {repository} project && cd project"
LINES = (
    "make venv",
    "source .venv/bin/activate",
    "kedro check data/source/customers.csv --target has_left --write mine",
    "kedro run --env mine",
)
MOST_COMMANDS, MOST_SECONDS = 5, 180
ROWS = 1_000


def customers(rows: int = ROWS) -> pd.DataFrame:
    """A table as users have it: numbers with gaps, categories, a date; who leaves is half luck."""
    rng = np.random.default_rng(0)
    months = rng.integers(1, 72, rows)
    contract = rng.choice(["month", "year", "two years"], rows, p=[0.5, 0.3, 0.2])
    calls = rng.poisson(2.0, rows).astype(float)
    log_odds = 0.8 * calls - 0.04 * months + np.where(contract == "month", 1.0, -1.0) - 1.0
    calls[rng.random(rows) < 0.05] = np.nan
    return pd.DataFrame(
        {
            "joined_on": pd.Timestamp("2020-01-01") + pd.to_timedelta(30 * (72 - months), unit="D"),
            "months": months,
            "contract": contract,
            "calls": calls,
            "bill": rng.gamma(4.0, 15.0, rows).round(2),
            "has_left": np.where(rng.random(rows) < 1 / (1 + np.exp(-log_odds)), "yes", "no"),
        }
    )


def unknown_lines() -> list[str]:
    """The lines that README and the tutorial no longer hold."""
    pages = PAGES["README.md"] + PAGES["docs/tutorial.md"]
    return [line for line in LINES if line not in pages]


def seconds_of(lines: list[str], table: pd.DataFrame) -> list[float]:
    """Type the lines into one shell of a new folder; the table is put in its place after the clone.

    Raises:
        RuntimeError: A line failed, or no release was made; with the end of what was printed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table.to_csv(folder / "customers.csv", index=False)
        script = ["set -e", f"date +%s.%N >> {folder}/times"]
        for number, line in enumerate(lines):
            script += [line, f"date +%s.%N >> {folder}/times"]
            if number == 0:
                script.append(f"mv {folder}/customers.csv data/source/")
        given = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        released = (folder / "project/data/production/mine/releases/1").is_dir()
        if done.returncode or not released:
            raise RuntimeError(f"No release was made:\n{done.stdout[-3000:]}")
        times = [float(line) for line in (folder / "times").read_text().split()]
    return [after - before for before, after in itertools.pairwise(times)]


def measure() -> Measured:
    """Commands and seconds until the release; raises RuntimeError if a page has other lines."""
    if unknown := unknown_lines():
        raise RuntimeError(f"README and the tutorial do not hold: {'; '.join(unknown)}")
    lines = [CLONE.format(repository=ROOT), *LINES]
    seconds = seconds_of(lines, customers())
    for line, each in zip([CLONE.format(repository="REPOSITORY"), *LINES], seconds, strict=True):
        print(f"{each:7.1f} s  {line}")
    what = "from a clone to a release of one's own CSV"
    return [
        (f"{what}, commands", len(lines), MOST_COMMANDS),
        (f"{what}, seconds", sum(seconds), MOST_SECONDS),
    ]


def main() -> None:
    """Measure, print, and exit with 1 where it takes more than is promised."""
    over = False
    for what, value, bar in measure():
        over |= value > bar
        print(f"{what}: {value:.0f} (at most {bar})")
    sys.exit(over)


if __name__ == "__main__":
    main()
