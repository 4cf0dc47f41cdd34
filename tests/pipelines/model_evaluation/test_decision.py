"""Tests of the decision: each metric, the level, the rule, the guards, and the words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from mlops_basics.errors import ConfigurationError
from mlops_basics.pipelines.model_evaluation.decision import (
    compare,
    decide_tested,
    gain_to_exceed,
    judge_guards,
    level_of,
    metric_to_test,
)
from mlops_basics.pipelines.model_evaluation.gate import gate_table
from mlops_basics.schemas import (
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    Decision,
    DecisionParams,
)
from mlops_basics.schemas.metrics import metrics_to_test
from mlops_basics.scoring.scores import Scores, row_losses
from mlops_basics.stats.paired.spending import alpha_at
from tests.support.artifacts import make_metrics
from tests.support.contests import (
    TEST_METRICS,
    assert_finite,
    better_loss_worse_classes,
    challenge_of,
    contest,
    make_gate,
)
from tests.support.parameters import configured

OF_CLASSES = ("log_loss", "brier", "accuracy", "balanced_accuracy", "macro_f1", "mcc", "roc_auc")
OF_VALUES = ("huber", "squared_error", "absolute_error")


def run_compare(metric, gate, alpha=0.05, min_gain=0.0, seed=0):
    """Compare by one metric."""
    return compare(metric, gate, contest(gate), alpha, min_gain, np.random.default_rng(seed))


def conclude(gate, number=1, version="3", metrics=TEST_METRICS, repeated=False, **params):
    """Test and decide, as the node does."""
    section = configured(DecisionParams, **params)
    request, challenge = contest(gate, version), challenge_of(number, version, repeated)
    kind = "regression" if "champion" in gate.columns else "classification"
    metric = metric_to_test(section, kind)
    rng = np.random.default_rng(section.seed)
    level, exceeded = level_of(challenge, section), gain_to_exceed(section)
    result = compare(metric, gate, request, level, exceeded, rng)
    guards = judge_guards(gate, request, metric, section, rng)
    return decide_tested(result, guards, request, challenge, section, metrics)


def cases():
    """Each task with each metric that is made for it."""
    for task in ("binary", "multiclass", "regression"):
        names = OF_VALUES if task == "regression" else OF_CLASSES
        yield from ((task, name) for name in ("auto", *names))


def test_every_metric_is_of_one_kind_of_task():
    """The lists of these tests are complete."""
    assert list(OF_CLASSES) == metrics_to_test("classification")
    assert list(OF_VALUES) == metrics_to_test("regression")


@pytest.mark.parametrize(("task", "metric"), cases())
@pytest.mark.parametrize("n", [20, 150])
def test_each_metric_gives_a_decision_without_nan(task, metric, n):
    """On few and on many rows each decision has both models' values, gain and level."""
    good, bad = (0.1, 1.0) if task == "regression" else (3.0, 0.5)
    decision = conclude(make_gate(task, n, champion=bad, challenger=good), metric=metric)
    assert_finite(decision.model_dump())
    assert decision.outcome in ("promoted", "kept")
    assert decision.gain is not None
    assert decision.gain > 0
    better = decision.challenger_value - decision.champion_value
    is_loss = decision.metric in ("log_loss", "brier", *OF_VALUES)
    assert (-better if is_loss else better) == pytest.approx(decision.gain)
    assert decision.alpha == pytest.approx(alpha_at(1))
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    if n == 150:
        assert decision.outcome == "promoted"
        assert decision.low <= decision.gain <= decision.high


@pytest.mark.parametrize(("task", "metric"), cases())
def test_by_each_metric_a_worse_challenger_is_kept_out(task, metric):
    """The gain is negative for each metric, whichever direction is better."""
    good, bad = (0.1, 1.0) if task == "regression" else (3.0, 0.5)
    decision = conclude(make_gate(task, champion=good, challenger=bad), metric=metric)
    assert decision.outcome == "kept"
    assert decision.gain < 0
    assert decision.p_value > 0.5
    assert all(guard.shown_worse for guard in decision.guards)


@pytest.mark.parametrize("metric", ["auto", *OF_CLASSES])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_one_class_alone_gives_no_nan(task, metric):
    """What is not defined is None, and nothing is promoted by it."""
    y = np.ones(150, dtype=np.int64)
    decision = conclude(make_gate(task, 150, champion=0.5, challenger=3.0, y=y), metric=metric)
    assert_finite(decision.model_dump())
    if metric == "roc_auc":
        assert decision.outcome == "kept"
        assert decision.gain is None
        assert "less than two classes" in decision.reasons[0]


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_an_absent_class_gives_no_nan(metric):
    """Three of four classes in the rows, and one of them once."""
    y = np.resize([0, 1], 150)
    y[7] = 3
    decision = conclude(
        make_gate("multiclass", 150, champion=0.5, challenger=3.0, y=y), metric=metric
    )
    assert_finite(decision.model_dump())


def test_the_values_are_scikit_learns():
    """Both models' values equal scikit-learn's for the metrics that it has."""
    gate = make_gate("multiclass", 300, champion=1.0, challenger=1.5)
    y = gate["y"].to_numpy()
    p = {
        name: gate[[f"{name}_{k}" for k in range(4)]].to_numpy()
        for name in ("champion", "challenger")
    }
    truth = 0.99 * np.eye(4)[y] + 0.01 / 4  # smoothed as the predictions are: strictly proper
    logs = {name: np.log(0.99 * each + 0.01 / 4) for name, each in p.items()}
    predicted = {name: each.argmax(axis=1) for name, each in p.items()}
    expected = {
        "accuracy": lambda name: reference.accuracy_score(y, predicted[name]),
        "balanced_accuracy": lambda name: reference.balanced_accuracy_score(y, predicted[name]),
        "macro_f1": lambda name: reference.f1_score(y, predicted[name], average="macro"),
        "mcc": lambda name: reference.matthews_corrcoef(y, predicted[name]),
        "roc_auc": lambda name: reference.roc_auc_score(y, p[name], multi_class="ovr"),
        "log_loss": lambda name: -(truth * logs[name]).sum(axis=1).mean(),
    }
    for metric, value in expected.items():
        found = run_compare(metric, gate)
        assert found.champion == pytest.approx(value("champion")), metric
        assert found.challenger == pytest.approx(value("challenger")), metric


def test_the_errors_of_a_regression_are_scikit_learns():
    """The values equal scikit-learn's, and the Huber loss takes its scale from the request."""
    gate = make_gate("regression", 300, champion=1.0, challenger=0.8)
    y, one = gate["y"], gate["champion"]
    assert run_compare("squared_error", gate).champion == pytest.approx(
        reference.mean_squared_error(y, one)
    )
    assert run_compare("absolute_error", gate).champion == pytest.approx(
        reference.mean_absolute_error(y, one)
    )
    residuals = (y - one).abs()
    delta = np.quantile(residuals, 0.95)
    expected = np.where(
        residuals <= delta, residuals**2 / 2, delta * (residuals - delta / 2)
    ).mean()
    assert run_compare("huber", gate).champion == pytest.approx(expected / delta)


def test_the_loss_of_each_row_is_the_models_own():
    """The challenger's losses do not look at the champion."""
    y = np.array([0.0, 2.0])
    scores = Scores("regression", y, np.array([1.0, -1.0]), np.empty((2, 0)))
    assert row_losses(scores, "squared_error", 1.0).tolist() == [1, 9]
    assert row_losses(scores, "absolute_error", 1.0).tolist() == [1, 3]
    assert row_losses(scores, "huber", 1.0).tolist() == [0.5, 2.5]
    # In units of the target: ten times the target, ten times the loss.
    ten = Scores("regression", 10 * y, 10 * scores.predicted, scores.probabilities)
    assert row_losses(ten, "huber", 10.0).tolist() == [5, 25]


def test_auto_is_a_proper_score_of_the_task():
    """What was named is taken as named."""
    assert metric_to_test(configured(DecisionParams), "classification") == "log_loss"
    assert metric_to_test(configured(DecisionParams), "regression") == "huber"
    assert metric_to_test(configured(DecisionParams, metric="mcc"), "classification") == "mcc"


@pytest.mark.parametrize("metric", OF_VALUES)
def test_a_metric_of_a_regression_cannot_test_classes(metric):
    """The error names the parameter and what could be tested instead."""
    with pytest.raises(ConfigurationError, match=r"decision\.metric must be .*log_loss"):
        metric_to_test(configured(DecisionParams, metric=metric), "classification")


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_a_metric_of_classes_cannot_test_a_regression(metric):
    """A metric of classes can be neither test nor guard of a regression."""
    with pytest.raises(ConfigurationError, match=r"decision\.metric must be .*huber"):
        metric_to_test(configured(DecisionParams, metric=metric), "regression")
    with pytest.raises(ConfigurationError, match=r"decision\.guards must be .*huber"):
        conclude(make_gate("regression"), guards=[metric])


def test_alpha_is_spent_by_the_number_of_the_challenge():
    """The levels of all challenges of a champion add up to less than alpha."""
    params = configured(DecisionParams, alpha=0.1)
    levels = [level_of(challenge_of(k), params) for k in range(1, 200)]
    assert levels == [alpha_at(k, 0.1) for k in range(1, 200)]
    assert sum(levels) < 0.1
    assert levels == sorted(levels, reverse=True)
    assert level_of(challenge_of(0), params) == levels[0]


def test_a_later_challenge_needs_more():
    """The same rows and models: promoted as the first challenge, kept as the 60th."""
    gate = make_gate(n=200, champion=1.0, challenger=1.5, seed=7)
    first, late = conclude(gate, 1), conclude(gate, 60)
    assert alpha_at(60) < first.p_value <= alpha_at(1)
    assert (first.outcome, late.outcome) == ("promoted", "kept")
    assert first.p_value == late.p_value
    assert late.low < first.low
    assert late.smallest_gain > first.smallest_gain


def test_superiority_has_to_exceed_min_gain():
    """A gain below it is not enough, however sure it is."""
    gate = make_gate(n=2000, champion=1.0, challenger=1.6)
    sure = conclude(gate)
    assert sure.outcome == "promoted"
    above, below = conclude(gate, min_gain=sure.gain / 4), conclude(gate, min_gain=sure.gain)
    assert (above.outcome, below.outcome) == ("promoted", "kept")
    assert below.min_gain == pytest.approx(sure.gain)
    claim = f"Not shown to be better than version 3 by more than {sure.gain:.4g}. Log loss "
    assert below.reasons[0].startswith(claim)
    assert below.p_value == pytest.approx(0.5, abs=0.1)


def test_non_inferiority_allows_the_margin():
    """An equal model passes when the margin is wide, and does not when it is narrow."""
    gate = make_gate(n=2000, champion=1.5, challenger=1.5, seed=3)
    wide = conclude(gate, rule="non_inferiority", margin=0.2)
    narrow = conclude(gate, rule="non_inferiority", margin=0.0001)
    plain = conclude(gate, margin=0.2)
    assert [d.outcome for d in (wide, narrow, plain)] == ["promoted", "kept", "kept"]
    assert [d.min_gain for d in (wide, narrow, plain)] == [-0.2, -0.0001, 0.0]
    assert wide.reasons[0].startswith("Shown to be less than 0.2 worse than version 3.")


def test_a_guard_may_veto():
    """The test says yes, accuracy is shown to be worse: not promoted, and the guard says why."""
    gate = better_loss_worse_classes()
    decision = conclude(gate)
    assert decision.p_value <= decision.alpha
    assert decision.outcome == "guard_veto"
    assert not decision.promote
    names = [guard.metric for guard in decision.guards]
    assert names == ["accuracy", "macro_f1", "roc_auc", "recall of class 'b'"]
    assert decision.guards[0].shown_worse
    assert decision.guards[0].high < 0
    vetoes = [guard.reason for guard in decision.guards if guard.shown_worse]
    assert list(decision.reasons[2:-1]) == vetoes
    assert "Accuracy: the challenger is shown to be worse" in vetoes[0]


def test_configured_guards_replace_the_default_ones():
    """What is not among them has no veto; the tested metric is no guard of its own."""
    gate = better_loss_worse_classes()
    decision = conclude(gate, guards=["brier", "log_loss"])
    assert decision.outcome == "promoted"
    assert [guard.metric for guard in decision.guards] == ["brier"]
    assert decision.reasons[-1] == decision.guards[0].reason
    values = conclude(make_gate("regression", champion=1.0, challenger=0.5))
    assert [guard.metric for guard in values.guards] == ["absolute_error", "squared_error"]
    named = conclude(gate, metric="accuracy")
    assert [guard.metric for guard in named.guards][:2] == ["macro_f1", "roc_auc"]


def test_an_automatic_guard_is_the_tasks_own_metric():
    """The automatic guard is the task's own metric, unless it is the tested one."""
    gate = make_gate(n=150, champion=0.5, challenger=3.0)
    named = conclude(gate, metric="accuracy", guards=["auto"])
    assert [guard.metric for guard in named.guards] == ["log_loss"]
    assert conclude(gate, guards=["auto", "brier"]).guards[0].metric == "brier"


def test_the_guards_level_is_not_spent():
    """The guards' level is a parameter and the same in the 60th challenge."""
    gate = better_loss_worse_classes()
    assert conclude(gate, 60).guards[0].p_worse == conclude(gate, 1).guards[0].p_worse
    lenient = conclude(gate, guards=["accuracy"], guard_alpha=1e-12)
    assert lenient.outcome == "promoted"


def class_gate(rng, rows, old, new, gain=0.0):
    """Both models' probabilities; the second of two classes is rare, found with these chances."""
    rare = rng.random(rows) < 0.05
    gate = pd.DataFrame({ROW_HASH_COLUMN: np.arange(rows, dtype=np.uint64), "y": rare.astype(int)})
    sure = rng.random(rows)
    for name, recall, sureness in (("champion", old, 0.0), ("challenger", new, gain)):
        found = np.where(rare, sure < recall, rng.random(rows) < 0.02)
        p = np.where(found, 0.8, 0.12 - sureness)
        gate[f"{name}_0"], gate[f"{name}_1"] = 1 - p, p
    return gate


def test_a_rare_class_that_is_no_longer_found_is_a_veto():
    """What is better on the whole, since the frequent class is surer, loses a fifth of the rare."""
    gate = class_gate(np.random.default_rng(0), 4_000, 0.8, 0.6, gain=0.09)
    decision = conclude(gate)
    assert decision.p_value <= decision.alpha
    assert decision.outcome == "guard_veto"
    worst = decision.guards[-1]
    assert (worst.metric, worst.shown_worse) == ("recall of class 'b'", True)
    assert worst.effect == pytest.approx(-0.2, abs=0.08)
    assert "recall of class 'b': the challenger is shown to be worse" in " ".join(decision.reasons)


@pytest.mark.slow
def test_guards_share_their_level():
    """Of challengers that are equally good by each of them, few are vetoed by any."""
    rng = np.random.default_rng(1)
    vetoed = [
        any(guard.shown_worse for guard in conclude(class_gate(rng, 1_000, 0.8, 0.8)).guards)
        for _ in range(200)
    ]
    assert np.mean(vetoed) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_a_first_release_knows_no_veto():
    """A constant prediction may have the higher accuracy."""
    decision = conclude(better_loss_worse_classes(), version=NO_CHAMPION)
    assert decision.outcome == "first_release"
    assert decision.promote


def test_the_reasons_name_the_numbers():
    """Rows, metric, p-value, level, number of the challenge, and the share of the total."""
    gate = make_gate(n=200, champion=1.0, challenger=1.0)
    decision = conclude(gate, 7)
    found, by_luck, what_it_takes, end = decision.reasons
    assert found == (
        f"Not shown to be better than version 3. Log loss {decision.challenger_value:.3f} against "
        f"{decision.champion_value:.3f} on 200 rows: gain {decision.gain:.3f} "
        f"[{decision.low:.3f}, {decision.high:.3f}]."
    )
    assert f"looks so good in {100 * decision.p_value:.1f} % of such comparisons" in by_luck
    level = f"{100 * alpha_at(7):.2g} %"
    assert f"{level} is allowed (the level)" in by_luck
    assert f"Of the 5 % that all challenges of version 3 share, challenge 7 has {level}." in by_luck
    assert f"a true gain of {decision.smallest_gain:.3g} or more would be shown" in what_it_takes
    assert end == "Version 3 stays in production."
    again = conclude(gate, 7, repeated=True)
    assert "challenge 7, made before and not counted again, has" in again.reasons[1]


@pytest.mark.parametrize(("n", "approximate"), [(20, True), (99, True), (100, False)])
def test_below_a_hundred_rows_the_level_is_said_to_be_approximate(n, approximate):
    """The note stands in the decision and in the words."""
    decision = conclude(make_gate(n=n, champion=0.5, challenger=3.0))
    assert decision.rows == n
    assert bool(decision.level_note) == approximate
    assert ("more often than its level says" in decision.reasons[-1]) == approximate
    assert decision.smallest_gain > 0


def test_without_a_smallest_gain_the_words_claim_no_small_table():
    """Two models whose losses are equal on each of many rows, though they are not identical."""
    y = np.arange(500.0)
    one, other = (Scores("regression", y, y + d, np.empty((500, 0))) for d in (0.5, -0.5))
    gate = gate_table(np.arange(500, dtype=np.uint64), one, other)
    decision = conclude(gate)
    assert decision.outcome == "kept"
    assert decision.smallest_gain is None
    assert decision.gain == 0
    assert decision.reasons[2].startswith("No gain, however large, could be shown")
    assert "few" not in decision.reasons[2]


@pytest.mark.parametrize(
    ("floor", "outcome", "words"),
    [
        ({"accuracy": 0.9}, "first_release", ""),
        ({"accuracy": 0.91}, "below_floor", "accuracy is 0.9, below the floor of 0.91."),
        ({"log_loss": 0.3}, "first_release", ""),
        ({"log_loss": 0.29}, "below_floor", "log_loss is 0.3, above the most allowed, 0.29."),
        ({"auc": 0.5}, "below_floor", "quality_floor names 'auc', which was not measured"),
        ({"roc_auc": 0.5}, "below_floor", "quality_floor names 'roc_auc', which was not measured"),
        ({"auc": 0.5}, "below_floor", "accuracy, log_loss, roc_auc"),
    ],
)
def test_a_first_release_has_to_reach_the_floor(floor, outcome, words):
    """The bound itself is enough; a name that was not measured is never passed in silence."""
    metrics = make_metrics(accuracy=0.9, log_loss=0.3, roc_auc=None)
    gate = make_gate(champion=0.5, challenger=3.0)
    decision = conclude(gate, version=NO_CHAMPION, metrics=metrics, quality_floor=floor)
    assert decision.outcome == outcome
    assert any(words in reason for reason in decision.reasons)
    if outcome == "below_floor":
        assert decision.reasons[-1] == "Nothing is published."


def test_a_floor_that_is_not_a_number_is_not_reached():
    """A metric that came out as NaN proves nothing."""
    gate = make_gate(champion=0.5, challenger=3.0)
    found = conclude(
        gate,
        version=NO_CHAMPION,
        metrics=make_metrics(accuracy=float("nan")),
        quality_floor={"accuracy": 0.1},
    )
    assert found.outcome == "below_floor"


def test_the_floor_is_of_first_releases_only():
    """Later ones have a champion to beat."""
    gate = make_gate(champion=0.5, challenger=3.0)
    metrics = make_metrics(accuracy=0.1)
    assert conclude(gate, metrics=metrics, quality_floor={"accuracy": 0.9}).promote


def test_comparing_is_seeded_and_mutates_nothing():
    """Equal seeds give equal decisions, also by the bootstrap."""
    gate = make_gate("multiclass", champion=1.0, challenger=1.5)
    before = gate.copy(deep=True)
    one, other = (conclude(gate, metric="macro_f1", seed=5) for _ in range(2))
    assert one == other
    pd.testing.assert_frame_equal(gate, before)
