"""Tests of evaluating, explaining, plotting and reporting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from pandas.testing import assert_frame_equal
from sklearn import metrics as reference

from mlops_basics.errors import ConfigurationError
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.pipelines.model_evaluation.nodes import (
    evaluate_model,
    explain_model,
    pick_judged_model,
    plot_evaluation,
    write_report,
)
from mlops_basics.schemas import (
    ROW_HASH_COLUMN,
    EvaluationParams,
    RefitReport,
)
from tests.support.artifacts import make_decision, make_recipe
from tests.support.parameters import configured
from tests.support.parsed_page import ParsedPage, without_plotly
from tests.support.run_report import FIRST_RELEASE, PARAMS, report_inputs
from tests.support.tables import (
    LINEAR,
    RIDGE,
    assert_inputs_unchanged,
    raw_table,
    training_params,
)


@pytest.fixture(scope="module")
def evaluated(binary, binary_model):
    """Metrics, scores and confusion matrix of the classifier."""
    return evaluate_model(
        binary_model, binary.train, binary.test, binary.info, binary.preprocessing, PARAMS
    )


@pytest.mark.parametrize("rule", ["none", "train_valid"])
def test_what_is_judged_is_what_is_released(binary, binary_model, rule):
    """Unless it was fitted on test rows, the released model itself is judged."""
    refit = RefitReport(rule=rule, rows=200)
    rest = (binary.train, binary.valid, binary.info, training_params())
    assert pick_judged_model(binary_model, make_recipe(), refit, *rest) is binary_model


def test_a_model_that_knows_the_test_rows_is_not_judged(binary, binary_model):
    """Judged is the recipe's fit on train and valid rows, to the last bit."""
    recipe, features = make_recipe(), list(binary.info.features)
    judged = assert_inputs_unchanged(
        pick_judged_model,
        binary_model,
        recipe,
        RefitReport(rule="all", rows=300),
        binary.train,
        binary.valid,
        binary.info,
        training_params(),
    )
    rows = pd.concat([binary.train, binary.valid])
    expected = fit_recipe(recipe, rows[features], rows["kind"].to_numpy())
    found = judged.predict_proba(binary.test[features])
    assert (found == expected.predict_proba(binary.test[features])).all()


def test_a_stored_recipe_runs_no_class_that_is_not_configured(binary, binary_model, tmp_path):
    """A recipe's file that names other code is refused before anything of it is called."""
    trace = tmp_path / "ran"
    recipe = make_recipe(class_path="os.mkdir", parameters={"path": str(trace)})
    refit = RefitReport(rule="all", rows=300)
    rest = (binary.train, binary.valid, binary.info, training_params())
    with pytest.raises(ConfigurationError, match=r"class os\.mkdir, which is none of the cand"):
        pick_judged_model(binary_model, recipe, refit, *rest)
    assert not trace.exists()


def test_scores_are_the_test_rows_in_order(evaluated, binary, binary_model):
    """Hash, target, prediction and probabilities of each row, aligned with the table."""
    _, scores, _ = evaluated
    features = binary.test[list(binary.info.features)]
    assert list(scores.columns) == [
        ROW_HASH_COLUMN,
        "target",
        "prediction",
        "loss",
        "probability_short",
        "probability_tall",
    ]
    assert (scores[ROW_HASH_COLUMN] == binary.test[ROW_HASH_COLUMN]).all()
    assert (scores["target"] == binary.test["kind"]).all()
    assert (scores["prediction"] == binary_model.predict(features)).all()
    expected = binary_model.predict_proba(features)
    assert scores[["probability_short", "probability_tall"]].to_numpy() == pytest.approx(expected)


def test_probabilities_sum_to_one(evaluated):
    """Each row's probabilities sum to one, and the prediction has the largest."""
    _, scores, _ = evaluated
    columns = ["probability_short", "probability_tall"]
    assert scores[columns].sum(axis=1).to_numpy() == pytest.approx(np.ones(len(scores)))
    largest = scores[columns].idxmax(axis=1).str.removeprefix("probability_")
    assert (largest == scores["prediction"]).all()


def test_metrics_are_scikit_learns(evaluated):
    """Recomputed from the scores that are stored."""
    metrics, scores, _ = evaluated
    y, predicted = scores["target"], scores["prediction"]
    expected = {
        "accuracy": reference.accuracy_score(y, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(y, predicted),
        "macro_f1": reference.f1_score(y, predicted, average="macro"),
        "mcc": reference.matthews_corrcoef(y, predicted),
        "roc_auc": reference.roc_auc_score(y == "tall", scores["probability_tall"]),
        "log_loss": scores["loss"].mean(),
    }
    found = {name: metrics.metrics[name].value for name in expected}
    assert found == pytest.approx(expected)
    assert metrics.rows == len(scores)
    assert metrics.confidence == PARAMS.confidence


def test_the_confusion_matrix_is_scikit_learns(evaluated):
    """True classes down, predicted across."""
    _, scores, matrix = evaluated
    names = ["short", "tall"]
    expected = reference.confusion_matrix(scores["target"], scores["prediction"], labels=names)
    assert list(matrix.columns) == ["actual", *names]
    assert matrix["actual"].tolist() == names
    assert (matrix[names].to_numpy() == expected).all()


def test_a_class_that_train_never_had_has_probability_zero(binary, binary_model):
    """It is a column and a line of the matrix all the same; whole numbers are classes too."""
    info = binary.info.model_copy(
        update={"task": "multiclass", "classes": ("giant", "short", "tall")}
    )
    test = binary.test.copy()
    test.loc[:4, "kind"] = "giant"
    metrics, scores, matrix = evaluate_model(
        binary_model, binary.train, test, info, binary.preprocessing, PARAMS
    )
    assert (scores["probability_giant"] == 0).all()
    assert "giant" not in set(scores["prediction"])
    assert matrix.set_index("actual").loc["giant"].sum() == 5
    assert metrics.metrics["accuracy"].value < 1


def test_a_regression_has_no_probabilities(regression, regression_model):
    """Predictions are the model's; the matrix counts thirds of the target."""
    metrics, scores, matrix = evaluate_model(
        regression_model,
        regression.train,
        regression.test,
        regression.info,
        regression.preprocessing,
        PARAMS,
    )
    features = regression.test[list(regression.info.features)]
    assert list(scores.columns) == [ROW_HASH_COLUMN, "target", "prediction", "loss"]
    assert scores["prediction"].to_numpy() == pytest.approx(regression_model.predict(features))
    assert scores["loss"].to_numpy() == pytest.approx(
        (scores["target"] - scores["prediction"]).to_numpy() ** 2
    )
    expected = reference.r2_score(scores["target"], scores["prediction"])
    assert metrics.metrics["r2"].value == pytest.approx(expected)
    counts = matrix.set_index("actual")
    assert list(counts.index) == list(counts.columns) == ["low third", "middle third", "high third"]
    assert counts.to_numpy().sum() == len(scores)
    assert abs(counts.sum(axis=1) - len(scores) / 3).max() <= 1


def test_the_evaluation_is_seeded(evaluated, binary, binary_model):
    """Equal parameters give equal artifacts."""
    metrics, scores, matrix = evaluate_model(
        binary_model, binary.train, binary.test, binary.info, binary.preprocessing, PARAMS
    )
    assert metrics == evaluated[0]
    assert_frame_equal(scores, evaluated[1])
    assert_frame_equal(matrix, evaluated[2])


@pytest.fixture(scope="module")
def importance(binary, binary_model):
    """Importance of the classifier's features."""
    return explain_model(binary_model, binary.test, binary.info, PARAMS)


def test_the_leading_column_comes_first(importance, binary):
    """The size decides; noise has an importance near 0."""
    rises = importance.set_index("feature")["rise"]
    assert list(importance.columns) == ["feature", "rise", "spread", "rows"]
    assert set(rises.index) == set(binary.info.features)
    assert rises.index[0] == "size"
    assert rises["size"] > 0.3
    assert abs(rises["count"]) < 0.05
    assert rises.is_monotonic_decreasing
    assert (importance["spread"] >= 0).all()


def test_a_column_the_model_ignores_has_importance_zero(regression):
    """A column that the model ignores has importance exactly zero."""

    class OfCount:
        def predict(self, features):
            return features["count"].to_numpy() * 0.1

    found = explain_model(OfCount(), regression.test, regression.info, PARAMS)
    rises = found.set_index("feature")["rise"]
    assert rises["colour"] == 0
    assert rises["count"] > 0


def test_the_importance_is_the_rise_of_the_loss(regression):
    """For y = c x and squared error it is 2 c^2 var(x): twice the explained variance."""

    class OfCount:
        def predict(self, features):
            return 3 * features["count"].to_numpy()

    test = regression.test.assign(size=3 * regression.test["count"])
    params = configured(EvaluationParams, importance_repeats=200)
    found = explain_model(OfCount(), test, regression.info, params).set_index("feature")
    expected = 2 * 9 * test["count"].var(ddof=0)
    assert found.loc["count", "rise"] == pytest.approx(expected, rel=0.05)


def test_many_rows_are_sampled(binary, binary_model):
    """At most the given number of rows is drawn, by the seed; other seeds draw others."""
    few = PARAMS.model_copy(update={"importance_rows": 20})
    other = few.model_copy(update={"seed": 1})
    first, again, third = (
        explain_model(binary_model, binary.test, binary.info, params)
        for params in (few, few, other)
    )
    assert_frame_equal(first, again)
    assert first["rise"].tolist() != third["rise"].tolist()


def test_a_tables_index_does_not_matter(binary, binary_model, importance):
    """Rows that kept the index of a larger table are explained alike."""
    shifted = binary.test.set_index(np.arange(len(binary.test))[::-1] + 7)
    found = explain_model(binary_model, shifted, binary.info, PARAMS)
    assert_frame_equal(found, importance)
    _, scores, _ = evaluate_model(
        binary_model, binary.train, shifted, binary.info, binary.preprocessing, PARAMS
    )
    assert scores["target"].tolist() == binary.test["kind"].tolist()


def test_each_task_has_four_figures(evaluated, importance, binary, regression, regression_model):
    """Confusion, performance, trust and importance, each with something drawn."""
    _, scores, matrix = evaluated
    drawn = list(plot_evaluation(scores, matrix, importance, FIRST_RELEASE, binary.info))
    _, scores, matrix = evaluate_model(
        regression_model,
        regression.train,
        regression.test,
        regression.info,
        regression.preprocessing,
        PARAMS,
    )
    found = explain_model(regression_model, regression.test, regression.info, PARAMS)
    drawn += plot_evaluation(scores, matrix, found, FIRST_RELEASE, regression.info)
    assert len(drawn) == 8
    assert all(isinstance(figure, go.Figure) and figure.data for figure in drawn)
    titles = [figure.layout.title.text for figure in drawn]
    assert len(set(titles[1:3] + titles[5:7])) == 4


def test_the_report_tells_what_was_found(binary, binary_model):
    """Name, batch, verdict, metrics and the headings of a classification."""
    inputs = report_inputs(binary, binary_model, {"linear": LINEAR})
    page = assert_inputs_unchanged(write_report, *inputs.values())
    for text in (
        "<title>",
        "mine.csv",
        "Which mistakes it makes",
        "How well it ranks",
        "How far to trust it",
        "What it looks at",
        "How it was found",
    ):
        assert text in page
    assert "How close it comes" not in page
    assert write_report(**inputs) == page


def test_a_refused_challenger_shows_no_figure_of_the_test_rows(binary, binary_model, importance):
    """From the second challenge on: validation metrics and the decision, with how often these rows
    were used and how the rest can be seen; the plots say so, too."""
    inputs = report_inputs(binary, binary_model, {"linear": LINEAR})
    first, kept = (
        make_decision(
            "3",
            number,
            promote=False,
            outcome="kept",
            reasons=("By log loss: gain 0.0123.", "Version 3 stays in production."),
            gain=0.0123,
            p_value=0.0456,
            alpha=0.001,
        )
        for number in (1, 7)
    )
    pages = [write_report(**inputs | {"decision": each}) for each in (first, kept)]
    seen, hidden = (ParsedPage(without_plotly(page)).words for page in pages)
    rows = inputs["test_metrics"].rows
    for figure in ("0.0123", "0.0456", f"on {rows} test rows", "Which mistakes it makes"):
        assert figure in seen
        assert figure not in hidden
    assert f"on {inputs['valid_metrics'].rows} valid rows" in hidden
    assert "have been used 7 times against version 3" in hidden
    assert "kedro releases --show-test RUN_ID" in hidden
    _, scores, matrix = evaluate_model(
        binary_model, binary.train, binary.test, binary.info, binary.preprocessing, PARAMS
    )
    drawn = plot_evaluation(scores, matrix, importance, kept, binary.info)
    assert not any(figure.data for figure in drawn)


def test_the_report_of_a_regression_has_its_own_headings(regression, regression_model):
    """The report of a regression has its own headings and none about ranking."""
    page = write_report(**report_inputs(regression, regression_model, {"linear": RIDGE}))
    for text in ("How close it comes", "Where it errs"):
        assert text in page
    assert "How well it ranks" not in page


def test_the_inputs_stay_as_they_were(binary, binary_model, evaluated, importance):
    """Neither rows nor model nor scores are changed by any node."""
    rows = (binary_model, binary.test, binary.info)
    judged = (binary_model, binary.train, binary.test, binary.info)
    assert_inputs_unchanged(evaluate_model, *judged, binary.preprocessing, PARAMS)
    assert_inputs_unchanged(explain_model, *rows, PARAMS)
    drawn = (evaluated[1], evaluated[2], importance, FIRST_RELEASE, binary.info)
    assert_inputs_unchanged(plot_evaluation, *drawn)


def test_the_tables_of_the_fixtures_are_as_expected(binary, regression):
    """What the other tests build on: sizes and features."""
    assert len(raw_table(300)) == len(binary.train) + len(binary.valid) + len(binary.test)
    assert binary.info.features == ("size", "count", "colour")
    assert regression.info.features == ("count", "colour")
