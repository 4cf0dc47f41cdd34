"""A thousand mutated archives, manifests and MLmodels: each is refused, or works."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.project import ROOT

pytestmark = pytest.mark.slow
pytest.importorskip("resource", reason="Windows has no limit of memory")

COUNT = 1_000


def test_mutated_releases_are_refused_or_work():
    """No other exception, no crash, no endless loop; three gigabytes of memory are enough."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz", "18", str(COUNT)],
        env=os.environ
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert sum(counts.values()) == COUNT
    assert all(counts[f"{kind} refused"] > 50 for kind in ("archive", "manifest", "MLmodel"))
    assert counts["archive accepted"] > 10  # not all fail for a reason that is none of theirs
