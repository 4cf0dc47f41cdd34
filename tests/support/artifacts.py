"""Small artifacts as a run writes them; each builder takes what its test is about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import (
    Challenge,
    ClassCount,
    Code,
    Constant,
    DataVersion,
    Decision,
    Estimate,
    Manifest,
    Metrics,
    OverfitCheck,
    Recipe,
    RefitReport,
    RunContext,
    TableInfo,
)
from mlops_basics.stats.paired.guards import Guard

#: Markup, an end of a script, quotes, and a name longer than any page wants.
HOSTILE = ("<script>alert(1)</script>", '"quo\'te" & <b>x</b>', "x" * 10_000)
LOSSES = ("log_loss", "brier", "rmse", "mae")


def make_overfit_check(**changes: Any) -> OverfitCheck:
    """A check that shows no overfitting."""
    fields = {
        "gap": 0.0,
        "low": -0.1,
        "high": 0.1,
        "confidence": 0.95,
        "tolerance": 0.25,
        "train_loss": 0.3,
        "valid_loss": 0.3,
        "baseline_loss": 0.7,
        "overfitted": False,
        "reason": "No overfitting is shown.",
    }
    return OverfitCheck.model_validate(fields | changes)


def make_recipe(**changes: Any) -> Recipe:
    """A logistic regression."""
    fields = {
        "task": "binary",
        "candidate": "linear",
        "class_path": "sklearn.linear_model.LogisticRegression",
        "dense": True,
        "parameters": {"C": 0.5, "random_state": 0},
        "vectorizer": {},
        "seed": 0,
    }
    return Recipe.model_validate(fields | changes)


#: What is judged is what is released.
REFIT = RefitReport(rule="train_valid", rows=120)


def make_manifest(run_id: str | None = None, **parameters: Any) -> Manifest:
    """A manifest with a table that was read, one that was kept and a text that was written."""
    version = {"version": "V1", "sha256": "0" * 64}
    return Manifest(
        run_id="V1",
        mlflow_run_id=run_id,
        env="local",
        model_name="m",
        pipelines=("__default__",),
        code=Code(git_commit="abc", git_dirty=True, lock_sha256="def", python="3.11", libraries={}),
        parameters=parameters,
        datasets={
            "train": DataVersion(**version, path="t", rows=3, access="read"),
            "old": DataVersion(**version, path="o", rows=3, access="kept"),
            "report": DataVersion(**version, path="r", access="written"),
        },
    )


def make_run_context(**changes: Any) -> RunContext:
    """A run of clean code on a version of its own."""
    fields = {
        "run_id": "2026-01-02T03.04.05.678Z",
        "mlflow_run_id": "a" * 32,
        "env": "local",
        "model_name": "m",
        "code": Code(
            git_commit="0123456789abcdef",
            git_dirty=False,
            lock_sha256=None,
            python="3.11",
            libraries={},
        ),
        "data_versions": {"raw_data": "2026-01-01T00.00.00.000Z"},
    }
    return RunContext.model_validate(fields | changes)


def make_table_info(**changes: Any) -> TableInfo:
    """A table of one feature ``x``, which is also its key, and the target ``y``: a regression."""
    columns: dict[str, Any] = {"features": ("x",), "numeric": ("x",), "key_columns": ("x",)}
    counts = {"rows": 10, "duplicate_rows": 0, "missing_target_rows": 0, "dropped_columns": {}}
    regression: dict[str, Any] = {"task": "regression", "target": "y", "classes": ()}
    return TableInfo(**{**regression, **columns, **counts, **changes})


def make_metrics(rows: int = 100, **values: float | Estimate | None) -> Metrics:
    """Metrics by name: estimates, or values without limits (None: not defined)."""
    metrics = {
        name: value
        if isinstance(value, Estimate)
        else Estimate(value=value, greater_is_better=name not in LOSSES)
        for name, value in values.items()
    }
    return Metrics(rows=rows, confidence=0.95, metrics=metrics)


def make_compared(rows: int = 786, rare: int = 151, found: int = 7) -> Metrics:
    """A classifier that says "no" to nearly all, as the constant does."""
    metrics = make_metrics(
        rows,
        accuracy=Estimate(value=0.815, low=0.786, high=0.841, greater_is_better=True),
        log_loss=0.45,
    )
    common = rows - rare
    return metrics.model_copy(
        update={
            "constant": Constant(prediction="no", metrics={"accuracy": 0.808, "log_loss": 0.489}),
            "classes": (
                ClassCount(name="no", rows=common, predicted=rows - 9, found=common - 2),
                ClassCount(name="yes", rows=rare, predicted=9, found=found),
            ),
        }
    )


def make_challenge(
    champion_version: str = "none", number: int = 0, challenge_id: str = "", repeated: bool = False
) -> Challenge:
    """The number-th challenge of a champion; 0: it was not tested."""
    return Challenge(
        champion_version=champion_version,
        number=number,
        challenge_id=challenge_id,
        repeated=repeated,
        mlflow_run_id=None,
    )


def make_decision(champion_version: str = "none", number: int = 0, **changes: Any) -> Decision:
    """A first release by log loss; with a champion, a promotion over it."""
    fields = {
        "promote": True,
        "outcome": "first_release" if champion_version == "none" else "promoted",
        "reasons": ("It is shown to be better.",),
        "champion_version": champion_version,
        "challenge": make_challenge(champion_version, number),
        "metric": "log_loss",
        "unit": "nats",
        "rows": 1234,
        "which_rows": "test rows",
        "total_alpha": 0.05,
        "rule": "superiority",
        "min_gain": 0.0,
    }
    return Decision.model_validate(fields | changes)


def make_guard(metric: str, *, shown_worse: bool = False, **changes: Any) -> Guard:
    """A guard whose effect could not be measured, unless the test says otherwise."""
    fields = {
        "metric": metric,
        "effect": None,
        "low": None,
        "high": None,
        "p_worse": 0.01 if shown_worse else 1.0,
        "shown_worse": shown_worse,
        "reason": "",
    }
    return Guard(**fields | changes)


def make_trials(rows: int = 6) -> pd.DataFrame:
    """The table of a search, its candidates and parameters hostile."""
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "trial": np.arange(rows),
            "candidate": [HOSTILE[i % 3] for i in range(rows)],
            "valid_loss": rng.uniform(0.1, 0.4, rows),
            "train_loss": 0.1,
            "gap": 0.05,
            "gap_low": 0.01,
            "overfitted": np.arange(rows) % 3 == 2,
            "params": f"depth=3, {HOSTILE[0]}",
        }
    )
