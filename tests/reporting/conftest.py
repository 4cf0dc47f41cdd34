"""Results of a run, small and with names as hostile as a table may hold them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.reporting.figures import classification
from mlops_basics.reporting.figures.importance import importance_figure
from mlops_basics.reporting.figures.search import search_figure
from mlops_basics.reporting.pages.run_report import RunResult
from mlops_basics.schemas import (
    BatchRecord,
    CollectionReport,
    Estimate,
    Metrics,
    RefitReport,
    SearchReport,
    SplitReport,
    TableInfo,
)
from tests.support.artifacts import HOSTILE, make_metrics, make_overfit_check, make_trials
from tests.support.monitored import Monitored, make_monitored


def some_metrics(rows: int) -> Metrics:
    """One metric that is defined, one that is not, one that is NaN."""
    return make_metrics(
        rows,
        accuracy=Estimate(value=0.9, low=0.8, high=0.95, greater_is_better=True),
        roc_auc=Estimate(value=None, greater_is_better=True, note=HOSTILE[0]),
        log_loss=float("nan"),
    )


@pytest.fixture
def run_result() -> RunResult:
    """A run of three classes; every text that data can choose is hostile."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 60)
    probabilities = rng.dirichlet([1, 1, 1], 60)
    counts = pd.DataFrame(np.arange(9).reshape(3, 3), columns=list(HOSTILE))
    counts.insert(0, "actual", list(HOSTILE))
    importance = pd.DataFrame(
        {"feature": HOSTILE, "rise": [0.3, 0.2, 0.1], "spread": 0.01, "rows": 9}
    )
    return RunResult(
        model_name=HOSTILE[0],
        collection=CollectionReport(
            batches=(BatchRecord(name=HOSTILE[1], sha256="0123456789abcdef" * 4, rows=60),),
            rows_in_source=80,
            rows=60,
            columns=4,
            warnings=(f"collection {HOSTILE[0]}",),
        ),
        table=TableInfo(
            task="multiclass",
            target=HOSTILE[1],
            classes=HOSTILE,
            features=HOSTILE,
            numeric=HOSTILE[:1],
            key_columns=HOSTILE,
            rows=60,
            duplicate_rows=2,
            missing_target_rows=1,
            dropped_columns={HOSTILE[0]: "constant"},
            warnings=("table warning",),
        ),
        split=SplitReport(
            method="time",
            rows={"train": 40, "valid": 10, "test": 10},
            boundaries={"test": "2024-02-01T00:00:00"},
            class_shares={"train": {HOSTILE[0]: 0.25, HOSTILE[1]: 0.75}},
            warnings=("split warning",),
        ),
        search=SearchReport(
            best_candidate=HOSTILE[0],
            best_params={"depth": 3, "name": HOSTILE[1]},
            best_valid_loss=0.1,
            loss="log_loss",
            trials_requested=20,
            trials_run=6,
            stopped_early="time limit after 6 of 20 trials",
        ),
        refit=RefitReport(rule="train_valid", rows=50),
        overfit=make_overfit_check(
            gap=0.3,
            low=0.26,
            high=0.4,
            train_loss=0.1,
            valid_loss=0.4,
            baseline_loss=1.0,
            overfitted=True,
            reason="The gap is too large.",
        ),
        metrics={"train": some_metrics(40), "valid": some_metrics(10), "test": some_metrics(11)},
        figures={
            "Mistakes": classification.confusion_figure(counts),
            HOSTILE[0]: classification.ranking_figure(y, probabilities, HOSTILE),
            "Calibration": classification.calibration_figure(y, probabilities, HOSTILE),
            "Importance": importance_figure(importance, "log_loss"),
            "Search": search_figure(make_trials(), "log_loss"),
        },
    )


@pytest.fixture(scope="module")
def monitored() -> Monitored:
    """A year that drifts from the 7th month on."""
    return make_monitored()
