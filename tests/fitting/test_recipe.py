"""Tests of recipes: what they hold, and that the same rows give the same model."""

from __future__ import annotations

import weakref

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.fitting import recipe as recipe_module
from mlops_basics.fitting.recipe import (
    fit_medians,
    fit_recipe,
    fit_tables,
    make_estimator,
    recipe_of,
    require_known_code,
)
from mlops_basics.pipelines.model_training.search import Search, run_search
from mlops_basics.schemas import Candidate, Recipe
from tests.support.tables import BOOSTING, LINEAR, RIDGE, prepare, raw_table, training_params

CANDIDATES = {"linear": LINEAR, "boosting": BOOSTING}
DRAWN = {"linear": {"C": 0.5}, "boosting": {"max_iter": 5, "learning_rate": 0.2}}
FEATURES = ["size", "count", "colour", "note"]


def made(name="linear", candidate=None, drawn=None, task="binary", **values):
    """A recipe as the search makes it."""
    return recipe_of(
        name,
        Candidate.model_validate(candidate or CANDIDATES[name]),
        DRAWN[name] if drawn is None else drawn,
        training_params(**values),
        task,
    )


def rows(n=300):
    """A number, a count, a category and free text; two classes."""
    raw = raw_table(n)
    words = np.random.default_rng(1).choice(["red brick", "old oak", "low tide", "new moon"], n)
    raw["note"] = [f"{word} {place}" for place, word in enumerate(words)]
    return raw.assign(colour=raw["colour"].astype("category"))


def fitted(recipe, table):
    """The recipe's model of these rows."""
    return fit_recipe(recipe, table[FEATURES], table["kind"].to_numpy())


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_a_fit_of_several_tables_lets_go_of_their_rows(name, monkeypatch):
    """What was put together is no longer there when the estimator makes its own copy of it."""
    given, held = [], []
    encode, fit = recipe_module.fit_encoder, recipe_module.fit_estimator

    def fit_encoder(recipe, features, target):
        given.append(weakref.ref(features))
        return encode(recipe, features, target)

    def fit_estimator(estimator, encoded, target):
        held.append(given[-1]() is not None)
        fit(estimator, encoded, target)

    monkeypatch.setattr(recipe_module, "fit_encoder", fit_encoder)
    monkeypatch.setattr(recipe_module, "fit_estimator", fit_estimator)
    data = prepare(rows(), exclude=["day"], text_columns=["note"])
    model = fit_tables(made(name), [data.train, data.valid], data.info)
    assert held == [False]
    both = pd.concat([data.train, data.valid], ignore_index=True)
    features = both[list(data.info.features)]
    expected = fit_recipe(made(name), features, both[data.info.target].to_numpy())
    assert_array_equal(model.predict_proba(features), expected.predict_proba(features))


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_a_fit_is_that_of_a_trial(name):
    """The best trial's recipe, fitted on the same rows, predicts the same to the last bit."""
    data = prepare(rows(), exclude=["day"], text_columns=["note"])
    params = training_params(candidates={name: CANDIDATES[name]}, n_trials=2)
    best, _, _ = run_search(
        Search(data.train, data.valid, data.info, data.preprocessing, params), lambda _line: False
    )
    stored = Recipe.model_validate_json(best.recipe.model_dump_json())
    features = list(data.info.features)
    again = fit_recipe(stored, data.train[features], data.train["kind"].to_numpy())
    assert stored == best.recipe
    one, other = (m.predict_proba(data.test[features]) for m in (best.model, again))
    assert (one == other).all()
    assert list(best.model.named_steps) == list(again.named_steps)


def test_a_candidate_without_hyper_parameters_is_tried_once():
    """Its second fit would be its first again; where no other is left, the search ends."""
    data = prepare(rows(), exclude=["day"], text_columns=["note"])
    fixed = CANDIDATES["linear"] | {"space": {}}

    def tried(candidates):
        params = training_params(candidates=candidates, n_trials=5)
        search = Search(data.train, data.valid, data.info, data.preprocessing, params)
        _, made, stopped = run_search(search, lambda _line: False)
        assert [row["trial"] for row in made] == list(range(len(made)))
        return [row["candidate"] for row in made], stopped

    both = tried({"fixed": fixed, "linear": CANDIDATES["linear"]})
    assert both == (["fixed", *["linear"] * 4], "")
    assert tried({"fixed": fixed}) == (["fixed"], "nothing else to try")


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_two_fits_are_identical(name):
    """Equal rows give equal weights and encodings, as their hashes tell."""
    probe = rows(50)[FEATURES]
    one, other = (fitted(made(name), rows()) for _ in range(2))
    assert (one.predict_proba(probe) == other.predict_proba(probe)).all()
    if name == "linear":
        assert joblib.hash(one["estimator"].coef_) == joblib.hash(other["estimator"].coef_)


def test_a_recipe_holds_every_argument():
    """Fixed, drawn and the seed, which an estimator without one does not get."""
    linear = made(seed=7)
    assert linear.parameters == {"max_iter": 200, "C": 0.5, "random_state": 7}
    assert make_estimator(linear).get_params()["random_state"] == 7
    fixed = {**LINEAR, "fixed": {"random_state": 3}}
    assert made(candidate=fixed, seed=7).parameters == {"random_state": 3, "C": 0.5}
    neighbours = {"class": "sklearn.neighbors.KNeighborsClassifier", "dense": True}
    assert made("it", neighbours, {"n_neighbors": 3}).parameters == {"n_neighbors": 3}


def test_a_digest_names_a_recipe():
    """It is the same for what is read back, and another one for another value."""
    recipe = made()
    assert recipe.digest == Recipe.model_validate_json(recipe.model_dump_json()).digest
    assert len(recipe.digest) == 12
    others = [made("boosting"), made(drawn={"C": 0.6}), made(seed=1), made(vectorizer={})]
    assert len({recipe.digest, *(other.digest for other in others)}) == 5


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_few_rows_are_enough(name):
    """39 rows, of which a column has no value, give a model that takes any later row."""
    few = rows(39).assign(count=np.nan, note=None)
    probabilities = fitted(made(name), few).predict_proba(rows(60)[FEATURES])
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60))
    assert probabilities.std() > 0


def test_few_rows_of_a_regression():
    """A regression of 39 rows whose category has no value predicts numbers."""
    few = rows(39).assign(colour=None)
    recipe = made("ridge", RIDGE, {"alpha": 1.0}, "regression")
    model = fit_recipe(recipe, few[["count", "colour"]], few["size"].to_numpy())
    assert np.isfinite(model.predict(rows(60)[["count", "colour"]])).all()


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_one_class_cannot_be_learned(name):
    """The error names the candidate, the rows and the class."""
    table = rows(39).assign(kind="tall")
    with pytest.raises(DataError, match=f"'{name}' cannot be fitted on 39 rows: all are .*'tall'"):
        fitted(made(name), table)


def test_rows_without_any_value_cannot_be_learned():
    """What scikit-learn refuses is said to be due to these rows."""
    table = rows(39).assign(**dict.fromkeys(FEATURES, np.nan))
    with pytest.raises(DataError, match="'linear' cannot be fitted on 39 rows: "):
        fitted(made(), table)


def test_what_json_cannot_hold_is_refused():
    """A value that a stored recipe would lose is an error when the recipe is made."""
    with pytest.raises(ConfigurationError, match="'linear' has values that JSON cannot hold"):
        made(drawn={"C": float("inf")})
    with pytest.raises(ValidationError, match="not JSON serializable"):
        Recipe(**made().model_dump() | {"vectorizer": {"n_jobs": object()}})


def test_only_configured_classes_may_run():
    """A stored recipe of a class that no candidate of its task has is refused."""
    params = training_params(candidates={"linear": LINEAR})
    require_known_code(made(), params)
    with pytest.raises(ConfigurationError, match=r"names the class .*Boosting.*none of the cand"):
        require_known_code(made("boosting"), params)
    with pytest.raises(ConfigurationError, match=r"task regression \(there are none\)"):
        require_known_code(made("ridge", RIDGE, {"alpha": 1.0}, "regression"), params)


def test_the_inputs_stay_as_they_were():
    """Neither the rows nor the targets are changed by a fit."""
    table = rows(60)
    before = table.copy(deep=True)
    fitted(made("boosting"), table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("cells", [1, 7, 40, 1000])
def test_medians_of_a_large_table_are_those_of_all_columns_at_once(monkeypatch, cells):
    """However many columns are looked at in turn; one without a value has 0."""
    from sklearn.base import clone
    from sklearn.impute import SimpleImputer

    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 4] = np.nan
    table = pd.DataFrame(values, columns=list("abcdef"))
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    expected = clone(imputer).fit(table)
    monkeypatch.setattr(recipe_module, "MEDIAN_CELLS", cells)
    fit_medians(imputer, table)
    assert joblib.hash(vars(imputer)) == joblib.hash(vars(expected))
    np.testing.assert_array_equal(imputer.transform(table), expected.transform(table))
