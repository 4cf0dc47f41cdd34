"""A small table that trees can learn and lines cannot, and helpers that read production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ENV = "mine"
#: Three trials: one of them is a boosting model, which is far better on this table.
STRONG = {"training__n_trials": 3, "training__gap_tolerance": 10}


def make_table(rows: int = 1500, seed: int = 0) -> pd.DataFrame:
    """The sign of a product decides the class, and a number shifts it; an integer, a category."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "left": rng.normal(size=rows).round(4),
            "right": rng.normal(size=rows).round(4),
            "shift": rng.normal(size=rows).round(4),
            "visits": rng.integers(0, 1000, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
        }
    )
    score = 2 * np.sign(table["left"] * table["right"]) + 2 * table["shift"]
    table["kind"] = np.where(score + rng.normal(0, 1, rows) > 0, "good", "bad")
    return table


def weak(c: float = 0.01) -> dict[str, Any]:
    """One trial of a linear model with this freedom: better than a constant, easily beaten."""
    freedom = {"low": c / 2, "high": c}
    return {
        "training__n_trials": 1,
        "training__candidates__binary__linear__space__C": freedom,
    }


def set_up(project: Any, env: str = ENV, **values: Any) -> Path:
    """Write a folder of one batch and an environment that learns from it; returns the folder."""
    folder = project.path / "data" / "source" / env
    folder.mkdir()
    make_table().to_csv(folder / "a.csv", index=False)
    settings = {"model_name": env, "source": f"data/source/{env}", "target": "kind"}
    project.configure(env, **settings | values)
    # What these tests do not look at need not be exact, and few trees are soon saved and loaded.
    text = (
        "evaluation: {resamples: 100, importance_repeats: 1}\n"
        "training: {candidates: {binary: {boosting: {space: "
        "{max_iter: {high: 60}, learning_rate: {low: 0.2}}}}}}\n"
    )
    (project.path / "conf" / env / "parameters.yml").write_text(text, encoding="utf-8")
    return folder


def production_of(project: Any, env: str = ENV, **params: Any) -> tuple[Any, Any]:
    """The release store and the registry; MLflow points at the project afterwards."""
    with project.session(env, **params) as session:
        release = session.load_context().catalog.get("release")
    return release.store, release.registry


def challenges_of(model_name: str) -> list[Any]:
    """Every challenge that MLflow knows of a model; it must point at the project."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(f"{model_name}-challenges")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def history_of(store: Any) -> list[tuple[str, str, str | None]]:
    """The ledger as action, version, and what was replaced."""
    return [(entry.action, entry.version, entry.replaced) for entry in store.ledger()]
