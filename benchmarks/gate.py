"""The gate at a million rows against a bootstrap of rows, and what the decision adds to a run."""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score
from tests.conftest import Project

from benchmarks.loop import KEDRO
from benchmarks.measure import Cost, cost_of
from mlops_basics.pipeline_registry import register_pipelines
from mlops_basics.pipelines.model_evaluation import decision
from mlops_basics.schemas import ChallengeRequest
from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
from mlops_basics.stats.paired.confusion_metrics import accuracy, macro_f1

Codes = NDArray[np.int64]
Measured = list[tuple[str, float, float]]  # what, ratio, bar

ROWS, REPLICATES = 1_000_000, 10_000
METRICS = {"accuracy": accuracy, "macro_f1": macro_f1}
SPEED_BARS = {3: 5_000.0, 10: 300.0}
MEMORY_BAR = 200.0  # MB
TURNS = 5  # measurements of each side, taken by turns; the median counts

#: Nodes between a measured model and production.
DECISION = {
    "score_gate",
    "decide",
    "sample_reference",
    "request_registration",
    "request_release",
}


@dataclass(frozen=True)
class GateRows:
    """True classes and both models' predictions; every one of the K^3 cells occurs."""

    k: int
    y: Codes
    champion: Codes
    challenger: Codes


def gate_rows(k: int, rng: np.random.Generator, rows: int = ROWS) -> GateRows:
    """Two models that are right on 87 % and 88 % of the rows (3 classes)."""
    y = rng.integers(0, k, rows)
    guesses = [
        np.where(rng.random(rows) < sure, y, rng.integers(0, k, rows)) for sure in (0.80, 0.82)
    ]
    return GateRows(k, y, *guesses)


def ours(given: GateRows, rng: np.random.Generator) -> dict[str, Any]:
    """The gate: count the cells, then draw counts."""
    table = PairedTable.from_codes(given.y, given.champion, given.challenger, n_classes=given.k)
    return dict(paired_bootstrap(table, METRICS, rng=rng, replicates=REPLICATES))


def by_rows(given: GateRows, rng: np.random.Generator) -> list[float]:
    """One replicate of the bootstrap of rows: draw indices, count two confusion matrices."""
    k, drawn = given.k, rng.integers(0, len(given.y), len(given.y))
    y = given.y[drawn]
    matrices = [
        np.bincount(k * y + model[drawn], minlength=k * k).reshape(k, k)
        for model in (given.champion, given.challenger)
    ]
    return [float(metric(m)) for metric in METRICS.values() for m in matrices]


def by_coded_rows(codes: Codes, k: int, rng: np.random.Generator) -> list[float]:
    """The same tuned: each row's cell is coded once, in two bytes, and so gathered and counted."""
    drawn = rng.integers(0, len(codes), len(codes), dtype=np.int32)
    cells = np.bincount(codes[drawn], minlength=k**3).reshape(k, k, k)
    matrices = cells.sum(axis=2), cells.sum(axis=1)
    return [float(metric(m)) for metric in METRICS.values() for m in matrices]


def by_sklearn(given: GateRows, rng: np.random.Generator) -> list[float]:
    """One replicate with scikit-learn's metric functions."""
    drawn = rng.integers(0, len(given.y), len(given.y))
    y, models = given.y[drawn], (given.champion[drawn], given.challenger[drawn])
    return [accuracy_score(y, m) for m in models] + [
        f1_score(y, m, average="macro") for m in models
    ]


def speed(k: int) -> Measured:
    """CPU time of the bootstrap of rows over that of the gate; threads count in full."""
    rng = np.random.default_rng(0)
    given = gate_rows(k, rng)
    codes = ((given.y * k + given.champion) * k + given.challenger).astype(np.int16)
    costs = by_turns(
        {
            "gate": lambda: ours(given, rng),
            "rows": lambda: [by_rows(given, rng) for _ in range(4)],
            "coded rows": lambda: [by_coded_rows(codes, k, rng) for _ in range(4)],
            "scikit-learn": lambda: by_sklearn(given, rng),
        }
    )
    gate = costs["gate"]
    replicate = {
        "rows": costs["rows"] / 4,
        "coded rows": costs["coded rows"] / 4,
        "scikit-learn": costs["scikit-learn"],
    }
    print(f"gate, {k} classes: {gate:.3f} s CPU for {REPLICATES:,} replicates of {ROWS:,} rows")
    for name, cost in replicate.items():
        print(
            f"  by {name:13} {1000 * cost:8.1f} ms a replicate, "
            f"ratio {cost * REPLICATES / gate:10,.0f}"
        )
    label = f"gate, {k} classes: bootstrap of rows / ours, CPU"
    return [(label, replicate["rows"] * REPLICATES / gate, SPEED_BARS[k])]


def by_turns(work: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median CPU seconds of each piece of work, after one turn that does not count."""
    costs: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(1 + TURNS):
        for name, do in work.items():
            begun = time.process_time()
            do()
            if turn:
                costs[name].append(time.process_time() - begun)
    return {name: statistics.median(of_metric) for name, of_metric in costs.items()}


def memory(k: int) -> Measured:
    """Peak memory beside the inputs, MB: of the gate from class codes, and from its data set."""
    rng = np.random.default_rng(0)
    given = gate_rows(k, rng)
    counted = peak(lambda: ours(given, rng))
    table, request = gate_data(given, rng)
    named = {
        metric: peak(lambda m=metric: decision.compare(m, table, request, 0.005, 0.0, rng))
        for metric in ("log_loss", "accuracy", "macro_f1")
    }
    print(f"cells of {k} classes: {counted:.0f} MB beside the class codes")
    for metric, megabytes in named.items():
        print(f"decision.compare, {k} classes, {metric}: {megabytes:.0f} MB beside the data set")
    worst = max(counted, *named.values())
    return [(f"gate, {k} classes: peak memory beside its inputs, MB", worst, MEMORY_BAR)]


def peak(do: Callable[[], Any]) -> float:
    """The most memory that Python and numpy hold more than before, MB."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def gate_data(given: GateRows, rng: np.random.Generator) -> tuple[pd.DataFrame, ChallengeRequest]:
    """The rows as the data set ``gate_scores``, with probabilities, and the request."""
    columns: dict[str, Any] = {"y": given.y}
    for name in ("champion", "challenger"):
        p = rng.random((len(given.y), given.k))
        p[np.arange(len(p)), getattr(given, name)] += 2
        p /= p.sum(axis=1, keepdims=True)
        columns |= {f"{name}_{c}": p[:, c] for c in range(given.k)}
    request = ChallengeRequest(
        champion_version="1",
        status="comparable",
        rows=len(given.y),
        rows_hash="",
        predictions_hash="",
        which_rows="",
        classes=tuple(map(str, range(given.k))),
    )
    return pd.DataFrame(columns), request


@dataclass
class Turns:
    """Costs of one kind of run."""

    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(cost.cpu for cost in self.costs)


def added(project: Project, runs: int) -> Measured:
    """CPU of `kedro run` on iris with the steps from decision to publishing over that without.

    Without them the report is still written, about an earlier decision. Each run with them leaves
    out another row of the table, so that its challenger differs and is tested; the first release
    is of a new model name each time, and is registered, published and verified.
    """
    names = [node.name for node in register_pipelines()["__default__"].nodes]
    rest = ",".join(name for name in names if name.rpartition(".")[2] not in DECISION)
    env = {"KEDRO_DISABLE_TELEMETRY": "1"}
    cost_of(KEDRO, project.path, env)
    turns = {name: Turns() for name in ("without", "challenge", "first release")}
    for number in range(1 + runs):
        rows = f"num_instances={149 - number}"
        commands = {
            "without": [*KEDRO, "--nodes", rest, "--params", rows],
            "challenge": [*KEDRO, "--params", rows],
            "first release": [*KEDRO, "--params", f"{rows},model_name=iris{number}"],
        }
        for name, command in commands.items():
            print(f"  {name}, run {number} of {runs} ...", file=sys.stderr, flush=True)
            cost = cost_of(command, project.path, env)
            if number:
                turns[name].costs.append(cost)
        outcome = project.load("decision").outcome
        print(f"  the challenge's outcome: {outcome}", file=sys.stderr)
    without = turns["without"].cpu
    for name, side in turns.items():
        seconds = " ".join(f"{cost.cpu:.2f}" for cost in side.costs)
        print(f"iris       {name:15} {side.cpu:8.2f} s CPU (median of {seconds})")
    return [
        (f"iris: kedro run with {name} / without the decision, CPU", turns[name].cpu / without, 1.1)
        for name in ("challenge", "first release")
    ]


def measure(project: Project, runs: int) -> tuple[Measured, Measured]:
    """All of it: what must be at most its bar, and what must be at least."""
    most = [row for k in SPEED_BARS for row in memory(k)] + added(project, runs)
    return most, [row for k in SPEED_BARS for row in speed(k)]
