"""Batches are scored with the release in production, independent of the training folders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.commands.serve import serve
from mlops_basics.production.scoring_server import MODEL
from mlops_basics.schemas import BATCH_COLUMN
from tests.support.project import lines_of_error
from tests.support.small_table import ENV, STRONG, make_table, production_of, set_up, weak

pytestmark = pytest.mark.slow

PROBABILITIES = ["probability_bad", "probability_good"]


@pytest.fixture(scope="module")
def project(shared_project):
    """A project with release 1, and a newer, better model that was not published."""
    set_up(shared_project, inference_source="data/source/new")
    shared_project.run(env=ENV, **weak())
    shared_project.run("model_training", env=ENV, **STRONG)
    return shared_project


def batches(folder, **tables: pd.DataFrame) -> None:
    """Write these batches, and no others, into a folder."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def unlabelled(rows: int, seed: int) -> pd.DataFrame:
    """A batch whose labels are not known yet."""
    return make_table(rows, seed).drop(columns="kind")


@pytest.fixture
def source(project):
    """The folder that is scored."""
    return project.path / "data" / "source" / "new"


def test_a_folder_of_batches_is_scored_by_the_release(project, source):
    """Every row of every batch, by the published model and not by the newer one."""
    one, two = unlabelled(30, 2), unlabelled(20, 3)
    batches(source, one=one, two=two)
    project.run("batch_inference", env=ENV)
    found = project.load("predictions", env=ENV)
    assert list(found[BATCH_COLUMN]) == ["one.csv"] * 30 + ["two.csv"] * 20
    assert list(found["row"]) == [*range(1, 31), *range(1, 21)]
    assert set(found["model_version"]) == {"1"}
    assert found["prediction_id"].is_unique
    release = production_of(project)[0].load()
    features = pd.concat([one, two], ignore_index=True).astype({"visits": "float64"})
    published = release.model.predict_proba(features[list(release.table.features)])
    assert np.allclose(found[PROBABILITIES], published, atol=1e-12)
    newer = project.load("model", env=ENV).predict_proba(features[list(release.table.features)])
    assert not np.allclose(found[PROBABILITIES], newer, atol=0.01)
    likely = found[PROBABILITIES].to_numpy().argmax(axis=1)
    assert list(found["prediction"]) == [("bad", "good")[code] for code in likely]


def test_a_threshold_goes_with_the_release(project, source):
    """Chosen by costs on valid rows, it is in the recipe, and is what predicts new rows, also of
    `kedro serve`."""
    from mlflow.pyfunc import load_model

    costs = {"cost": {"false_negative": 10, "false_positive": 1}}
    project.run(env=ENV, model_name="dear", decision__threshold=costs, **weak())
    choice = project.load("search_report", env=ENV, model_name="dear").threshold
    assert choice.value < 0.4
    assert choice.result < choice.at_half
    store, _ = production_of(project, model_name="dear")
    release = store.load(reference=True)
    assert release.recipe.threshold.value == choice.value
    batches(source, new=unlabelled(200, 3))
    project.run("batch_inference", env=ENV, model_name="dear")
    found = project.load("predictions", env=ENV, model_name="dear")
    expected = np.where(found["probability_good"] >= choice.value, "good", "bad")
    assert list(found["prediction"]) == list(expected)
    assert (expected == "good").sum() > (found["probability_good"] >= 0.5).sum()
    features = unlabelled(200, 3)[list(release.table.features)].astype({"visits": "float64"})
    assert list(release.model.predict(features)) == list(expected)
    served = []

    def run(_command, environment):
        served.extend(load_model(environment[MODEL]).predict(features))
        return 0

    assert serve(store, "127.0.0.1", 5001, run) == 0
    assert served == list(expected)
    report = next((project.path / "data" / "dear" / "reporting" / "report.html").rglob("*.html"))
    assert "is predicted from a probability of" in report.read_text(encoding="utf-8")


def test_ids_are_unique_and_stable(project, source):
    """Equal rows have different ids, and scoring again, now with labels, gives the same ids."""
    table = unlabelled(20, 4)
    table = pd.concat([table, table.head(5)], ignore_index=True)
    batches(source, a=table, b=table)
    project.run("batch_inference", env=ENV)
    first = project.load("predictions", env=ENV)
    batches(source, a=table.assign(kind="good"), b=table.assign(kind="bad"), c=unlabelled(5, 5))
    project.run("batch_inference", env=ENV)
    second = project.load("predictions", env=ENV)
    assert second["prediction_id"].is_unique
    assert len(first) == 50
    assert list(second["prediction_id"].head(50)) == list(first["prediction_id"])


def test_gaps_and_unseen_categories_are_scored(project, source):
    """Gaps in an integer column, columns of nothing else, unseen colours: no row is lost."""
    table = unlabelled(40, 6)
    gaps = table.assign(visits=table["visits"].astype("Int64").mask(table.index < 5))
    empty = table.assign(left=np.nan, colour=None)
    unseen = table.assign(colour="ultraviolet", shift=table["shift"].mask(table.index == 0))
    batches(source, gaps=gaps, missing=empty, unseen=unseen)
    project.run("batch_inference", env=ENV)
    found = project.load("predictions", env=ENV)
    assert len(found) == 120
    assert found["prediction"].isin(["good", "bad"]).all()
    assert found[PROBABILITIES].notna().all(axis=None)
    assert np.allclose(found[PROBABILITIES].sum(axis=1), 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shift": None}, ["'two.csv'", "shift"]),
        ({"left": "many"}, ["'two.csv'", "'left'", "'many'"]),
    ],
    ids=["a column is missing", "text where numbers belong"],
)
def test_a_batch_that_does_not_fit_is_named(project, source, change, words):
    """Batch and column are named in few lines, and nothing is written."""
    table = unlabelled(10, 7)
    name, value = next(iter(change.items()))
    bad = table.drop(columns=name) if value is None else table.assign(**change)
    batches(source, one=table, two=bad)
    folder = project.path / "data" / ENV / "predictions" / "predictions.parquet"
    before = sorted(folder.iterdir()) if folder.exists() else []
    result = project.command("run", "--env", ENV, "--pipeline", "batch_inference")
    assert result.exit_code == 1
    assert "does not fit the model" in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    assert len(lines_of_error(result.stderr)) <= 5
    assert (sorted(folder.iterdir()) if folder.exists() else []) == before


def test_nothing_in_production_is_an_error(project, source):
    """The message says how to publish."""
    batches(source, one=unlabelled(10, 8))
    arguments = ["--env", ENV, "--pipeline", "batch_inference", "--params", "model_name=other"]
    result = project.command("run", *arguments)
    assert result.exit_code == 1
    assert "No release of 'other' is in production yet" in result.stderr
    assert "kedro run" in result.stderr
