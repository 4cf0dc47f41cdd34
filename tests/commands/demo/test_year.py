"""Tests of the demo that need no run; tests/integration/test_demo.py simulates months."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_basics.commands.demo.figures import KEPT_UP
from mlops_basics.commands.demo.rivals import NEVER
from mlops_basics.commands.demo.year import FOLDER, KNOWN_LATER, _gain, run_demo
from mlops_basics.errors import ConfigurationError
from tests.support.project import ROOT


@pytest.mark.parametrize(
    ("months", "rows", "named"), [(3, None, "--months"), (13, None, "--months"), (12, 50, "--rows")]
)
def test_impossible_numbers_are_refused_before_anything_is_removed(
    tmp_path: Path, months: int, rows: int | None, named: str
) -> None:
    """A mistyped option does not delete an earlier demo's folder."""
    (tmp_path / FOLDER).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=named):
        run_demo(tmp_path, months, rows)
    assert (tmp_path / FOLDER).is_dir()


def test_what_no_demo_has_left_is_not_removed(tmp_path: Path) -> None:
    """The data of a model that is called demo lie in the same folder."""
    release = tmp_path / FOLDER / "models" / "recipe.json"
    release.parent.mkdir(parents=True)
    release.touch()
    (tmp_path / FOLDER / "demo.html").touch()
    with pytest.raises(ConfigurationError, match="holds models, which no demo has left"):
        run_demo(tmp_path, 4, 200)
    assert release.is_file()
    assert (tmp_path / FOLDER / "demo.html").is_file()


def test_everything_of_the_environment_is_inside_the_demos_folder() -> None:
    """A demo first removes all that an earlier demo made, and nothing else."""
    folder = ROOT / "conf" / "demo"
    options = yaml.safe_load((folder / "globals.yml").read_text(encoding="utf-8"))
    for name in ("source", "labels", "storage", "production"):
        assert Path(options[name]).is_relative_to(FOLDER)
    mlflow = yaml.safe_load((folder / "mlflow.yml").read_text(encoding="utf-8"))
    places = (
        mlflow["server"]["mlflow_tracking_uri"],
        mlflow["tracking"]["experiment"]["create_experiment_kwargs"]["artifact_location"],
    )
    assert all(f"${{in_project:{FOLDER.as_posix()}/mlflow/" in place for place in places)
    assert set(KNOWN_LATER) <= set(options["exclude"])


def make_rows(days: int, flights: int, rng: np.random.Generator, storms: float) -> pd.DataFrame:
    """Losses of two equally good models; a storm moves a day's flights together."""
    day = np.repeat(np.arange(days), flights)
    storm = np.repeat(rng.normal(0, storms, days), flights)
    first = rng.normal(0.5, 0.1, len(day)) + storm
    kept = rng.normal(0.5, 0.1, len(day))
    values = {f"error, {NEVER}": first, f"error, {KEPT_UP}": kept}
    return pd.DataFrame({"day": day, **values}).assign(**_log_losses(first, kept))


def _log_losses(first: Any, kept: Any) -> dict[str, Any]:
    """That tell one model from another; here the errors themselves."""
    return {f"log_loss, {NEVER}": first, f"log_loss, {KEPT_UP}": kept}


def test_gain_is_the_difference_of_the_means() -> None:
    """The gain is the difference of the mean losses for days of any size."""
    rows = make_rows(20, 10, np.random.default_rng(0), 0.1).sample(150, random_state=0)
    gain = _gain(rows, "error", NEVER)
    means = rows[[f"error, {NEVER}", f"error, {KEPT_UP}"]].mean()
    assert [gain.rival, gain.kept] == pytest.approx(means.tolist())
    assert gain.gain == pytest.approx(gain.rival - gain.kept)
    assert gain.low < gain.gain < gain.high
    assert not gain.same


@pytest.mark.slow
@pytest.mark.parametrize("storms", [0.0, 0.2])
def test_interval_covers_also_where_days_err_together(storms: float) -> None:
    """95 % of the intervals contain the true gain, 0; with independent flights fewer would."""
    rng = np.random.default_rng(1)
    covered, naive = 0, 0
    for _ in range(400):
        rows = make_rows(30, 40, rng, storms)
        gain = _gain(rows, "error", NEVER)
        covered += gain.low <= 0 <= gain.high
        d = rows[f"error, {NEVER}"] - rows[f"error, {KEPT_UP}"]
        naive += abs(d.mean()) <= 1.96 * d.std() / np.sqrt(len(d))
    assert covered / 400 == pytest.approx(0.95, abs=0.035)
    if storms:
        assert naive / 400 < 0.6


def test_of_few_days_nothing_is_certain() -> None:
    """A few days do not give an interval of width zero."""
    gain = _gain(make_rows(15, 10, np.random.default_rng(3), 0.1), "error", NEVER)
    assert gain.low < -1e9
    assert gain.high > 1e9


def test_one_model_has_no_gain() -> None:
    """The same model on both sides: no difference, no interval."""
    rows = make_rows(5, 10, np.random.default_rng(2), 0.1)
    first = rows[f"error, {NEVER}"]
    gain = _gain(
        rows.assign(**{f"error, {KEPT_UP}": first}, **_log_losses(first, first)), "error", NEVER
    )
    assert (gain.gain, gain.low, gain.high, gain.same) == (0, 0, 0, True)


def test_models_that_are_equally_often_wrong_are_still_two() -> None:
    """Other probabilities without another class are no difference in error, and no single model."""
    rows = make_rows(20, 10, np.random.default_rng(2), 0.1)
    gain = _gain(rows.assign(**{f"error, {KEPT_UP}": rows[f"error, {NEVER}"]}), "error", NEVER)
    assert (gain.gain, gain.low, gain.high, gain.same) == (0, 0, 0, False)
