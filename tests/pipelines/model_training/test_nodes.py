"""Tests of searching, measuring the fit, and listing the fitted rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.pipelines.model_training.nodes import (
    list_fitted_rows,
    measure_fit,
    refit_model,
    search_model,
)
from mlops_basics.schemas import (
    BATCH_COLUMN,
    ROW_HASH_COLUMN,
    DecisionParams,
    EvaluationParams,
    RefitReport,
)
from mlops_basics.scoring.scores import class_probabilities, losses, score_rows
from tests.support.parameters import configured
from tests.support.tables import (
    BOOSTING,
    LINEAR,
    RIDGE,
    NoMonitor,
    assert_inputs_unchanged,
    prepare,
    raw_table,
    search_of,
    training_params,
)

BY_HEART = {"class": "sklearn.tree.DecisionTreeClassifier", "dense": True}
CONSTANT = {"class": "sklearn.dummy.DummyClassifier", "dense": True, "fixed": {"strategy": "prior"}}
EVALUATION = configured(EvaluationParams, resamples=200)


def search(data, params, monitor=None):
    """Model, trials and report of a search."""
    found = search_of(data, params, monitor)
    return found[0], found[2], found[3]


def probabilities(model, table, info):
    """What the whole pipeline predicts of raw features."""
    return class_probabilities(model, table[list(info.features)], info)


@pytest.fixture(scope="module")
def searched(binary):
    """A search of five trials: both candidates, and some of the sampler's."""
    return search(binary, training_params(n_trials=5))


def test_what_cannot_be_saved_is_told_before_the_search(binary):
    """A small fit of each candidate is shown to the monitor; when it objects, no trial is made."""

    class Strict(NoMonitor):
        def require_savable(self, model):
            super().require_savable(model)
            if len(self.tried) == 2:
                raise DataError("It holds types that are not trusted.")

    monitor = Strict()
    with pytest.raises(DataError, match="not trusted"):
        search(binary, training_params(n_trials=5), monitor)
    assert monitor.tried == ["LogisticRegression", "HistGradientBoostingClassifier"]
    assert monitor.lines == []


def test_each_candidate_is_tried(searched):
    """The first trials are one each, in the order of the configuration."""
    _, trials, report = searched
    assert trials["candidate"].tolist()[:2] == ["linear", "boosting"]
    assert trials["trial"].tolist() == [0, 1, 2, 3, 4]
    assert (report.trials_requested, report.trials_run, report.stopped_early) == (5, 5, "")
    assert report.loss == "log_loss"


def test_a_single_trial_is_the_first_candidate(binary):
    """Fewer trials than candidates try the first ones."""
    _, trials, report = search(binary, training_params(n_trials=1))
    assert trials["candidate"].tolist() == ["linear"]
    assert report.best_candidate == "linear"


def test_the_best_trial_is_the_one_with_the_lowest_loss(searched):
    """The best trial has the lowest loss of those that do not overfit, with its parameters."""
    _, trials, report = searched
    fair = trials[~trials["overfitted"]]
    best = fair.loc[fair["valid_loss"].idxmin()]
    assert report.best_valid_loss == best["valid_loss"]
    assert report.best_candidate == best["candidate"]
    shown = ", ".join(f"{key}={value!r}" for key, value in report.best_params.items())
    assert shown == best["params"]


def test_values_lie_in_their_ranges(searched):
    """Whole numbers are whole, and no value is out of its range."""
    _, trials, _ = searched
    for _, trial in trials.iterrows():
        chosen = dict(part.split("=") for part in trial["params"].split(", "))
        if trial["candidate"] == "linear":
            assert 0.001 <= float(chosen["C"]) <= 100
        else:
            assert 2 <= int(chosen["max_iter"]) <= 8
            assert 0.05 <= float(chosen["learning_rate"]) <= 0.3


def test_the_returned_model_is_the_best_one(searched, binary):
    """The whole pipeline takes raw features and has the loss that is reported."""
    model, _, report = searched
    features = binary.valid[list(binary.info.features)]
    scores = score_rows(model, features, binary.valid, binary.info)
    assert losses(scores).mean() == pytest.approx(report.best_valid_loss, rel=1e-9)


def test_equal_seeds_are_identical_searches(searched, binary):
    """Trials and predictions to the last bit; another seed tries other values."""
    model, trials, report = searched
    again, trials_again, report_again = search(binary, training_params(n_trials=5))
    assert_frame_equal(trials, trials_again)
    assert report == report_again
    one, other = (probabilities(item, binary.test, binary.info) for item in (model, again))
    assert (one == other).all()
    _, trials_other, _ = search(binary, training_params(n_trials=2, seed=1))
    assert trials_other["params"].tolist() != trials["params"].tolist()[:2]


def test_a_stop_in_time_is_recorded_and_can_be_replayed(searched, binary):
    """The recorded number of trials, without a clock, gives the identical model."""
    stopped, trials, report = search(binary, training_params(n_trials=5), NoMonitor(3))
    assert (report.trials_requested, report.trials_run) == (5, 3)
    assert report.stopped_early == "time limit after 3 of 5 trials"
    replayed, trials_again, again = search(binary, training_params(n_trials=report.trials_run))
    assert_frame_equal(trials, trials_again)
    assert again.stopped_early == ""
    assert (again.best_candidate, again.best_params) == (report.best_candidate, report.best_params)
    one, other = (probabilities(item, binary.test, binary.info) for item in (stopped, replayed))
    assert (one == other).all()
    assert_frame_equal(trials, searched[1].head(3))


def test_time_that_ends_with_the_last_trial_stops_nothing(binary):
    """A search that made all of its trials was not stopped early."""
    _, _, report = search(binary, training_params(n_trials=2), NoMonitor(2))
    assert report.stopped_early == ""


def test_the_monitor_gets_the_best_so_far(binary):
    """The monitor gets a line for each trial, with candidate and loss."""
    monitor = NoMonitor()
    _, _, report = search(binary, training_params(n_trials=2), monitor)
    assert len(monitor.lines) == 2
    words = report.best_candidate, f"log loss {report.best_valid_loss:.4g}"
    assert monitor.lines[-1] == f"best {words[0]}, {words[1]}"


@pytest.mark.parametrize("order", [("tree", "constant"), ("constant", "tree")])
def test_a_model_that_does_not_overfit_is_preferred(binary, order):
    """A tree that knows the rows by heart loses to a constant, whichever came first."""
    candidates = {"tree": BY_HEART, "constant": CONSTANT}
    params = training_params(
        candidates={name: candidates[name] for name in order}, n_trials=2, gap_tolerance=0.05
    )
    _, trials, report = search(binary, params)
    trials = trials.set_index("candidate")
    assert trials.loc["tree", "overfitted"]
    assert not trials.loc["constant", "overfitted"]
    assert report.best_candidate == "constant"


def test_where_all_overfit_the_lowest_loss_wins(binary):
    """The search still returns a model; the check says that it must not be promoted."""
    other = {**BY_HEART, "fixed": {"min_samples_leaf": 3}}
    params = training_params(candidates={"a": BY_HEART, "b": other}, n_trials=2, gap_tolerance=0.01)
    _, trials, report = search(binary, params)
    assert trials["overfitted"].all()
    assert report.best_valid_loss == trials["valid_loss"].min()


@pytest.mark.parametrize("candidate", [LINEAR, BOOSTING])
def test_encodings_see_train_rows_only(binary, candidate):
    """Categories, scales and gaps that only valid rows have change nothing in the model."""
    params = training_params(candidates={"one": candidate}, n_trials=1)
    model, _, _ = search(binary, params)
    valid = binary.valid.copy()
    valid["colour"] = "ultraviolet"
    valid["size"] = valid["size"] * 1e6 + 1e9
    valid.loc[::2, "count"] = np.nan
    leaked = prepare(raw_table(300), exclude=["day"])
    leaked.valid = valid
    other, _, _ = search(leaked, params)
    probe = pd.concat([binary.test, valid], ignore_index=True)
    one, two = (probabilities(item, probe, binary.info) for item in (model, other))
    assert (one == two).all()


def test_the_fitted_scales_and_categories_are_those_of_train(binary):
    """What the encoder learned, read from its public attributes."""
    valid = binary.valid.assign(colour="ultraviolet", size=1e9)
    data = prepare(raw_table(300), exclude=["day"])
    data.valid = valid
    model, _, _ = search(data, training_params(candidates={"linear": LINEAR}, n_trials=1))
    steps = model.named_steps
    names = list(steps["vectorizer"].get_feature_names_out())
    assert not [name for name in names if "ultraviolet" in name]
    means = dict(zip(names, steps["scaler"].mean_, strict=True))
    assert means["size"] == pytest.approx(binary.train["size"].mean(), rel=1e-5)


def test_new_categories_and_gaps_can_be_predicted(searched, binary):
    """A row unlike any train row still gets probabilities that sum to one."""
    model, _, _ = searched
    odd = binary.test.head(3).assign(colour="ultraviolet", size=np.nan)
    odd.loc[0, "colour"] = None
    found = probabilities(model, odd, binary.info)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))


def test_a_regression_is_searched_by_squared_error(regression):
    """Its best model beats a constant."""
    params = training_params("regression", {"linear": RIDGE}, n_trials=2)
    _, trials, report = search(regression, params)
    assert report.loss == "squared_error"
    assert report.best_valid_loss < regression.valid["size"].var() / 2
    assert len(trials) == 2


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"class": "sklearn.nothing.Model"}, "'it' names the class sklearn.nothing.Model, which"),
        ({"class": "sklearn.linear_model.Nothing"}, "cannot be imported"),
        ({"class": "Nothing"}, "cannot be imported"),
        ({"fixed": {"penalti": "l2"}}, "'it': .*'penalti'.*Correct `fixed` or `space`"),
    ],
)
def test_a_candidate_that_cannot_be_made_is_named(binary, candidate, message):
    """The error names candidate and class or argument."""
    params = training_params(candidates={"it": LINEAR | candidate}, n_trials=1)
    with pytest.raises(ConfigurationError, match=message):
        search(binary, params)


def test_a_task_without_candidates_is_an_error(binary):
    """The message names the task and the file."""
    params = training_params("regression", {"linear": RIDGE})
    with pytest.raises(ConfigurationError, match=r"none for the task binary.*model_training\.yml"):
        search(binary, params)


def test_choices_are_searched(binary):
    """A search space may have categorical choices."""
    weights = {"class_weight": {"type": "categorical", "choices": ["balanced"]}}
    params = training_params(candidates={"linear": LINEAR | {"space": weights}}, n_trials=1)
    assert search(binary, params)[2].best_params == {"class_weight": "balanced"}


def fit_of(model, data, **values):
    """Metrics on train and valid rows, and the check."""
    params = training_params(candidates={"linear": LINEAR}, **values)
    return measure_fit(
        model, data.train, data.valid, data.info, data.preprocessing, params, EVALUATION
    )


def test_the_fit_is_measured_on_both_sets(binary, binary_model):
    """Accuracy is scikit-learn's on the rows of each set."""
    train, valid, check = fit_of(binary_model, binary)
    for metrics, rows in ((train, binary.train), (valid, binary.valid)):
        predicted = binary_model.predict(rows[list(binary.info.features)])
        assert metrics.rows == len(rows)
        assert metrics.metrics["accuracy"].value == pytest.approx(
            (predicted == rows["kind"]).mean()
        )
    assert not check.overfitted
    assert check.low <= check.gap <= check.high
    assert check.reason.startswith("Not shown: ")
    assert "up to 25 % is tolerated" in check.reason


def test_a_model_that_knows_its_rows_by_heart_is_overfitted(binary):
    """The gap's lower limit lies beyond the tolerance, and the reason says so."""
    params = training_params(candidates={"tree": BY_HEART}, n_trials=1)
    model, _, _ = search(binary, params)
    _, _, check = fit_of(model, binary, gap_tolerance=0.05)
    assert check.overfitted
    assert check.low > check.tolerance == 0.05
    assert check.train_loss < check.valid_loss
    assert "worse than on train rows" in check.reason
    assert check.reason.startswith("Shown: ")
    assert "up to 5 % is tolerated" in check.reason


class BySize:
    """Says nine to one what the size says."""

    classes_ = np.array(["short", "tall"])

    def predict_proba(self, features):
        """By its sign."""
        tall = np.where(features["size"] > 0, 0.9, 0.1)
        return np.column_stack([1 - tall, tall])


def with_bad_days(**values):
    """Five months of 20 rows a day; on 4 days of the valid month all classes are the wrong ones."""
    days = pd.date_range("2024-01-01", "2024-05-31", freq="D").repeat(20)
    size = np.random.default_rng(0).normal(size=len(days))
    bad = (days.month == 4) & np.isin(days.day, (3, 11, 19, 28))
    raw = pd.DataFrame(
        {
            "size": size,
            "day": days,
            "site": "north",
            "kind": np.where((size > 0) ^ bad, "tall", "short"),
            BATCH_COLUMN: "a.csv",
        }
    )
    return prepare(raw, exclude=["site"], split={"time_column": "day"}, **values)


def test_days_that_went_wrong_together_are_no_overfitting():
    """Taken as 600 rows the gap is certain; taken as 30 days it is not."""
    checks = {}
    for group_by in ("none", "auto"):
        _, valid, checks[group_by] = fit_of(BySize(), with_bad_days(group_by=group_by))
        accuracy = valid.metrics["accuracy"]
        assert accuracy.value == pytest.approx(26 / 30)
        assert valid.groups == (None if group_by == "none" else 30)
    assert checks["none"].gap == checks["auto"].gap == pytest.approx(0.42, abs=0.01)
    assert checks["none"].overfitted
    assert not checks["auto"].overfitted
    assert checks["auto"].low < 0.25 < checks["none"].low


def test_rows_of_one_site_say_nothing_about_others():
    """Rows of a single site give a reason instead of an interval, a verdict or an error."""
    train, _, check = fit_of(BySize(), with_bad_days(group_by="site"))
    assert (check.low, check.high, check.overfitted) == (None, None, False)
    assert "all of one group" in check.reason
    assert check.reason.startswith("Not shown: ")
    accuracy = train.metrics["accuracy"]
    assert (train.groups, accuracy.value, accuracy.low) == (1, 1.0, None)
    assert "all rows are of one group" in accuracy.note


def test_overfitting_is_seen_where_sites_lie_on_both_sides():
    """What a site has in common is in both losses; it does not make the gap doubtful."""
    rng, n = np.random.default_rng(3), 1500
    site, size = np.arange(n) % 25, rng.normal(size=n)
    noisy = size + rng.normal(0, 1, 25)[site] + rng.normal(0, 0.5, n)
    raw = pd.DataFrame(
        {
            "size": size,
            "site": site,
            "kind": np.where(noisy > 0, "tall", "short"),
            BATCH_COLUMN: "a.csv",
        }
    )
    data = prepare(raw, exclude=["site"], group_by="site")
    params = training_params(candidates={"tree": BY_HEART}, n_trials=1)
    _, _, check = fit_of(search(data, params)[0], data)
    assert check.overfitted


def test_the_search_judges_overfitting_as_the_check_does():
    """A trial is not put aside for days that went wrong together."""
    for group_by, overfitted in (("none", True), ("auto", False)):
        params = training_params(candidates={"linear": LINEAR}, n_trials=1)
        _, trials, _ = search(with_bad_days(group_by=group_by), params)
        assert trials["overfitted"].tolist() == [overfitted]


def test_the_checks_loss_is_that_of_the_search(searched, binary):
    """Both judge the same model on the same valid rows."""
    model, _, report = searched
    _, _, check = fit_of(model, binary)
    assert check.valid_loss == pytest.approx(report.best_valid_loss, rel=1e-9)


def test_a_large_train_set_is_measured_on_a_part_of_it(binary, binary_model):
    """At most the given number of rows, evenly spread over the table, is measured."""
    train, _, _ = fit_of(binary_model, binary, gap_rows=100)
    assert 50 <= train.rows <= 100
    assert len(binary.train) > 100


def refitted(data, rule, candidate=None, of_rows=None):
    """The search's own fit, what is released under a rule, and the report on it."""
    split = data.split.model_copy(update={"of_rows": of_rows or {}})
    params = training_params(
        candidates={"one": candidate or LINEAR}, n_trials=1, refit=rule, seed=3
    )
    searched, recipe, *_ = search_of(data, params)
    released, report = refit_model(
        recipe, searched, data.train, data.valid, data.test, data.info, split, params
    )
    return searched, recipe, released, report


def test_without_a_refit_the_searched_model_is_released(binary):
    """It is the very same object, fitted on train rows."""
    searched, _, released, report = refitted(binary, "none")
    assert released.pipeline is searched
    assert (report.rule, report.rows) == ("none", len(binary.train))
    assert_frame_equal(released.example, binary.train[list(binary.info.features)].head(5))


@pytest.mark.parametrize("rule", ["none", "train_valid"])
def test_a_table_of_more_rows_has_a_learning_curve(binary, rule):
    """Fits on an eighth, a quarter and a half of the train rows, then the search's own on all."""
    of_rows = {"train": 10**6, "valid": 10**5, "test": 10**5}
    searched, _, _, report = refitted(binary, rule, of_rows=of_rows)
    rows = len(binary.train)
    assert [point.rows for point in report.curve] == [
        *(int(share * rows) for share in (0.125, 0.25, 0.5)),
        rows,
    ]
    measured = score_rows(
        searched, binary.valid[["size", "count", "colour"]], binary.valid, binary.info
    )
    assert report.curve[-1].loss == pytest.approx(losses(measured).mean())
    assert report.curve[0].loss > report.curve[-1].loss
    assert report.loss == "log loss"
    assert refitted(binary, rule)[3].curve == ()
    again = refitted(binary, rule, of_rows=of_rows)[3]
    assert again == report


@pytest.mark.parametrize("candidate", [LINEAR, BOOSTING])
@pytest.mark.parametrize(
    ("rule", "sets"), [("train_valid", ["train", "valid"]), ("all", ["train", "valid", "test"])]
)
def test_what_is_released_was_fitted_on_the_rows_of_the_rule(binary, candidate, rule, sets):
    """It is the recipe's fit on these rows, to the last bit, and another than the search's."""
    searched, recipe, released, report = refitted(binary, rule, candidate)
    rows = pd.concat([getattr(binary, name) for name in sets])
    features = list(binary.info.features)
    expected = fit_recipe(recipe, rows[features], rows["kind"].to_numpy())
    found = probabilities(released.pipeline, binary.test, binary.info)
    assert (found == probabilities(expected, binary.test, binary.info)).all()
    assert (found != probabilities(searched, binary.test, binary.info)).any()
    assert (report.rule, report.rows) == (rule, len(rows))
    assert_frame_equal(released.example, binary.train[features].head(5))


def test_a_split_by_time_is_learned_up_to_the_test_period():
    """A category that is first met in the valid month is known to the model that is released."""
    raw = raw_table(300)
    raw["colour"] = np.where(raw["day"] >= "2024-09-01", "violet", raw["colour"])
    raw["kind"] = np.where(raw["colour"] == "violet", "tall", raw["kind"])
    data = prepare(raw, exclude=["size", "count"], split={"time_column": "day"})
    assert "violet" not in set(data.train["colour"])
    assert "violet" in set(data.valid["colour"])
    probe = pd.DataFrame({"colour": ["violet", "red"]}).assign(day=data.test["day"].iloc[0])
    by_rule = {}
    for rule in ("none", "train_valid"):
        released = refitted(data, rule)[2]
        by_rule[rule] = np.diff(probabilities(released.pipeline, probe, data.info)[:, 1])[0]
    assert by_rule["none"] == pytest.approx(0, abs=0.01)
    assert by_rule["train_valid"] < -0.2


def test_every_fitted_row_is_listed_once():
    """Train and valid rows, sorted, without repeats."""
    train, valid, test = (
        pd.DataFrame({ROW_HASH_COLUMN: np.array(rows, dtype=np.uint64)})
        for rows in ([9, 2**64 - 1, 2], [2, 5, 5], [1, 9])
    )
    found = list_fitted_rows(train, valid, test, RefitReport(rule="none", rows=3))
    assert found[ROW_HASH_COLUMN].tolist() == [2, 5, 9, 2**64 - 1]
    assert found[ROW_HASH_COLUMN].dtype == np.uint64
    everything = list_fitted_rows(train, valid, test, RefitReport(rule="all", rows=8))
    assert everything[ROW_HASH_COLUMN].tolist() == [1, 2, 5, 9, 2**64 - 1]


def test_no_test_row_is_listed(binary):
    """No test row is listed as fitted that was not, so that test rows can be compared."""
    report = RefitReport(rule="train_valid", rows=240)
    listed = set(list_fitted_rows(binary.train, binary.valid, binary.test, report)[ROW_HASH_COLUMN])
    assert not listed & set(binary.test[ROW_HASH_COLUMN])
    assert listed == {*binary.train[ROW_HASH_COLUMN], *binary.valid[ROW_HASH_COLUMN]}


def test_the_inputs_stay_as_they_were(binary, binary_model):
    """Neither rows nor model nor parameters are changed by any node."""
    params = training_params(n_trials=2)
    _, recipe, *_ = assert_inputs_unchanged(
        search_model,
        binary.train,
        binary.valid,
        binary.info,
        binary.preprocessing,
        params,
        NoMonitor(),
        configured(DecisionParams),
    )
    assert_inputs_unchanged(
        measure_fit,
        binary_model,
        binary.train,
        binary.valid,
        binary.info,
        binary.preprocessing,
        params,
        EVALUATION,
    )
    _, report = assert_inputs_unchanged(
        refit_model,
        recipe,
        binary_model,
        binary.train,
        binary.valid,
        binary.test,
        binary.info,
        binary.split,
        params,
    )
    assert_inputs_unchanged(list_fitted_rows, binary.train, binary.valid, binary.test, report)
