"""Tests of a user's own feature steps: how they are made, and what is refused."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator, TransformerMixin

from mlops_basics.errors import ConfigurationError
from mlops_basics.fitting.recipe import (
    fit_recipe,
    own_steps,
    require_known_code,
    require_same_alone,
)
from mlops_basics.schemas import MetricSpec, Recipe, TrainingParams
from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import load_model, model_archive
from tests.support.artifacts import make_recipe
from tests.support.fitted import TRUSTED
from tests.support.pages import run_shown, shown_files
from tests.support.parameters import configured
from tests.support.project import ROOT
from tests.support.tables import LINEAR, training_params

HERE = __name__
PAGE = "docs/how-to/own-steps.md"
IRIS = pd.read_csv(ROOT / "data" / "source" / "iris.csv")
ROWS, TARGET = IRIS.drop(columns="species"), IRIS["species"].to_numpy()


def doubled(table):
    """A function of each row."""
    return table.assign(doubled=2 * table["petal_width"])


def centred(table):
    """Not of each row: it takes the mean of whatever table it gets."""
    return table.assign(centred=table["petal_width"] - table["petal_width"].mean())


def shorter(table):
    """Drops rows."""
    return table.head(10)


def changing(table):
    """Writes into what it gets."""
    table["more"] = 1.0
    return table


class RateOfWidth(TransformerMixin, BaseEstimator):
    """Learns a number from the target."""

    def fit(self, table, target):
        """Remembers the share of a class among wide rows."""
        self.rate_ = float((target[table["petal_width"].to_numpy() > 1] == "virginica").mean())
        return self

    def transform(self, table):
        """A column of it."""
        return table.assign(rate=self.rate_ * table["petal_width"])


class Renamed:
    """Neither a transformer nor a function."""


def recipe(*names: str) -> Recipe:
    """A logistic regression behind these steps."""
    return make_recipe(task="multiclass", features=[f"{HERE}.{name}" for name in names])


def test_steps_come_first_and_learn_from_the_target():
    """In their order, inside the model: raw rows go in, and columns of both come out."""
    model = fit_recipe(recipe("doubled", "RateOfWidth"), ROWS, TARGET)
    assert list(model.named_steps)[:3] == ["features_1", "features_2", "vectorizer"]
    encoded = model[:3].transform(ROWS.head(2))
    assert list(encoded.columns) == [*ROWS.columns, "doubled", "rate"]
    wide = TARGET[ROWS["petal_width"].to_numpy() > 1]
    assert model["features_2"].rate_ == pytest.approx((wide == "virginica").mean())
    require_same_alone(model, recipe("doubled", "RateOfWidth"), ROWS)
    assert list(ROWS.columns) == list(IRIS.columns[:4])


def test_a_model_of_own_steps_is_saved_once_they_are_trusted():
    """By the configuration that names them, and by nothing else; what is loaded predicts alike."""
    made = recipe("doubled", "RateOfWidth")
    model = fit_recipe(made, ROWS, TARGET)
    content = model_archive(model)
    with pytest.raises(Exception, match=f"not trusted: {re.escape(HERE)}.*`features`"):
        check_archive(content, TRUSTED, "It")
    trusted = [*TRUSTED, *made.features]
    assert set(made.features) <= check_archive(content, trusted, "It")
    loaded = load_model(content, trusted, "it")
    assert (loaded.predict_proba(ROWS) == model.predict_proba(ROWS)).all()


def test_a_type_that_is_not_installed_is_named():
    """With what to do, not as a damaged file."""
    module = ModuleType("module_of_a_test")
    module.Gone = type("Gone", (RateOfWidth,), {"__module__": "module_of_a_test"})
    sys.modules["module_of_a_test"] = module
    try:
        content = model_archive(module.Gone().fit(ROWS, TARGET))
    finally:
        del sys.modules["module_of_a_test"]
    with pytest.raises(Exception, match=r"needs module_of_a_test\.Gone, which cannot be imported"):
        check_archive(content, ["module_of_a_test.Gone"], "It")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("centred", "something else of a row when it comes alone"),
        ("changing", "change the table that they get"),
    ],
)
def test_a_step_that_would_serve_something_else_is_refused(name, message):
    """A server gets rows one by one."""
    model = fit_recipe(recipe(name), ROWS.copy(), TARGET)
    with pytest.raises(ConfigurationError, match=message):
        require_same_alone(model, recipe(name), ROWS.copy())


def test_a_step_keeps_its_rows():
    """Each row is predicted, whatever the step thinks of it."""
    with pytest.raises(ConfigurationError, match="make 10 rows of 150"):
        fit_recipe(recipe("shorter"), ROWS, TARGET)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{HERE}.gone", "cannot be imported"),
        ("nowhere_at_all.gone", "cannot be imported .*Your own packages belong into"),
        ("doubled", "cannot be imported"),
        (f"{HERE}.Renamed", "neither a function that takes and returns a table nor a class"),
        (f"{HERE}.HERE", "neither a function"),
        (f"{HERE}.make_recipe", r"which is defined as tests\.support\.artifacts\.make_recipe"),
    ],
)
def test_what_is_no_step_is_named(path, message):
    """With the place where it belongs."""
    with pytest.raises(ConfigurationError, match=message):
        own_steps([path])


def test_only_configured_steps_may_run():
    """A stored recipe of a step that the checkout does not name is refused."""
    named = [f"{HERE}.doubled"]
    linear = {**LINEAR, "class": "sklearn.linear_model.LogisticRegression"}
    params = training_params("multiclass", {"linear": linear}, features=named)
    require_known_code(recipe("doubled"), params)
    with pytest.raises(ConfigurationError, match=r"names .*RateOfWidth, which is none of `feat"):
        require_known_code(recipe("doubled", "RateOfWidth"), params)


def test_without_steps_a_recipe_is_stored_as_before():
    """What was recorded before there were any keeps its bytes and its digest."""
    assert "features" not in make_recipe().model_dump_json()
    assert recipe("doubled").digest != make_recipe(task="multiclass").digest
    again = Recipe.model_validate_json(recipe("doubled").model_dump_json())
    assert again == recipe("doubled")


def test_null_leaves_a_candidate_out():
    """One of conf/base goes without being written anew."""
    params = configured(TrainingParams, candidates={"binary": {"linear": LINEAR, "boosting": None}})
    assert list(params.candidates["binary"]) == ["linear"]


def test_the_page_s_example_is_three_files_of_25_lines_and_works(monkeypatch):
    """Its steps learn iris, its metric is one, its YAML names them."""
    blocks = shown_files(PAGE)
    files = ["src/mine/steps.py", "conf/mine/globals.yml", "conf/mine/parameters.yml"]
    lines = [line for name in files for line in blocks[name].splitlines() if line.strip()]
    assert len(lines) <= 25
    named = yaml.safe_load(blocks[files[1]])
    (module,) = run_shown(blocks, ["steps"], monkeypatch)
    made = make_recipe(task="multiclass", features=named["features"])
    model = fit_recipe(made, ROWS, TARGET)
    require_same_alone(model, made, ROWS)
    assert {"petal_area", "from_median"} <= set(model[:3].transform(ROWS).columns)
    assert (model.predict(ROWS) == TARGET).mean() > 0.9
    (metric,) = named["metrics"]
    assert isinstance(getattr(module, metric.rpartition(".")[2]), MetricSpec)
    candidates = yaml.safe_load(blocks[files[2]])["training"]["candidates"]
    assert candidates["multiclass"]["bayes"]["class"] in named["trusted_types"]


def test_the_trees_of_the_docs_are_followed_and_saved(monkeypatch):
    """Each row to its leaf, as LightGBM does, but without it; one type is trusted."""
    from lightgbm import LGBMClassifier

    blocks = shown_files(PAGE)
    named = yaml.safe_load(blocks["conf/trees/globals.yml"])["trusted_types"]
    (module,) = run_shown(blocks, ["trees"], monkeypatch)
    rows, target = ROWS[50:].to_numpy(dtype=np.float32), TARGET[50:]
    model = module.Light(n_estimators=20).fit(rows, target)
    content = model_archive(model)
    assert check_archive(content, named, "It") == {"mine.trees.Light"}
    loaded = load_model(content, named, "it")
    theirs = LGBMClassifier(**model.get_params(), n_jobs=1, deterministic=True, verbose=-1)
    expected = theirs.fit(rows, target).predict_proba(rows)
    monkeypatch.setitem(sys.modules, "lightgbm", None)  # a machine that scores has none
    np.testing.assert_allclose(loaded.predict_proba(rows), expected, rtol=1e-12)
    assert (loaded.predict(rows) == target).mean() > 0.95
