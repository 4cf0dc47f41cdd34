"""Days that hang together: what the decision and the monitor make of them, before and after.

    PYTHONPATH=src:. OMP_NUM_THREADS=1 python benchmarks/dependent_days.py [--lives 4000]

Prints a Markdown table: case, before, after, goal. "Before" is the same test with rows, or days,
taken as independent. The functions that make lives and count errors are those that the tests use.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.rate import Rate
from mlops_basics.pipelines.monitoring.concept_drift import in_full_stream
from mlops_basics.stats.concept_drift.blocks import choose_block, run_length
from mlops_basics.stats.concept_drift.sequential import SequentialState, start_monitor, update
from mlops_basics.stats.data_drift.alike import Likeness, group_size, measure_likeness
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from mlops_basics.stats.paired.compare import PairedSums, compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.spending import alpha_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = alpha_at(1)
PERSISTING = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.5, 0.5), (0.8, 0.5))  # autocorrelation, noise
EXPLAINED = 0.2  # of a column's variance, by the day
ROWS_A_DAY, WEEK = 100, 7
ERROR, DAY_ERROR, THINNED = 0.15, 0.046, 5


def days_in_a_row(
    rng: np.random.Generator, days: int, autocorrelation: float, noise: float
) -> Floats:
    """Daily gains of mean 0 and variance 1; all but ``noise`` of it persists. Shape (days,)."""
    steps = rng.standard_normal(days)
    persists = np.empty(days)
    persists[0] = steps[0]
    for day in range(1, days):
        kept = autocorrelation * persists[day - 1]
        persists[day] = kept + np.sqrt(1 - autocorrelation**2) * steps[day]
    gains: Floats = np.sqrt(1 - noise) * persists + np.sqrt(noise) * rng.standard_normal(days)
    return gains


def gate_lives(
    lives: int, days: int, autocorrelation: float, noise: float, seed: int = 0, gain: float = 0.0
) -> tuple[int, int]:
    """Lives in which the challenger passes, days taken as independent and as they are."""
    rng = np.random.default_rng([seed, days, round(10 * autocorrelation), round(10 * noise)])
    before = after = 0
    zero, codes = np.zeros(days), np.arange(days)
    for _ in range(lives):
        d = days_in_a_row(rng, days, autocorrelation, noise) + gain
        alone = compare_losses(PairedSums.from_losses(d, zero), alpha=LEVEL)
        in_order = compare_losses(group_sums(d, zero, codes, in_order=True), alpha=LEVEL)
        before, after = before + alone.significant, after + in_order.significant
    return before, after


def unequal_lives(lives: int, groups: int, common: float, seed: int = 0) -> tuple[int, int]:
    """The same for groups whose sizes follow Pareto's law, with G - 1 degrees of freedom before."""
    rng = np.random.default_rng([seed, groups, round(10 * common)])
    before = after = 0
    for _ in range(lives):
        sizes = np.minimum(np.ceil(2 * (rng.pareto(1.2, groups) + 1)), 600).astype(np.int64)
        codes = np.repeat(np.arange(groups), sizes)
        d = common * rng.standard_normal(groups)[codes] + rng.standard_normal(len(codes))
        sums = group_sums(d, np.zeros(len(d)), codes)
        after += compare_losses(sums, alpha=LEVEL).significant
        as_equal = PairedSums(
            n=groups, gain=sums.gain, m2=sums.m2, m3=sums.m3, scale=sums.scale, unit="groups"
        )
        before += compare_losses(as_equal, alpha=LEVEL).significant
    return before, after


def day_columns(
    rng: np.random.Generator, days: int, explained: float, columns: int = 6
) -> tuple[dict[str, NDArray[np.float64]], Ints]:
    """Columns of which a day explains a part, but of the last one nothing; the day of each row."""
    day = np.repeat(np.arange(days), ROWS_A_DAY)
    n = len(day)
    table: dict[str, NDArray[np.float64]] = {}
    for at in range(columns):
        part = explained if at < columns - 1 else 0.0
        common = rng.standard_normal(days)[day]
        table[f"x{at}"] = np.sqrt(part) * common + np.sqrt(1 - part) * rng.standard_normal(n)
    return table, day


def drift_lives(
    lives: int,
    explained: float,
    *,
    reference_days: int = 60,
    batch_days: int = WEEK,
    batches: int = 50,
    seed: int = 0,
) -> tuple[int, int]:
    """Lives of 50 weekly batches without drift that have any alarm, before and after."""
    rng = np.random.default_rng([seed, round(100 * explained), batch_days])
    before = after = 0
    for _ in range(lives):
        table, day = day_columns(rng, reference_days, explained)
        plain = TableProfile.from_columns(table)
        alike = measure_likeness(table, {}, day, in_order=True)
        reference = TableProfile(columns=plain.columns, joint=plain.joint, alike=alike)
        alarms = [False, False]
        for number in range(1, batches + 1):
            rows, codes = day_columns(rng, batch_days, explained)
            batch = TableProfile.from_columns(rows)
            sizes = Likeness(values={}, missing={}, size=group_size(codes))
            by_day = TableProfile(columns=batch.columns, joint=batch.joint, alike=sizes)
            for at, (one, other) in enumerate(((plain, batch), (reference, by_day))):
                alarms[at] |= any(each.drifted for each in judge_table(one, other, number))
        before, after = before + alarms[0], after + alarms[1]
    return before, after


def drift_found(runs: int, explained: float, shift: float, seed: int = 0) -> tuple[int, int]:
    """Weekly batches in which a shift of the column that days do not explain is found."""
    rng = np.random.default_rng([seed, 99])
    before = after = 0
    for _ in range(runs):
        table, day = day_columns(rng, 60, explained)
        plain = TableProfile.from_columns(table)
        alike = measure_likeness(table, {}, day, in_order=True)
        rows, codes = day_columns(rng, WEEK, explained)
        rows["x5"] = rows["x5"] + shift
        batch = TableProfile.from_columns(rows)
        sizes = Likeness(values={}, missing={}, size=group_size(codes))
        for at, (one, other) in enumerate(
            (
                (plain, batch),
                (
                    TableProfile(columns=plain.columns, joint=plain.joint, alike=alike),
                    TableProfile(columns=batch.columns, joint=batch.joint, alike=sizes),
                ),
            )
        ):
            found = any(
                each.drifted
                for each in judge_table(one, other, 10)
                if each.column == "x5" and each.kind == "numeric"
            )
            before, after = before + (found and not at), after + (found and at == 1)
    return before, after


def errors_by_day(rng: np.random.Generator, days: int, rate: float) -> tuple[Floats, Ints]:
    """0/1 errors, independent but for the rate of their day, and the day of each."""
    day = np.repeat(np.arange(days), ROWS_A_DAY)
    rates = np.clip(rate + DAY_ERROR * rng.standard_normal(days), 0.01, 0.99)
    return (rng.random(len(day)) < rates[day]).astype(np.float64), day


def hash_monitors(
    rng: np.random.Generator, reference_days: int
) -> tuple[SequentialState, SequentialState]:
    """Monitors begun on a fifth of the rows: blocks as they seem in it, and of days."""
    losses, day = errors_by_day(rng, reference_days, ERROR)
    drawn = np.flatnonzero(rng.random(len(losses)) < 1 / THINNED)
    losses, day = losses[drawn], day[drawn]
    choices = choose_block(losses), choose_block(losses, run=run_length(day))
    states = (
        in_full_stream(start_monitor(losses, block=block), losses, THINNED) for block in choices
    )
    first, second = states
    return first, second


def concept_lives(
    streams: int, reference_days: int = 200, batches: int = 100, rise: float = 0.0, seed: int = 0
) -> tuple[list[int], list[float]]:
    """Streams of weekly batches with an alarm, by monitor; and the mean row of the first one."""
    rng = np.random.default_rng([seed, reference_days, round(100 * rise)])
    alarms: list[list[int]] = [[], []]
    for _ in range(streams):
        states = list(hash_monitors(rng, reference_days))
        for _ in range(batches):
            losses, _ = errors_by_day(rng, WEEK, ERROR + rise)
            states = [update(state, losses) for state in states]
        for of_monitor, state in zip(alarms, states, strict=True):
            if state.alarm_row is not None:
                of_monitor.append(state.alarm_row)
    return [len(each) for each in alarms], [float(np.mean(each or [np.nan])) for each in alarms]


def rows(lives: int) -> list[tuple[str, str, str, str]]:
    """All cases: what it is, before, after, goal."""
    table: list[tuple[str, str, str, str]] = []

    def add(case: str, before: float, after: float, number: int, goal: str) -> None:
        table.append(
            (case, str(Rate(before / number, number)), str(Rate(after / number, number)), goal)
        )
        print("| " + " | ".join(table[-1]) + " |", flush=True)

    twice = f"at most {200 * LEVEL:.2f} %"
    for days in (30, 60, 120, 360):
        for autocorrelation, noise in PERSISTING:
            what = f"gate, {days} days, autocorrelation {autocorrelation:g}"
            what += f" of {1 - noise:.0%} of the variance" if noise else ""
            add(what, *gate_lives(lives, days, autocorrelation, noise), lives, twice)
    for days in (30, 60, 120, 360):
        gain = (2.6 + 0.85 + 6 / days) / np.sqrt(days)
        found = gate_lives(max(lives // 4, 1), days, 0.0, 0.0, 1, gain)
        add(f"gate, {days} independent days, a better one found", *found, max(lives // 4, 1), "-")
    for groups, common in ((30, 0.3), (100, 0.0), (100, 0.3)):
        what = f"gate, {groups} groups of Pareto sizes, common effect {common:g}"
        add(what, *unequal_lives(lives, groups, common), lives, twice)
    few = max(lives // 200, 1)
    for explained in (0.2, 0.0):
        what = f"data drift, a day explains {explained:.0%}, 50 weekly batches"
        add(what, *drift_lives(few, explained), few, "at most 5 %")
    what = "data drift, a day explains 20 %, 20 monthly batches"
    add(what, *drift_lives(few, 0.2, batch_days=30, batches=20), few, "at most 5 %")
    some = max(lives // 40, 1)
    found = drift_found(some, 0.2, 0.5)
    add(
        "data drift of a column that days do not explain, by 0.5 sd, found",
        *found,
        some,
        "as before",
    )
    for days in (60, 200):
        alarms, _ = concept_lives(some, days)
        what = f"concept drift, days differ by 4.6 points, a fifth of {days} days"
        add(what, alarms[0], alarms[1], some, "at most 1 %")
    alarms, delays = concept_lives(some, 200, batches=20, rise=0.1)
    add("concept drift by 10 points, found", alarms[0], alarms[1], some, "as before")
    table.append(("  after how many rows", f"{delays[0]:,.0f}", f"{delays[1]:,.0f}", "-"))
    print("| " + " | ".join(table[-1]) + " |", flush=True)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=4_000, help="of the gate; others have fewer")
    begun = time.perf_counter()
    print("| case | before | after | goal |\n| --- | --- | --- | --- |")
    rows(parser.parse_args().lives)
    print(f"\n{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
