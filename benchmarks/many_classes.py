"""How long a decision about 200 classes takes: the test, and all guards."""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.configured import configured
from benchmarks.fitted_reports import decided

CLASSES, ROWS, TURNS = 200, 10_000, 5


def seconds() -> float:
    """CPU seconds of one decision about two models that are right on 80 and 82 % of the rows."""
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, CLASSES, ROWS), rng.random((2, ROWS, CLASSES))
    for model, sure in enumerate((0.80, 0.82)):
        predicted = np.where(rng.random(ROWS) < sure, y, rng.integers(0, CLASSES, ROWS))
        p[model, np.arange(ROWS), predicted] += 50
    p /= p.sum(axis=2, keepdims=True)
    params, costs = configured(), []
    for _ in range(TURNS):
        begun = time.process_time()
        decided(y, p, params)
        costs.append(time.process_time() - begun)
    return statistics.median(costs)
