"""Tests of scores, losses and metrics of a model's predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn import metrics as reference
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops_basics.schemas import TableInfo
from mlops_basics.scoring.metrics import compute_metrics, with_constant
from mlops_basics.scoring.scores import (
    LOSS_NAMES,
    Scores,
    baseline_losses,
    baseline_scores,
    class_probabilities,
    confusion_counts,
    error_clip,
    expected_losses,
    losses,
    score_rows,
    watched_losses,
)
from mlops_basics.table.row_groups import NO_GROUPS, RowGroups

EPSILON = 0.01  # the smoothing of the log loss


def smoothed_log_loss(y, probabilities):
    """Cross entropy of truth and prediction, both mixed with a hundredth of pure chance."""
    classes = probabilities.shape[1]
    truth = (1 - EPSILON) * np.eye(classes)[y] + EPSILON / classes
    return -(truth * np.log((1 - EPSILON) * probabilities + EPSILON / classes)).sum(axis=1)


def make_info(task, classes=()):
    """What is known about a table of one feature."""
    return TableInfo(
        task=task,
        target="y",
        classes=classes,
        features=("x",),
        numeric=("x",),
        key_columns=("x",),
        rows=0,
        duplicate_rows=0,
        missing_target_rows=0,
        dropped_columns={},
    )


def make_table(values, rows=60, seed=0):
    """A feature that says something about the target; values are classes, or a slope."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    if isinstance(values, float):
        return pd.DataFrame({"x": x, "y": values * x + rng.normal(size=rows)})
    noisy = x + rng.normal(scale=0.7, size=rows)
    ranks = np.clip(np.round(noisy + 1), 0, len(values) - 1).astype(int)
    return pd.DataFrame({"x": x, "y": np.array(values)[ranks]})


def fitted(table):
    """A model of the table."""
    model = LinearRegression() if table["y"].dtype == np.float64 else LogisticRegression()
    return model.fit(table[["x"]], table["y"])


CASES = [
    ("binary", ("no", "yes")),
    ("binary", (0, 1)),
    ("multiclass", ("a", "b", "c")),
    ("multiclass", (2, 9, 10)),
]


@pytest.mark.parametrize(("task", "values"), CASES)
def test_scores_pair_predictions_with_targets(task, values):
    """Codes follow the classes, probabilities sum to one, predictions are scikit-learn's."""
    table = make_table(values)
    info = make_info(task, tuple(map(str, values)))
    model = fitted(table)
    scores = score_rows(model, table[["x"]], table, info)
    names = np.array(values)
    assert (names[scores.y] == table["y"]).all()
    assert (names[scores.predicted] == model.predict(table[["x"]])).all()
    assert scores.probabilities.sum(axis=1) == pytest.approx(np.ones(len(table)))
    assert scores.task == task


def test_a_class_that_train_never_had_gets_no_probability():
    """It is in the metrics with probability 0, and costs the most."""
    table = make_table(("a", "b", "c"))
    info = make_info("multiclass", ("a", "b", "c"))
    model = fitted(table[table["y"] != "b"])
    probabilities = class_probabilities(model, table[["x"]], info)
    assert (probabilities[:, 1] == 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(table)))
    scores = score_rows(model, table[["x"]], table, info)
    assert 1 not in scores.predicted
    found = losses(scores)
    assert found == pytest.approx(smoothed_log_loss(scores.y, probabilities))
    assert found[scores.y == 1].min() > found[scores.y != 1].max()


def test_losses_are_those_that_are_named():
    """Log loss of smoothed probabilities, and the squared error."""
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9]])
    scores = Scores("binary", np.array([0, 0]), np.array([0, 1]), probabilities)
    assert losses(scores) == pytest.approx(smoothed_log_loss(scores.y, probabilities))
    scores = Scores("regression", np.array([1.0, 2.0]), np.array([1.5, 0.0]), np.empty((2, 0)))
    assert losses(scores) == pytest.approx([0.25, 4])
    assert set(LOSS_NAMES) == {"binary", "multiclass", "regression"}


def test_the_baseline_predicts_what_train_holds():
    """It predicts the train rows' class shares, or their mean, for any other rows."""
    train, table = make_table(("no", "yes")), make_table(("no", "yes"), rows=9, seed=1)
    scores = baseline_scores(train, table, make_info("binary", ("no", "yes")))
    shares = train["y"].value_counts(normalize=True).loc[["no", "yes"]]
    assert scores.probabilities == pytest.approx(np.tile(shares.to_numpy(), (9, 1)))
    train, table = make_table(2.0), make_table(2.0, rows=9, seed=1)
    scores = baseline_scores(train, table, make_info("regression"))
    assert scores.predicted == pytest.approx(np.full(9, train["y"].mean()))


@pytest.mark.parametrize(("task", "values"), CASES)
def test_classification_metrics_are_scikit_learns(task, values):
    """Each value is that of the library, and lies in its interval."""
    table = make_table(values, rows=200)
    model = fitted(table)
    scores = score_rows(model, table[["x"]], table, make_info(task, tuple(map(str, values))))
    found = compute_metrics(scores, 0.95, 200, np.random.default_rng(0))
    y, predicted, p = scores.y, scores.predicted, scores.probabilities
    expected = {
        "accuracy": reference.accuracy_score(y, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(y, predicted),
        "macro_f1": reference.f1_score(y, predicted, average="macro"),
        "mcc": reference.matthews_corrcoef(y, predicted),
        "roc_auc": reference.roc_auc_score(
            y, p[:, 1] if task == "binary" else p, multi_class="ovr", average="macro"
        ),
        "log_loss": smoothed_log_loss(y, p).mean(),
        "brier": reference.brier_score_loss(y, p, labels=range(p.shape[1]), scale_by_half=False),
    }
    assert list(found.metrics) == list(expected)
    assert (found.rows, found.confidence) == (200, 0.95)
    for name, value in expected.items():
        estimate = found.metrics[name]
        assert estimate.value == pytest.approx(value), name
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.greater_is_better == (name not in ("log_loss", "brier"))


@pytest.mark.parametrize(("task", "values"), [*CASES, ("regression", 2.0)])
def test_groups_change_limits_but_no_values(task, values):
    """Each row ten times: with the rows that came of one as a group, they say what one row says."""
    table = make_table(values, rows=200)
    many = pd.concat([table] * 10, ignore_index=True)
    groups = RowGroups(np.tile(np.arange(200), 10), "row")
    info = make_info(task, () if task == "regression" else tuple(map(str, values)))
    model = fitted(table)
    once, often, together = (
        compute_metrics(
            score_rows(model, rows[["x"]], rows, info), 0.95, 2000, np.random.default_rng(0), of
        )
        for rows, of in ((table, NO_GROUPS), (many, NO_GROUPS), (many, groups))
    )
    assert (together.rows, together.groups, together.grouped_by) == (2000, 200, "row")
    assert (once.groups, once.grouped_by) == (None, "")
    for name, estimate in together.metrics.items():
        assert estimate.value == pytest.approx(often.metrics[name].value), name
        widths = [each.metrics[name].high - each.metrics[name].low for each in (once, often)]
        assert estimate.high - estimate.low == pytest.approx(widths[0], rel=0.12), name
        assert widths[1] < 0.4 * widths[0]


def test_regression_metrics_are_scikit_learns():
    """R2, root mean squared and mean absolute error."""
    table = make_table(2.0, rows=200)
    scores = score_rows(fitted(table), table[["x"]], table, make_info("regression"))
    found = compute_metrics(scores, 0.9, 200, np.random.default_rng(0)).metrics
    expected = {
        "r2": reference.r2_score(scores.y, scores.predicted),
        "rmse": reference.root_mean_squared_error(scores.y, scores.predicted),
        "mae": reference.mean_absolute_error(scores.y, scores.predicted),
    }
    assert {name: item.value for name, item in found.items()} == pytest.approx(expected)
    assert all(item.low <= item.value <= item.high for item in found.values())
    assert [item.greater_is_better for item in found.values()] == [True, False, False]


@pytest.mark.parametrize(("task", "values"), [*CASES, ("regression", 2.0)])
def test_the_constants_metrics_are_those_of_any_model(task, values):
    """Predicting the same for every row is measured by the same formulas."""
    train, table = make_table(values, rows=150, seed=1), make_table(values, rows=200)
    info = make_info(task, () if task == "regression" else tuple(map(str, values)))
    scores, constant = (
        score_rows(fitted(train), table[["x"]], table, info),
        baseline_scores(train, table, info),
    )
    rng = np.random.default_rng(0)
    found = with_constant(compute_metrics(scores, 0.95, 200, rng), scores, constant, info.classes)
    expected = compute_metrics(constant, 0.95, 200, rng).metrics
    assert found.constant.metrics == pytest.approx(
        {name: estimate.value for name, estimate in expected.items()}
    )
    if task == "regression":
        assert found.constant.prediction == pytest.approx(train["y"].mean())
        assert found.classes == ()
    else:
        assert found.constant.prediction == str(train["y"].mode()[0])
        counts = reference.confusion_matrix(
            table["y"].map(str), np.array(info.classes)[scores.predicted], labels=info.classes
        )
        assert [each.name for each in found.classes] == list(info.classes)
        assert [each.rows for each in found.classes] == counts.sum(axis=1).tolist()
        assert [each.predicted for each in found.classes] == counts.sum(axis=0).tolist()
        assert [each.found for each in found.classes] == counts.diagonal().tolist()


def test_the_confusion_counts_are_scikit_learns():
    """Rows are the true classes; a class without a row has zeros."""
    y, predicted = np.array([0, 0, 1, 3]), np.array([0, 1, 1, 0])
    scores = Scores("multiclass", y, predicted, np.zeros((4, 4)))
    expected = reference.confusion_matrix(y, predicted, labels=range(4))
    assert (confusion_counts(scores) == expected).all()


def test_intervals_are_drawn_from_the_generator_given():
    """Equal seeds give equal metrics."""
    table = make_table(("no", "yes"))
    scores = score_rows(fitted(table), table[["x"]], table, make_info("binary", ("no", "yes")))
    one, other = (compute_metrics(scores, 0.95, 200, np.random.default_rng(5)) for _ in "ab")
    assert one == other


def test_the_baselines_losses_are_a_row_each():
    """They are the losses of the constant prediction on the same rows."""
    train, table = make_table(2.0), make_table(2.0, rows=9, seed=1)
    found = baseline_losses(train, table, make_info("regression"))
    assert found == pytest.approx((table["y"].to_numpy() - train["y"].mean()) ** 2)


def test_scoring_changes_nothing():
    """Features, table and model are as they were."""
    table = make_table(("a", "b"))
    info = make_info("binary", ("a", "b"))
    model = fitted(table)
    before, coefficients = table.copy(deep=True), model.coef_.copy()
    score_rows(model, table[["x"]], table, info)
    baseline_scores(table, table, info)
    assert_frame_equal(table, before)
    assert (model.coef_ == coefficients).all()


PROBABILITIES = np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5], [1.0, 0.0]])
KNOWN = Scores("binary", np.array([0, 0, 1, 1]), PROBABILITIES.argmax(axis=1), PROBABILITIES)


def test_a_classifier_is_watched_by_its_errors_and_its_brier_score():
    """Both in [0, 1]; the Brier score is halved, as it may reach 2."""
    found = watched_losses(KNOWN, None)
    assert list(found) == ["error", "brier"]
    assert found["error"].tolist() == [0, 1, 1, 1]
    brier = [
        reference.brier_score_loss([y], [p])
        for y, p in zip(KNOWN.y, PROBABILITIES[:, 1], strict=True)
    ]
    assert found["brier"] == pytest.approx(brier)
    assert found["brier"][3] == 1


def test_a_class_that_the_model_does_not_know_is_never_right():
    """Its code is -1, and it must not be read as the last class."""
    strange = Scores("binary", np.array([-1] * 4), KNOWN.predicted, PROBABILITIES)
    found = watched_losses(strange, None)
    assert found["error"].tolist() == [1] * 4
    assert found["brier"] == pytest.approx((1 + (PROBABILITIES**2).sum(axis=1)) / 2)
    assert (found["brier"] >= watched_losses(KNOWN, None)["brier"] - 1e-12).all()


def test_a_regression_is_watched_by_errors_over_their_clip():
    """Larger errors count as 1; without a clip any error does."""
    y = np.array([0.0, 1.0, -5.0, 3.0])
    scores = Scores("regression", y, np.zeros(4), np.empty((4, 0)))
    assert watched_losses(scores, 4.0)["absolute_error"].tolist() == [0, 0.25, 1, 0.75]
    for clip in (None, 0.0):
        assert watched_losses(scores, clip)["absolute_error"].tolist() == [0, 1, 1, 1]


def test_the_clip_is_what_few_errors_exceed():
    """A regression's clip is exceeded by few errors; a classifier needs none."""
    y = np.arange(-100.0, 101.0)
    scores = Scores("regression", y, np.zeros(201), np.empty((201, 0)))
    assert error_clip(scores) == 99
    assert error_clip(scores, 0.5) == 50
    assert error_clip(KNOWN) is None


def test_the_expected_loss_is_that_of_right_probabilities():
    """The mean over labels that are drawn from them; none without probabilities."""
    p = PROBABILITIES[:, 1]
    by_label = {
        y: watched_losses(Scores("binary", np.full(4, y), KNOWN.predicted, PROBABILITIES), None)
        for y in (0, 1)
    }
    for name in ("error", "brier"):
        mean = ((1 - p) * by_label[0][name] + p * by_label[1][name]).mean()
        predicted = PROBABILITIES.argmax(axis=1)
        assert expected_losses(PROBABILITIES, predicted, name).mean() == pytest.approx(mean)
    assert expected_losses(np.empty((4, 0)), np.zeros(4), "absolute_error") is None
    assert expected_losses(np.empty((0, 2)), np.zeros(0), "error") is None
