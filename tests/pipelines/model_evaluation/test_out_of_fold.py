"""Tests of rows that speak out of fold: which, when, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.pipelines.model_evaluation.nodes import decide, score_gate
from mlops_basics.pipelines.model_evaluation.out_of_fold import predict_folds
from mlops_basics.schemas import (
    BATCH_COLUMN,
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    Champion,
    DecisionParams,
)
from tests.support.artifacts import REFIT, make_challenge, make_overfit_check, make_recipe
from tests.support.contests import TEST_METRICS
from tests.support.parameters import configured
from tests.support.tables import NoMonitor, prepare, raw_table, training_params
from tests.support.whole import label_rows

pytestmark = pytest.mark.slow  # real fits

MEMORY = {"class": "sklearn.neighbors.KNeighborsClassifier", "dense": True}
TRAINING = training_params(candidates={"memory": MEMORY})
#: Knows the rows that it was fitted on by heart, and nothing else.
BY_HEART = make_recipe(
    candidate="memory", class_path=MEMORY["class"], parameters={"n_neighbors": 1}
)
FIT = make_overfit_check()


class Even:
    """A champion that knows nothing."""

    classes_ = np.array(["short", "tall"], dtype=object)

    def predict_proba(self, features):
        """Both classes alike."""
        return np.full((len(features), 2), 0.5)


class World:
    """A table of two batches whose target is chance; the champion has learned from the first."""

    def __init__(self, rows: int = 300, known: float = 0.3, **values: Any) -> None:
        raw = raw_table(rows)
        rng = np.random.default_rng(1)
        raw["kind"] = rng.permutation(raw["kind"])
        raw["site"] = rng.integers(0, rows // 6, rows)
        raw[BATCH_COLUMN] = np.where(np.arange(rows) < known * rows, "a.csv", "b.csv")
        values = {"exclude": ["day", "site"]} | values
        self.table = prepare(raw, **values)
        self.labelled = label_rows(raw, self.table.preprocessing)[0]
        learned = pd.concat([self.table.train, self.table.valid])
        self.champion = Champion(
            version="3",
            model=Even(),
            table=self.table.info,
            fitted_rows=np.unique(learned[learned[BATCH_COLUMN] == "a.csv"][ROW_HASH_COLUMN]),
            batches=("a.csv",),
        )

    def predicted(self, **given: Any) -> pd.DataFrame:
        """What the node returns; a test says what differs."""
        own = {
            "champion": self.champion,
            "recipe": BY_HEART,
            "refit_report": REFIT,
            "labelled_data": self.labelled,
            "train_data": self.table.train,
            "valid_data": self.table.valid,
            "test_data": self.table.test,
            "table_info": self.table.info,
            "overfit_check": FIT,
            "preprocessing": self.table.preprocessing,
            "training": TRAINING,
            "params": configured(DecisionParams),
            "search_monitor": NoMonitor(),
        }
        return predict_folds(**own | given)

    def judged(self, folds: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
        """The gate and the request, with these out-of-fold predictions."""
        table = self.table
        gate, request, _ = score_gate(
            self.champion,
            Even(),
            self.labelled,
            table.train,
            table.valid,
            table.test,
            table.info,
            FIT,
            table.preprocessing,
            configured(DecisionParams),
            folds,
        )
        return gate, request


@pytest.fixture(scope="module")
def world() -> World:
    """Three hundred rows."""
    return World()


def test_train_rows_of_later_batches_speak_and_are_not_known_by_heart(world: World) -> None:
    """Each once, predicted by a fit without it; rows that were tuned on, or that the champion has
    seen, do not speak."""
    monitor = NoMonitor()
    found = world.predicted(search_monitor=monitor)
    later = world.table.train[world.table.train[BATCH_COLUMN] == "b.csv"]
    assert found[ROW_HASH_COLUMN].tolist() == later[ROW_HASH_COLUMN].tolist()
    assert found["row"].tolist() == later.index.tolist()
    assert sorted(found["fold"].unique()) == [1, 2, 3, 4, 5]
    right = (found["challenger_1"] > 0.5) == (found["y"] == 1)
    assert 0.3 < right.mean() < 0.7  # by heart it would be 1
    assert (monitor.announced, monitor.name, len(monitor.lines)) == (5, "folds", 5)


def test_another_order_of_the_rows_changes_nothing(world: World) -> None:
    """The same rows have the same folds and predictions."""
    order = np.random.default_rng(2).permutation(len(world.table.train))
    train = world.table.train.iloc[order].reset_index(drop=True)
    one, other = (
        found.drop(columns="row").sort_values(ROW_HASH_COLUMN).reset_index(drop=True)
        for found in (world.predicted(), world.predicted(train_data=train))
    )
    assert_frame_equal(one, other)


def test_rows_of_a_group_stay_in_one_fold() -> None:
    """A site is held out as a whole."""
    world = World(exclude=["day"], group_by="site")
    found = world.predicted()
    site = world.table.train[world.table.preprocessing.group_column].to_numpy()[found["row"]]
    assert pd.Series(found["fold"].to_numpy()).groupby(site).nunique().max() == 1


@pytest.mark.parametrize(
    ("world_of", "given", "rows"),
    [
        ({}, {"champion": Champion(version=NO_CHAMPION)}, 0),
        ({}, {"champion": Champion(version="3", unusable="it cannot be loaded")}, 0),
        ({}, {"params": configured(DecisionParams, folds=0)}, 0),
        ({}, {"params": configured(DecisionParams, folds=False)}, 0),  # as YAML reads `off`
        ({}, {"overfit_check": make_overfit_check(overfitted=True)}, 0),
        ({"known": 0.9}, {}, 0),  # too little would be gained
        ({"known": 0.9}, {"params": configured(DecisionParams, folds=2)}, None),
        ({"exclude": [], "split": {"time_column": "day", "period": "M"}}, {}, 0),
    ],
    ids=["first", "unusable", "none", "off", "overfitted", "few", "asked for", "by time"],
)
def test_when_it_is_worth_its_fits(
    world_of: dict[str, Any], given: dict[str, Any], rows: int | None
) -> None:
    """No fit is made where nothing can be compared, where it is switched off, or of a time that
    the other rows lie around."""
    world, monitor = World(**world_of), NoMonitor()
    found = world.predicted(**given, search_monitor=monitor)
    if rows is None:
        rows = int((world.table.train[BATCH_COLUMN] == "b.csv").sum())
        assert 0 < rows < len(world.table.test) / 2
    assert len(found) == rows
    assert bool(monitor.lines) == bool(rows)


def test_test_rows_that_suffice_are_left_alone(monkeypatch, world: World) -> None:
    """From so many on, further fits are not worth their time."""
    module = "mlops_basics.pipelines.model_evaluation.out_of_fold.ENOUGH_ROWS"
    monkeypatch.setattr(module, len(world.table.test))
    assert len(world.predicted()) == 0
    monkeypatch.setattr(module, len(world.table.test) + 1)
    assert len(world.predicted()) > 0


def test_a_fold_that_cannot_be_fitted_leaves_the_test_rows_alone(world: World) -> None:
    """Where all but one fold's rows are of one class, nothing is predicted."""
    train = world.table.train.copy()
    hashes = world.predicted().query("fold == 1")[ROW_HASH_COLUMN]
    train["kind"] = np.where(train[ROW_HASH_COLUMN].isin(hashes), "tall", "short")
    valid = world.table.valid.assign(kind="short")
    assert len(world.predicted(train_data=train, valid_data=valid)) == 0


def test_the_decision_says_that_the_recipe_was_tested(world: World) -> None:
    """Rows, folds and what is claimed stand in the request, the reasons and the decision."""
    folds = world.predicted()
    gate, request = world.judged(folds)
    assert (request.rows, request.fold_rows, request.folds) == (len(gate), len(folds), 5)
    assert gate["fold"].tolist() == [0] * len(world.table.test) + folds["fold"].tolist()
    assert gate["challenger_1"].tolist()[-len(folds) :] == folds["challenger_1"].tolist()
    made = decide(
        gate,
        request,
        make_challenge("3", 1, "c"),
        TEST_METRICS,
        REFIT,
        configured(DecisionParams, min_fresh_rows=10_000),
    )
    assert (made.fold_rows, made.folds, made.rows) == (len(folds), 5, len(gate))
    assert made.outcome == "kept"
    sentence = next(reason for reason in made.reasons if reason.startswith("What was tested is"))
    assert f"recipe, not one fitted model: it learned from {len(folds)} of the" in sentence
    assert made.reasons[-1] == "Version 3 stays in production."
    plain, unfolded = world.judged(folds[:0])
    assert (unfolded.rows, unfolded.fold_rows) == (len(world.table.test), 0)
    assert "fold" not in plain.columns


def test_rows_of_which_the_champion_learned_do_not_come_back(world: World) -> None:
    """A champion of all rows leaves none to speak."""
    learned = pd.concat([world.table.train, world.table.valid])
    champion = replace(world.champion, fitted_rows=np.unique(learned[ROW_HASH_COLUMN]))
    assert len(world.predicted(champion=champion)) == 0
