"""Tests of thresholds: chosen on other rows than the model's, and the same wherever it predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.fitting.threshold import (
    choose_threshold,
    pipeline_with_threshold,
    require_possible,
)
from mlops_basics.pipelines.model_evaluation.gate import gate_table
from mlops_basics.schemas import METRICS, DecisionParams, TableInfo, Threshold, ThresholdCost
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.scoring.policy_loss import score_target
from mlops_basics.scoring.scores import confusion_counts, expected_losses, score_rows
from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import load_model, model_archive
from tests.support.artifacts import make_recipe, make_table_info
from tests.support.parameters import configured

COST = ThresholdCost.model_validate({"cost": {"false_negative": 10, "false_positive": 1}})


def make_rows(rows: int, seed: int) -> pd.DataFrame:
    """One row of eight is a leaver, and hardly one of them more likely than not."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    leaves = rng.random(rows) < 1 / (1 + np.exp(2.4 - x))
    return pd.DataFrame({"x": x, "left": np.where(leaves, "yes", "no")})


TRAIN, VALID = make_rows(2000, 0), make_rows(2000, 1)


@pytest.fixture(scope="module")
def info() -> TableInfo:
    """Two classes."""
    return make_table_info(
        task="binary", target="left", classes=("no", "yes"), features=("x",), numeric=("x",)
    )


@pytest.fixture(scope="module")
def model():
    """A logistic regression without a threshold."""
    return fit_recipe(make_recipe(), TRAIN[["x"]], TRAIN["left"].to_numpy())


def cells(model, info, threshold):
    """The confusion matrix of the valid rows, counted from the pipeline's own predictions."""
    predicted = pipeline_with_threshold(model, threshold).predict(VALID[["x"]])
    counts = pd.crosstab(VALID["left"], predicted).reindex(
        index=info.classes, columns=info.classes, fill_value=0
    )
    return counts.to_numpy(dtype=float)


def mean_cost(cells):
    """Ten for a leaver that is not found, one for a false alarm."""
    return (10 * cells[1, 0] + cells[0, 1]) / cells.sum()


def test_no_threshold_of_a_grid_costs_less(model, info):
    """What is chosen by costs is cheapest, far below 0.5 where missing a leaver is dear."""
    choice = choose_threshold(model, VALID, info, COST)
    grid = [mean_cost(cells(model, info, at)) for at in np.arange(0.01, 1, 0.01)]
    assert choice.result == pytest.approx(mean_cost(cells(model, info, choice.value)))
    assert choice.result <= min(grid)
    assert choice.at_half == pytest.approx(grid[49])
    assert choice.at_half > 1.4 * choice.result
    assert 0.02 < choice.value < 0.25
    assert (choice.positive, choice.rows) == ("yes", 2000)
    assert choice.chosen_by == "cost (false_negative 10, false_positive 1)"


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "mcc"])
def test_no_threshold_of_a_grid_has_a_better_metric(model, info, metric):
    """What is chosen by a metric is best on the rows that it was chosen on."""
    choice = choose_threshold(model, VALID, info, metric)
    of_confusion = METRICS[metric].of_confusion
    grid = [of_confusion(cells(model, info, at)) for at in np.arange(0.05, 0.9, 0.05)]
    assert choice.result == pytest.approx(of_confusion(cells(model, info, choice.value)))
    assert choice.result >= max(grid)
    assert choice.chosen_by == metric


def test_of_equal_ones_the_nearest_to_one_half(model, info):
    """Where no threshold is better, nothing changes."""
    certain = VALID.assign(x=np.where(VALID["left"] == "yes", 50.0, -50.0))
    assert choose_threshold(model, certain, info, "balanced_accuracy").value == 0.5


def test_none_is_chosen_unless_asked_for(model, info):
    """By default the likelier class is predicted, and the recipe is what it was before."""
    assert configured(DecisionParams).threshold is None
    assert choose_threshold(model, VALID, info, None) is None
    assert "threshold" not in make_recipe().model_dump()


def test_everything_predicts_by_the_threshold(model, info):
    """Fitted by a recipe, saved and loaded, scored for tests and in production: all the same."""
    recipe = make_recipe(threshold=Threshold(value=0.2, chosen_by="mcc"))
    fitted = fit_recipe(recipe, TRAIN[["x"]], TRAIN["left"].to_numpy())
    expected = np.where(model.predict_proba(VALID[["x"]])[:, 1] >= 0.2, "yes", "no")
    assert 200 < (expected == "yes").sum() < 1000
    assert (fitted.predict(VALID[["x"]]) == expected).all()
    trusted = trusted_types()
    content = model_archive(fitted)
    check_archive(content, trusted, "The model")
    assert (load_model(content, trusted, "model").predict(VALID[["x"]]) == expected).all()
    codes = (expected == "yes").astype(int)
    scores = score_rows(fitted, VALID[["x"]], VALID, info)
    assert (scores.predicted == codes).all()
    target = VALID["left"].to_numpy()
    assert (score_target(fitted, VALID[["x"]], target, info).predicted == codes).all()
    plain = score_rows(model, VALID[["x"]], VALID, info)
    assert confusion_counts(scores)[:, 1].sum() == codes.sum()
    assert confusion_counts(plain)[:, 1].sum() < codes.sum()
    gate = gate_table(np.arange(2000, dtype=np.uint64), plain, scores)
    assert (gate_scores(gate, "challenger").predicted == codes).all()
    assert (gate_scores(gate, "champion").predicted == plain.predicted).all()
    assert (gate_scores(gate, "champion").probabilities == plain.probabilities).all()
    loss = expected_losses(scores.probabilities, scores.predicted, "error").mean()
    assert loss == pytest.approx((scores.predicted != scores.y).mean(), abs=0.03)
    assert loss > expected_losses(plain.probabilities, plain.predicted, "error").mean()


def trusted_types() -> list[str]:
    """Those of the catalog."""
    import yaml

    from tests.support.project import ROOT

    catalog = (ROOT / "conf/base/catalog_models.yml").read_text(encoding="utf-8")
    return yaml.safe_load(catalog)["_trusted_types"]


def test_classes_that_are_numbers_keep_their_order():
    """The positive class is the model's second, however the table's names are sorted."""
    table = VALID.assign(left=np.where(VALID["left"] == "yes", 10, 9))
    info = make_table_info(
        task="binary", target="left", classes=("10", "9"), features=("x",), numeric=("x",)
    )
    recipe = make_recipe(threshold=Threshold(value=0.2, chosen_by="mcc"))
    fitted = fit_recipe(recipe, table[["x"]], table["left"].to_numpy())
    assert choose_threshold(fitted, table, info, "mcc").positive == "10"
    names = np.array(info.classes)[score_rows(fitted, table[["x"]], table, info).predicted]
    assert (names == fitted.predict(table[["x"]]).astype(str)).all()


def test_what_cannot_be_chosen_is_refused(model, info):
    """More than two classes, a metric of probabilities, rows of one class: each says what to do."""
    multi = info.model_copy(update={"task": "multiclass"})
    with pytest.raises(ConfigurationError, match=r"two classes, and this is a multiclass table"):
        require_possible("mcc", multi)
    with pytest.raises(ConfigurationError, match=r"'roc_auc'.*balanced_accuracy.*false_negative"):
        require_possible("roc_auc", info)
    require_possible(None, multi)
    require_possible(COST, info)
    with pytest.raises(DataError, match=r"all 1\d\d\d are of one"):
        choose_threshold(model, VALID[VALID["left"] == "no"], info, "mcc")
    with pytest.raises(ValidationError, match="greater than 0"):
        configured(DecisionParams, threshold={"cost": {"false_negative": 0, "false_positive": 1}})
