"""A release that was watched: batches, verdict and state as the pipeline would make them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mlops_basics.schemas import (
    Attempt,
    BatchResult,
    ConceptResult,
    LabelCount,
    MonitoringState,
    Verdict,
    Watch,
    WatchedBatch,
)
from mlops_basics.stats.concept_drift.sequential import conclude, start_monitor, update
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from mlops_basics.stats.intervals.metrics import share

ORIGINS = np.array(["JFK", "LGA", "EWR"])


@dataclasses.dataclass
class Monitored:
    """What one look gave, and what the page is made of."""

    verdict: Verdict
    state: MonitoringState
    profiles: dict[str, TableProfile]
    reference: TableProfile

    @property
    def watch(self) -> Watch:
        """Of the release in production."""
        return self.state.watches[self.verdict.version]

    @property
    def page_arguments(self) -> tuple[Any, ...]:
        """Arguments of ``write_monitoring_page``."""
        return self.verdict, self.state, self.profiles, self.reference


def make_profile(rng: np.random.Generator, rows: int, month: int = 0) -> TableProfile:
    """Flights; from month 7 on the delay rises, an airport comes up, distances go missing."""
    late = month >= 7
    delay = rng.gamma(2.0, 12.0 + 6 * late, rows) - 10
    distance = rng.normal(1000, 300, rows)
    distance[rng.random(rows) < (0.1 if late else 0.01)] = np.nan
    origin = rng.choice(ORIGINS, rows, p=[0.4, 0.3, 0.3]).astype(object)
    origin[rng.random(rows) < 0.06 * late] = "SWF"
    columns: dict[str, Any] = {
        "dep_delay": delay,
        "distance": distance,
        "hour": rng.integers(5, 24, rows).astype(float),
        "origin": origin,
        "carrier": np.array([f"C{i}" for i in rng.geometric(0.15, rows).clip(1, 25)], dtype=object),
    }
    columns |= {f"weather_{i}": rng.normal(0, 1, rows) for i in range(3)}
    return TableProfile.from_columns(columns, categorical=["origin", "carrier"])


def make_monitored(batches: int = 12, rows: int = 2_000, labelled: int = 9) -> Monitored:
    """A year of months, the last ones still without labels.

    Args:
        batches: Used batches; one more is quarantined.
        rows: Of a batch.
        labelled: The first so many batches have labels; their error doubles from the 7th on.
    """
    rng = np.random.default_rng(3)
    reference = make_profile(rng, 5_000)
    losses = (rng.random(4_000) < 0.1).astype(float)
    state = start_monitor(losses)
    records, verdicts, profiles = [], [], {}
    for number in range(1, batches + 1):
        name, profile = f"flights_2013_{number:02}.csv", make_profile(rng, rows, number)
        results = judge_table(reference, profile, number)
        effects: dict[str, float] = {}
        for result in results:
            ratio = result.lower / result.threshold
            effects[result.column] = max(ratio, effects.get(result.column, ratio))
        labels: dict[str, Any] = {"labels": LabelCount(rows=rows, labelled=0)}
        if number <= labelled:
            wrong = (rng.random(rows) < (0.2 if number >= 7 else 0.1)).astype(float)
            before, state = state, update(state, wrong)
            interval = share(int(wrong.sum()), rows)
            labels = {
                "labels": LabelCount(rows=rows, labelled=rows),
                "entered": True,
                "error": interval.value,
                "error_low": interval.low,
                "error_high": interval.high,
                "alarm": before.alarm_row is None and state.alarm_row is not None,
            }
        record = WatchedBatch(
            name=name,
            sha256=f"{number:064}",
            outcome="used",
            seen_by=f"run{min(number, batches - 2):02}",
            number=number,
            rows=rows,
            drifted=tuple(dict.fromkeys(r.column for r in results if r.drifted)),
            effects=effects,
            expected_error=float(0.1 + rng.normal(0, 0.004)),
            **labels,
        )
        records.append(record)
        if number > batches - 3:
            verdicts.append(BatchResult(batch=record, columns=tuple(results)))
            profiles[name] = profile
    broken = WatchedBatch(
        name="flights_broken.csv",
        sha256="f" * 64,
        outcome="quarantined",
        reason="The file lacks the column 'origin'. Write it again.",
        seen_by="run05",
        rows=17,
        skip=True,
    )
    records.insert(5, broken)
    conclusion = conclude(state, horizon=8_000)
    watch = Watch(
        version="2",
        loss="error",
        sequential=state.to_dict(),
        batches=tuple(records),
        attempts=(
            Attempt(
                run_id="retrain_a",
                evidence=("data_drift: distance",),
                batches=7,
                labelled_batches=6,
                promoted=False,
                outcome="kept",
            ),
        ),
    )
    first = Watch(
        version="1",
        loss="error",
        sequential={},
        batches=(
            records[0].model_copy(update={"alarm": True, "name": "old.csv", "seen_by": "old_run"}),
        ),
        attempts=(
            Attempt(
                run_id="old_retrain",
                evidence=("concept_drift",),
                batches=1,
                labelled_batches=1,
                promoted=True,
                outcome="promoted",
            ),
        ),
    )
    observed = [each for each in records if each.entered]
    concept = ConceptResult(
        status="drift" if conclusion.alarm else "no_drift",
        loss="error",
        rows=rows * len(observed),
        reference_rows=len(losses),
        reference=float(losses.mean()),
        reference_upper=conclusion.reference,
        tolerated=conclusion.mean,
        tolerance=conclusion.tolerance,
        observed=float(np.mean([each.error or 0 for each in observed])) if observed else None,
        wealth=max(conclusion.log_peak / conclusion.log_threshold, 0.0),
        block=1,
        alpha=conclusion.alpha,
        alarm_row=conclusion.alarm_row,
        smallest=conclusion.smallest,
        horizon=conclusion.horizon,
        reason=conclusion.reason,
    )
    drifted = sorted({name for each in verdicts for name in each.batch.drifted})
    verdict = Verdict(
        model_name="flights",
        version="2",
        run_id=f"run{batches - 2:02}",
        retrain=True,
        outcome="retrain",
        evidence=("concept_drift", *(f"data_drift: {name}" for name in drifted)),
        reasons=(
            f"Concept drift: {conclusion.reason}.",
            *(f"Data drift: {name} has changed by more than what matters." for name in drifted),
        ),
        concept=concept,
        batches=tuple(verdicts),
        labelled_rows=rows * len(observed),
        skip=("flights_broken.csv",),
        warnings=("flights_broken.csv: The file lacks the column 'origin'. Write it again.",),
    )
    return Monitored(
        verdict,
        MonitoringState(revision=12, watches={"1": first, "2": watch}),
        profiles,
        reference,
    )
