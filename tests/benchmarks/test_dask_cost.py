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


def test_each_function_has_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU on the cluster over that of joblib; a million rows are told in seconds and dollars."""
    joblib, dask = (dict.fromkeys(dask_cost.FUNCTIONS, seconds) for seconds in (4.0, 7.0))
    bars = dask_cost.bars_of(2_000_000, joblib, dask)
    assert [bar[1:] for bar in bars] == [(1.75, 1.5)] * 3
    assert "scoring  Dask    of a million rows   3.50 s CPU, $0.000049" in capsys.readouterr().out
