"""The benchmark of a cluster's cost: what it runs, and what it compares."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from benchmarks import dask_cost
from benchmarks.measure import cpu_of_all
from benchmarks.scale import generated

from mlops_basics.schemas import Parts


def test_processes_below_count() -> None:
    """Also those of a cluster, which are not waited for."""
    before = cpu_of_all()
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(); time.sleep(60)"
    below = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert below.stdout is not None
    below.stdout.readline()
    found = cpu_of_all() - before
    below.kill()
    below.communicate()
    assert 0.45 <= found < 0.5 + time.process_time()


def test_each_row_has_a_side() -> None:
    """Three fifths are train."""
    table = generated(2_000, 0)
    sides = dask_cost.split(list(table.columns), Parts.of(table).parts[0])
    assert np.bincount(sides) / 2_000 == pytest.approx([0.6, 0.2, 0.2], abs=0.05)


def test_engines_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each works on all parts, and neither is always the first one."""
    worked: list[tuple[str, int]] = []
    engines = {
        name: lambda _function, parts, name=name: worked.extend((name, part.rows) for part in parts)
        for name in dask_cost.ENGINES
    }
    monkeypatch.setattr(dask_cost, "ENGINES", engines)
    monkeypatch.setattr(
        dask_cost, "FUNCTIONS", {"split": lambda of, over: over(id, of.table.parts)}
    )
    monkeypatch.setattr(dask_cost, "_cpu_of", lambda *_: 2.0 * len(worked))
    table = Parts.of(*(generated(rows, 0) for rows in range(1, 7)))
    given = dask_cost.Given(table, *[None] * 3)  # type: ignore[arg-type]
    costs = dask_cost.costs_in_turns(given, None)  # type: ignore[arg-type]
    assert costs == {"joblib": {"split": 12.0}, "Dask": {"split": 12.0}}
    turns = [("joblib", [1, 2]), ("Dask", [1, 2])]  # imports
    turns += [
        ("Dask", [1, 2, 3, 4]),
        ("joblib", [1, 2, 3, 4]),
        ("joblib", [5, 6]),
        ("Dask", [5, 6]),
    ]
    assert worked == [(engine, rows) for engine, of in turns for rows in of]


def test_each_function_has_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU on the cluster over that of joblib; a million rows are told in seconds and dollars."""
    costs = {
        engine: dict.fromkeys(dask_cost.FUNCTIONS, seconds)
        for engine, seconds in (("joblib", 4.0), ("Dask", 7.0))
    }
    bars = dask_cost.bars_of(2_000_000, costs)
    assert [bar[1:] for bar in bars] == [(1.75, 1.5)] * 3
    assert "scoring  Dask    of a million rows   3.50 s CPU, $0.000049" in capsys.readouterr().out
