"""One side of the drift benchmark in a process of its own: reads two tables, judges, says its cost.

    python benchmarks/drift_sides.py SIDE FOLDER

Runs in our environment and in those of the peers, so at the top it imports only what all have.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# no peer calls home while it is measured
os.environ.update({"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"})

ALPHA = 0.05
STORE = "store"  # not a side: profiles the reference and writes it, as a release does
Drifted = list[str]


def numeric(table: pd.DataFrame) -> list[str]:
    """Names of the numeric columns."""
    return [str(name) for name in table if str(name).startswith("x")]


def categorical(table: pd.DataFrame) -> list[str]:
    """Names of the categorical columns."""
    return [str(name) for name in table if str(name).startswith("c")]


def _ours(reference: Any, current: pd.DataFrame) -> Drifted:
    from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table

    now = TableProfile.from_columns(current, categorical(current))
    results = judge_table(reference, now, 1)
    return sorted({result.column for result in results if result.drifted})


def stored(folder: Path, current: pd.DataFrame) -> Drifted:
    """Ours as a release does it: the reference's profile is read from its file."""
    from mlops_basics.stats.data_drift.table_drift import TableProfile

    with np.load(folder / "profile.npz") as state:
        reference = TableProfile.from_dict(state)
    return _ours(reference, current)


def scratch(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """Ours with both sides from their rows."""
    from mlops_basics.stats.data_drift.table_drift import TableProfile

    return _ours(TableProfile.from_columns(reference, categorical(reference)), current)


def store(folder: Path) -> None:
    """Profile the reference and write it."""
    from mlops_basics.stats.data_drift.table_drift import TableProfile

    reference = pd.read_parquet(folder / "reference.parquet")
    profile = TableProfile.from_columns(reference, categorical(reference))
    np.savez(folder / "profile.npz", **profile.to_dict())


def scipy(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """SciPy's two tests column by column, each at an equal share of the level."""
    from scipy.stats import chi2_contingency, ks_2samp

    level, drifted = ALPHA / reference.shape[1], []
    for name in numeric(reference):
        before, now = (side[name].to_numpy() for side in (reference, current))
        if ks_2samp(before, now, nan_policy="omit", method="asymp").pvalue < level:
            drifted.append(name)
    for name in categorical(reference):
        counts = pd.DataFrame(
            {"before": reference[name].value_counts(), "now": current[name].value_counts()}
        )
        if chi2_contingency(counts.fillna(0).to_numpy()).pvalue < level:
            drifted.append(name)
    return sorted(drifted)


def sort(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """No test, the scale of the others: numpy's sort of each column, categories as codes."""
    for side in (reference, current):
        for name in side:
            column = side[name]
            np.sort(column.to_numpy() if str(name).startswith("x") else column.cat.codes.to_numpy())
    return []


def _evidently(preset: dict[str, str], reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(
        numerical_columns=numeric(reference), categorical_columns=categorical(reference)
    )
    before, now = (
        Dataset.from_pandas(side, data_definition=definition) for side in (reference, current)
    )
    methods = {
        name: preset.get("numeric" if name in numeric(reference) else "categorical")
        for name in map(str, reference)
    }
    metrics = [ValueDrift(column=name, method=method) for name, method in methods.items()]
    # the metrics alone: the preset's own figures come on top of them
    reports = Report(metrics).run(now, before).dict()["metrics"]
    drifted = []
    for metric in reports:
        config, value = metric["config"], float(metric["value"])
        # a p-value is small, a distance large when there is drift
        p_value = config["method"] in ("ks", "chisquare")
        if value < config["threshold"] if p_value else value >= config["threshold"]:
            drifted.append(config["column"])
    return sorted(drifted)


def evidently_tests(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """Evidently's KS and chi-square tests."""
    return _evidently({"numeric": "ks", "categorical": "chisquare"}, reference, current)


def evidently_default(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """Evidently's choice: Wasserstein distance and Jensen-Shannon divergence."""
    return _evidently({}, reference, current)


def _nannyml(reference: pd.DataFrame, current: pd.DataFrame, **methods: list[str]) -> Drifted:
    import nannyml

    calculator = nannyml.UnivariateDriftCalculator(
        column_names=[*reference],
        treat_as_categorical=categorical(reference),
        chunk_size=len(current),
        **methods,
    )
    calculator.fit(reference)
    begun = time.perf_counter()
    table = calculator.calculate(current).filter(period="analysis").to_df()
    NOTES["calculate alone, wall s"] = time.perf_counter() - begun
    alerts = table.xs("alert", axis=1, level=2).iloc[0]
    return sorted({str(name) for name, _ in alerts[alerts.astype(bool)].index})


def nannyml_tests(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """NannyML's KS (from 10,000 rows on, from a histogram of 10,000 bins) and chi-square."""
    return _nannyml(
        reference,
        current,
        continuous_methods=["kolmogorov_smirnov"],
        categorical_methods=["chi2"],
    )


def nannyml_default(reference: pd.DataFrame, current: pd.DataFrame) -> Drifted:
    """NannyML's choice: Jensen-Shannon distance."""
    return _nannyml(reference, current)


SIDES: dict[str, Callable[..., Drifted]] = {
    "ours, reference stored": stored,
    "ours, from scratch": scratch,
    "scipy": scipy,
    "np.sort": sort,
    "Evidently ks, chisquare": evidently_tests,
    "Evidently defaults": evidently_default,
    "NannyML ks, chi2": nannyml_tests,
    "NannyML defaults": nannyml_default,
}
NOTES: dict[str, float] = {}


def _load(side: Callable[..., Drifted], folder: Path) -> tuple[Any, pd.DataFrame]:
    """Its two inputs; a stored reference is read while the clock runs."""
    tables = [
        pd.read_parquet(folder / f"{name}.parquet")
        for name in ("reference", "current")[side is stored :]
    ]
    if side is sort:
        tables = [t.astype(dict.fromkeys(categorical(t), "category")) for t in tables]
    return (folder if side is stored else tables[0]), tables[-1]


def _status(field: str) -> float:
    """MB of a field of Linux's account of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))


def _forget_peak() -> None:
    """Give back what loading left behind and start the account of the peak anew (Linux)."""
    import pyarrow

    pyarrow.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def run(name: str, folder: Path) -> dict[str, Any]:
    """Cost of one side: seconds, MB above the loaded tables, MB in all, and what drifted."""
    side = SIDES[name]
    _warm(name)
    given = _load(side, folder)
    # not ru_maxrss: a child inherits in it the size of the process that started it
    whole = _status("VmHWM")
    _forget_peak()
    loaded = _status("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    drifted = side(*given)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _status("VmHWM")
    return {
        "wall": wall,
        "cpu": cpu,
        "above": peak - loaded,
        "whole": max(peak, whole),
        "drifted": drifted,
        "notes": NOTES,
    }


def _warm(name: str) -> None:
    """Import what the side needs before its clock and its account begin, with a table of no size.

    The imports of the peers are long; a service pays them once, so they are left out for all.
    """
    rng = np.random.default_rng(0)
    rows = 500
    table = pd.DataFrame(
        {f"x{i}": rng.normal(size=rows) for i in range(2)}
        | {"c0": pd.Series(np.array(["a", "b"], dtype=object)[rng.integers(0, 2, rows)])}
    )
    side = SIDES[name]
    if side is sort:
        return
    side = scratch if side is stored else side
    side(table, table)


if __name__ == "__main__":
    chosen, given = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(store(given) if chosen == STORE else run(chosen, given)))
