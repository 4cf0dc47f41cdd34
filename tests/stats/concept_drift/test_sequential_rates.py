"""What the sequential test is worth, measured: false alarms and delays, simulated.

Reference 0.10, tolerance 0.01, alpha 0.01, batches of 500 rows. All with at least 2,000 streams of
100,000 rows, the delays at row 500,000 and river's detectors: benchmarks/drift_rates.py.
"""

import numpy as np
import pytest
from benchmarks.drift_rates import (
    NEVER,
    burst_outcomes,
    bursts,
    delays,
    estimated_alarms,
    known_alarms,
)

from tests.support.certain import surely_at_most

pytestmark = pytest.mark.slow


def _at_most(alpha, streams):
    return alpha + 2 * np.sqrt(alpha * (1 - alpha) / streams)


def _median_at_most(bar, groups):
    """Of the delays; a false alarm before the change is no detection, but a delay without end."""
    return surely_at_most(0.4999, ((rows <= 0) | (rows > bar) for rows in groups))


def test_false_alarms_are_no_detections():
    """A detector that always alarms before the change does not pass for a fast one."""
    assert not _median_at_most(400, [np.full(1_000, -5)])


def test_stationary_streams_hardly_alarm():
    """Of 2,000 streams of 100,000 rows at the known error at most 1 % ever alarm."""
    assert surely_at_most(_at_most(0.01, 2_000), known_alarms(2_000))


def test_at_the_edge_of_the_null():
    """At an error of exactly what is tolerated the promise still holds."""
    assert surely_at_most(_at_most(0.01, 400), known_alarms(400, rate=0.11))


@pytest.mark.parametrize("reference", [500, 10_000])
def test_estimated_references(reference):
    """The reference's own error, drawn anew for each stream, is part of the promise."""
    alarms = estimated_alarms(1_000, reference, rows=50_000)
    assert surely_at_most(_at_most(0.01, 1_000), alarms)


@pytest.mark.parametrize("length", [5, 20])
@pytest.mark.parametrize("known", [True, False])
def test_bursts(length, known):
    """With errors in bursts, blocks chosen from 20,000 rows, at most 3 % ever alarm."""
    alarm_rows = burst_outcomes(1_000, length, known=known)
    assert surely_at_most(0.03, (rows < NEVER for rows in alarm_rows))


def test_the_bursts_are_what_they_say():
    """The simulated chain has mean 0.10 and stays in its bad state for as long as it should."""
    x = bursts(np.random.default_rng(0), 50, 100_000, 0.10, 20, good=0.05)
    assert x.mean() == pytest.approx(0.10, abs=0.002)
    # covariance of neighbours: (0.45)^2 share (1 - share) (1 - 1 / 20 - enter)
    share = 0.05 / 0.45
    enter = share / (1 - share) / 20
    expected = 0.45**2 * share * (1 - share) * (1 - 1 / 20 - enter)
    assert np.mean((x[:, 1:] - 0.1) * (x[:, :-1] - 0.1)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("change", "rate", "bar"),
    [(10_000, 0.20, 400), (50_000, 0.20, 480), (10_000, 0.13, 4_800), (50_000, 0.13, 5_200)],
)
def test_jumps_are_found_soon(change, rate, bar):
    """The median delay does not grow much with the quiet time before the jump."""
    rows = delays(1_000, change, rate, after=1_000 if rate == 0.20 else 9_000)
    assert _median_at_most(bar, rows)


@pytest.mark.parametrize(("rate", "adwin"), [(0.20, 304), (0.13, 2_704)])
def test_without_tolerance_no_later_than_adwin(rate, adwin):
    """Measured against an error of 0.10 itself the delays are not above ADWIN's."""
    assert _median_at_most(adwin, delays(1_000, 10_000, rate, tolerance=0.0, after=4_000))


@pytest.mark.parametrize(("reference", "bar"), [(500, 1_400), (10_000, 500)])
def test_small_references_cost_time(reference, bar):
    """A jump to 0.20 is found later when less was known before."""
    assert _median_at_most(bar, delays(1_000, 10_000, 0.20, reference=reference, after=4_000))


@pytest.mark.parametrize(("length", "bar"), [(5, 1_000), (20, 2_600)])
@pytest.mark.parametrize("more_bursts", [False, True])
def test_jumps_under_bursts(length, bar, more_bursts):
    """Errors that rise between the bursts, or more bursts: found within the bars."""
    rows = burst_outcomes(1_000, length, after=8_000, more_bursts=more_bursts, known=True)
    assert _median_at_most(bar, rows)
