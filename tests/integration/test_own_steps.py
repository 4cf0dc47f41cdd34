"""A user's own feature steps, estimator, metric and pipeline, in three files of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from mlops_basics.commands.ct import ExitCode
from mlops_basics.commands.serve import serve
from mlops_basics.production.scoring_server import MODEL
from tests.support.small_table import ENV, make_table, production_of, set_up

pytestmark = pytest.mark.slow

PACKAGE = "own_of_a_test"  # a name of its own: Python imports a package once
STEPS = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from mlops_basics.schemas import MetricSpec

def add_sign(table):
    return table.assign(sign=np.sign(table["left"] * table["right"]))

class ColourRate(TransformerMixin, BaseEstimator):
    def fit(self, table, target):
        good = table.assign(good=target == "good").groupby("colour", observed=True)["good"]
        self.rates_ = {str(colour): float(rate) for colour, rate in good.mean().items()}
        return self

    def transform(self, table):
        return table.assign(rate=table["colour"].astype(str).map(self.rates_).astype(float))

def cost(y, probabilities, _):
    return np.where(probabilities.argmax(axis=1) == y, 0.0, 5.0)

COST = MetricSpec(name="cost", title="Cost", kind="classification", row_loss=cost, unit="euros")
""".replace("pd_series(target, table.index)", "table.assign(of=target)['of']")
PARAMETERS = f"""
training: {{n_trials: 1, candidates: {{binary: {{linear: null, boosting: null,
  bayes: {{class: sklearn.naive_bayes.GaussianNB, dense: true}}}}}}}}
decision: {{guards: [cost]}}
evaluation: {{resamples: 100, importance_repeats: 1}}
{PACKAGE}: {{least: 0.9}}
"""
OWN = {
    "features": [f"{PACKAGE}.steps.add_sign", f"{PACKAGE}.steps.ColourRate"],
    "metrics": [f"{PACKAGE}.steps.COST"],
    "trusted_types": ["sklearn.naive_bayes.GaussianNB"],
}
REGISTRY = """
from kedro.pipeline import Node, Pipeline

def keep_sure(predictions, own):
    return predictions[predictions["probability_good"] > own["least"]]

def register_pipelines():
    inputs = ["predictions", "params:own_of_a_test"]
    return {"sure": Pipeline([Node(func=keep_sure, inputs=inputs, outputs="sure")])}
"""
CATALOG = "sure: {type: pandas.CSVDataset, filepath: data/sure.csv, save_args: {index: false}}\n"


@pytest.fixture(scope="module")
def trained(shared_project):
    """A project with a package of its own, and the manifest of its first run."""
    project = shared_project
    folder = project.path / "src" / PACKAGE
    folder.mkdir()
    (folder / "steps.py").write_text(STEPS, encoding="utf-8")
    (folder / "pipeline_registry.py").write_text(REGISTRY, encoding="utf-8")
    set_up(project, **OWN)
    conf = project.path / "conf" / ENV
    (conf / "parameters.yml").write_text(PARAMETERS, encoding="utf-8")
    (conf / "catalog.yml").write_text(CATALOG, encoding="utf-8")
    yield project, project.run(env=ENV)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def code(trained):
    """The file of the steps; it is restored."""
    file = trained[0].path / "src" / PACKAGE / "steps.py"
    yield file
    file.parent.mkdir(exist_ok=True)
    file.write_text(STEPS, encoding="utf-8")
    (file.parent / "pipeline_registry.py").write_text(REGISTRY, encoding="utf-8")


def test_steps_are_inside_the_released_model(trained):
    """They come first, learned from train rows; without them the table cannot be learned."""
    project, run = trained
    store, _ = production_of(project, ENV)
    release = store.load()
    assert list(release.model.named_steps)[:3] == ["features_1", "features_2", "vectorizer"]
    assert set(release.model["features_2"].rates_) == {"red", "green", "blue"}
    assert release.table.features == ("left", "right", "shift", "visits", "colour")
    metrics = project.load("test_metrics", env=ENV).metrics
    assert metrics["accuracy"].value > 0.8  # a line without the sign's column reaches 0.72
    wrong = 1 - metrics["accuracy"].value
    assert metrics["cost"].value == pytest.approx(5 * wrong)
    assert "Cost" in project.load("report", env=ENV)
    assert set(run.code.own_code) == {PACKAGE}
    assert release.manifest.own_code == run.code.own_code


def test_batches_are_scored_and_an_own_pipeline_goes_on(trained):
    """Raw rows go in; a pipeline of the package reads what came of it, by its own parameters."""
    project, _ = trained
    project.run("batch_inference", env=ENV)
    predictions = project.load("predictions", env=ENV)
    model = production_of(project, ENV)[0].load().model
    raw = make_table().drop(columns="kind").astype({"visits": "float64"})
    expected = model.predict_proba(raw)[:, 1]
    assert np.allclose(predictions["probability_good"], expected)
    project.run("sure", env=ENV)
    kept = pd.read_csv(project.path / "data" / "sure.csv")
    assert len(kept) == (expected > 0.9).sum() > 0


def test_it_is_served(trained):
    """What `kedro serve` starts is told where the package is, and answers for one raw row."""
    from mlflow.pyfunc import load_model

    project, _ = trained
    store, _ = production_of(project, ENV)
    row = pd.DataFrame([{"left": 1.0, "right": 2.0, "shift": 3.0, "visits": 4.0, "colour": "red"}])
    answers = []

    def run(_command, environment):
        assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(project.path / "src")
        answers.extend(load_model(environment[MODEL]).predict(row))
        return 0

    with contextlib.chdir(project.path):
        assert serve(store, "127.0.0.1", 5001, run) == 0
    assert answers == ["good"]


def test_a_refresh_is_made_of_the_same_steps(trained):
    """A later batch is watched by the released model, and a new one learns its steps anew."""
    project, run = trained
    folder = project.path / "data" / "source" / ENV
    make_table(400, seed=1).to_csv(folder / "b.csv", index=False)
    old = production_of(project, ENV)[0].load()
    result = project.command("ct", "--env", ENV)
    (folder / "b.csv").unlink()
    assert "no drift" in result.output
    assert result.exit_code == ExitCode.PROMOTED, result.output
    new = production_of(project, ENV)[0].load()
    assert new.manifest.version == "2"
    assert new.model["features_2"].rates_ != old.model["features_2"].rates_
    assert new.manifest.own_code == run.code.own_code


def test_a_run_is_reproduced_and_changed_code_is_named(trained, code):
    """It gives the same; other code is told, although here it changes nothing."""
    project, run = trained
    code.write_text(STEPS + "\n# changed\n", encoding="utf-8")
    result = project.command("reproduce", run.mlflow_run_id, "--env", ENV)
    assert result.exit_code == 0, result.output
    assert "metrics and predictions are identical" in result.output
    assert f"although your own package src/{PACKAGE} is another now" in result.output


def test_a_scorer_without_the_code_is_refused(trained, code):
    """Missing or other: the message names the folder and what to do."""
    project, _ = trained
    store, _ = production_of(project, ENV)
    code.write_text(STEPS.replace("np.sign", "np.cos"), encoding="utf-8")
    with pytest.raises(Exception, match=f"package in src/{PACKAGE} is not the one that it was"):
        project.run("batch_inference", env=ENV)
    shutil.rmtree(code.parent)
    with pytest.raises(Exception, match=f"needs your own package '{PACKAGE}', which is not here"):
        store.load()


def test_what_the_environment_does_not_name_is_refused(trained):
    """Of a scorer whose configuration does not name the steps, the release is no business."""
    project, _ = trained
    own = {"model_name": ENV, "source": f"data/source/{ENV}", "target": "kind"}
    project.configure("bare", **own)
    with pytest.raises(Exception, match=r"trusts types that we do not: .*features"):
        production_of(project, "bare")[0].load()
