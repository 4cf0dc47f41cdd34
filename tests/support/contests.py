"""Two models on the same rows: the gate, and the challenge about it."""

from __future__ import annotations

import math

import numpy as np

from mlops_basics.pipelines.model_evaluation.gate import gate_table, request_challenge
from mlops_basics.schemas import Champion, DecisionParams, Estimate
from mlops_basics.scoring.scores import Scores
from tests.support.artifacts import make_challenge, make_metrics, make_overfit_check
from tests.support.parameters import configured

FIT = make_overfit_check()
TEST_METRICS = make_metrics(
    rows=200,
    accuracy=Estimate(value=0.9, low=0.85, high=0.93, greater_is_better=True),
    log_loss=Estimate(value=0.3, low=0.2, high=0.4, greater_is_better=False),
    roc_auc=Estimate(value=None, greater_is_better=True, note="one class only"),
)


def classifier(y, skill, rng, classes=2):
    """Scores of a model whose probability of the true class rises with its skill."""
    logits = rng.normal(size=(len(y), classes))
    logits[np.arange(len(y)), y] += skill
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return Scores("multiclass", y, p.argmax(axis=1), p)


def regression(y, noise, rng):
    """Scores of a model that errs by so much."""
    return Scores("regression", y, y + noise * rng.normal(size=len(y)), np.empty((len(y), 0)))


def make_gate(task="binary", n=200, champion=1.0, challenger=1.0, seed=0, y=None):
    """Two independent models of these skills (of a regression: their noise)."""
    rng = np.random.default_rng(seed)
    hashes = np.arange(n, dtype=np.uint64)
    if task == "regression":
        y = rng.normal(size=n) if y is None else y
        return gate_table(hashes, regression(y, champion, rng), regression(y, challenger, rng))
    k = {"binary": 2, "multiclass": 4}[task]
    y = rng.integers(0, k, n) if y is None else y
    one, other = (classifier(y, skill, rng, k) for skill in (champion, challenger))
    return gate_table(hashes, one, other)


def contest(gate, version="3", overfit=FIT, unusable="", **params):
    """The request of a challenge on a gate."""
    return request_challenge(
        Champion(version=version),
        gate,
        "test rows that neither model was trained or tuned on",
        () if gate is not None and "champion" in gate.columns else ("a", "b", "c", "d"),
        overfit,
        configured(DecisionParams, **params),
        unusable,
    )


def challenge_of(number=1, version="3", repeated=False):
    """A recorded challenge."""
    return make_challenge(version, number, "ab" * 8, repeated)


def assert_finite(value: object) -> None:
    """No number in it is NaN or infinite, however deep it lies."""
    if isinstance(value, dict):
        for item in value.values():
            assert_finite(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            assert_finite(item)
    elif isinstance(value, float):
        assert math.isfinite(value)


def better_loss_worse_classes():
    """A challenger with a lower log loss that predicts the wrong class more often."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    right = rng.random(600) < 0.85
    sure = np.where(right, 0.99, 0.001)  # confident, and disastrous where it is wrong
    timid = np.where(rng.random(600) < 0.7, 0.9, 0.45)
    scores = []
    for p in (sure, timid):
        of_true = np.column_stack([1 - p, p])
        both = np.where(y[:, None] == 1, of_true, of_true[:, ::-1])
        scores.append(Scores("binary", y, both.argmax(axis=1), both))
    return gate_table(np.arange(600, dtype=np.uint64), *scores)
