"""Tests of the results of statistics inside of artifacts: dataclasses that pydantic validates."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mlops_basics.schemas import Artifact, BatchResult, Decision, Metrics, WatchedBatch
from mlops_basics.stats.data_drift.result import DriftResult
from tests.support.artifacts import make_decision, make_guard, make_metrics

BATCH = WatchedBatch(name="b", sha256="0", outcome="used", seen_by="run")
DRIFT = DriftResult(
    column="x",
    kind="numeric",
    measure="KS distance",
    where="",
    effect=None,
    lower=0.0,
    threshold=0.1,
    level=0.01,
    drifted=False,
    n_reference=100,
    n_current=100,
    smallest=None,
    reason="",
)


@pytest.mark.parametrize(
    ("artifact", "place"),
    [
        (make_decision(guards=(make_guard("accuracy"),)), ("guards", 0)),
        (BatchResult(batch=BATCH, columns=(DRIFT,)), ("columns", 0)),
        (make_metrics(accuracy=0.9), ("metrics", "accuracy")),
    ],
    ids=["Guard in Decision", "DriftResult in BatchResult", "Estimate in Metrics"],
)
def test_unknown_keys_are_refused_in_nested_results(
    artifact: Decision | BatchResult | Metrics, place: tuple[str, Any]
) -> None:
    """An artifact is read back from its JSON, but not with a key that its result does not know."""
    kind: type[Artifact] = type(artifact)
    content = artifact.model_dump(mode="json")
    assert kind.model_validate(content) == artifact
    field, part = place
    content[field][part]["unknown"] = 1
    with pytest.raises(ValidationError, match="unknown"):
        kind.model_validate(content)
