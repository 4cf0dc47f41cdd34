"""Error rates and delays of the monitoring's statistics, simulated; river's detectors beside them.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/drift_rates.py [--quick]

Prints Markdown tables. All bars are in rows, so that they hold on any machine. The functions that
make streams and count alarms are those that the tests use.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.streams import first_alarms, start_known
from mlops_basics.stats.concept_drift.blocks import choose_block
from mlops_basics.stats.concept_drift.sequential import (
    SequentialState,
    start_monitor,
)
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table

Bools = NDArray[np.bool_]

GROUP = 100  # streams in memory at a time
NEVER = np.iinfo(np.int64).max
BAD_ERROR, GOOD_ERROR = 0.5, 0.05  # of the hidden Markov chain's states


def independent(rng: np.random.Generator, streams: int, rows: int, rate: float) -> Bools:
    """0/1 errors of independent rows."""
    return rng.random((streams, rows), dtype=np.float32) < rate


def bursts(
    rng: np.random.Generator, streams: int, rows: int, rate: float, length: float, *, good: float
) -> Bools:
    """0/1 errors of a hidden Markov chain: 0.5 in the bad state, which lasts `length` rows."""
    share = (rate - good) / (BAD_ERROR - good)  # of the rows in the bad state
    enter = share / (1 - share) / length
    x = np.empty((streams, rows), dtype=bool)
    for i in range(streams):
        visits = int(1.3 * rows / (length + 1 / enter) + 60)
        bad_first = bool(rng.random() < share)
        lengths = np.empty(2 * visits, dtype=np.int64)
        lengths[1 - bad_first :: 2] = rng.geometric(1 / length, visits)
        lengths[bad_first::2] = rng.geometric(enter, visits)
        bad = np.repeat(np.tile([bad_first, not bad_first], visits), lengths)[:rows]
        x[i] = rng.random(rows, dtype=np.float32) < np.where(bad, BAD_ERROR, good).astype("f4")
    return x


def _groups(streams: int) -> Iterator[int]:
    for begin in range(0, streams, GROUP):
        yield min(GROUP, streams - begin)


def known_alarms(
    streams: int, rows: int = 100_000, *, rate: float = 0.10, seed: int = 0
) -> Iterator[Bools]:
    """Which stationary streams have any alarm, in groups; reference 0.10 known, tolerance 0.01."""
    rng, state = np.random.default_rng(seed), start_known(0.10)
    for size in _groups(streams):
        yield first_alarms(independent(rng, size, rows, rate), state) >= 0


def estimated(
    rng: np.random.Generator, streams: int, reference: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], SequentialState]:
    """A monitor for each stream, each begun with a reference of its own."""
    wrong = rng.binomial(reference, 0.10, streams)
    states = {int(k): start_monitor(np.arange(reference) < k) for k in np.unique(wrong)}
    mean = np.array([states[int(k)].mean for k in wrong])
    variance = np.array([states[int(k)].variance for k in wrong])
    return mean, variance, states[int(wrong[0])]


def estimated_alarms(
    streams: int, reference: int, rows: int = 100_000, *, seed: int = 0
) -> Iterator[Bools]:
    """The same, the reference estimated anew for each stream."""
    rng = np.random.default_rng(seed)
    for size in _groups(streams):
        states = estimated(rng, size, reference)
        yield first_alarms(independent(rng, size, rows, 0.10), states) >= 0


def share(outcomes: Iterator[Bools]) -> float:
    """In how many of all lives it happened."""
    return float(np.concatenate(list(outcomes)).mean())


def delays(
    streams: int,
    change: int,
    rate: float,
    *,
    tolerance: float = 0.01,
    reference: int | None = None,
    after: int,
    seed: int = 0,
) -> Iterator[NDArray[np.int64]]:
    """Rows from a jump to the alarm (NEVER without), in groups of streams.

    Negative for false alarms before it, which the caller leaves out of the delays. With
    `reference`, the mean before the jump is estimated on so many rows, anew in each stream.
    """
    rng, state = np.random.default_rng(seed), start_known(0.10, tolerance=tolerance)
    for size in _groups(streams):
        states = state if reference is None else estimated(rng, size, reference)
        x = np.concatenate(
            [independent(rng, size, change, 0.10), independent(rng, size, after, rate)], axis=1
        )
        alarm = first_alarms(x, states)
        yield np.where(alarm < 0, NEVER, alarm - change)


def burst_outcomes(
    streams: int,
    length: int,
    *,
    rows: int = 100_000,
    change: int = 10_000,
    after: int = 0,
    more_bursts: bool = False,
    known: bool = False,
    seed: int = 0,
) -> Iterator[NDArray[np.int64]]:
    """Alarm rows (NEVER without) under bursts, blocks chosen from 20,000 reference rows, in groups.

    The reference's mean is estimated from the same rows, or known to be 0.10.

    Without `after`: stationary streams of `rows`. With it: rows from the change, where the mean
    error jumps to 0.20, by an error of 0.1625 in the good state, or by more bad states.
    """
    rng = np.random.default_rng(seed)
    for size in _groups(streams):
        by_length: dict[int, list[SequentialState]] = {}
        for reference in bursts(rng, size, 20_000, 0.10, length, good=GOOD_ERROR):
            choice = choose_block(reference)
            if known:
                variance = choice.variance if choice.length > 1 else None
                state = start_known(0.10, length=choice.length, variance=variance)
            else:
                state = start_monitor(reference, block=choice)
            by_length.setdefault(choice.length, []).append(state)
        outcomes = []
        for states in by_length.values():
            mean, variances = (
                np.array([getattr(s, name) for s in states]) for name in ("mean", "variance")
            )
            if after:
                x = bursts(rng, len(states), change, 0.10, length, good=GOOD_ERROR)
                bad = (0.10 - GOOD_ERROR) / (BAD_ERROR - GOOD_ERROR)
                good = GOOD_ERROR if more_bursts else (0.20 - bad * BAD_ERROR) / (1 - bad)
                later = bursts(rng, len(states), after, 0.20, length, good=good)
                x = np.concatenate([x, later], axis=1)
            else:
                x = bursts(rng, len(states), rows, 0.10, length, good=GOOD_ERROR)
            alarm = first_alarms(x, (mean, variances, states[0]))
            outcomes.append(np.where(alarm < 0, NEVER, alarm - (change if after else 0)))
        # Together: a test that may stop after any group must not see one block length first.
        yield np.concatenate(outcomes)


def median_delay(groups: Iterator[NDArray[np.int64]]) -> float:
    """Median over the streams without a false alarm before the change."""
    rows = np.concatenate(list(groups))
    return float(np.median(rows[rows > 0]))


NUMERIC, CATEGORICAL = 14, 6
_LEVELS = np.array([f"level {k}" for k in range(40)], dtype=object)
_SHARES = 1 / np.arange(1, 41)
_SHARES /= _SHARES.sum()


def table(rng: np.random.Generator, rows: int) -> dict[str, NDArray[Any]]:
    """20 columns: normal, skewed, tied, dependent, with missing values; categories of 2 to 40."""
    z = rng.normal(size=(NUMERIC, rows))
    z[1] = 0.5 * z[0] + np.sqrt(0.75) * z[1]
    z[2] = np.exp(z[2])
    z[3] = np.round(z[3])
    z[4] = np.where(rng.random(rows) < 0.5, 1, -1) * z[5]  # uncorrelated, far from independent
    z[6, rng.random(rows) < 0.05] = np.nan
    z[7] = np.where(rng.random(rows) < 0.7, 0.0, z[7])
    columns: dict[str, NDArray[Any]] = {f"x{i}": z[i] for i in range(NUMERIC)}
    for i, size in enumerate((2, 3, 5, 10, 20, 40)):
        shares = _SHARES[:size] / _SHARES[:size].sum()
        levels = np.minimum(np.searchsorted(np.cumsum(shares), rng.random(rows)), size - 1)
        columns[f"c{i}"] = _LEVELS[levels]
    return columns


def profile(columns: dict[str, NDArray[Any]]) -> TableProfile:
    """Its profile."""
    return TableProfile.from_columns(columns, [name for name in columns if name.startswith("c")])


def undrifted_lives(lives: int, rows: int, reference: int, *, seed: int = 0) -> tuple[int, int]:
    """Lives of 50 batches without drift that have any alarm, and the number of alarms."""
    rng, ever, alarms = np.random.default_rng(seed), 0, 0
    for _ in range(lives):
        before = profile(table(rng, reference))
        count = sum(
            result.drifted
            for j in range(1, 51)
            for result in judge_table(before, profile(table(rng, rows)), j)
        )
        ever, alarms = ever + bool(count), alarms + count
    return ever, alarms


def shifted(columns: dict[str, NDArray[Any]], _rng: np.random.Generator) -> None:
    """0.5 standard deviations in one column."""
    columns["x8"] = columns["x8"] + 0.5


def new_level(columns: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    """A level that was not there before, with 5 % of the rows."""
    columns["c3"] = np.where(rng.random(len(columns["c3"])) < 0.05, "new", columns["c3"])


def gone_missing(columns: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    """Missing values, from none to 10 %."""
    columns["x9"] = np.where(rng.random(len(columns["x9"])) < 0.10, np.nan, columns["x9"])


def turned(columns: dict[str, NDArray[Any]], _rng: np.random.Generator) -> None:
    """A correlation of 0.5 becomes -0.5, the columns themselves unchanged."""
    columns["x1"] = -columns["x1"]


PLANTED: dict[str, tuple[Callable[..., None], set[tuple[str, str]]]] = {
    "0.5 sd in 1 of 20 columns": (shifted, {("numeric", "x8")}),
    "a new category at 5 %": (new_level, {("categorical", "c3")}),
    "missing values 0 to 10 %": (gone_missing, {("missing", "x9")}),
    "correlation 0.5 to -0.5": (turned, {("correlation", "all pairs of columns")}),
}


def detections(
    runs: int, rows: int = 5_000, *, j: int = 50, seed: int = 0
) -> dict[str, tuple[int, int]]:
    """For each planted change the runs that find it, and the runs that blame something else.

    All changes are planted, one at a time, into the same pairs of tables.
    """
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys(PLANTED, (0, 0))
    for _ in range(runs):
        before, now = profile(table(rng, rows)), table(rng, rows)
        for what, (plant, expected) in PLANTED.items():
            changed = dict(now)
            plant(changed, rng)
            drifted = {
                (result.kind, result.column)
                for result in judge_table(before, profile(changed), j)
                if result.drifted
            }
            finds, blames = counts[what]
            counts[what] = finds + (expected <= drifted), blames + bool(drifted - expected)
    return counts


def _river(name: str) -> Any:
    from river import drift

    if name == "DDM":
        return drift.binary.DDM()
    return drift.ADWIN() if name == "ADWIN" else drift.PageHinkley()


def river_alarms(name: str, x: Bools) -> NDArray[np.int64]:
    """First row at which river's detector signals, NEVER without."""
    alarm_rows = np.full(len(x), NEVER)
    for i, stream in enumerate(x):
        detector = _river(name)
        for row, value in enumerate(stream.tolist(), 1):
            detector.update(value)
            if detector.drift_detected:
                alarm_rows[i] = row
                break
    return alarm_rows


def _river_delay(name: str, x: Bools, change: int) -> str:
    """Median rows from the change to the first signal after it, and what came before."""
    after, before = [], 0
    for stream in x:
        detector, early = _river(name), False
        for row, value in enumerate(stream.tolist(), 1):
            detector.update(value)
            if detector.drift_detected:
                if row > change:
                    after.append(row - change)
                    break
                early = True
        before += early
    return f"{np.median(after):,.0f} ({before / len(x):.0%} signalled before)" if after else "none"


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _head(*cells: str) -> None:
    print()
    _row(*cells)
    _row(*["---"] * len(cells))


def concept_drift(streams: int, runs: int) -> None:
    """Tables of false alarms and delays of the sequential test."""
    print(f"# Concept drift: alpha 0.01, 0/1 errors, reference 0.10, tolerance 0.01 ({streams:,})")
    _head("streams of 100,000 stationary rows", "any alarm", "bar")
    _row("reference known", f"{share(known_alarms(streams)):.2%}", "1 %")
    _row("error at the tolerated 0.11", f"{share(known_alarms(streams, rate=0.11)):.2%}", "1 %")
    for rows in (500, 10_000):
        rate = share(estimated_alarms(streams, rows))
        _row(f"reference estimated from {rows:,} rows", f"{rate:.2%}", "1 %")
    for length in (5, 20):
        for known in (True, False):
            outcomes = burst_outcomes(streams, length, known=known)
            rate = share(rows < NEVER for rows in outcomes)
            what = "known" if known else "estimated from 20,000 rows"
            _row(f"bursts of {length} rows, reference {what}", f"{rate:.2%}", "3 %")

    _head("jump to", "at row", "median delay (rows)", "bar")
    for rate, change, bar in (
        (0.20, 10_000, 400),
        (0.20, 50_000, 480),
        (0.20, 500_000, 600),
        (0.13, 10_000, 4_800),
        (0.13, 50_000, 5_200),
        (0.13, 500_000, 8_000),
    ):
        number = runs if change < 500_000 else max(runs // 2, 100)
        rows_after = delays(number, change, rate, after=2_000 if rate == 0.20 else 16_000)
        _row(f"{rate:.2f}", f"{change:,}", f"{median_delay(rows_after):,.0f}", f"{bar:,}")
    for rate, bar in ((0.20, 304), (0.13, 2_704)):
        rows_after = delays(runs, 10_000, rate, tolerance=0.0, after=8_000)
        _row(
            f"{rate:.2f}, tolerance 0",
            "10,000",
            f"{median_delay(rows_after):,.0f}",
            f"ADWIN {bar:,}",
        )
    for reference in (500, 10_000):
        rows_after = delays(runs, 10_000, 0.20, reference=reference, after=20_000)
        what = f"0.20, reference of {reference:,} rows"
        _row(what, "10,000", f"{median_delay(rows_after):,.0f}", "none")
    for length, bar in ((5, 1_000), (20, 2_600)):
        for known in (True, False):
            for more in (False, True):
                rows_after = burst_outcomes(
                    runs, length, after=20_000, more_bursts=more, known=known
                )
                what = "more bursts" if more else "errors between bursts"
                label = f"0.20 by {what} of {length} rows, {'' if known else 'not '}known"
                _row(label, "10,000", f"{median_delay(rows_after):,.0f}", f"{bar:,}")


def peers(streams: int) -> None:
    """Table of river's detectors, when it is there."""
    print("\n# River's detectors at their defaults on the same streams")
    if importlib.util.find_spec("river") is None:
        print("river is not installed: install it in an environment of its own to compare")
    else:
        rng = np.random.default_rng(0)
        quiet = independent(rng, streams, 100_000, 0.10)
        changed = [
            np.concatenate(
                [independent(rng, streams, 10_000, 0.10), independent(rng, streams, 8_000, rate)],
                axis=1,
            )
            for rate in (0.20, 0.13)
        ]
        _head(
            f"detector ({streams} streams)", "any alarm in 100,000 rows", "delay 0.20", "delay 0.13"
        )
        for name in ("DDM", "ADWIN", "Page-Hinkley"):
            rate = float((river_alarms(name, quiet) < NEVER).mean())
            _row(name, f"{rate:.0%}", *(_river_delay(name, x, 10_000) for x in changed))


def data_drift(scale: int) -> None:
    """Tables of false alarms and detections of the judged columns."""
    print("\n# Data drift: 20 columns, alpha 0.05 over the life of a release")
    _head("50 batches without drift", "lives", "lives with an alarm", "bar")
    for rows, reference, lives in ((500, 5_000, 400), (5_000, 5_000, 100), (5_000, 50_000, 100)):
        ever, _ = undrifted_lives(lives // scale, rows, reference)
        label = f"{rows:,} rows against {reference:,}"
        _row(label, lives // scale, f"{ever * scale / lives:.1%}", "5 %")
    _head("planted at 5,000 rows, in the 50th batch", "found", "others blamed", "bar")
    number = 200 // scale
    for what, (hits, others) in detections(number).items():
        _row(what, f"{hits / number:.1%}", f"{others / number:.1%}", "95 %")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the streams")
    parser.add_argument("--river-streams", type=int, default=100)
    options = parser.parse_args()
    scale, begun = 10 if options.quick else 1, time.perf_counter()
    concept_drift(2000 // scale, 1000 // scale)
    peers(max(options.river_streams // scale, 10))
    data_drift(scale)
    print(f"\n{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
