"""Days that hang together: what the decision and the monitor make of them, before and after.

    PYTHONPATH=src:. OMP_NUM_THREADS=1 python benchmarks/dependent_days.py

Prints a Markdown table: case, before, now, goal; it is a part of docs/proof.md, too. "Before" is
the same test with rows, or days, taken as independent. The functions that make lives and count
errors are those that the tests use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import bars
from benchmarks.bars import Bar
from benchmarks.proof_page import Paragraph, Part
from benchmarks.rate import Rate
from mlops_basics.pipelines.monitoring.concept_drift import in_bursts, in_full_stream
from mlops_basics.stats.concept_drift.blocks import choose_block, run_length
from mlops_basics.stats.concept_drift.bursts import Bursts, observe
from mlops_basics.stats.concept_drift.sequential import SequentialState, start_monitor, update
from mlops_basics.stats.data_drift.alike import Likeness, group_size, measure_likeness
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = alpha_at(1)
PERSISTING = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.5, 0.5), (0.8, 0.5))  # autocorrelation, noise
EXPLAINED = 0.2  # of a column's variance, by the day
ROWS_A_DAY, WEEK = 100, 7
ERROR, DAY_ERROR, THINNED = 0.15, 0.046, 5
#: Lives of the gate, of the data drift of a release, shifts to be found, streams of errors.
LIVES, RELEASES, SHIFTS, STREAMS = 10_000, 100, 60, 200
FEW_DAYS = 10


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


def few_days_lives(lives: int, days: int = FEW_DAYS, seed: int = 0) -> tuple[int, int]:
    """The same on so few days that their hours were taken as independent before."""
    rng = np.random.default_rng([seed, days])
    before = after = 0
    day, hour = np.repeat(np.arange(days), 24 * 4), np.repeat(np.arange(days * 24), 4)
    for _ in range(lives):
        d = 0.3 * rng.standard_normal(days)[day] + rng.standard_normal(len(day))
        by_hour, by_day = (
            compare_losses(group_sums(d, np.zeros(len(d)), codes, in_order=True), alpha=LEVEL)
            for codes in (hour, day)
        )
        before, after = before + by_hour.significant, after + by_day.significant
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


def errors_by_day(
    rng: np.random.Generator, days: int, rate: float, day_error: float = DAY_ERROR
) -> tuple[Floats, Ints]:
    """0/1 errors, independent but for the rate of their day, and the day of each."""
    day = np.repeat(np.arange(days), ROWS_A_DAY)
    rates = np.clip(rate + day_error * rng.standard_normal(days), 0.01, 0.99)
    return (rng.random(len(day)) < rates[day]).astype(np.float64), day


def hash_monitors(
    rng: np.random.Generator, reference_days: int, day_error: float = DAY_ERROR
) -> tuple[SequentialState, SequentialState]:
    """Monitors begun on a fifth of the rows: blocks as they seem in it, and of days."""
    losses, day = errors_by_day(rng, reference_days, ERROR, day_error)
    drawn = np.flatnonzero(rng.random(len(losses)) < 1 / THINNED)
    losses, day = losses[drawn], day[drawn]
    choices = choose_block(losses), choose_block(losses, run=run_length(day))
    states = (
        in_full_stream(start_monitor(losses, block=block), losses, THINNED) for block in choices
    )
    first, second = states
    return first, second


def concept_lives(
    streams: int,
    reference_days: int = 200,
    batches: int = 100,
    rise: float = 0.0,
    seed: int = 0,
    day_error: float = DAY_ERROR,
) -> tuple[list[int], list[float]]:
    """Streams of weekly batches with an alarm, by monitor; and the mean row of the first one.

    The monitors: in blocks that the reference shows; in blocks that it or the batches so far show;
    and the same where a column names the days.
    """
    rng = np.random.default_rng(
        [seed, reference_days, round(100 * rise), round(1_000 * (day_error - DAY_ERROR)) % 1_000]
    )
    alarms: list[list[int]] = [[], [], []]
    for _ in range(streams):
        unnamed, named = hash_monitors(rng, reference_days, day_error)
        states, bursts = [unnamed, unnamed, named], Bursts()
        for _ in range(batches):
            losses, _ = errors_by_day(rng, WEEK, ERROR + rise, day_error)
            states[1:] = [in_bursts(state, bursts) for state in states[1:]]
            states = [update(state, losses) for state in states]
            bursts = observe(bursts, losses)
        for of_monitor, state in zip(alarms, states, strict=True):
            if state.alarm_row is not None:
                of_monitor.append(state.alarm_row)
    return [len(each) for each in alarms], [float(np.mean(each or [np.nan])) for each in alarms]


def rows() -> Iterator[Bar]:
    """All cases."""

    def bar(case: str, counts: Sequence[int], lives: int, goal: float | None) -> Bar:
        before, now = (Rate(count / lives, lives) for count in counts)
        return Bar(case, before, now, goal)

    twice = 2 * LEVEL
    yield bar(f"gate, {FEW_DAYS} days", few_days_lives(LIVES), LIVES, twice)
    for days in (30, 60, 120, 360):
        for autocorrelation, noise in PERSISTING:
            what = f"gate, {days} days, autocorrelation {autocorrelation:g}"
            what += f" of {1 - noise:.0%} of the variance" if noise else ""
            yield bar(what, gate_lives(LIVES, days, autocorrelation, noise), LIVES, twice)
    for groups, common in ((30, 0.3), (100, 0.0), (100, 0.3)):
        what = f"gate, {groups} groups of Pareto sizes, common effect {common:g}"
        yield bar(what, unequal_lives(LIVES, groups, common), LIVES, twice)
    for days in (30, 60, 120, 360):
        gain = (2.6 + 0.85 + 6 / days) / np.sqrt(days)
        found = gate_lives(LIVES, days, 0.0, 0.0, 1, gain)
        yield bar(f"gate, {days} independent days, a better one found", found, LIVES, None)
    for explained in (EXPLAINED, 0.0):
        what = f"data drift, a day explains {explained:.0%}, 50 weekly batches"
        yield bar(what, drift_lives(RELEASES, explained), RELEASES, 0.05)
    monthly = drift_lives(RELEASES, EXPLAINED, batch_days=30, batches=20)
    what = f"data drift, a day explains {EXPLAINED:.0%}, 20 monthly batches"
    yield bar(what, monthly, RELEASES, 0.05)
    what = "data drift of a column that days do not explain, by 0.5 sd, found"
    yield bar(what, drift_found(SHIFTS, EXPLAINED, 0.5), SHIFTS, None)
    for days in (60, 200):
        for day_error in (DAY_ERROR, 0.08):
            (before, now, named), _ = concept_lives(STREAMS, days, day_error=day_error)
            what = (
                f"concept drift, a fifth of {days} days that differ by {100 * day_error:g} points"
            )
            yield bar(what, (before, now), STREAMS, None)
            yield bar(f"{what}; `group_by` names them", (before, named), STREAMS, 0.01)
    (before, now, _), rows_until = concept_lives(SHIFTS, 200, batches=20, rise=0.1)
    first, then, _ = (f"{each:,.0f}" for each in rows_until)
    what = f"concept drift by 10 points, found (after {first} rows before, {then} now)"
    yield bar(what, (before, now), SHIFTS, None)


def part(found: Sequence[Bar]) -> Part:
    """The section of the page."""
    return Part(
        "Days that hang together, in the decision and in the monitor",
        (
            bars.table("Chance of a needless promotion, or of any false alarm", found),
            Paragraph(
                "What it means. Before: rows, or days, are taken as independent (on ten days: "
                "hours). The gate's lines are one challenge by an equally good challenger at "
                f"{100 * LEVEL:.2f} %; days whose gains persist are worth fewer, and on fewer than "
                "20 days nothing is compared. The price is power: the better challenger of the "
                "lines below would be found in 80 % by a test that knew its days to be "
                "independent. A first release replaces nothing: there days count as independent, "
                "so that its error is that of the column before."
            ),
            Paragraph(
                "Data drift: six columns, of five of which the day explains a fifth; an alarm of "
                "any of them in the whole life of the release counts. Concept drift: a split by "
                "hash whose test rows are a fifth of those of so many days, which err by 15 % in "
                "the mean. Before, blocks were as long as the bursts that the test rows show, "
                "which the hash hides; now the batches show them, too. That takes some batches: "
                "where days differ much, nothing names them and test rows are few, an alarm in the "
                "first weeks may be more frequent than the promised 1 %, more so where days hold "
                "several hundred rows or batches are single days, which is not in the table; the "
                "alarm says what it rests on. With a column that names the days (`group_by`) the "
                "promise holds here."
            ),
            Paragraph(
                f"{LIVES:,} lives of the gate, {RELEASES} of a release's data drift, {STREAMS} "
                "streams of 100 weekly batches of 700 rows; `python benchmarks/dependent_days.py`."
            ),
        ),
    )


def main() -> None:
    """Print the table."""
    begun = time.perf_counter()
    for line in (bars.HEAD, ("---",) * len(bars.HEAD), *(bar.cells for bar in rows())):
        print("| " + " | ".join(line) + " |", flush=True)
    print(f"\n{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
