"""Falling prices, a file a month: a model that ``kedro ct`` follows by a policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mlops_basics.schemas import MonitoringState
from tests.support.project import Project

ENV = "prices"
PARAMETERS = """
training: {n_trials: 1}
evaluation: {resamples: 100, importance_repeats: 1}
monitoring: {classifier_rows: 0, retrain_on: []}
"""


def month(number: int, rows: int = 60) -> pd.DataFrame:
    """A month's sales: the price falls by a tenth each month, the size decides the rest."""
    rng = np.random.default_rng(number)
    size = rng.uniform(1, 3, rows).round(3)
    price = 1000 * 0.9**number * size * np.exp(0.05 * rng.normal(size=rows))
    return pd.DataFrame({"size": size, "grade": rng.integers(1, 5, rows), "price": price.round(2)})


def source_of(project: Project) -> Path:
    """The folder of the months."""
    return project.path / "data" / "source" / ENV


def arrive(project: Project, number: int, table: pd.DataFrame | None = None) -> None:
    """A month's file arrives."""
    table = month(number) if table is None else table
    table.to_csv(source_of(project) / f"m{number:02d}.csv", index=False)


def ct(project: Project, *options: str) -> tuple[int, str]:
    """Exit code and text of one call."""
    result = project.command("ct", "--env", ENV, *options)
    assert result.exit_code != 1, result.stderr
    return result.exit_code, result.stdout


def state_file(project: Project) -> Path:
    """Where the monitor remembers."""
    return project.path / "data" / ENV / "monitoring" / "state.json"


def state_of(project: Project) -> MonitoringState:
    """What the monitor remembers."""
    return MonitoringState.model_validate_json(state_file(project).read_text(encoding="utf-8"))


def begin(project: Project) -> Project:
    """Six months of falling prices: a first release, and a policy that these months chose."""
    folder = project.path / "data" / "source" / ENV
    folder.mkdir()
    settings = {"model_name": ENV, "source": f"data/source/{ENV}", "target": "price"}
    labels = f"data/source/{ENV}-labels"
    (project.path / labels).mkdir()
    project.configure(ENV, **settings, labels=labels, key_columns=["size", "grade"])
    parameters = project.path / "conf" / ENV / "parameters.yml"
    parameters.write_text(PARAMETERS, encoding="utf-8")
    for number in range(6):
        arrive(project, number)
    assert ct(project)[0] == 3
    code, text = ct(project)
    assert (code, "Switched: version 2 replaces 1" in text) == (3, True)
    return project
