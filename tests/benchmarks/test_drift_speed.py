"""The drift benchmark: its own sides agree, and its table and bars say what was measured."""

import sys
from pathlib import Path

import pytest
from benchmarks import drift_sides, drift_speed
from benchmarks.drift_speed import PEERS, SCRATCH, STORED, Cost

pytestmark = pytest.mark.slow  # a process for each side


def _cost(wall, memory=100.0):
    return Cost(wall=wall, cpu=wall, above=memory, whole=memory, drifted=["x2"], notes={})


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """A tiny run of the sides that need no peer."""
    folder = tmp_path_factory.mktemp("drift")
    drift_speed.write(folder, 2_000)
    python = Path(sys.executable)
    return drift_speed.compare(dict.fromkeys(drift_speed.OURS, python), folder, 1)


def test_own_sides_blame_the_columns_that_were_changed(costs):
    """Stored or not, the planted changes are found and nothing else."""
    assert costs[STORED].drifted == drift_speed.DRIFTED
    assert costs[SCRATCH].drifted == drift_speed.DRIFTED
    # SciPy's tests drop missing values, so they cannot see x7
    assert costs["scipy"].drifted == [c for c in drift_speed.DRIFTED if c != "x7"]


def test_costs_are_measured(costs):
    """Every side took time, and a process is larger than what it added to its tables."""
    for cost in costs.values():
        assert cost.wall > 0
        assert 0 <= cost.above < cost.whole


def test_the_table_is_printed_without_peers(costs, capsys):
    """One line for each side, ours first, and the bars that can be judged."""
    drift_speed.show(costs, 2_000)
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(tuple(f"| {side} |" for side in costs))]
    assert len(rows) == len(drift_speed.OURS)
    assert rows[0].endswith("| 3: c1, x2, x7 |")
    assert [name for name, _, _ in drift_speed.bars(costs)] == [
        f"drift: wall of scipy over {side}" for side in (STORED, SCRATCH)
    ]


def test_bars_are_against_the_faster_peer(capsys):
    """The ratio is the faster peer's cost over ours; the slower peer does not count."""
    costs = {STORED: _cost(1.0), SCRATCH: _cost(2.0), "scipy": _cost(4.0), "np.sort": _cost(3.0)}
    costs |= {"Evidently defaults": _cost(30.0, 900.0), "NannyML ks, chi2": _cost(12.0, 300.0)}
    assert drift_speed.bars(costs) == [
        ("drift: wall of NannyML ks, chi2 over ours", 12.0, 10.0),
        ("drift: CPU of NannyML ks, chi2 over ours", 12.0, 10.0),
        ("drift: whole peak of NannyML ks, chi2 over ours", 3.0, 2.0),
        ("drift: peak above the tables of NannyML ks, chi2 over ours", 3.0, 2.0),
        (f"drift: wall of scipy over {STORED}", 4.0, 1.0),
        (f"drift: wall of scipy over {SCRATCH}", 2.0, 1.0),
    ]
    drift_speed.show(costs, 10)
    assert f"NannyML ks, chi2 over {SCRATCH}: 6.0x the wall time" in capsys.readouterr().out


def test_a_peer_that_cannot_be_installed_is_named(tmp_path, capsys, monkeypatch):
    """The benchmark continues with the sides that are installed."""
    monkeypatch.setattr(drift_speed, "PEER_PYTHON", "no-such-python")
    assert [*drift_speed.sides(tmp_path)] == [*drift_speed.OURS]
    out = capsys.readouterr().out
    assert all(f"{peer} could not be installed" in out for peer in PEERS)


def test_every_side_has_a_place():
    """No side is left out of the comparison by its name."""
    for side in drift_sides.SIDES:
        assert side in drift_speed.OURS or side.startswith(tuple(PEERS))
