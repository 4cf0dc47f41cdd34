"""A new metric is one entry: it is reported, may be tested and veto, and has its title."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn import metrics as reference

from mlops_basics.pipelines.model_evaluation.nodes import write_report
from mlops_basics.schemas import METRICS, DecisionParams, MetricSpec
from tests.support.parameters import configured
from tests.support.tables import LINEAR

from .test_decision import conclude, make_gate
from .test_nodes import report_inputs


def kappa(counts):
    """Cohen's kappa of matrices of shape (..., K, K)."""
    share = counts / counts.sum(axis=(-2, -1), keepdims=True)
    by_chance = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
    return (np.einsum("...kk->...", share) - by_chance) / (1 - by_chance)


def spherical(y, p, _):
    """The spherical loss of each row."""
    return 1 - p[np.arange(len(y)), y] / np.sqrt((p**2).sum(axis=1))


NEW = (
    MetricSpec(
        name="kappa",
        title="Chance-corrected",
        kind="classification",
        of_confusion=kappa,
        greater_is_better=True,
        limits=(-1.0, 1.0),
        guard=True,
    ),
    MetricSpec(
        name="spherical",
        title="Spherical loss",
        kind="classification",
        row_loss=spherical,
        unit="points",
        limits=(0.0, 1.0),
        guard=True,
    ),
)


@pytest.fixture
def entries(monkeypatch):
    """Two more metrics."""
    for spec in NEW:
        monkeypatch.setitem(METRICS, spec.name, spec)


def test_an_entry_is_reported_with_its_title(entries, binary, binary_model):
    """Value and interval in the metrics, the title on the page."""
    inputs = report_inputs(binary, binary_model, {"linear": LINEAR})
    estimates = inputs["test_metrics"].metrics
    assert list(estimates)[5:] == ["kappa", "log_loss", "brier", "spherical"]
    for spec in NEW:
        estimate = estimates[spec.name]
        assert spec.limits[0] <= estimate.low <= estimate.value <= estimate.high <= spec.limits[1]
        assert estimate.greater_is_better == spec.greater_is_better
        assert spec.title in write_report(**inputs)


@pytest.mark.parametrize("spec", NEW, ids=lambda spec: spec.name)
def test_an_entry_may_be_tested_and_vetoes(entries, spec):
    """By name in the parameters, which refuse it without its entry; the words know its unit."""
    gate = make_gate("multiclass", 300, champion=0.5, challenger=3.0)
    decision = conclude(gate, metric=spec.name)
    assert (decision.outcome, decision.unit) == ("promoted", spec.unit or "share")
    y, p = gate["y"], gate[[f"challenger_{k}" for k in range(4)]].to_numpy()
    expected = {
        "kappa": reference.cohen_kappa_score(y, p.argmax(axis=1)),
        "spherical": spherical(y.to_numpy(), p, 1.0).mean(),
    }
    assert decision.challenger_value == pytest.approx(expected[spec.name])
    by_default = [guard.metric for guard in conclude(gate).guards]
    assert by_default[:-1] == ["accuracy", "kappa", "macro_f1", "roc_auc", "spherical"]
    worse = conclude(make_gate("multiclass", 300, champion=3.0, challenger=0.5), guards=[spec.name])
    assert [guard.shown_worse for guard in worse.guards] == [True]


def test_a_metric_without_an_entry_is_refused():
    """The message lists what there is."""
    with pytest.raises(
        ValidationError, match=r"Input should be 'auto', 'log_loss', .* or 'roc_auc'"
    ):
        configured(DecisionParams, metric="kappa")
    with pytest.raises(ValidationError, match="Input should be 'auto'"):
        configured(DecisionParams, guards=["mae"])
