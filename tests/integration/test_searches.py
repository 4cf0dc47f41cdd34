"""How often ``kedro ct`` searches for a new recipe: once for each thing that has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_basics.schemas import MonitoringState
from mlops_basics.schemas.policy import NEW_RECIPE
from mlops_basics.stats.prequential.evidence import Evidence
from tests.support.project import Project

pytestmark = pytest.mark.slow

ENV = "weights"
ROWS = 150
PARAMETERS = """
training: {n_trials: 1}
evaluation: {resamples: 100, importance_repeats: 1}
monitoring: {classifier_rows: 0, min_rows: 100, cool_down: 1}
"""


def month(number: int, *, turned: bool = False, rows: int = ROWS) -> pd.DataFrame:
    """A month's parcels: the longer, the heavier; or, when something is wrong, the lighter."""
    rng = np.random.default_rng(number)
    length = rng.uniform(1, 3, rows).round(4)
    weight = 5 * (4 - length if turned else length) + 0.3 * rng.normal(size=rows)
    return pd.DataFrame(
        {"length": length, "floor": rng.integers(1, 5, rows), "weight": weight.round(3)}
    )


def arrive(project: Project, number: int, *, turned: bool = False) -> tuple[int, str]:
    """A month's file arrives, and is looked at: exit code and text."""
    file = project.path / "data" / "source" / ENV / f"m{number:02d}.csv"
    month(number, turned=turned).to_csv(file, index=False)
    result = project.command("ct", "--env", ENV)
    assert result.exit_code != 1, result.stderr
    return result.exit_code, result.stdout


def state_of(project: Project) -> MonitoringState:
    """What the monitor remembers."""
    file: Path = project.path / "data" / ENV / "monitoring" / "state.json"
    return MonitoringState.model_validate_json(file.read_text(encoding="utf-8"))


def searches(project: Project) -> list[str]:
    """The last batch that each search knew, of all watches."""
    return [
        next(batch.name for batch in watch.batches if batch.number == attempt.batches)
        for watch in state_of(project).watches.values()
        for attempt in watch.attempts
    ]


def test_each_change_leads_to_one_search(shared_project) -> None:
    """Normal batches after a bad one are no new evidence, whatever is refreshed meanwhile."""
    project = shared_project
    folder = project.path / "data" / "source" / ENV
    folder.mkdir()
    project.configure(
        ENV, model_name=ENV, source=f"data/source/{ENV}", target="weight", key_columns=["length"]
    )
    (project.path / "conf" / ENV / "parameters.yml").write_text(PARAMETERS, encoding="utf-8")
    for number in range(3):
        month(number).to_csv(folder / f"m{number:02d}.csv", index=False)
    assert project.command("ct", "--env", ENV).exit_code == 3
    assert arrive(project, 3)[0] in (0, 3)
    assert searches(project) == []
    code, text = arrive(project, 4, turned=True)
    assert searches(project) == ["m04.csv"]
    assert code in (3, 4)
    assert "Concept drift" in text
    for number in range(5, 9):
        arrive(project, number)
    assert searches(project) == ["m04.csv"]
    # A large batch: what its search leaves over speaks at once for or against what it has found.
    file = project.path / "conf" / ENV / "parameters.yml"
    file.write_text(PARAMETERS.replace("n_trials: 1", "n_trials: 3, seed: 5"), encoding="utf-8")
    month(9, turned=True, rows=1_500).to_csv(folder / "m09.csv", index=False)
    result = project.command("ct", "--env", ENV)
    assert result.exit_code in (3, 4), result.stderr
    policy = state_of(project).policy
    assert policy.challenger is not None
    assert Evidence.from_dict(policy.evidence).alternatives[NEW_RECIPE].starts == 1
