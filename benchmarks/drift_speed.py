"""Drift of a million rows against a million: ours, SciPy, Evidently and NannyML, same files.

    python benchmarks/run.py --only drift

Every side is a process of its own (`drift_sides.py`), and all take turns. The peers live in
environments of their own, which uv makes in a cache folder at the versions below.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import drift_sides

Measured = list[tuple[str, float, float]]  # what, ratio, bar

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "data" / "bench"  # ignored by git

ROWS, TURNS = 1_000_000, 3
NUMERIC, LEVELS = 15, (3, 10, 30, 80, 200)
DRIFTED = ["c1", "x2", "x7"]  # what the current table has that the reference has not

# pandas 3 has not the names that Evidently imports; NannyML needs statsmodels without saying so
_SHARED = ("pandas==2.3.3", "numpy==2.4.6", "scipy==1.17.1", "pyarrow==26.0.1")
_SHARED += ("scikit-learn==1.9.1", "statsmodels==0.15.0")
PEERS = {
    "Evidently": ("evidently==0.7.23", *_SHARED),
    "NannyML": ("nannyml==0.13.1", *_SHARED),
}
PEER_PYTHON = ">=3.11,<3.13"  # NannyML's bound

STORED, SCRATCH = "ours, reference stored", "ours, from scratch"
OURS = (STORED, SCRATCH, "scipy", "np.sort")

SPEED_BAR = 10.0  # times faster than the faster peer
MEMORY_BAR = 2.0  # times less than that peer
SCIPY_BAR = 1.0


@dataclass(frozen=True)
class Cost:
    """Median cost of one side, after its tables were read."""

    wall: float  # seconds
    cpu: float  # seconds, of all threads
    above: float  # MB, the peak above the loaded tables
    whole: float  # MB, the largest resident set of the process
    drifted: list[str]
    notes: dict[str, float]


def table(rng: np.random.Generator, rows: int, drift: bool) -> pd.DataFrame:
    """Columns x0 ... x14 and c0 ... c4: skewed, tied, dependent, with missing values; drifted."""
    z = rng.normal(size=(NUMERIC, rows))
    z[1] = 0.5 * z[0] + np.sqrt(0.75) * z[1]
    z[3] = np.exp(z[3])
    z[4] = np.round(z[4], 1)
    z[5] = np.where(rng.random(rows) < 0.6, 0.0, z[5])
    z[6] = np.round(100 * np.exp(z[6]))
    for i, share in ((2, 0.02), (6, 0.1), (7, 0.01), (9, 0.3), (12, 0.05)):
        z[i, rng.random(rows) < share] = np.nan
    if drift:
        z[2] += 0.5
        z[7, rng.random(rows) < 0.1] = np.nan
    columns: dict[str, Any] = {f"x{i}": z[i] for i in range(NUMERIC)}
    for i, size in enumerate(LEVELS):
        shares = 1 / np.arange(1, size + 1)
        if drift and i == 1:
            shares[1:] *= 3
        place = np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(rows))
        codes = np.minimum(place, size - 1)
        if i == 3:
            codes[rng.random(rows) < 0.02] = -1
        names = [f"level {k}" for k in range(size)]
        columns[f"c{i}"] = pd.Series(pd.Categorical.from_codes(codes, names)).astype(object)
    return pd.DataFrame(columns)


def write(folder: Path, rows: int) -> None:
    """Both tables as Parquet files that every pandas reads alike, strings as plain strings."""
    rng = np.random.default_rng(0)
    for name, drift in (("reference", False), ("current", True)):
        table(rng, rows, drift).to_parquet(folder / f"{name}.parquet")
    _side(Path(sys.executable), drift_sides.STORE, folder)


def environment(name: str, folder: Path) -> Path:
    """Python of a peer's environment, made by uv unless it is there with the same pins.

    Raises RuntimeError with uv's words when it cannot be made.
    """
    home, pins = folder / name.lower(), "\n".join(PEERS[name])
    done, python = home / "pins.txt", home / "bin" / "python"
    if not (done.exists() and done.read_text(encoding="utf-8") == pins):
        print(f"  making the environment of {name} ...", file=sys.stderr, flush=True)
        uv = str(Path(sys.executable).with_name("uv"))
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", PEER_PYTHON, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *PEERS[name]],
        ):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                raise RuntimeError(result.stderr.strip()[-1500:])
        done.write_text(pins, encoding="utf-8")
    return python


def sides(folder: Path) -> dict[str, Path]:
    """The Python of every side; a peer that cannot be installed is named and left out."""
    pythons = dict.fromkeys(OURS, Path(sys.executable))
    for peer in PEERS:
        try:
            python = environment(peer, folder)
        except RuntimeError as reason:
            print(f"{peer} could not be installed and is left out:\n{reason}")
        else:
            pythons |= {side: python for side in drift_sides.SIDES if side.startswith(peer)}
    return pythons


def _side(python: Path, name: str, folder: Path) -> Any:
    """What one side printed; raises RuntimeError with its words when it failed."""
    script = str(Path(drift_sides.__file__))
    result = subprocess.run(
        [str(python), script, name, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{name} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def compare(pythons: Mapping[str, Path], folder: Path, turns: int) -> dict[str, Cost]:
    """Median cost of every side; they take turns, so that a noisy minute hits them alike."""
    outputs: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for turn in range(turns):
        for name, python in pythons.items():
            print(f"  {name}, turn {turn + 1} of {turns} ...", file=sys.stderr, flush=True)
            outputs[name].append(_side(python, name, folder))
    costs = {}
    for name, outputs_of_side in outputs.items():
        figures = {
            field: statistics.median(output[field] for output in outputs_of_side)
            for field in ("wall", "cpu", "above", "whole")
        }
        notes = {
            note: statistics.median(output["notes"][note] for output in outputs_of_side)
            for note in outputs_of_side[0]["notes"]
        }
        costs[name] = Cost(**figures, drifted=outputs_of_side[0]["drifted"], notes=notes)
    return costs


def show(costs: Mapping[str, Cost], rows: int) -> None:
    """Print the table of all sides."""
    width = NUMERIC + len(LEVELS)
    print(f"\nDrift of {rows:,} x {width} against {rows:,} x {width}, after the files were read")
    head = ("side", "wall s", "CPU s", "/ np.sort", "MB above", "MB whole", "drifted columns")
    print(_line(head))
    print(_line(["---"] * len(head)))
    unit = costs["np.sort"].wall
    for name, cost in costs.items():
        figures = [f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.wall / unit:.2f}"]
        figures += [f"{cost.above:,.0f}", f"{cost.whole:,.0f}"]
        what = "" if name == "np.sort" else f"{len(cost.drifted)}: {', '.join(cost.drifted)}"
        notes = "".join(f" ({note}: {value:.2f})" for note, value in cost.notes.items())
        print(_line([name, *figures, what + notes]))
    name = fastest_peer(costs)
    if name:
        # no bar: a release has its reference stored
        for side in (STORED, SCRATCH):
            peer, ours = costs[name], costs[side]
            print(
                f"{name} over {side}: {peer.wall / ours.wall:.1f}x the wall time, "
                f"{peer.cpu / ours.cpu:.1f}x the CPU time, {peer.whole / ours.whole:.1f}x the "
                f"whole peak, {peer.above / max(ours.above, 1.0):.1f}x the peak above the tables"
            )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def fastest_peer(costs: Mapping[str, Cost]) -> str | None:
    """The peer with the least wall time; None when none could be installed."""
    peers = [name for name in costs if name.startswith(tuple(PEERS))]
    return min(peers, key=lambda name: costs[name].wall, default=None)


def bars(costs: Mapping[str, Cost]) -> Measured:
    """How many times more the others cost than ours, and the bars, all at least.

    The bars against the peers are for the stored reference, which is what a release does.
    """
    measured: Measured = []
    name = fastest_peer(costs)
    if name:
        peer, ours = costs[name], costs[STORED]
        measured = [
            (f"drift: wall of {name} over ours", peer.wall / ours.wall, SPEED_BAR),
            (f"drift: CPU of {name} over ours", peer.cpu / ours.cpu, SPEED_BAR),
            (f"drift: whole peak of {name} over ours", peer.whole / ours.whole, MEMORY_BAR),
            (
                f"drift: peak above the tables of {name} over ours",
                peer.above / max(ours.above, 1.0),
                MEMORY_BAR,
            ),
        ]
    for side in (STORED, SCRATCH):
        ratio = costs["scipy"].wall / costs[side].wall
        measured.append((f"drift: wall of scipy over {side}", ratio, SCIPY_BAR))
    return measured


def measure(folder: Path, rows: int = ROWS, turns: int = TURNS) -> Measured:
    """Write the tables into a folder, measure all sides, print, and return the bars."""
    write(folder, rows)
    costs = compare(sides(CACHE), folder, turns)
    show(costs, rows)
    return bars(costs)
